//! Each server's share of new clients: its weight, what the counts of connections make of it, and how much of it a
//! server that has just come (back) gets already. And which servers are full.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Engine, Now};
use crate::config::{Config, Limit, RealServer, Scheduler, VirtualService};
use crate::network::topology::Family;
use crate::traffic::balance::{Balance, Load, NEUTRAL};
use crate::traffic::listing::Listing;
use crate::traffic::numbering::{Mark, Numbering};
use crate::traffic::ruleset::share_chain_name;

/// A whole share has so many parts; a server that grows into its own gets one more at a time.
const PARTS: u32 = 16;
/// Shares are written at most this often.
const SHORTEST_STEP: Duration = Duration::from_millis(250);

/// What is learnt of servers beside their health.
#[derive(Debug, Clone, Default)]
pub(super) struct Shares {
    /// By service and family.
    balances: BTreeMap<(Mark, Family), Balance>,
    /// Servers that have as many connections as they may.
    full: BTreeSet<Mark>,
    /// Servers that passed their checks at the last look; `None` while no service wants to know: the first look finds
    /// nobody new.
    usable: Option<BTreeSet<Mark>>,
    growing: BTreeMap<Mark, Growth>,
}

/// A server that grows into its share.
#[derive(Debug, Clone, Copy)]
struct Growth {
    began: Duration,
    /// Until it is grown up.
    time: Duration,
    parts: u32,
    /// When its share is looked at next.
    due: Duration,
}

impl Growth {
    fn new(time: Duration, now: Duration) -> Self {
        Self { began: now, time, parts: 1, due: now + Self::step(time) }
    }

    fn step(time: Duration) -> Duration {
        (time / PARTS).max(SHORTEST_STEP)
    }

    /// What it gets now; true when that is more than before.
    fn grow(&mut self, now: Duration) -> bool {
        let age = now.saturating_sub(self.began).min(self.time);
        let parts = age.as_nanos() * u128::from(PARTS) / self.time.as_nanos().max(1);
        let before = std::mem::replace(&mut self.parts, u32::try_from(parts).unwrap_or(PARTS).max(1));
        self.due = now + Self::step(self.time);
        self.parts != before
    }
}

impl Shares {
    /// At start: the turns that the kernel has go on, and who was full is, so that a restart changes nothing by itself.
    pub(super) fn adopt(config: &Config, known: &Numbering, listing: &Listing) -> Self {
        let mut balances = BTreeMap::new();
        for service in config.services.iter().filter(|service| follows_counts(service)) {
            let Some(mark) = known.service(&service.label) else { continue };
            for family in service.families() {
                let Some(turns) = listing.turns.get(&share_chain_name(mark, family)) else { continue };
                let of = |server: &RealServer| {
                    let mark = known.server(&service.label, &server.label)?.get();
                    Some((mark, server.weight.get(), *turns.get(&mark)?))
                };
                let servers: Vec<_> = service.servers.iter().filter_map(of).collect();
                balances.insert((mark, family), Balance::adopt(&servers));
            }
        }
        let noted = listing.maps.get("full");
        let is_noted = |mark: &Mark| noted.is_some_and(|full| full.contains_key(&mark.to_string()));
        let full = known.iter().map(|(_, mark)| mark).filter(is_noted).collect();
        Self { balances, full, ..Self::default() }
    }

    /// When a share grows next.
    pub(super) fn next_due(&self) -> Option<Duration> {
        self.growing.values().map(|growth| growth.due).min()
    }

    /// Whether one grows now.
    pub(super) fn is_due(&self, now: Now) -> bool {
        self.next_due().is_some_and(|due| due <= now.monotonic)
    }

    /// Those that have come since the last look begin to grow, the others go on. Returns those whose share has changed.
    fn grow(
        &mut self,
        slow_starts: &BTreeMap<Mark, Duration>,
        usable: BTreeSet<Mark>,
        now: Duration,
    ) -> BTreeSet<Mark> {
        let before = self.usable.replace(usable.clone());
        let is_new = |mark: &Mark| before.as_ref().is_some_and(|before| !before.contains(mark));
        self.growing
            .retain(|mark, growth| usable.contains(mark) && slow_starts.get(mark) == Some(&growth.time));
        let fresh = usable.iter().filter(|mark| is_new(mark));
        let fresh = fresh.filter_map(|mark| Some((*mark, Growth::new(*slow_starts.get(mark)?, now))));
        self.growing.extend(fresh);
        let mut changed = BTreeSet::new();
        self.growing.retain(|mark, growth| {
            changed.extend(growth.grow(now).then_some(*mark));
            growth.parts < PARTS
        });
        changed
    }
}

/// Whether the shares of its servers depend on the counts. The proxy counts for itself, at the moment of each choice.
fn follows_counts(service: &VirtualService) -> bool {
    service.enabled
        && !service.is_proxied()
        && service.scheduler == Scheduler::WeightedLeastConnections
        && service.servers.len() > 1
}

fn has_limits(service: &VirtualService) -> bool {
    service.enabled && service.servers.iter().any(|server| server.limit.is_some())
}

impl Engine {
    /// Whether connections must be counted often.
    pub(super) fn counts_matter(&self) -> bool {
        self.config.services.iter().any(|service| follows_counts(service) || has_limits(service))
    }

    /// Lets shares follow the latest count and the clock. Those of `services` are looked at, of all where that is
    /// `None`, and those of services in which a server has become full or grown. Returns the services of which one has
    /// changed.
    pub(super) fn follow_counts(&mut self, services: Option<&BTreeSet<Mark>>, now: Now) -> BTreeSet<Mark> {
        let mut changed: BTreeSet<_> =
            self.follow_limits().into_iter().chain(self.grow(now)).map(Mark::of_service).collect();
        if services.is_none() {
            // Those of services that have gone are forgotten.
            let all = self.config.services.iter().filter(|service| follows_counts(service));
            let marks: BTreeSet<_> =
                all.filter_map(|service| self.numbering.service(&service.label)).collect();
            self.shares.balances.retain(|(mark, _), _| marks.contains(mark));
        }
        for service in self.config.services.iter().filter(|service| follows_counts(service)) {
            let Some(mark) = self.numbering.service(&service.label) else { continue };
            if services.is_some_and(|services| !services.contains(&mark)) && !changed.contains(&mark) {
                continue;
            }
            for family in service.families() {
                let loads = self.loads(service, family);
                let is_other = self.shares.balances.entry((mark, family)).or_default().follow(&loads);
                changed.extend(is_other.then_some(mark));
            }
        }
        changed
    }

    /// Finds who is full, and who has room again, and returns those of whom that is news. Before the first count all
    /// stays as it was.
    fn follow_limits(&mut self) -> Vec<Mark> {
        let mut full = BTreeSet::new();
        for service in self.config.services.iter().filter(|service| has_limits(service)) {
            for server in &service.servers {
                let Some(mark) = self.numbering.server(&service.label, &server.label) else { continue };
                let was_full = self.shares.full.contains(&mark);
                let is_full = |limit: Limit| match self.connections.connections_now(mark.get()) {
                    None => was_full,
                    Some(connections) if was_full => connections > limit.again_at,
                    Some(connections) => connections >= limit.full_at,
                };
                full.extend(Some(mark).filter(|_| server.limit.is_some_and(is_full)));
            }
        }
        let before = std::mem::replace(&mut self.shares.full, full);
        before.symmetric_difference(&self.shares.full).copied().collect()
    }

    fn grow(&mut self, now: Now) -> BTreeSet<Mark> {
        let services = || self.config.services.iter().filter(|service| service.enabled);
        if services().all(|service| service.slow_start.is_zero()) {
            (self.shares.usable, self.shares.growing) = Default::default();
            return BTreeSet::new();
        }
        let (mut slow_starts, mut usable) = (BTreeMap::new(), BTreeSet::new());
        for service in services() {
            // A server that was full is not new.
            for server in service.servers.iter().filter(|server| self.is_usable(service, server)) {
                let Some(mark) = self.numbering.server(&service.label, &server.label) else { continue };
                usable.insert(mark);
                if !service.slow_start.is_zero() {
                    slow_starts.insert(mark, service.slow_start);
                }
            }
        }
        self.shares.grow(&slow_starts, usable, now.monotonic)
    }

    fn is_usable(&self, service: &VirtualService, server: &RealServer) -> bool {
        server.takes_new() && self.checks.in_service(&service.label, &server.label)
    }

    /// Whether a server has as many connections as it may.
    pub(super) fn is_full(&self, service: &VirtualService, server: &RealServer) -> bool {
        // Nearly always nobody is, and then nothing is looked up.
        let mark = || self.numbering.server(&service.label, &server.label);
        !self.shares.full.is_empty() && mark().is_some_and(|mark| self.shares.full.contains(&mark))
    }

    /// Of the servers that new clients are shared out among by the counts. One that grows into its share has few
    /// connections, and is not to have more.
    fn loads(&self, service: &VirtualService, family: Family) -> Vec<Load> {
        let servers = service.servers.iter().filter(|server| {
            Family::of(server.address) == family
                && self.is_usable(service, server)
                && !self.is_full(service, server)
        });
        let load = |server: &RealServer| {
            let mark = self.numbering.server(&service.label, &server.label)?;
            let connections = self.connections.connections_now(mark.get()).unwrap_or_default();
            let load = Load { mark: mark.get(), weight: server.weight.get(), connections };
            (!self.shares.growing.contains_key(&mark)).then_some(load)
        };
        servers.filter_map(load).collect()
    }

    /// A server's share of new clients in relation to the others' of its service and family.
    pub(super) fn share(&self, service: &VirtualService, server: &RealServer) -> u32 {
        let whole = u32::from(server.weight.get()) * NEUTRAL;
        let numbers =
            (self.numbering.service(&service.label), self.numbering.server(&service.label, &server.label));
        let (Some(of_service), Some(mark)) = numbers else { return whole * PARTS };
        let balance = self.shares.balances.get(&(of_service, Family::of(server.address)));
        let share = balance.and_then(|balance| balance.share(mark.get())).unwrap_or(whole);
        share * self.shares.growing.get(&mark).map_or(PARTS, |growth| growth.parts)
    }
}
