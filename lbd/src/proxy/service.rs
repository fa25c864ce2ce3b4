//! What the proxy knows of a service: a part of what must stand, comparable like the rest of it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::config::{Fallback, Scheduler, StickyPrefixes};
use crate::network::topology::{Family, Network};

/// A service whose bytes lbd moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its number; see [`crate::traffic::numbering`].
    pub mark: u32,
    /// Where clients connect.
    pub places: BTreeSet<SocketAddr>,
    /// Which server a new client gets.
    pub scheduler: Scheduler,
    /// How long a client keeps its server after its last new connection; `None`: not at all.
    pub persistence: Option<Duration>,
    /// Which clients count as one for persistence.
    pub sticky_prefixes: StickyPrefixes,
    /// Clients whose server is settled.
    pub pins: BTreeMap<Network, u32>,
    /// What clients meet where nobody serves them.
    pub fallback: Fallback,
    /// After how long without a byte a connection ends; `None`: after five days, as in the kernel.
    pub idle_timeout: Option<Duration>,
    /// Those that take connections now.
    pub servers: Vec<Server>,
    /// Who takes those of its family that no server takes.
    pub fallback_server: Option<Server>,
}

impl Service {
    /// Whoever may have this number.
    pub fn server(&self, mark: u32) -> Option<&Server> {
        self.servers.iter().chain(&self.fallback_server).find(|server| server.mark == mark)
    }

    /// The server that a client is pinned to: the smallest network that it lies in counts.
    pub fn pinned(&self, client: IpAddr) -> Option<u32> {
        let fitting = self.pins.iter().filter(|(network, _)| network.contains(client));
        fitting.max_by_key(|(network, _)| network.prefix).map(|(_, mark)| *mark)
    }

    /// The client, or the network of clients that count as one.
    pub fn remembered_as(&self, client: IpAddr) -> IpAddr {
        Network { address: client, prefix: self.sticky_prefixes.of(Family::of(client)) }.base()
    }
}

/// A server of such a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its number.
    pub mark: u32,
    /// Its address.
    pub address: IpAddr,
    /// `None` means the port that the client asked for.
    pub port: Option<u16>,
    /// Its share of new clients, in relation to the others'.
    pub share: u32,
    /// With so many open connections it takes no more.
    pub full_at: Option<u64>,
    /// The source addresses that it may see, one a client; none leaves the choice to the kernel.
    pub sources: Vec<IpAddr>,
}
