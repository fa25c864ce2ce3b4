//! The appliance's own network: links, addresses, routes, and by which way answers leave.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Inputs;
use crate::config::NetworkSettings;
use crate::config::network::{Bond, InterfaceSettings, Vlan};
use crate::network::links::Link;
use crate::network::places::Places;
use crate::network::routes::{AnswerRule, Exit, MAIN_TABLE, Route};
use crate::network::topology::{Bonding, Family, LinkKind, Network, VirtualAddress};

/// Adapters that are not there yet are left out, with what lies on them; they get theirs when they come.
pub(super) fn places(inputs: &Inputs<'_>, virtual_addresses: BTreeSet<VirtualAddress>) -> Places {
    let Some(network) = &inputs.config.network else {
        return Places { virtual_addresses, ..Places::default() };
    };
    let links = links(inputs, network);
    let interfaces: BTreeMap<_, _> = network
        .interfaces
        .iter()
        .map(|(name, settings)| (name.as_str(), settings))
        .filter(|(name, _)| links.get(*name).is_some_and(|link| link.bond.is_none()))
        .collect();
    let own_addresses = interfaces
        .iter()
        .flat_map(|(name, it)| it.addresses.iter().map(|network| ((*name).to_owned(), *network)))
        .collect();
    let mut routes = routes(network, &interfaces);
    let mut rules = BTreeSet::new();
    for (exit, name, settings) in exits(network) {
        let there = Family::ALL.into_iter().filter(|_| interfaces.contains_key(name));
        for (family, gateway) in there.filter_map(|family| Some((family, settings.gateway_of(family)?))) {
            routes.extend(routes_for_answers(exit, name, settings, gateway));
            rules.insert(AnswerRule { family, exit });
        }
    }
    Places { virtual_addresses, own_addresses, routes, rules, links }
}

/// Each address to which requests come that must be answered by an exit.
pub(super) fn answers(inputs: &Inputs<'_>, places: &Places) -> BTreeMap<IpAddr, Exit> {
    let mut answers = BTreeMap::new();
    for (exit, name, settings) in inputs.config.network.iter().flat_map(exits) {
        let own = settings.addresses.iter().map(|network| network.address);
        let here = places.virtual_addresses.iter().filter(|place| place.interface == name);
        let all = own.chain(here.map(|place| place.address));
        let with_rule =
            all.filter(|address| places.rules.contains(&AnswerRule { family: Family::of(*address), exit }));
        answers.extend(with_rule.map(|address| (address, exit)));
    }
    answers
}

/// The interfaces with a gateway of their own, numbered by their names.
fn exits(network: &NetworkSettings) -> impl Iterator<Item = (Exit, &str, &InterfaceSettings)> {
    let has_gateway = |settings: &InterfaceSettings| {
        Family::ALL.into_iter().any(|family| settings.gateway_of(family).is_some())
    };
    let with_gateway = network.interfaces.iter().filter(move |(_, settings)| has_gateway(settings));
    Exit::all().zip(with_gateway).map(|(exit, (name, settings))| (exit, name.as_str(), settings))
}

fn links(inputs: &Inputs<'_>, network: &NetworkSettings) -> BTreeMap<String, Link> {
    let mtu = |name| network.interfaces.get(name).and_then(|settings| settings.mtu);
    let is_there = |name: &str| inputs.topology.interfaces.contains_key(name);
    let mut links = BTreeMap::new();
    for (name, Bond { mode, members, miimon_milliseconds, fast_lacp }) in &network.bonds {
        let bonding =
            Bonding { mode: *mode, miimon_milliseconds: *miimon_milliseconds, fast_lacp: *fast_lacp };
        links.insert(name.to_string(), Link { kind: LinkKind::Bond(bonding), mtu: mtu(name), bond: None });
        let member = Link { bond: Some(name.to_string()), ..Link::default() };
        let there = members.iter().filter(|member| is_there(member.as_str()));
        links.extend(there.map(|name| (name.to_string(), member.clone())));
    }
    // What a VLAN lies on must not be left to itself.
    let below = network.vlans.values().map(|vlan| &vlan.link);
    for name in network.interfaces.keys().chain(below) {
        let is_made = network.bonds.contains_key(name) || network.vlans.contains_key(name);
        if !is_made && network.bond_of(name).is_none() && is_there(name.as_str()) {
            links.insert(name.to_string(), Link { mtu: mtu(name), ..Link::default() });
        }
    }
    for (name, Vlan { link, id }) in &network.vlans {
        if links.contains_key(link.as_str()) {
            let kind = LinkKind::Vlan { link: link.to_string(), id: *id };
            links.insert(name.to_string(), Link { kind, mtu: mtu(name), bond: None });
        }
    }
    links
}

/// Default routes and static ones, where the network of their router is there.
fn routes(network: &NetworkSettings, interfaces: &BTreeMap<&str, &InterfaceSettings>) -> BTreeSet<Route> {
    let leads_to = |gateway: IpAddr, by: Option<&str>| {
        let all = interfaces.iter().filter(|(name, _)| by.is_none_or(|by| by == **name));
        all.flat_map(|(_, it)| &it.addresses).any(|network| network.contains(gateway))
    };
    let route = |destination, gateway, interface: Option<&str>| {
        let interface = interface.map(str::to_owned);
        Route { table: MAIN_TABLE, destination, gateway: Some(gateway), interface }
    };
    let default = network.default_gateways().map(|gateway| route(everything(gateway), gateway, None));
    let fixed = network.routes.iter().map(|(destination, it)| {
        route(*destination, it.gateway, it.interface.as_ref().map(|name| name.as_str()))
    });
    let all = default.chain(fixed);
    all.filter(|it| it.gateway.is_some_and(|gateway| leads_to(gateway, it.interface.as_deref()))).collect()
}

/// The network of the interface itself, and everything else by its own router.
fn routes_for_answers<'a>(
    exit: Exit,
    name: &'a str,
    settings: &'a InterfaceSettings,
    gateway: IpAddr,
) -> impl Iterator<Item = Route> + use<'a> {
    let route = move |destination, gateway| Route {
        table: exit.table(),
        destination,
        gateway,
        interface: Some(name.to_owned()),
    };
    let of_family = move |network: &&Network| Family::of(network.address) == Family::of(gateway);
    let near = settings.addresses.iter().filter(of_family);
    let near = near.map(|network| Network { address: network.base(), ..*network });
    near.map(move |network| route(network, None)).chain([route(everything(gateway), Some(gateway))])
}

/// Every address of this one's family.
fn everything(address: IpAddr) -> Network {
    let address = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    Network { address, prefix: 0 }
}
