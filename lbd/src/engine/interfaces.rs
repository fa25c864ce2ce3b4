//! The interfaces as the View tells of them.

use super::Engine;
use crate::network::topology::{Interface, LinkKind};
use crate::view::InterfaceView;

impl Engine {
    /// By name.
    pub(super) fn interface_views(&self) -> Vec<InterfaceView> {
        let all = self.topology.interfaces.iter();
        all.map(|(name, interface)| self.interface_view(name, interface)).collect()
    }

    fn interface_view(&self, name: &str, interface: &Interface) -> InterfaceView {
        let figures = self.pulse.figures(name);
        let octets = |bytes: [u8; 6]| bytes.map(|byte| format!("{byte:02x}")).join(":");
        let networks = interface.networks.iter();
        InterfaceView {
            name: name.to_owned(),
            made_of: made_of(interface),
            member_of: interface.controller.clone(),
            switched_on: interface.switched_on,
            has_link: interface.carrier,
            addresses: networks.map(|network| format!("{}/{}", network.address, network.prefix)).collect(),
            virtual_address_count: interface.virtual_addresses.len(),
            mtu: interface.mtu,
            hardware_address: interface.hardware.map(octets),
            megabits_per_second: figures.megabits_per_second.filter(|_| interface.carrier),
            duplex: figures.duplex.filter(|_| interface.carrier),
            driver: figures.driver,
            received: figures.received,
            sent: figures.sent,
        }
    }
}

fn made_of(interface: &Interface) -> String {
    let kind = match &interface.kind {
        LinkKind::Adapter => "adapter".to_owned(),
        LinkKind::Bond(bonding) => format!("bond, {}", bonding.mode),
        LinkKind::Vlan { link, id } => format!("VLAN {id} on {link}"),
    };
    match &interface.controller {
        Some(bond) => format!("{kind}, member of {bond}"),
        None => kind,
    }
}
