//! The appliance's own network, as far as it passed every rule.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::values::{HostName, InterfaceName};
use crate::network::topology::{Family, Network};

/// The appliance's own network: what is not listed here, lbd leaves alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkSettings {
    /// Name of the appliance; `None` leaves the kernel's.
    pub host_name: Option<HostName>,
    /// The way to everything that is not near.
    pub default_gateway: Option<Ipv4Addr>,
    /// The same for IPv6.
    pub default_gateway_ipv6: Option<Ipv6Addr>,
    /// In the order in which they are asked.
    pub dns_servers: Vec<Ipv4Addr>,
    /// In which names without a dot are looked up.
    pub search_domain: Option<HostName>,
    /// The interfaces that lbd switches on and gives addresses to.
    pub interfaces: BTreeMap<InterfaceName, InterfaceSettings>,
    /// Adapters that act as one.
    pub bonds: BTreeMap<InterfaceName, Bond>,
    /// VLANs, each on an adapter or bond.
    pub vlans: BTreeMap<InterfaceName, Vlan>,
    /// Ways to networks, by the lowest address of each.
    pub routes: BTreeMap<Network, StaticRoute>,
}

/// An adapter, bond or VLAN.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InterfaceSettings {
    /// Its addresses; no other interface has one of them.
    pub addresses: BTreeSet<Network>,
    /// Bytes of the largest packet; `None`: what is usual.
    pub mtu: Option<u32>,
    /// By which answers to what came to this interface's addresses leave.
    pub gateway: Option<Ipv4Addr>,
    /// The same for IPv6.
    pub gateway_ipv6: Option<Ipv6Addr>,
}

/// Adapters that act as one; at least one, and none of them in another bond.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bond {
    /// Who carries what.
    pub mode: BondMode,
    /// Its adapters.
    pub members: BTreeSet<InterfaceName>,
    /// Between two looks at the members' links.
    pub miimon_milliseconds: u32,
    /// The switch is asked to speak every second instead of every 30 (802.3ad).
    pub fast_lacp: bool,
}

/// A VLAN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vlan {
    /// The adapter or bond on which it lies.
    pub link: InterfaceName,
    /// 1 to 4094.
    pub id: u16,
}

/// The way to a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticRoute {
    /// Router, of the network's family.
    pub gateway: IpAddr,
    /// The way to the router; `None`: as the kernel finds it.
    pub interface: Option<InterfaceName>,
}

impl NetworkSettings {
    /// The default gateways, at most one of each family.
    pub fn default_gateways(&self) -> impl Iterator<Item = IpAddr> {
        let gateways = [self.default_gateway.map(IpAddr::V4), self.default_gateway_ipv6.map(IpAddr::V6)];
        gateways.into_iter().flatten()
    }

    /// The bond to which an adapter belongs.
    pub fn bond_of(&self, adapter: &InterfaceName) -> Option<&InterfaceName> {
        self.bonds.iter().find(|(_, bond)| bond.members.contains(adapter)).map(|(name, _)| name)
    }

    /// What can cut an administrator off: names and who knows them cannot.
    #[must_use]
    pub fn ways(&self) -> Self {
        Self { host_name: None, dns_servers: Vec::new(), search_domain: None, ..self.clone() }
    }
}

impl InterfaceSettings {
    /// The interface's own gateway of this family.
    pub fn gateway_of(&self, family: Family) -> Option<IpAddr> {
        match family {
            Family::Ipv4 => self.gateway.map(IpAddr::V4),
            Family::Ipv6 => self.gateway_ipv6.map(IpAddr::V6),
        }
    }
}

/// How a bond spreads what it carries (Documentation/networking/bonding.rst).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BondMode {
    /// One member carries everything, another takes over when its link fails; the switch need not know.
    #[default]
    ActiveBackup,
    /// All members, as agreed with the switch (LACP).
    Lacp,
    /// Packets in turn.
    BalanceRr,
    /// By addresses.
    BalanceXor,
    /// Everything on all.
    Broadcast,
    /// By load, for what is sent.
    BalanceTlb,
    /// By load, in both directions.
    BalanceAlb,
}

impl BondMode {
    /// All of them, the usual one first.
    pub const ALL: [Self; 7] = [
        Self::ActiveBackup,
        Self::Lacp,
        Self::BalanceRr,
        Self::BalanceXor,
        Self::Broadcast,
        Self::BalanceTlb,
        Self::BalanceAlb,
    ];

    /// As the kernel and the document name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ActiveBackup => "active-backup",
            Self::Lacp => "802.3ad",
            Self::BalanceRr => "balance-rr",
            Self::BalanceXor => "balance-xor",
            Self::Broadcast => "broadcast",
            Self::BalanceTlb => "balance-tlb",
            Self::BalanceAlb => "balance-alb",
        }
    }
}

impl fmt::Display for BondMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
