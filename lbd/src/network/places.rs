//! What the kernel's network must have; lbd's own addresses on the interfaces: which there should be, and which there are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressMessage, AddressProtocol, CacheInfo,
};
use rtnetlink::AddressMessageBuilder;

use super::links::Link;
use super::routes::{AnswerRule, Route};
use super::topology::{Family, Network, Topology, VirtualAddress};

/// Mark addresses as lbd's (`IFA_PROTO`, linux/if_addr.h): recognised after a restart, and nobody else's.
pub(super) const VIRTUAL: AddressProtocol = AddressProtocol::Other(0xeb);
pub(super) const OWN: AddressProtocol = AddressProtocol::Other(0xec);

/// What the kernel's network must have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// The virtual addresses.
    pub virtual_addresses: BTreeSet<VirtualAddress>,
    /// Interfaces that lbd looks after.
    pub links: BTreeMap<String, Link>,
    /// Their own addresses, by interface.
    pub own_addresses: BTreeSet<(String, Network)>,
    /// lbd's routes; the default routes are among them.
    pub routes: BTreeSet<Route>,
    /// By which answers find the routes that are for them.
    pub rules: BTreeSet<AnswerRule>,
}

/// An address of lbd's on an interface.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Address {
    pub(super) interface: String,
    pub(super) network: Network,
    pub(super) is_virtual: bool,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_virtual { "the virtual address" } else { "the address" };
        write!(f, "{kind} {}/{} of {}", self.network.address, self.network.prefix, self.interface)
    }
}

impl Address {
    pub(super) fn wanted(desired: &Places) -> BTreeSet<Self> {
        let virtual_ones = desired.virtual_addresses.iter().map(|place| {
            // A virtual address has no network of its own.
            let prefix = Family::of(place.address).host_prefix();
            let network = Network { address: place.address, prefix };
            Self { interface: place.interface.clone(), network, is_virtual: true }
        });
        let own = desired.own_addresses.iter().map(|(interface, network)| Self {
            interface: interface.clone(),
            network: *network,
            is_virtual: false,
        });
        virtual_ones.chain(own).collect()
    }

    pub(super) fn present(topology: &Topology) -> BTreeSet<Self> {
        let own = topology.interfaces.iter().flat_map(|(name, interface)| {
            interface.networks_of_ours.iter().map(move |network| (name.clone(), *network))
        });
        Self::wanted(&Places {
            virtual_addresses: topology.virtual_addresses(),
            own_addresses: own.collect(),
            ..Places::default()
        })
    }

    /// The same address is there already, and was not put there by lbd.
    pub(super) fn is_somebody_elses(&self, topology: &Topology) -> bool {
        topology.interfaces.get(&self.interface).is_some_and(|it| it.networks.contains(&self.network))
    }

    /// `None` where there is no such interface.
    pub(super) fn message(&self, topology: &Topology) -> Option<AddressMessage> {
        let interface = topology.interfaces.get(&self.interface)?;
        let mut message = match self.network.address {
            IpAddr::V4(address) => AddressMessageBuilder::<Ipv4Addr>::new()
                .index(interface.index)
                .address(address, self.network.prefix)
                .build(),
            IpAddr::V6(address) => self.ipv6_message(interface.index, address),
        };
        let mark = if self.is_virtual { VIRTUAL } else { OWN };
        message.attributes.push(AddressAttribute::Protocol(mark));
        Some(message)
    }

    fn ipv6_message(&self, interface: u32, address: Ipv6Addr) -> AddressMessage {
        let mut message = AddressMessageBuilder::<Ipv6Addr>::new()
            .index(interface)
            .address(address, self.network.prefix)
            .build();
        if self.is_virtual {
            // It answers at once, also when a peer has only just let go of it: no duplicate address detection.
            message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
            // "Deprecated": never chosen as the source of lbd's own checks (RFC 6724 section 5, rule 3).
            let mut times = CacheInfo::default();
            (times.ifa_preferred, times.ifa_valid) = (0, u32::MAX);
            message.attributes.push(AddressAttribute::CacheInfo(times));
        }
        message
    }
}
