//! What the kernel says of interfaces, addresses and routes: plain data for pure decisions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::network::BondMode;

/// Interfaces by name, and the way to each real server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Topology {
    /// All but the loopback interface.
    pub interfaces: BTreeMap<String, Interface>,
    /// The kernel's own answer for each destination that lbd asked for; none where there is no route.
    pub routes: BTreeMap<IpAddr, Egress>,
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
    /// What it is made of.
    pub kind: LinkKind,
    /// Whose affair it is.
    pub owner: Owner,
    /// Bytes of the largest packet.
    pub mtu: u32,
    /// The most that it can be set to; 0 where the driver does not say.
    pub largest_mtu: u32,
    /// The bond (or bridge) to which it belongs.
    pub controller: Option<String>,
    /// Its own addresses with their networks.
    pub networks: BTreeSet<Network>,
    /// Those of them that lbd put there.
    pub networks_of_ours: BTreeSet<Network>,
    /// The virtual addresses that lbd put there.
    pub virtual_addresses: BTreeSet<IpAddr>,
}

/// What an interface is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum LinkKind {
    /// It is there by itself.
    #[default]
    Adapter,
    /// Several adapters that act as one.
    Bond(Bonding),
    /// A VLAN on another interface.
    Vlan {
        /// The interface on which it lies.
        link: String,
        /// 1 to 4094.
        id: u16,
    },
}

/// How a bond works.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bonding {
    /// Who carries what.
    pub mode: BondMode,
    /// Between two looks at the members' links.
    pub miimon_milliseconds: u32,
    /// The switch is asked to speak every second.
    pub fast_lacp: bool,
}

/// Whose affair an interface is; the kernel keeps it for the next lbd.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Owner {
    /// Somebody else's, or nobody's.
    #[default]
    Other,
    /// lbd looks after it.
    Adopted,
    /// lbd made it, and removes it.
    Made,
}

/// An address with the network that it lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Network {
    /// The host's address.
    pub address: IpAddr,
    /// Length of the prefix, 0 to 32, or to 128 for IPv6.
    pub prefix: u8,
}

impl Network {
    /// Whether `other` is in the same network.
    pub fn contains(&self, other: IpAddr) -> bool {
        self.base() == Self { address: other, ..*self }.base()
    }

    /// The lowest address of the network.
    pub fn base(&self) -> IpAddr {
        let length = u32::from(self.prefix);
        match self.address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32_u32.saturating_sub(length)).unwrap_or(0);
                Ipv4Addr::from_bits(address.to_bits() & mask).into()
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128_u32.saturating_sub(length)).unwrap_or(0);
                Ipv6Addr::from_bits(address.to_bits() & mask).into()
            }
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base(), self.prefix)
    }
}

/// IPv4 or IPv6: packets, maps and chains are of one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

impl Family {
    /// Both, in the order of every output.
    pub const ALL: [Self; 2] = [Self::Ipv4, Self::Ipv6];

    /// The family of an address.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::Ipv4 } else { Self::Ipv6 }
    }

    /// The word with which nft names it.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Ipv4 => "ip",
            Self::Ipv6 => "ip6",
        }
    }

    /// What the names of its maps and chains have behind those of IPv4.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Ipv4 => "",
            Self::Ipv6 => "6",
        }
    }

    /// Length of the prefix of one host.
    pub fn host_prefix(self) -> u8 {
        match self {
            Self::Ipv4 => 32,
            Self::Ipv6 => 128,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
        })
    }
}

/// The way towards a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Egress {
    /// The interface by which packets leave.
    pub interface: String,
    /// The address that the kernel prefers as source.
    pub source: IpAddr,
}

impl Interface {
    /// The interface's own network that contains `address`; the longest prefix wins.
    pub fn network_of(&self, address: IpAddr) -> Option<&Network> {
        self.networks.iter().filter(|network| network.contains(address)).max_by_key(|network| network.prefix)
    }
}

impl Topology {
    /// The interface in whose network `address` lies; the longest prefix wins, then the first name.
    pub fn interface_for(&self, address: IpAddr) -> Option<&str> {
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
    /// The address; its prefix is always that of one host.
    pub address: IpAddr,
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
        assert!(network("fd00::10/64").contains("fd00::ffff:1".parse().unwrap()));
        assert!(!network("fd00::10/64").contains("fd00:0:0:1::1".parse().unwrap()));
        assert!(!network("0.0.0.0/0").contains("::1".parse().unwrap()), "another family");
        assert_eq!(network("fd00:1:2:3:4::/40").to_string(), "fd00:1::/40");
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
