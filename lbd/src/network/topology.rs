//! What the kernel says of interfaces, addresses and routes: plain data for pure decisions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::Ipv4Addr;

/// Interfaces by name, and the way to each real server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Topology {
    /// All but the loopback interface.
    pub interfaces: BTreeMap<String, Interface>,
    /// The kernel's own answer for each destination that lbd asked for; none where there is no route.
    pub routes: BTreeMap<Ipv4Addr, Egress>,
}

/// A network interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interface {
    /// The kernel's number.
    pub index: u32,
    /// It is switched on.
    pub switched_on: bool,
    /// It is switched on and has a link.
    pub carrier: bool,
    /// Ethernet address; `None` for other kinds of links.
    pub hardware: Option<[u8; 6]>,
    /// Its own addresses with their networks.
    pub networks: BTreeSet<Network>,
    /// Those of them that lbd put there.
    pub networks_of_ours: BTreeSet<Network>,
    /// The virtual addresses that lbd put there.
    pub virtual_addresses: BTreeSet<Ipv4Addr>,
}

/// An address with the network that it lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Network {
    /// The host's address.
    pub address: Ipv4Addr,
    /// Length of the prefix, 0 to 32.
    pub prefix: u8,
}

impl Network {
    /// Whether `other` is in the same network.
    pub fn contains(&self, other: Ipv4Addr) -> bool {
        let mask = self.mask();
        self.address.to_bits() & mask == other.to_bits() & mask
    }

    fn mask(&self) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(self.prefix.min(32))).unwrap_or(0)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from_bits(self.address.to_bits() & self.mask()), self.prefix)
    }
}

/// The way towards a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Egress {
    /// The interface by which packets leave.
    pub interface: String,
    /// The address that the kernel prefers as source.
    pub source: Ipv4Addr,
}

impl Interface {
    /// The interface's own network that contains `address`; the longest prefix wins.
    pub fn network_of(&self, address: Ipv4Addr) -> Option<&Network> {
        self.networks.iter().filter(|network| network.contains(address)).max_by_key(|network| network.prefix)
    }
}

impl Topology {
    /// The interface in whose network `address` lies; the longest prefix wins, then the first name.
    pub fn interface_for(&self, address: Ipv4Addr) -> Option<&str> {
        let fitting = self.interfaces.iter().filter_map(|(name, interface)| {
            interface.network_of(address).map(|network| (network.prefix, name.as_str()))
        });
        fitting.rev().max_by_key(|(prefix, _)| *prefix).map(|(_, name)| name)
    }
}

impl Topology {
    /// lbd's virtual addresses that are in place.
    pub fn virtual_addresses(&self) -> BTreeSet<VirtualAddress> {
        let pairs = self.interfaces.iter().flat_map(|(name, interface)| {
            interface.virtual_addresses.iter().map(move |address| (name.clone(), *address))
        });
        pairs.map(|(interface, address)| VirtualAddress { address, interface }).collect()
    }
}

/// A virtual address in its place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VirtualAddress {
    /// The address; its prefix is always 32.
    pub address: Ipv4Addr,
    /// Where it lives.
    pub interface: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        let (address, prefix) = text.split_once('/').unwrap();
        Network { address: address.parse().unwrap(), prefix: prefix.parse().unwrap() }
    }

    #[test]
    fn a_network_contains_what_shares_its_prefix() {
        assert!(network("192.168.10.10/24").contains("192.168.10.255".parse().unwrap()));
        assert!(!network("192.168.10.10/24").contains("192.168.11.1".parse().unwrap()));
        assert!(network("0.0.0.0/0").contains("8.8.8.8".parse().unwrap()));
        assert!(!network("10.0.0.1/32").contains("10.0.0.2".parse().unwrap()));
        assert_eq!(network("192.168.10.10/20").to_string(), "192.168.0.0/20");
    }

    #[test]
    fn the_longest_prefix_finds_the_interface() {
        let interface =
            |text| Interface { networks: BTreeSet::from([network(text)]), ..Interface::default() };
        let interfaces = [("eth0", "10.0.0.1/8"), ("eth1", "10.1.0.1/16"), ("eth2", "10.1.0.2/16")];
        let interfaces = interfaces.map(|(name, text)| (name.to_owned(), interface(text)));
        let topology = Topology { interfaces: interfaces.into(), ..Topology::default() };
        assert_eq!(topology.interface_for("10.1.2.3".parse().unwrap()), Some("eth1"));
        assert_eq!(topology.interface_for("10.2.2.3".parse().unwrap()), Some("eth0"));
        assert_eq!(topology.interface_for("11.2.2.3".parse().unwrap()), None);
    }
}
