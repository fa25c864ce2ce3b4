//! Which server is asked what, when, and what came of it.
//!
//! A probe is one question to one server. Services that ask the same of the same server share it; each makes up
//! its own mind about the answers (rise and fall). Every probe has its own schedule: none waits for another.
//! Their places in the interval are spread evenly, and an answer costs as much as it has services to tell.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::lateness::Lateness;
use super::{Now, ProbeId, ServerKey, Target};
use crate::config::{Config, Label, Ports, RealServer, Thresholds, VirtualService};
use crate::health::state::{Outcome, ServerHealth, Verdict};
use crate::health::{Failure, Passed};
use crate::traffic::listing::Listing;
use crate::traffic::numbering::Numbering;

/// First checks start this far apart, so that a thousand of them do not start at once.
const STAGGER: Duration = Duration::from_millis(5);

/// Later checks have their places in the interval at multiples of this: those due about the same time start together.
/// Each start by itself would wake three sleeping threads, which costs a virtual processor more than the start does.
const BEAT: Duration = Duration::from_millis(50);

/// All checks of a configuration.
#[derive(Debug, Clone, Default)]
pub(super) struct Checks {
    opinions: BTreeMap<Label, BTreeMap<Label, Opinion>>,
    probes: BTreeMap<ProbeId, Probe>,
    by_target: HashMap<Arc<Target>, ProbeId>,
    schedule: BTreeSet<(Duration, ProbeId)>,
    next_id: u64,
    lateness: Lateness,
}

/// What a service makes of the answers about a server.
#[derive(Debug, Clone)]
struct Opinion {
    place: Place,
    thresholds: Thresholds,
    health: ServerHealth,
}

/// Where clients of a service are served by a server: the server is another one when this is another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    address: IpAddr,
    port: Option<u16>,
    ports: Ports,
}

impl Place {
    fn of(service: &VirtualService, server: &RealServer) -> Self {
        Self { address: server.address, port: server.port, ports: service.ports.clone() }
    }
}

/// One question to one server.
#[derive(Debug, Clone)]
struct Probe {
    target: Arc<Target>,
    users: Vec<ServerKey>,
    due: Duration,
    /// The time of the latest start, as it should have been.
    latest: Duration,
    certificate_ends: Option<Timestamp>,
    /// The latest check did not leave the appliance.
    not_sent: bool,
}

impl Checks {
    /// At start: a server that the kernel sends connections to counts as up, one that it knows but does not
    /// use as down, until its checks say otherwise. So a restart changes nothing by itself.
    pub(super) fn adopt(config: &Config, known: &Numbering, listing: &Listing, now: Now) -> Self {
        let used = |map: &str, key: &str| listing.maps.get(map).and_then(|map| map.get(key).cloned());
        Self::default().build(config, now, |service, server| {
            let mark = known.server(&service.label, &server.label);
            // One that takes no new connections is not in the kernel, which says nothing of its health.
            let Some(mark) = mark.filter(|_| server.takes_new()) else {
                return ServerHealth::unknown(now.wall);
            };
            if used("full", &mark.to_string()).is_some() {
                return ServerHealth::adopted(true, now.wall);
            }
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

    /// For another configuration: what is known of a server stays known, also when it is asked something else from now
    /// on. Its verdict stands until checks overturn it: whoever edits a check must not interrupt the service.
    pub(super) fn follow(&self, config: &Config, now: Now) -> Self {
        self.follow_or(config, &Self::default(), now)
    }

    /// The same; what is not known here may be known from `earlier`.
    pub(super) fn follow_or(&self, config: &Config, earlier: &Self, now: Now) -> Self {
        self.build(config, now, |service, server| {
            let place = Place::of(service, server);
            let same = |checks: &Self| {
                let known = checks.get(&service.label, &server.label)?;
                (known.place == place).then(|| known.health.clone())
            };
            same(self).or_else(|| same(earlier)).unwrap_or_else(|| ServerHealth::unknown(now.wall))
        })
    }

    /// Probes that are here already keep their rhythm, and the checks of theirs that are under way count.
    fn build(
        &self,
        config: &Config,
        now: Now,
        health: impl Fn(&VirtualService, &RealServer) -> ServerHealth,
    ) -> Self {
        let mut next = Self { next_id: self.next_id, lateness: self.lateness.clone(), ..Self::default() };
        let mut fresh = Vec::new();
        for service in config.services.iter().filter(|service| service.enabled) {
            for server in &service.servers {
                let target = target(service, server);
                let key = ServerKey { service: service.label.clone(), server: server.label.clone() };
                next.join(self, target, key, &mut fresh);
                let thresholds = service.check.thresholds;
                let place = Place::of(service, server);
                let opinion = Opinion { place, thresholds, health: health(service, server) };
                let of_service = next.opinions.entry(service.label.clone()).or_default();
                of_service.insert(server.label.clone(), opinion);
            }
        }
        next.stagger(&fresh, now);
        next.schedule = next.probes.iter().map(|(id, probe)| (probe.due, *id)).collect();
        next
    }

    /// Adds a user to the probe of `target`: this one's, that of `before`, or a fresh one.
    fn join(&mut self, before: &Self, target: Target, key: ServerKey, fresh: &mut Vec<ProbeId>) {
        let ours = self.by_target.get(&target).copied();
        let id = ours.or_else(|| before.by_target.get(&target).copied()).unwrap_or_else(|| {
            self.next_id += 1;
            fresh.push(ProbeId(self.next_id));
            ProbeId(self.next_id)
        });
        if ours.is_none() {
            let known = before.probes.get(&id).map(|probe| Probe { users: Vec::new(), ..probe.clone() });
            let probe = known.unwrap_or_else(|| Probe::new(target.into()));
            self.by_target.insert(probe.target.clone(), id);
            self.probes.insert(id, probe);
        }
        self.probes.entry(id).and_modify(|probe| probe.users.push(key));
    }

    /// First checks start soon: an administrator waits for them. From the second on each has its own place.
    fn stagger(&mut self, fresh: &[ProbeId], now: Now) {
        let count = u32::try_from(fresh.len()).unwrap_or(u32::MAX).max(1);
        for (index, id) in (0_u32..).zip(fresh) {
            let Some(probe) = self.probes.get_mut(id) else { continue };
            let step = STAGGER.min(probe.target.question.interval / count);
            probe.due = now.monotonic + step * index;
        }
    }

    fn get(&self, service: &Label, server: &Label) -> Option<&Opinion> {
        self.opinions.get(service)?.get(server)
    }

    /// The clock was set: since when verdicts stand is told by the clock as it is now.
    pub(super) fn clock_was_set(&mut self, by: SignedDuration) {
        for opinion in self.opinions.values_mut().flat_map(BTreeMap::values_mut) {
            opinion.health.clock_was_set(by);
        }
    }

    /// When the next check starts.
    pub(super) fn next_due(&self) -> Option<Duration> {
        self.schedule.first().map(|(due, _)| *due)
    }

    /// The checks that start now, each with the time at which it should.
    pub(super) fn due(&mut self, now: Now) -> Vec<(ProbeId, Arc<Target>, Duration)> {
        let mut started = Vec::new();
        while self.next_due().is_some_and(|due| due <= now.monotonic) {
            let Some((due, id)) = self.schedule.pop_first() else { break };
            let Some(probe) = self.probes.get_mut(&id) else { continue };
            probe.latest = due;
            // What was missed is missed: a late check must not bring a second one with it.
            probe.due = place_after(now.monotonic, id, probe.target.question.interval);
            self.schedule.insert((probe.due, id));
            started.push((id, probe.target.clone(), due));
        }
        started
    }

    /// Takes a result; returns the services for which it changes whether a server takes connections. A result of a
    /// question that nobody asks any more is passed over. `late` is how long after its time the check started.
    pub(super) fn observe(
        &mut self,
        id: ProbeId,
        result: &Result<Passed, Failure>,
        late: Duration,
        now: Now,
    ) -> Vec<Label> {
        self.lateness.observe(late, now.monotonic);
        let Some(probe) = self.probes.get_mut(&id) else { return Vec::new() };
        if let Ok(passed) = result {
            probe.certificate_ends = passed.certificate_ends;
        }
        let outcome = outcome(result);
        probe.not_sent = matches!(outcome, Outcome::NotSent(_));
        let not_sent = probe.not_sent;
        let (mut changed, mut wavering) = (Vec::new(), false);
        for user in &probe.users {
            let opinion = self.opinions.get_mut(&user.service).and_then(|of| of.get_mut(&user.server));
            let Some(opinion) = opinion else { continue };
            if opinion.health.observe(outcome.clone(), opinion.thresholds, now.wall) {
                changed.push(user.service.clone());
            }
            wavering |= opinion.health.is_wavering();
        }
        if wavering || not_sent {
            self.hurry(id, now);
        }
        changed
    }

    /// A server in service has failed, or was not asked at all: what is the matter is found out sooner than in the
    /// usual rhythm.
    fn hurry(&mut self, id: ProbeId, now: Now) {
        let Some(probe) = self.probes.get(&id) else { return };
        let soon = (probe.latest + probe.target.question.fast_interval).max(now.monotonic);
        self.ask_by(id, soon);
    }

    /// The appliance's network is another: servers that could not be asked are asked at once.
    pub(super) fn network_changed(&mut self, now: Now) {
        let waiting: Vec<_> =
            self.probes.iter().filter(|(_, probe)| probe.not_sent).map(|(id, _)| *id).collect();
        waiting.into_iter().for_each(|id| self.ask_by(id, now.monotonic));
    }

    /// These servers (service, server) are asked soon, as if their last check had failed.
    pub(super) fn ask_soon(&mut self, servers: &[(&str, &str)], now: Now) {
        let is_meant = |user: &ServerKey| servers.contains(&(user.service.as_str(), user.server.as_str()));
        let probes = self.probes.iter().filter(|(_, probe)| probe.users.iter().any(is_meant));
        let probes: Vec<_> = probes.map(|(id, _)| *id).collect();
        probes.into_iter().for_each(|id| self.hurry(id, now));
    }

    fn ask_by(&mut self, id: ProbeId, soon: Duration) {
        let Some(probe) = self.probes.get_mut(&id) else { return };
        if soon < probe.due {
            self.schedule.remove(&(probe.due, id));
            probe.due = soon;
            self.schedule.insert((soon, id));
        }
    }

    /// Whether the server takes new connections.
    pub(super) fn in_service(&self, service: &Label, server: &Label) -> bool {
        self.health(service, server).is_some_and(|health| health.verdict() == Verdict::Up)
    }

    /// What is known of a server.
    pub(super) fn health(&self, service: &Label, server: &Label) -> Option<&ServerHealth> {
        self.get(service, server).map(|opinion| &opinion.health)
    }

    /// Until when each server's TLS certificate counts, of those that have shown one.
    pub(super) fn certificates(&self) -> impl Iterator<Item = (&Target, Timestamp)> {
        let probes = self.probes.values();
        probes.filter_map(|probe| Some((probe.target.as_ref(), probe.certificate_ends?)))
    }

    /// What a probe asks, and of whom; `None` for one that nobody asks any more.
    pub(super) fn target(&self, id: ProbeId) -> Option<&Target> {
        self.probes.get(&id).map(|probe| probe.target.as_ref())
    }

    /// How many different checks there are.
    pub(super) fn count(&self) -> usize {
        self.probes.len()
    }

    /// How late checks started lately.
    pub(super) fn lateness(&self) -> &Lateness {
        &self.lateness
    }
}

impl Probe {
    fn new(target: Arc<Target>) -> Self {
        let (due, latest) = Default::default();
        Self { target, users: Vec::new(), due, latest, certificate_ends: None, not_sent: false }
    }
}

fn outcome(result: &Result<Passed, Failure>) -> Outcome {
    match result {
        Ok(passed) => Outcome::Passed(passed.took),
        Err(failure @ Failure::NetworkUnreachable { .. }) => Outcome::NotSent(failure.to_string()),
        Err(failure) => Outcome::Failed(failure.to_string()),
    }
}

/// The next time after `now` that belongs to this probe. Multiples of the golden ratio divide the interval as
/// evenly as can be, however many there are and whichever come later (Knuth, TAOCP volume 3, section 6.4); evenly but
/// for [`BEAT`].
fn place_after(now: Duration, ProbeId(id): ProbeId, interval: Duration) -> Duration {
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15; // 2^64 divided by the golden ratio.
    let fraction = u128::from(id.wrapping_mul(GOLDEN) >> 32);
    let interval = interval.as_nanos().max(1);
    let place = (interval * fraction) >> 32;
    let place = place - place % BEAT.as_nanos();
    let begun = now.as_nanos() / interval * interval + place;
    let next = if begun > now.as_nanos() { begun } else { begun + interval };
    Duration::from_nanos(u64::try_from(next).unwrap_or(u64::MAX))
}

/// Where a server is checked; without a port where the host as a whole is asked.
pub(super) fn address(service: &VirtualService, server: &RealServer) -> std::net::SocketAddr {
    let has_port = service.check.question.kind.has_port();
    // The host as a whole is asked: services of different ports share it.
    (server.address, if has_port { service.check_port(server) } else { 0 }).into()
}

fn target(service: &VirtualService, server: &RealServer) -> Target {
    Target { address: address(service, server), question: service.check.question.clone() }
}

#[cfg(test)]
#[path = "checks_tests.rs"]
mod tests;
