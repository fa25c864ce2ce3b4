//! What was typed into the wizard, and the configuration that it makes.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use crate::config::document::{BondDocument, InterfaceDocument, NetworkDocument, VlanDocument};
use crate::config::{Document, address_with_prefix};
use crate::network::topology::Network;

/// Everything that was typed; what is not asked any more is kept for who goes back.
#[derive(Clone, PartialEq, Eq)]
pub struct Answers {
    /// The network is to be configured at all.
    pub configures: bool,
    /// Adapters are to be bonded.
    pub has_bond: bool,
    /// Which, and how.
    pub bond: Bond,
    /// The management network is a VLAN.
    pub has_vlan: bool,
    /// Which.
    pub vlan: Vlan,
    /// Where the appliance is managed.
    pub interface: String,
    /// With its prefix; none until it is typed.
    pub address: Option<Network>,
    /// Nobody else uses it.
    pub address_is_known: bool,
    /// The router.
    pub gateway: Option<Ipv4Addr>,
    /// In the order in which they are asked.
    pub dns: Vec<Ipv4Addr>,
    /// None: it stays as it is.
    pub password: Option<String>,
}

/// Adapters that are used as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bond {
    /// By name.
    pub members: Vec<String>,
    /// By the kernel's name.
    pub mode: String,
}

/// A VLAN on the bond, or on an adapter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vlan {
    /// 1 to 4094 (IEEE 802.1Q).
    pub id: Option<u16>,
}

pub(super) use crate::zero_touch::BOND;

/// Never with the password.
impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers")
            .field("interface", &self.interface)
            .field("address", &self.address)
            .field("gateway", &self.gateway)
            .finish_non_exhaustive()
    }
}

impl Answers {
    /// What is in force.
    pub(super) fn present(document: &Document) -> Self {
        let network = document.network.clone().unwrap_or_default();
        let interface = document.management.interface.clone();
        let addresses = network.interface.iter().find(|it| it.name == interface).map(|it| &it.addresses);
        let addresses = addresses.into_iter().flatten().filter_map(|text| address_with_prefix(text).ok());
        let managed: Option<IpAddr> = document.management.address.parse().ok();
        Self {
            configures: true,
            has_bond: false,
            bond: Bond { members: Vec::new(), mode: "active-backup".into() },
            has_vlan: false,
            vlan: Vlan { id: None },
            address: addresses.clone().find(|network| Some(network.address) == managed),
            address_is_known: true,
            interface,
            gateway: network.default_gateway.and_then(|text| text.parse().ok()),
            dns: network.dns_servers.iter().filter_map(|text| text.parse().ok()).collect(),
            password: None,
        }
    }
}

/// The present configuration with these answers in it.
pub fn document(present: &Document, answers: &Answers) -> Document {
    let mut document = present.clone();
    let Some(address) = answers.address.filter(|_| answers.configures) else { return document };
    let mut network = document.network.take().unwrap_or_default();
    network.default_gateway = answers.gateway.map(|gateway| gateway.to_string());
    network.dns_servers = answers.dns.iter().map(ToString::to_string).collect();
    add_links(&mut network, answers);
    move_address(&mut network, &document.management.address, answers, address);
    document.network = Some(network);
    document.management.interface.clone_from(&answers.interface);
    document.management.address = address.address.to_string();
    document
}

/// The bond and the VLAN, in place of earlier ones of the same name. A member has no addresses of its own.
fn add_links(network: &mut NetworkDocument, answers: &Answers) {
    if answers.has_bond {
        let Bond { members, mode } = answers.bond.clone();
        network.interface.retain(|interface| !members.contains(&interface.name));
        network.bond.retain(|bond| bond.name != BOND);
        network.bond.push(BondDocument { name: BOND.into(), mode, members, ..BondDocument::default() });
    }
    if let (true, Some(id), Some((link, _))) =
        (answers.has_vlan, answers.vlan.id, answers.interface.split_once('.'))
    {
        network.vlan.retain(|vlan| vlan.name != answers.interface);
        network.vlan.push(VlanDocument {
            name: answers.interface.clone(),
            link: link.to_owned(),
            id: id.into(),
        });
    }
}

/// The address of the management leaves its old place; other addresses stay.
fn move_address(network: &mut NetworkDocument, old: &str, answers: &Answers, address: Network) {
    let text = format!("{}/{}", address.address, address.prefix);
    let is_old = |text: &String| text.split('/').next() == Some(old);
    network.interface.retain_mut(|interface| {
        let had = interface.addresses.iter().any(is_old);
        interface.addresses.retain(|text| !is_old(text));
        // One that had nothing else is not looked after any more, unless it gets the new address.
        !had || !interface.addresses.is_empty() || interface.name == answers.interface
    });
    let interface = network.interface.iter_mut().find(|interface| interface.name == answers.interface);
    match interface {
        Some(interface) => {
            interface.addresses.retain(|other| *other != text);
            interface.addresses.insert(0, text);
        }
        None => {
            let (name, addresses) = (answers.interface.clone(), vec![text]);
            let interface = InterfaceDocument { name, addresses, ..InterfaceDocument::default() };
            network.interface.push(interface);
        }
    }
}
