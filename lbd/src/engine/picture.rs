//! The engine's state as a [`View`].

use std::net::IpAddr;

use super::connections::{ports_of_one_source, ports_run_out};
use super::throughput::Rate;
use super::{Engine, Target, called_title, checks, fallback_server};
use crate::config::{Limit, OperatorState, RealServer, VirtualService};
use crate::conntrack::census::Figures;
use crate::health::state::Verdict;
use crate::health::tls::fault::day;
use crate::network::topology::Family;
use crate::plan::{ServicePlan, Source};
use crate::traffic::numbering::{server_counter, service_counter};
use crate::view::{
    AddressView, ChecksView, Condition, ConditionKind, FallbackServerView, FastPath, MailView, ServerState,
    ServerView, ServiceState, ServiceView, TrafficView, View,
};

/// A certificate that ends sooner is a problem: long enough for those who issue them.
const CERTIFICATE_DAYS: i64 = 30;

impl Engine {
    /// What people and programs may know now.
    pub fn view(&self) -> View {
        let pairs = self.config.services.iter().zip(&self.plan.services);
        let services: Vec<_> = pairs.map(|(service, plan)| self.service_view(service, plan)).collect();
        let conditions = self.conditions();
        View {
            host_name: self.host_name(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.started,
            configuration_version: self.version,
            pending_confirmation: self.trial.as_ref().map(|trial| trial.view(self.version)),
            state: services
                .iter()
                .map(|service| service.state)
                .filter(|state| *state != ServiceState::Off)
                .max()
                .unwrap_or(ServiceState::Up),
            problems: conditions.iter().map(|condition| condition.text.clone()).collect(),
            conditions,
            mail: self.mail.clone(),
            clock: self.clock_view(),
            snmp: self.snmp.clone(),
            openings: self.opening_views(),
            fast_path: self.fast_path(),
            checks: ChecksView {
                different: self.checks.count(),
                latest_start_milliseconds: self.checks.lateness().largest().as_secs_f64() * 1e3,
            },
            syslog_servers: self.syslog_views(),
            interfaces: self.interface_views(),
            guest_services: self.pulse.guest_services(),
            virtual_services: services,
        }
    }

    pub(super) fn host_name(&self) -> String {
        let configured = self.config.network.as_ref().and_then(|network| network.host_name.as_ref());
        configured.map_or_else(|| self.host_name.clone(), ToString::to_string)
    }

    fn conditions(&self) -> Vec<Condition> {
        let other =
            |about: &'static str| move |text: String| Condition::new(ConditionKind::Other, about, text);
        // A sentence of the start has no name but itself.
        let start = |text: &String| Condition::new(ConditionKind::Other, text, text);
        let mut all: Vec<_> = self.start_problems.iter().map(start).collect();
        all.extend(self.taken_back.clone().map(other("configuration")));
        all.extend(self.kernel.failure().map(|why| {
            other("kernel")(format!(
                "The kernel does not have the latest state; traffic goes on as before. {why}. \
                 It is tried again by itself."
            ))
        }));
        all.extend(self.pulse.conditions());
        all.extend(self.connections.problems().into_iter().map(other("connections")));
        all.extend(self.counters.problem().map(other("counters")));
        all.extend(self.room.problem().map(other("persistence")));
        all.extend(self.forwarding.problems());
        all.extend(self.ports_problems());
        all.extend(self.not_listening.clone().map(other("webui")));
        all.extend(self.not_listening_in_clear.clone().map(other("webui over http")));
        all.extend(self.certificate_problems());
        all.extend(self.mail_problems());
        all.extend(self.clock_problem());
        all.extend(self.snmp.problems.iter().map(|text| other("snmp")(text.clone())));
        let management = &self.config.management;
        let interface = self.topology.interfaces.get(management.interface.as_str());
        let at_home = interface.is_some_and(|interface| {
            interface.networks.iter().any(|network| network.address == IpAddr::V4(management.address))
        });
        if !at_home {
            all.push(other("management")(format!(
                "The management address {} is not an address of {}: give it to the interface, or correct \
                 [management] in the configuration.",
                management.address, management.interface
            )));
        }
        all
    }

    fn mail_problems(&self) -> Vec<Condition> {
        let MailView { waiting_count, last_error, disk_failure, gave_way, .. } = &self.mail;
        let mail = |about: &str, text: String| Condition::new(ConditionKind::Mail, about, text);
        let failing = last_error.as_ref().map(|why| {
            let text = match *waiting_count {
                0 => format!("The last mail was not delivered: {why}."),
                1 => format!("1 mail waits to be delivered; the last attempt failed: {why}."),
                count => format!("{count} mails wait to be delivered; the last attempt failed: {why}."),
            };
            mail("delivery", text)
        });
        let unkept = disk_failure.as_ref().map(|why| {
            mail(
                "disk",
                format!(
                    "The disk does not take the mail queue ({why}): mails that wait are lost when lbd ends."
                ),
            )
        });
        let lost = (*gave_way > 0).then(|| {
            mail(
                "room",
                format!("{gave_way} mails gave way since lbd started, as there was no room for more."),
            )
        });
        [failing, unkept, lost].into_iter().flatten().collect()
    }

    fn fast_path(&self) -> FastPath {
        if !self.config.layer4.fast_path {
            let detail = "switched off in the configuration; connections take the ordinary path".into();
            return FastPath { available: false, detail };
        }
        match &self.fast_path_missing {
            None => FastPath { available: true, detail: self.fast_path_words() },
            Some(why) => FastPath {
                available: false,
                detail: format!("this kernel has no flowtables; connections take the ordinary path ({why})"),
            },
        }
    }

    fn fast_path_words(&self) -> String {
        let all = "established connections take the kernel's fast path (flowtable)";
        let own = self.config.services.iter().filter(|service| service.idle_timeout.is_some());
        let labels: Vec<_> = own.map(|service| service.label.as_str()).collect();
        match labels.as_slice() {
            [] => all.to_owned(),
            [label] => format!("{all}, but not those of {label}, which has an idle time-out of its own"),
            many => {
                format!("{all}, but not those of {} services with an idle time-out of their own", many.len())
            }
        }
    }

    fn service_view(&self, service: &VirtualService, plan: &ServicePlan) -> ServiceView {
        let pairs = service.servers.iter().zip(&plan.servers);
        let mut servers: Vec<_> =
            pairs.map(|(server, source)| self.server_view(service, server, source)).collect();
        Family::ALL.into_iter().for_each(|family| make_percentages(&mut servers, family));
        let missing: Vec<_> =
            plan.interfaces.iter().filter_map(|place| place.as_ref().err()).map(String::as_str).collect();
        let counter = service_counter(service.label.as_str());
        let fallback = self.fallback_view(service, plan);
        let problem = match missing.is_empty() {
            true => [all_full(&servers), fallback_server::serves(fallback.as_ref())]
                .into_iter()
                .flatten()
                .collect(),
            false => missing.into_iter().map(str::to_owned).collect::<Vec<_>>(),
        };
        let problem: Vec<_> = problem.into_iter().chain(homeless(&plan.homeless)).collect();
        ServiceView {
            label: service.label.to_string(),
            addresses: service.addresses.iter().zip(&plan.interfaces).map(address_view).collect(),
            ports: service.ports.to_string(),
            protocol: service.protocol.to_string(),
            forwarding_method: service.forwarding_method.to_string(),
            state: match service.enabled {
                true => reached_by(plan, state_of(&servers)),
                false => ServiceState::Off,
            },
            problem: (!problem.is_empty()).then(|| problem.join("; ")),
            without_server: fallback_server::without_server(service, fallback.as_ref()),
            idle_timeout_seconds: service.idle_timeout.map(|time| time.as_secs()),
            persistence_seconds: service.persistence.map(|time| time.as_secs()),
            connections_opened: self.counters.value(&counter),
            connections_not_taken: servers.iter().map(|server| server.connections_not_taken).sum(),
            recent_connections_per_second: self.counters.course(&counter),
            traffic: self.service_traffic(service, &servers, fallback.as_ref()),
            fallback_server: fallback,
            real_servers: servers,
        }
    }

    fn server_view(&self, service: &VirtualService, server: &RealServer, source: &Source) -> ServerView {
        let health = self.checks.health(&service.label, &server.label);
        let verdict = health.map_or(Verdict::Checking, |health| health.verdict());
        let mark = self.numbering.server(&service.label, &server.label);
        let figures = mark.and_then(|mark| self.connections.figures(mark.get()));
        let throughput = self.connections.rate(mark);
        let counter = server_counter(service.label.as_str(), server.label.as_str());
        let forwards = !service.is_proxied() || self.kernel.forwards();
        let serving = forwards && mark.is_some_and(|mark| self.kernel.serves(mark));
        let reason = self.reason(service, server);
        let reason = reason.as_str();
        // A state is shown when the kernel has it: who reads "up" may connect.
        let (state, reason) = match (verdict, serving) {
            _ if !service.enabled => (ServerState::Off, "its service is switched off".to_owned()),
            (verdict, false) if !server.takes_new() => wanted_out(server, verdict, reason, figures.as_ref()),
            (Verdict::Up, false) if self.is_full(service, server) => {
                (ServerState::Drained, full(server, figures.as_ref()))
            }
            (Verdict::Up, true) => (ServerState::Up, reason.to_owned()),
            (Verdict::Up, false) => (ServerState::Checking, format!("{reason}; being taken into service")),
            (_, true) => (ServerState::Up, format!("being taken out of service: {reason}")),
            (Verdict::Down, false) => (ServerState::Down, reason.to_owned()),
            (Verdict::Checking, false) => (ServerState::Checking, reason.to_owned()),
        };
        ServerView {
            label: server.label.to_string(),
            address: server.address,
            port: server.port,
            weight: server.weight.get(),
            full: verdict == Verdict::Up && server.takes_new() && !serving && self.is_full(service, server),
            maximum_connections: server.limit.map(|limit| limit.full_at),
            minimum_connections: server.limit.map(|limit| limit.again_at),
            // Made a part of the whole once all are known.
            share_percent: if state == ServerState::Up { self.share(service, server).into() } else { 0.0 },
            state,
            since: health.map_or(self.started, |health| health.since()),
            reason,
            check: service.check.question.kind.describe(service.check_port(server)),
            check_milliseconds: health
                .and_then(|health| health.latency())
                .map(|time| time.as_secs_f64() * 1e3),
            snat_source: source.address,
            snat_reason: source.reason.clone(),
            connections_opened: self.counters.value(&counter),
            connections_not_taken: match service.is_proxied() {
                true => mark.map(|mark| self.connections.proxied(mark.get()).failures).unwrap_or_default(),
                false => figures.as_ref().map(|figures| figures.not_taken).unwrap_or_default(),
            },
            traffic: traffic(self.counters.rate(&counter), figures.as_ref(), throughput),
            snat_pool: source.pool.clone(),
            snat_ports_in_use: match source.pool.len() {
                0 | 1 => figures.unwrap_or_default().ports_in_use,
                _ => figures.unwrap_or_default().ports_in_use_from_all,
            },
            snat_ports_available: ports_of_one_source(service)
                * u64::try_from(source.pool.len().max(1)).unwrap_or(1),
        }
    }

    /// What the last check found, and what may help.
    fn reason(&self, service: &VirtualService, server: &RealServer) -> String {
        let health = self.checks.health(&service.label, &server.label);
        let reason = health.map(|health| health.reason()).unwrap_or_default();
        let called = called_title(service);
        let hint = called.and_then(|called| self.title_help.hint(checks::address(service, server), called));
        hint.map_or_else(|| reason.to_owned(), |hint| format!("{reason}; {hint}"))
    }

    /// Certificates that end soon, each server once.
    fn certificate_problems(&self) -> Vec<Condition> {
        let soon = |(target, ends): (&Target, jiff::Timestamp)| {
            let days = ends.duration_since(self.seen_last.wall).as_secs().div_euclid(24 * 3600);
            (days < CERTIFICATE_DAYS).then(|| {
                let day = day(ends);
                let text = format!(
                    "The TLS certificate of {} ends in {days} days, on {day}: renew it there.",
                    target.address
                );
                Condition::new(ConditionKind::Certificate, target.address.to_string(), text)
            })
        };
        self.checks.certificates().filter_map(soon).collect()
    }

    /// The sum of its servers, but for the rate: clients that met no server have opened connections too.
    fn service_traffic(
        &self,
        service: &VirtualService,
        servers: &[ServerView],
        fallback: Option<&FallbackServerView>,
    ) -> TrafficView {
        let rate = self.counters.rate(&service_counter(service.label.as_str()));
        let of_servers = servers.iter().map(|server| &server.traffic);
        let all: Vec<_> = of_servers.chain(fallback.map(|server| &server.traffic)).collect();
        let sum = |part: fn(&TrafficView) -> u64| all.iter().map(|traffic| part(traffic)).sum();
        // Not known as soon as one part of it is not.
        let rate_of = |part: fn(&TrafficView) -> Option<f64>| all.iter().map(|traffic| part(traffic)).sum();
        TrafficView {
            connections_now: all.iter().map(|traffic| traffic.connections_now).sum(),
            connections_per_second: rate,
            bytes_in: sum(|traffic| traffic.bytes_in),
            bytes_out: sum(|traffic| traffic.bytes_out),
            bytes_in_per_second: rate_of(|traffic| traffic.bytes_in_per_second),
            bytes_out_per_second: rate_of(|traffic| traffic.bytes_out_per_second),
            packets_in: sum(|traffic| traffic.packets_in),
            packets_out: sum(|traffic| traffic.packets_out),
        }
    }

    fn ports_problems(&self) -> Vec<Condition> {
        let services = self.config.services.iter();
        let servers =
            services.flat_map(|service| service.servers.iter().map(move |server| (service, server)));
        let scarce = servers.filter_map(|(service, server)| {
            let mark = self.numbering.server(&service.label, &server.label)?;
            let figures = self.connections.figures(mark.get())?;
            let available = ports_of_one_source(service);
            let warning_percent = self.config.layer4.snat_ports_warning_percent;
            ports_run_out(&figures, available, warning_percent).then_some(())?;
            let text = format!(
                "{} of {}: {} of {available} source ports of one SNAT address towards it are in use. When none \
                 is left, new connections from there fail: give the service more addresses (snat_pool), add servers, or \
                 let fewer connections open at a time.",
                server.label, service.label, figures.ports_in_use
            );
            let about = format!("{}/{}", service.label, server.label);
            Some(Condition::new(ConditionKind::SnatPorts, about, text))
        });
        scarce.collect()
    }
}

/// Turns shares into parts of a hundred, to a tenth.
fn make_percentages(servers: &mut [ServerView], family: Family) {
    let of_family = |server: &&mut ServerView| Family::of(server.address) == family;
    let all: f64 = servers.iter_mut().filter(of_family).map(|server| server.share_percent).sum();
    for server in servers.iter_mut().filter(of_family).filter(|server| server.share_percent > 0.0) {
        server.share_percent = (server.share_percent / all * 1000.0).round() / 10.0;
    }
}

/// The sums of what has passed stay as they were counted last; what is no more than that is not told as of now.
pub(super) fn traffic(rate: Option<f64>, figures: Option<&Figures>, throughput: Option<Rate>) -> TrafficView {
    let Figures { connections, received, sent, .. } = figures.copied().unwrap_or_default();
    TrafficView {
        connections_now: throughput.and(figures).map(|_| connections),
        connections_per_second: rate,
        bytes_in: received.bytes,
        bytes_out: sent.bytes,
        bytes_in_per_second: throughput.map(|rate| rate.received),
        bytes_out_per_second: throughput.map(|rate| rate.sent),
        packets_in: received.packets,
        packets_out: sent.packets,
    }
}

/// Why a full server is.
fn full(server: &RealServer, figures: Option<&Figures>) -> String {
    let now = figures.map_or(0, |figures| figures.connections);
    let limit = server.limit.unwrap_or(Limit { full_at: 0, again_at: 0 });
    let Limit { full_at, again_at } = limit;
    format!("full: has {now} connections of at most {full_at}: takes new ones again at {again_at}")
}

/// A server that takes no new connections because somebody wants it so; its check goes on.
fn wanted_out(
    server: &RealServer,
    verdict: Verdict,
    reason: &str,
    figures: Option<&Figures>,
) -> (ServerState, String) {
    let left = match figures.map(|figures| figures.connections) {
        None => "",
        Some(0) => "; no connection is left",
        Some(_) => "; those that it has go on",
    };
    let (state, why) = match server.state {
        OperatorState::Halt => (ServerState::Halted, "halted by an operator".to_owned()),
        OperatorState::Drain => {
            (ServerState::Drained, format!("drained by an operator: takes no new connections{left}"))
        }
        OperatorState::Online => {
            (ServerState::Drained, format!("takes no new connections, as its weight is 0{left}"))
        }
    };
    match verdict {
        Verdict::Down => (state, format!("{why}; and it fails its check: {reason}")),
        _ => (state, format!("{why}; {reason}")),
    }
}

fn address_view((address, place): (&IpAddr, &Result<String, String>)) -> AddressView {
    AddressView { address: *address, interface: place.clone().ok() }
}

/// A service none of whose servers takes new clients, because all that work are full.
fn all_full(servers: &[ServerView]) -> Option<String> {
    let takes_some = servers.iter().any(|server| server.state == ServerState::Up);
    (servers.iter().any(|server| server.full) && !takes_some).then(|| {
        "every server that works is full: new clients meet what is set for when no server is left; add servers or \
         raise maximum_connections"
            .to_owned()
    })
}

/// Addresses of the SNAT pool that are not used.
fn homeless(addresses: &[IpAddr]) -> Option<String> {
    let first = addresses.first()?;
    let (count, are) = match addresses.len() {
        1 => (first.to_string(), "lies"),
        many => (format!("{many} addresses, {first} first,"), "lie"),
    };
    Some(format!(
        "{count} of the SNAT pool {are} in no network of this appliance and so cannot be used; give addresses of the \
         network towards the servers"
    ))
}

/// A service with some of its addresses in place is reached by some of its clients.
fn reached_by(plan: &ServicePlan, state: ServiceState) -> ServiceState {
    match plan.interfaces.iter().filter(|place| place.is_ok()).count() {
        0 => ServiceState::Down,
        some if some < plan.interfaces.len() => state.max(ServiceState::Degraded),
        _ => state,
    }
}

/// All up is green, some up is yellow, none up is red. Servers that somebody wants out carry nothing and lack nowhere.
fn state_of(servers: &[ServerView]) -> ServiceState {
    let count = |state| servers.iter().filter(|server| server.state == state).count();
    let carrying = servers.iter().any(|server| server.state == ServerState::Up);
    if !carrying && servers.iter().any(|server| server.full) {
        return ServiceState::Degraded;
    }
    match (count(ServerState::Checking), count(ServerState::Down)) {
        (0, 0) if carrying => ServiceState::Up,
        (0, _) if carrying => ServiceState::Degraded,
        (0, _) => ServiceState::Down,
        (_, _) => ServiceState::Checking,
    }
}
