//! lbd's own addresses on the interfaces: which there should be, and which there are.

use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv4Addr;

use netlink_packet_route::address::{AddressAttribute, AddressMessage, AddressProtocol};
use rtnetlink::AddressMessageBuilder;

use super::topology::{Network, Topology, VirtualAddress};

/// Mark addresses as lbd's (`IFA_PROTO`, linux/if_addr.h): recognised after a restart, and nobody else's.
pub(super) const VIRTUAL: AddressProtocol = AddressProtocol::Other(0xeb);
pub(super) const OWN: AddressProtocol = AddressProtocol::Other(0xec);
/// A virtual address has no network of its own.
const HOST_PREFIX: u8 = 32;

/// What the kernel's network must have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// The virtual addresses.
    pub virtual_addresses: BTreeSet<VirtualAddress>,
    /// Interfaces that lbd looks after.
    pub switched_on: BTreeSet<String>,
    /// Their own addresses, by interface.
    pub own_addresses: BTreeSet<(String, Network)>,
    /// lbd's default route.
    pub default_gateway: Option<Ipv4Addr>,
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
            let network = Network { address: place.address, prefix: HOST_PREFIX };
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
        let mut message = AddressMessageBuilder::<Ipv4Addr>::new()
            .index(interface.index)
            .address(self.network.address, self.network.prefix)
            .build();
        let mark = if self.is_virtual { VIRTUAL } else { OWN };
        message.attributes.push(AddressAttribute::Protocol(mark));
        Some(message)
    }
}
