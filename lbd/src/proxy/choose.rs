//! Which server a proxied connection gets. Pure: the time is an argument.
//!
//! The rules are those of the kernel's chains (`traffic/ruleset.rs`): a pinned client's server, the server that a client
//! is known to have, else the scheduler's choice; the fallback server where none of them is left. What the kernel cannot
//! do: connections are counted here at the moment of the choice, so that least connections and limits are exact; and
//! who has just failed to take a connection is asked last for a while.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::service::{Server, Service};
use super::sticky::{Client, Sticky};
use crate::config::{Fallback, Scheduler};
use crate::network::topology::Family;
use crate::traffic::shares::{Turns, best_for};

/// For so long a server that did not take a connection is asked last. Its next check, which such a failure hastens, has
/// had its say by then.
const SUSPICION: Duration = Duration::from_secs(5);

/// What is chosen for a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// Connect there.
    Server(Target),
    /// Nobody is left.
    Nobody(Fallback),
}

/// Where to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Mark of the server.
    pub mark: u32,
    /// Where it listens.
    pub place: SocketAddr,
    /// The address that it is to see.
    pub source: Option<IpAddr>,
    /// See [`Service::idle_timeout`].
    pub idle_timeout: Option<Duration>,
}

/// All that choices depend on.
#[derive(Debug, Default)]
pub struct Chooser {
    services: BTreeMap<u32, Arc<Service>>,
    places: BTreeMap<SocketAddr, u32>,
    turns: BTreeMap<(u32, Family), Turns>,
    /// Connections of each server, also those that are being opened.
    open: BTreeMap<u32, u64>,
    suspects: BTreeMap<u32, Duration>,
    /// What persistence has learnt.
    pub sticky: Sticky,
}

impl Chooser {
    /// Adds those that are not known yet; nothing changes for the others.
    pub fn prepare(&mut self, services: &BTreeMap<u32, Arc<Service>>) {
        for service in services.values() {
            for place in &service.places {
                self.places.entry(*place).or_insert(service.mark);
            }
            self.services.entry(service.mark).or_insert_with(|| service.clone());
        }
    }

    /// From now on these are the services.
    pub fn follow(&mut self, services: &BTreeMap<u32, Arc<Service>>, now: Duration) {
        let place = |service: &Arc<Service>| {
            let mark = service.mark;
            service.places.iter().map(move |place| (*place, mark)).collect::<Vec<_>>()
        };
        self.places = services.values().flat_map(place).collect();
        self.services = services.clone();
        let serves = |mark: u32| self.services.values().any(|service| service.server(mark).is_some());
        // A server that left and comes back has passed its checks.
        self.suspects.retain(|mark, _| serves(*mark));
        let services = &self.services;
        self.turns.retain(|(service, _), _| services.contains_key(service));
        for ((service, _), turns) in &mut self.turns {
            turns.keep(|mark| services.get(service).is_some_and(|service| service.server(mark).is_some()));
        }
        self.sticky.keep(|service| services.contains_key(&service), now);
    }

    /// The service at a place.
    pub fn service_at(&self, place: SocketAddr) -> Option<&Arc<Service>> {
        self.services.get(self.places.get(&place)?)
    }

    /// Chooses for a client that has connected to `place`, among those that are not `tried`. A server that is chosen has
    /// one connection more until [`Self::closed`] says otherwise.
    pub fn choose(
        &mut self,
        place: SocketAddr,
        client: IpAddr,
        tried: &BTreeSet<u32>,
        now: Duration,
    ) -> Choice {
        let Some(service) = self.service_at(place).cloned() else { return Choice::Nobody(Fallback::Refuse) };
        let family = Family::of(place.ip());
        let mark = self.real_server(&service, family, client, tried, now).or_else(|| {
            let fallback = service.fallback_server.as_ref()?;
            (Family::of(fallback.address) == family && !tried.contains(&fallback.mark))
                .then_some(fallback.mark)
        });
        let Some(server) = mark.and_then(|mark| service.server(mark)) else {
            return Choice::Nobody(service.fallback);
        };
        *self.open.entry(server.mark).or_default() += 1;
        Choice::Server(Target {
            mark: server.mark,
            place: (server.address, server.port.unwrap_or(place.port())).into(),
            source: source(server, client),
            idle_timeout: service.idle_timeout,
        })
    }

    fn real_server(
        &mut self,
        service: &Service,
        family: Family,
        client: IpAddr,
        tried: &BTreeSet<u32>,
        now: Duration,
    ) -> Option<u32> {
        let candidates = self.candidates(service, family, tried, now);
        let is_candidate = |mark: &u32| candidates.iter().any(|server| server.mark == *mark);
        if let Some(pinned) = service.pinned(client).filter(is_candidate) {
            return Some(pinned);
        }
        let Some(timeout) = service.persistence else {
            return self.pick(service, family, client, &candidates);
        };
        let client_key = Client { service: service.mark, address: service.remembered_as(client) };
        let known = self.sticky.get(client_key, now).map(|memory| memory.server).filter(is_candidate);
        let chosen = known.or_else(|| self.pick(service, family, client, &candidates))?;
        // Where there is no room the client is balanced like a stranger.
        self.sticky.put(client_key, chosen, timeout, now);
        Some(chosen)
    }

    /// Who may take the connection; suspects only where there are no others.
    fn candidates<'a>(
        &self,
        service: &'a Service,
        family: Family,
        tried: &BTreeSet<u32>,
        now: Duration,
    ) -> Vec<&'a Server> {
        let fits = |server: &&Server| {
            let has_room = server.full_at.is_none_or(|full_at| self.open(server.mark) < full_at);
            let is_new = !tried.contains(&server.mark);
            Family::of(server.address) == family && server.share > 0 && has_room && is_new
        };
        let is_suspect = |server: &&Server| self.suspects.get(&server.mark).is_some_and(|until| *until > now);
        let (suspects, trusted): (Vec<_>, Vec<_>) = service.servers.iter().filter(fits).partition(is_suspect);
        if trusted.is_empty() { suspects } else { trusted }
    }

    fn pick(&mut self, service: &Service, family: Family, client: IpAddr, among: &[&Server]) -> Option<u32> {
        let wanted: Vec<_> = match service.scheduler {
            Scheduler::SourceHash => {
                let weights: Vec<_> = among.iter().map(|server| (server.mark, server.share)).collect();
                return best_for(number_of(client), &weights);
            }
            Scheduler::WeightedRoundRobin => among.to_vec(),
            Scheduler::WeightedLeastConnections => self.least_loaded(among),
        };
        let shares: Vec<_> = wanted.iter().map(|server| (server.mark, i64::from(server.share))).collect();
        self.turns.entry((service.mark, family)).or_default().next(&shares)
    }

    /// Those that have the fewest connections in relation to their shares.
    fn least_loaded<'a>(&self, among: &[&'a Server]) -> Vec<&'a Server> {
        let load =
            |server: &Server, other: &Server| u128::from(self.open(server.mark)) * u128::from(other.share);
        let is_least =
            |server: &&&Server| !among.iter().any(|other| load(other, server) < load(server, other));
        among.iter().filter(is_least).copied().collect()
    }

    /// Connections that a server has, also those that are being opened.
    pub fn open(&self, mark: u32) -> u64 {
        self.open.get(&mark).copied().unwrap_or_default()
    }

    /// A connection that was chosen for this server is no more.
    pub fn closed(&mut self, mark: u32) {
        if let Some(open) = self.open.get_mut(&mark) {
            *open = open.saturating_sub(1);
            if *open == 0 {
                self.open.remove(&mark);
            }
        }
    }

    /// A server did not take a connection; true where that was not known.
    pub fn failed(&mut self, mark: u32, now: Duration) -> bool {
        self.suspects.insert(mark, now + SUSPICION).is_none_or(|until| until <= now)
    }

    /// A server has taken a connection; false where it has meanwhile left, or moved from there.
    pub fn took(&mut self, target: &Target) -> bool {
        self.suspects.remove(&target.mark);
        let mut servers = self.services.values().filter_map(|service| service.server(target.mark));
        servers.any(|server| server.address == target.place.ip())
    }
}

/// Each client always has the same one of a pool.
fn source(server: &Server, client: IpAddr) -> Option<IpAddr> {
    let count = u32::try_from(server.sources.len()).unwrap_or(u32::MAX);
    if count <= 1 {
        return server.sources.first().copied();
    }
    server.sources.get(usize::try_from(number_of(client) % count).ok()?).copied()
}

/// A number that is as good as random for each client, and always the same.
fn number_of(client: IpAddr) -> u32 {
    let digest = match client {
        IpAddr::V4(client) => Sha256::digest(client.octets()),
        IpAddr::V6(client) => Sha256::digest(client.octets()),
    };
    digest.iter().take(4).fold(0, |number, byte| number << 8 | u32::from(*byte))
}

#[cfg(test)]
#[path = "choose_tests.rs"]
mod tests;
