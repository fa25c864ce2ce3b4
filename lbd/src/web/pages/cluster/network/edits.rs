//! What the forms of interfaces, bonds, VLANs and routes write into a document. Pure.

use std::net::IpAddr;

use serde_json::Value;

use super::super::change::{Edited, as_value, write_entry};
use super::super::entry::{place_in, remove_from};
use super::super::network_tables::{BOND, INTERFACE, ROUTE, VLAN};
use super::super::tables::fields;
use super::super::typed::Typed;
use crate::config::document::{InterfaceDocument, NetworkDocument};
use crate::config::{Document, Problem, address_with_prefix};

fn network(document: &Document) -> NetworkDocument {
    document.network.clone().unwrap_or_default()
}

pub(super) fn read_interface(document: &Document, name: &str) -> Option<Value> {
    network(document).interface.iter().find(|it| it.name == name).map(as_value)
}

/// An interface that has no entry yet gets one. The management address follows when it is taken away.
pub(super) fn write_interface(document: &mut Document, name: Option<&str>, typed: &Typed) -> Option<Edited> {
    let interfaces = &mut document.network.get_or_insert_default().interface;
    let index = place_in(interfaces, name, |it, name| it.name == name)?;
    let problems = write_entry(&mut interfaces[index], fields(INTERFACE), typed, "");
    let management = &mut document.management;
    if name == Some(management.interface.as_str()) {
        let written = &interfaces[index];
        management.interface.clone_from(&written.name);
        let known: Vec<_> =
            written.addresses.iter().filter_map(|text| address_with_prefix(text).ok()).collect();
        let first = known.iter().map(|network| network.address).find(IpAddr::is_ipv4);
        let is_there = known.iter().any(|network| network.address.to_string() == management.address);
        if let Some(first) = first.filter(|_| !is_there) {
            management.address = first.to_string();
        }
    }
    Some(Edited { entry: format!("network.interface[{index}]"), problems })
}

pub(super) fn remove_interface(document: &mut Document, name: &str) -> bool {
    let interfaces = &mut document.network.get_or_insert_default().interface;
    remove_from(interfaces, |it| it.name == name)
}

/// Everything that is said of `from` is said of `to`, which has nothing yet.
fn move_interface(document: &mut Document, from: &str, to: &str) {
    let interfaces = &mut document.network.get_or_insert_default().interface;
    interfaces
        .retain(|it| it.name != to || *it != InterfaceDocument { name: to.into(), ..Default::default() });
    if interfaces.iter().any(|it| it.name == to) {
        return;
    }
    if let Some(interface) = interfaces.iter_mut().find(|it| it.name == from) {
        to.clone_into(&mut interface.name);
        if document.management.interface == from {
            to.clone_into(&mut document.management.interface);
        }
    }
}

pub(super) fn read_bond(document: &Document, name: &str) -> Option<Value> {
    network(document).bond.iter().find(|it| it.name == name).map(as_value)
}

/// What its members had becomes the bond's.
pub(super) fn write_bond(document: &mut Document, name: Option<&str>, typed: &Typed) -> Option<Edited> {
    let bonds = &mut document.network.get_or_insert_default().bond;
    let index = place_in(bonds, name, |it, name| it.name == name)?;
    let problems = write_entry(&mut bonds[index], fields(BOND), typed, "");
    let bond = bonds[index].clone();
    if let Some(before) = name.filter(|before| *before != bond.name) {
        move_interface(document, before, &bond.name);
        let vlans = &mut document.network.get_or_insert_default().vlan;
        vlans.iter_mut().filter(|vlan| vlan.link == before).for_each(|vlan| vlan.link.clone_from(&bond.name));
    }
    for member in &bond.members {
        move_interface(document, member, &bond.name);
    }
    Some(Edited { entry: format!("network.bond[{index}]"), problems })
}

/// What it had becomes its first member's.
pub(super) fn remove_bond(document: &mut Document, name: &str) -> bool {
    let bonds = &mut document.network.get_or_insert_default().bond;
    let Some(index) = bonds.iter().position(|it| it.name == name) else { return false };
    let bond = bonds.remove(index);
    if let Some(first) = bond.members.first() {
        move_interface(document, &bond.name, first);
    }
    true
}

pub(super) fn read_vlan(document: &Document, name: &str) -> Option<Value> {
    network(document).vlan.iter().find(|it| it.name == name).map(as_value)
}

pub(super) fn write_vlan(document: &mut Document, name: Option<&str>, typed: &Typed) -> Option<Edited> {
    let vlans = &mut document.network.get_or_insert_default().vlan;
    let index = place_in(vlans, name, |it, name| it.name == name)?;
    let mut problems = Vec::new();
    if typed.text("id").is_empty() {
        let (problem, remedy) =
            ("there is no VLAN number".into(), "give 1 to 4094, as the switch has it".into());
        problems.push(Problem { field: "id".into(), problem, remedy });
    }
    let written = fields(VLAN).filter(|field| field.path != "id" || problems.is_empty());
    let more = write_entry(&mut vlans[index], written, typed, "");
    let vlan = vlans[index].clone();
    if let Some(before) = name.filter(|before| *before != vlan.name) {
        move_interface(document, before, &vlan.name);
    }
    problems.extend(more);
    Some(Edited { entry: format!("network.vlan[{index}]"), problems })
}

/// What it had goes with it.
pub(super) fn remove_vlan(document: &mut Document, name: &str) -> bool {
    let network = document.network.get_or_insert_default();
    let Some(index) = network.vlan.iter().position(|it| it.name == name) else { return false };
    network.vlan.remove(index);
    network.interface.retain(|it| it.name != name);
    true
}

/// A network in a path: without the slash.
pub(super) fn route_name(destination: &str) -> String {
    destination.replace('/', "_")
}

pub(super) fn read_route(document: &Document, name: &str) -> Option<Value> {
    network(document).route.iter().find(|it| route_name(&it.destination) == name).map(as_value)
}

pub(super) fn write_route(document: &mut Document, name: Option<&str>, typed: &Typed) -> Option<Edited> {
    let routes = &mut document.network.get_or_insert_default().route;
    let index = place_in(routes, name, |it, name| route_name(&it.destination) == name)?;
    let problems = write_entry(&mut routes[index], fields(ROUTE), typed, "");
    Some(Edited { entry: format!("network.route[{index}]"), problems })
}

pub(super) fn remove_route(document: &mut Document, name: &str) -> bool {
    let routes = &mut document.network.get_or_insert_default().route;
    remove_from(routes, |it| route_name(&it.destination) == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Format, validate};

    const EXAMPLE: &str = include_str!("../../../../../../examples/datalink.toml");

    fn document() -> Document {
        let network =
            "\n[network]\n[[network.interface]]\nname = \"eth0\"\naddresses = [\"192.168.10.10/24\"]\n";
        Document::parse(&format!("{EXAMPLE}{network}"), Format::Toml).unwrap()
    }

    fn written(edited: Option<Edited>) {
        assert_eq!(edited.unwrap().problems, []);
    }

    #[test]
    fn a_bond_takes_over_what_its_members_have_and_gives_it_back() {
        let before = document();
        let mut document = document();
        let typed = Typed::new(&[("name", "bond0"), ("mode", "active-backup"), ("members", "eth0, eth1")]);
        written(write_bond(&mut document, None, &typed));
        assert_eq!(document.management.interface, "bond0");
        assert_eq!(document.network.as_ref().unwrap().interface[0].name, "bond0");
        let vlan = Typed::new(&[("name", "bond0.100"), ("link", "bond0"), ("id", "100")]);
        written(write_vlan(&mut document, None, &vlan));
        validate(document.clone()).unwrap();
        let renamed = Typed::new(&[("name", "both"), ("mode", "active-backup"), ("members", "eth0, eth1")]);
        written(write_bond(&mut document, Some("bond0"), &renamed));
        validate(document.clone()).unwrap();
        assert!(remove_vlan(&mut document, "bond0.100") && remove_bond(&mut document, "both"));
        assert!(!remove_bond(&mut document, "both"));
        assert_eq!(document, before);
    }

    #[test]
    fn the_management_address_follows_that_of_its_interface() {
        let mut document = document();
        let typed = Typed::new(&[("name", "eth0"), ("addresses", "fd00::1/64, 192.168.20.7/24")]);
        written(write_interface(&mut document, Some("eth0"), &typed));
        assert_eq!(document.management.address, "192.168.20.7");
        let typed = typed.with("addresses", "192.168.20.9/24, 192.168.20.7/24");
        written(write_interface(&mut document, Some("eth0"), &typed));
        assert_eq!(document.management.address, "192.168.20.7", "it is still there");
    }

    #[test]
    fn a_route_is_found_by_its_network_in_a_path() {
        let mut document = document();
        let typed = Typed::new(&[("destination", "10.0.0.0/8"), ("gateway", "192.168.10.1")]);
        written(write_route(&mut document, None, &typed));
        assert!(read_route(&document, "10.0.0.0_8").is_some());
        written(write_route(&mut document, Some("10.0.0.0_8"), &typed.with("gateway", "192.168.10.2")));
        validate(document.clone()).unwrap();
        assert!(remove_route(&mut document, "10.0.0.0_8") && !remove_route(&mut document, "10.0.0.0_8"));
    }

    #[test]
    fn a_vlan_without_a_number_says_so() {
        let typed = Typed::new(&[("name", "eth0.1"), ("link", "eth0"), ("id", "")]);
        let edited = write_vlan(&mut document(), None, &typed).unwrap();
        assert_eq!(edited.problems[0].field, "id");
    }
}
