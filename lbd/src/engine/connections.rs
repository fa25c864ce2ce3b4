//! Connections: how many there are, and which must end because their server is no more.
//!
//! A server that fails its checks, or has left the configuration, keeps its established connections in the kernel
//! although nobody answers them any more: its clients would wait for minutes. So the kernel is made to forget them
//! once its rules do not lead there any more; the client's next packet then meets a reset.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::kernel::SERVER_MAPS;
use super::throughput::{Rate, Throughput};
use super::{Effect, Engine, Now};
use crate::config::{OnServerFailure, OperatorState, RealServer, VirtualService};
use crate::conntrack::census::{Census, Figures, PORTS_PER_SOURCE};
use crate::health::state::Verdict;
use crate::proxy::sticky::MOST_CLIENTS;
use crate::proxy::{self, Tally};
use crate::traffic::listing::Listing;
use crate::traffic::numbering::{Mark, is_service_counter};

/// Connections that the kernel must forget.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// Those of a server that is out.
    Server {
        /// Its number.
        mark: u32,
        /// Connections to this address may go on: the server has moved there.
        but_those_to: Option<IpAddr>,
    },
    /// Those that servers see under this address, which has left the configuration: no answer would arrive any more.
    Source(IpAddr),
}

/// A packet that passed the old rules can make an entry a moment after all were deleted.
const REPEAT: Duration = Duration::from_millis(250);
/// After a failure.
const RETRY: Duration = Duration::from_secs(1);

/// What is known of connections, and what is to be done about them.
#[derive(Debug, Default)]
pub(super) struct Connections {
    census: Option<Census>,
    throughput: Throughput,
    census_failure: Option<String>,
    ending_failure: Option<String>,
    /// Servers with a number when the connections were last settled; the address where it is known.
    servers: BTreeMap<u32, Option<IpAddr>>,
    /// Virtual and SNAT addresses at that time.
    addresses: BTreeSet<IpAddr>,
    /// Servers that fail and whose connections were ended.
    condemned: BTreeSet<u32>,
    /// To be ended then.
    pending: BTreeSet<(Duration, Ending)>,
}

impl Connections {
    /// What an earlier lbd left.
    pub(super) fn adopt(listing: &Listing) -> Self {
        let marks = listing.maps.get("numbering").into_iter().flatten();
        let of_servers = marks.filter(|(_, name)| !is_service_counter(name));
        let number = |text: &str| u32::from_str_radix(text.strip_prefix("0x")?, 16).ok();
        let address = |mark: &String| {
            let mut places = SERVER_MAPS.iter().filter_map(|map| listing.maps.get(*map)?.get(mark));
            places.next()?.split(" . ").next()?.parse().ok()
        };
        let servers = of_servers.filter_map(|(mark, _)| Some((number(mark)?, address(mark)))).collect();
        let addresses = ["addresses", "addresses6"].into_iter().filter_map(|set| listing.maps.get(set));
        let addresses = addresses.flat_map(|set| set.keys()).filter_map(|address| address.parse().ok());
        Self { servers, addresses: addresses.collect(), ..Self::default() }
    }

    /// Takes a count, or why there is none.
    pub(super) fn counted(&mut self, result: Result<Census, String>, now: Now) {
        match result {
            Ok(census) => {
                self.throughput.read(&census, now.monotonic);
                (self.census, self.census_failure) = (Some(census), None);
            }
            Err(why) => self.census_failure = Some(why),
        }
    }

    /// What is known of a server's connections; `None` before the first count.
    pub(super) fn figures(&self, mark: u32) -> Option<Figures> {
        self.census.as_ref().map(|census| census.marks.get(&mark).copied().unwrap_or_default())
    }

    /// What the proxy has done at a server, or for a service as a whole.
    pub(super) fn proxied(&self, mark: u32) -> Tally {
        let census = self.census.as_ref();
        census.and_then(|census| census.proxy.tallies.get(&mark).copied()).unwrap_or_default()
    }

    /// How many bytes a second pass to and from a server; `None` while the connections cannot be counted, as what was
    /// counted before says nothing of now.
    pub(super) fn rate(&self, mark: Option<Mark>) -> Option<Rate> {
        let rate = || mark.map(|mark| self.throughput.of(mark.get())).unwrap_or_default();
        self.census_failure.is_none().then(rate)
    }

    /// Open connections with this mark; `None` before the first count.
    pub(super) fn connections_now(&self, mark: u32) -> Option<u64> {
        self.figures(mark).map(|figures| figures.connections)
    }

    /// An order has been carried out, or must be repeated.
    pub(super) fn ended(&mut self, endings: Vec<Ending>, result: Result<(), String>, now: Now) {
        self.ending_failure = result.err();
        if self.ending_failure.is_some() {
            self.pending.extend(endings.into_iter().map(|ending| (now.monotonic + RETRY, ending)));
        }
    }

    /// When a repetition is due.
    pub(super) fn next_due(&self) -> Option<Duration> {
        self.pending.first().map(|(due, _)| *due)
    }

    fn due(&mut self, now: Now) -> Vec<Ending> {
        let mut due = Vec::new();
        while self.next_due().is_some_and(|due| due <= now.monotonic) {
            due.extend(self.pending.pop_first().map(|(_, ending)| ending));
        }
        // A server that is back, or whose number another one has, keeps its connections.
        due.retain(|ending| match ending {
            Ending::Server { mark, but_those_to: None } => {
                self.condemned.contains(mark) || !self.servers.contains_key(mark)
            }
            Ending::Server { mark, but_those_to: address } => self.servers.get(mark) == Some(address),
            Ending::Source(address) => !self.addresses.contains(address),
        });
        due
    }

    /// For the View.
    pub(super) fn problems(&self) -> Vec<String> {
        let uncounted = self.census_failure.iter().map(|why| {
            format!(
                "Connections cannot be counted ({why}): how many are open, and what passes, is not known. Traffic goes \
                 on; it is tried again by itself."
            )
        });
        let unended = self.ending_failure.iter().map(|why| {
            format!(
                "The connections of a server that has failed could not be ended ({why}): its clients may wait until \
                 they give up. It is tried again by itself."
            )
        });
        let lost = self.census.iter().filter(|census| census.lost_ends > 0).map(|census| {
            format!(
                "More connections ended at once than could be recorded, {} times since lbd started: some are missing \
                 among the closed connections and in the sums of bytes.",
                census.lost_ends
            )
        });
        let unrecorded = self.census.iter().filter_map(|census| {
            let missing = census.unrecorded;
            match &census.record_failure {
                Some(why) => Some(format!(
                    "Closed connections cannot be recorded ({why}); {missing} are missing since lbd started. Traffic \
                     goes on."
                )),
                None => (missing > 0).then(|| {
                    format!("{missing} closed connections were not recorded since lbd started. Traffic goes on.")
                }),
            }
        });
        let proxy = self.census.iter().flat_map(|census| proxy_problems(&census.proxy));
        uncounted.chain(unended).chain(lost).chain(unrecorded).chain(proxy).collect()
    }
}

fn proxy_problems(proxy: &proxy::Figures) -> Vec<String> {
    let refused = (proxy.refused > 0).then(|| {
        format!(
            "{} connections to proxied services were refused since lbd started, as {} is the most at a time. Let the \
             kernel forward those services (forwarding_method = \"snat\"), or let connections end sooner \
             (idle_timeout_seconds).",
            proxy.refused, proxy.most
        )
    });
    let forgotten = proxy.memory_is_full.then(|| {
        format!(
            "Persistence of proxied services remembers as many clients as it has room for ({MOST_CLIENTS}): further ones \
             are balanced as always, but may meet another server with each connection. Shorten the persistence \
             time-outs, let networks count as one client, or let the kernel forward (forwarding_method = \"snat\")."
        )
    });
    refused.into_iter().chain(forgotten).collect()
}

/// Source ports of one address towards one port of a server. The proxy's are those that the kernel gives to programs:
/// 32,768 to 60,999 (`ip_local_port_range`, Documentation/networking/ip-sysctl.rst).
pub(super) fn ports_of_one_source(service: &VirtualService) -> u64 {
    if service.is_proxied() { 61_000 - 32_768 } else { PORTS_PER_SOURCE }
}

/// True where so few of these source ports are left that somebody should know: a connection is refused when none is.
pub(super) fn ports_run_out(figures: &Figures, available: u64, warning_percent: u8) -> bool {
    figures.ports_in_use * 100 >= available * u64::from(warning_percent)
}

impl Engine {
    /// Orders the end of connections whose server is out, once the kernel's rules do not lead there any more.
    pub(super) fn end_connections(&mut self, now: Now) -> Vec<Effect> {
        if !self.connections_unsettled || self.kernel.is_busy() || !self.kernel.has(&self.plan.desired) {
            return Vec::new();
        }
        let mut condemned = self.failed_servers();
        let halted = self.halted_servers();
        // A change that is refused leaves no trace: until it is accepted nobody is halted who was not before.
        let is_accepted = self.change.is_none();
        condemned.extend(
            halted.into_iter().filter(|mark| is_accepted || self.connections.condemned.contains(mark)),
        );
        let mut endings: Vec<_> = condemned
            .difference(&self.connections.condemned)
            .map(|mark| Ending::Server { mark: *mark, but_those_to: None })
            .collect();
        self.connections.condemned = condemned;
        // Nor has anything been removed.
        if is_accepted {
            self.connections_unsettled = false;
            endings.extend(self.removed_servers());
            endings.extend(self.removed_addresses());
        }
        let repeat = now.monotonic + REPEAT;
        self.connections.pending.extend(endings.iter().map(|ending| (repeat, ending.clone())));
        ordered(endings)
    }

    /// Orders what must be repeated.
    pub(super) fn repeat_endings(&mut self, now: Now) -> Vec<Effect> {
        ordered(self.connections.due(now))
    }

    /// Servers that fail their checks, in services whose connections end with their server.
    fn failed_servers(&self) -> BTreeSet<u32> {
        let services = self.config.services.iter();
        let ending = services.filter(|service| service.on_server_failure == OnServerFailure::Reset);
        let servers = ending.flat_map(|service| service.servers.iter().map(move |server| (service, server)));
        let failed = servers.filter(|(service, server)| {
            let health = self.checks.health(&service.label, &server.label);
            health.is_some_and(|health| health.verdict() == Verdict::Down)
        });
        failed.filter_map(|(service, server)| self.mark(service, server)).collect()
    }

    /// Servers that an operator has halted, and those of services that are switched off.
    fn halted_servers(&self) -> BTreeSet<u32> {
        let services = self.config.services.iter();
        let servers =
            services.flat_map(|service| service.servers.iter().map(move |server| (service, server)));
        let halted =
            servers.filter(|(service, server)| !service.enabled || server.state == OperatorState::Halt);
        let halted = halted.filter_map(|(service, server)| self.mark(service, server));
        let off = self.config.services.iter().filter(|service| !service.enabled);
        halted.chain(off.filter_map(|service| self.fallback_mark(service))).collect()
    }

    fn fallback_mark(&self, service: &VirtualService) -> Option<u32> {
        self.numbering.fallback(&service.label).map(Mark::get)
    }

    fn mark(&self, service: &VirtualService, server: &RealServer) -> Option<u32> {
        self.numbering.server(&service.label, &server.label).map(|mark| mark.get())
    }

    /// Servers that have left the configuration, or have another address, since this was last asked.
    fn removed_servers(&mut self) -> Vec<Ending> {
        let servers = self.numbered_servers();
        let before = std::mem::replace(&mut self.connections.servers, servers);
        let ending = |(mark, old): (u32, Option<IpAddr>)| match self.connections.servers.get(&mark) {
            None => Some(Ending::Server { mark, but_those_to: None }),
            Some(new) if old.is_some() && old != *new => Some(Ending::Server { mark, but_those_to: *new }),
            Some(_) => None,
        };
        before.into_iter().filter_map(ending).collect()
    }

    /// Addresses that have left the configuration since this was last asked.
    fn removed_addresses(&mut self) -> Vec<Ending> {
        let services = self.config.services.iter().filter(|service| service.enabled);
        let addresses = services.flat_map(|service| service.addresses.iter().chain(&service.snat_pool));
        let addresses = addresses.copied().collect();
        let before = std::mem::replace(&mut self.connections.addresses, addresses);
        before.difference(&self.connections.addresses).map(|address| Ending::Source(*address)).collect()
    }

    fn numbered_servers(&self) -> BTreeMap<u32, Option<IpAddr>> {
        let services = self.config.services.iter();
        let servers =
            services.flat_map(|service| service.servers.iter().map(move |server| (service, server)));
        let servers =
            servers.filter_map(|(service, server)| Some((self.mark(service, server)?, Some(server.address))));
        let fallback = self.config.services.iter().filter_map(|service| {
            Some((self.fallback_mark(service)?, service.fallback_server.map(|server| server.address)))
        });
        servers.chain(fallback).collect()
    }
}

fn ordered(endings: Vec<Ending>) -> Vec<Effect> {
    if endings.is_empty() { Vec::new() } else { vec![Effect::EndConnections(endings)] }
}
