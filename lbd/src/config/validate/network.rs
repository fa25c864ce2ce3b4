//! Rules of the appliance's own network.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Collector, host_address, ipv4_address};
use crate::config::document::{InterfaceDocument, NetworkDocument};
use crate::config::values::{Fault, HostName, InterfaceName, quoted};
use crate::config::{Management, NetworkSettings};
use crate::network::topology::{Family, Network};

/// What is valid of the section; what is not has been reported.
pub(super) fn settings(check: &mut Collector, document: &NetworkDocument) -> NetworkSettings {
    let host_name = document.host_name.as_deref();
    let gateway = document.default_gateway.as_deref();
    let gateway_ipv6 = document.default_gateway_ipv6.as_deref();
    let settings = NetworkSettings {
        host_name: host_name.and_then(|name| check.take("network.host_name", HostName::try_from(name))),
        default_gateway: gateway.and_then(|text| check.take("network.default_gateway", ipv4_address(text))),
        default_gateway_ipv6: gateway_ipv6
            .and_then(|text| check.take("network.default_gateway_ipv6", ipv6_gateway(text))),
        dns_servers: list(check, "dns_servers", &document.dns_servers, ipv4_address),
        interfaces: interfaces(check, &document.interface),
    };
    if let Some(gateway) = settings.default_gateway {
        gateway_is_near(check, "default_gateway", &settings, gateway.into());
    }
    if let Some(gateway) = settings.default_gateway_ipv6 {
        gateway_is_near(check, "default_gateway_ipv6", &settings, gateway.into());
    }
    settings
}

fn list<T>(
    check: &mut Collector,
    name: &str,
    texts: &[String],
    parse: impl Fn(&str) -> Result<T, Fault>,
) -> Vec<T> {
    let one = |(index, text): (usize, &String)| check.take(format!("network.{name}[{index}]"), parse(text));
    texts.iter().enumerate().filter_map(one).collect()
}

fn interfaces(
    check: &mut Collector,
    documents: &[InterfaceDocument],
) -> BTreeMap<InterfaceName, BTreeSet<Network>> {
    let mut interfaces = BTreeMap::new();
    for (index, document) in documents.iter().enumerate() {
        let field = format!("network.interface[{index}]");
        let name = check.take(format!("{field}.name"), InterfaceName::try_from(document.name.as_str()));
        let mut addresses = BTreeSet::new();
        for (position, text) in document.addresses.iter().enumerate() {
            addresses.extend(check.take(format!("{field}.addresses[{position}]"), address_with_prefix(text)));
        }
        let Some(name) = name else { continue };
        if interfaces.insert(name, addresses).is_some() {
            let problem = format!("the interface {} is already listed", quoted(&document.name));
            let fault = Fault::new(problem, "list each interface once, with all its addresses");
            check.report(format!("{field}.name"), fault);
        }
    }
    interfaces
}

/// `192.168.2.21/24`; a netmask is answered with the prefix that it means.
pub fn address_with_prefix(text: &str) -> Result<Network, Fault> {
    const EXAMPLE: &str = "write address and prefix, for example 192.168.2.21/24";
    let Some((address, prefix)) = text.split_once('/') else {
        return Err(Fault::new(format!("{} has no prefix", quoted(text)), EXAMPLE));
    };
    let address = host_address(address)?;
    let longest = Family::of(address).host_prefix();
    if let (IpAddr::V4(_), Ok(mask)) = (address, prefix.parse::<Ipv4Addr>()) {
        let length = mask.to_bits().leading_ones();
        if mask.to_bits().count_ones() != length {
            return Err(Fault::new(format!("{mask} is no netmask, nor a prefix"), EXAMPLE));
        }
        return Err(Fault::new(format!("{mask} is a netmask"), format!("write {address}/{length}")));
    }
    match prefix.parse() {
        Ok(prefix) if (1..=longest).contains(&prefix) => Ok(Network { address, prefix }),
        _ => {
            let usual = if address.is_ipv4() { 24 } else { 64 };
            let remedy = format!("give 1 to {longest}, usually {usual}");
            Err(Fault::new(format!("{} is not a prefix", quoted(prefix)), remedy))
        }
    }
}

fn ipv6_gateway(text: &str) -> Result<Ipv6Addr, Fault> {
    match host_address(text)? {
        IpAddr::V6(gateway) => Ok(gateway),
        IpAddr::V4(gateway) => {
            Err(Fault::new(format!("{gateway} is an IPv4 address"), "write it as default_gateway"))
        }
    }
}

fn gateway_is_near(check: &mut Collector, field: &str, settings: &NetworkSettings, gateway: IpAddr) {
    let mut networks = settings.interfaces.values().flatten();
    if !networks.any(|network| network.contains(gateway) && network.address != gateway) {
        let problem = format!("{gateway} lies in no network of the interfaces, or is an address of our own");
        let fault = Fault::new(problem, "give a router in one of these networks, or correct the addresses");
        check.report(format!("network.{field}"), fault);
    }
}

/// Where lbd sets the addresses, the management address must be one of them.
pub(super) fn holds_management(check: &mut Collector, network: &NetworkSettings, management: &Management) {
    let addresses = network.interfaces.get(&management.interface);
    if !addresses
        .is_some_and(|all| all.iter().any(|network| network.address == IpAddr::V4(management.address)))
    {
        let problem = format!(
            "{} is not among the addresses of {} in [network]",
            management.address, management.interface
        );
        check.report("management.address", Fault::new(problem, "make both the same"));
    }
}
