//! Which server is checked when, and what came of it. Each check has its own schedule: none waits for another.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::{Now, ServerKey, Target};
use crate::config::{Config, Label, RealServer, VirtualService};
use crate::health::Failure;
use crate::health::state::{ServerHealth, Verdict};
use crate::traffic::listing::Listing;
use crate::traffic::numbering::Numbering;

/// First checks start this far apart, so that a thousand of them do not start at once.
const STAGGER: Duration = Duration::from_millis(5);

/// All checks of a configuration.
#[derive(Debug, Clone, Default)]
pub(super) struct Checks {
    servers: BTreeMap<Label, BTreeMap<Label, Checked>>,
    schedule: BTreeSet<(Duration, ServerKey)>,
}

#[derive(Debug, Clone)]
struct Checked {
    target: Target,
    health: ServerHealth,
    due: Duration,
}

impl Checks {
    /// At start: a server that the kernel sends connections to counts as up, one that it knows but does not
    /// use as down, until its checks say otherwise. So a restart changes nothing by itself.
    pub(super) fn adopt(config: &Config, known: &Numbering, listing: &Listing, now: Now) -> Self {
        let used = |map: &str, key: &str| listing.maps.get(map).and_then(|map| map.get(key).cloned());
        Self::build(config, now, |service, server| {
            let mark = known.server(&service.label, &server.label);
            // One of weight 0 is never in the kernel, which says nothing of its health.
            let Some(mark) = mark.filter(|_| server.weight.get() > 0) else {
                return ServerHealth::unknown(now.wall);
            };
            let maps = match server.address {
                IpAddr::V4(_) => ["servers", "servers_same_port"],
                IpAddr::V6(_) => ["servers6", "servers_same_port6"],
            };
            let in_service = match server.port {
                Some(port) => {
                    used(maps[0], &mark.to_string()) == Some(format!("{} . {port}", server.address))
                }
                None => used(maps[1], &mark.to_string()) == Some(server.address.to_string()),
            };
            ServerHealth::adopted(in_service, now.wall)
        })
    }

    /// For another configuration: what is known of a server's address and port stays known.
    pub(super) fn follow(&self, config: &Config, now: Now) -> Self {
        self.follow_or(config, &Self::default(), now)
    }

    /// The same; what is not known here may be known from `earlier`.
    pub(super) fn follow_or(&self, config: &Config, earlier: &Self, now: Now) -> Self {
        let mut next = Self::build(config, now, |service, server| {
            let same = |checks: &Self| {
                let known = checks.get(&service.label, &server.label)?;
                (known.target.address == address(service, server)).then(|| known.health.clone())
            };
            same(self).or_else(|| same(earlier)).unwrap_or_else(|| ServerHealth::unknown(now.wall))
        });
        next.keep_rhythm(self, now);
        next
    }

    fn build(
        config: &Config,
        now: Now,
        health: impl Fn(&VirtualService, &RealServer) -> ServerHealth,
    ) -> Self {
        let mut checks = Self::default();
        let mut stagger = Duration::ZERO;
        for service in &config.services {
            for server in &service.servers {
                let target = Target { address: address(service, server), check: service.check.clone() };
                let due = now.monotonic + stagger;
                stagger =
                    Some(stagger + STAGGER).filter(|next| *next < target.check.interval).unwrap_or_default();
                let key = ServerKey { service: service.label.clone(), server: server.label.clone() };
                let checked = Checked { target, health: health(service, server), due };
                checks.schedule.insert((due, key));
                let of_service = checks.servers.entry(service.label.clone()).or_default();
                of_service.insert(server.label.clone(), checked);
            }
        }
        checks
    }

    /// Servers that `before` has too are checked when they would have been, or earlier.
    fn keep_rhythm(&mut self, before: &Self, now: Now) {
        for (service, servers) in &mut self.servers {
            for (server, checked) in servers {
                let Some(known) = before.get(service, server) else { continue };
                if known.target.address == checked.target.address {
                    let latest = now.monotonic + checked.target.check.interval;
                    checked.due = known.due.clamp(now.monotonic, latest);
                }
            }
        }
        self.schedule = self.keys().collect();
    }

    fn keys(&self) -> impl Iterator<Item = (Duration, ServerKey)> {
        self.servers.iter().flat_map(|(service, servers)| {
            let key = |server: &Label| ServerKey { service: service.clone(), server: server.clone() };
            servers.iter().map(move |(server, checked)| (checked.due, key(server)))
        })
    }

    fn get(&self, service: &Label, server: &Label) -> Option<&Checked> {
        self.servers.get(service)?.get(server)
    }

    fn get_mut(&mut self, key: &ServerKey) -> Option<&mut Checked> {
        self.servers.get_mut(&key.service)?.get_mut(&key.server)
    }

    /// When the next check starts.
    pub(super) fn next_due(&self) -> Option<Duration> {
        self.schedule.first().map(|(due, _)| *due)
    }

    /// The checks that start now. The next one starts an interval after this one's time, however late it is.
    pub(super) fn due(&mut self, now: Now) -> Vec<(ServerKey, Target)> {
        let mut started = Vec::new();
        while self.next_due().is_some_and(|due| due <= now.monotonic) {
            let Some((due, key)) = self.schedule.pop_first() else { break };
            let Some(checked) = self.get_mut(&key) else { continue };
            let interval = checked.target.check.interval;
            let next = Some(due + interval).filter(|next| *next > now.monotonic);
            checked.due = next.unwrap_or(now.monotonic + interval);
            let (due, target) = (checked.due, checked.target.clone());
            self.schedule.insert((due, key.clone()));
            started.push((key, target));
        }
        started
    }

    /// Takes a result; true when it changes whether the server takes connections. A result for another
    /// target than today's is out of date and passed over.
    pub(super) fn observe(
        &mut self,
        key: &ServerKey,
        target: &Target,
        result: Result<Duration, Failure>,
        now: Now,
    ) -> bool {
        let Some(checked) = self.get_mut(key).filter(|checked| checked.target == *target) else {
            return false;
        };
        let result = result.map_err(|failure| failure.to_string());
        checked.health.observe(result, &target.check, now.wall)
    }

    /// Whether the server takes new connections.
    pub(super) fn in_service(&self, service: &Label, server: &Label) -> bool {
        self.health(service, server).is_some_and(|health| health.verdict() == Verdict::Up)
    }

    /// What is known of a server.
    pub(super) fn health(&self, service: &Label, server: &Label) -> Option<&ServerHealth> {
        self.get(service, server).map(|checked| &checked.health)
    }
}

fn address(service: &VirtualService, server: &RealServer) -> std::net::SocketAddr {
    (server.address, service.check_port(server)).into()
}
