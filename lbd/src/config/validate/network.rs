//! Rules of the appliance's own network: names, addresses, gateways.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Collector, host_address, ipv4_address, links, routes};
use crate::config::document::{InterfaceDocument, NetworkDocument};
use crate::config::network::{InterfaceSettings, NetworkSettings};
use crate::config::values::{Fault, HostName, InterfaceName, quoted};
use crate::config::{Alerting, Management, NtpServer, TimeSettings};
use crate::network::topology::{Family, Network};

/// Marks of packets have four bits for the interface by which an answer leaves, and 0 means none.
pub const MOST_GATEWAYS: usize = 15;

/// What is valid of the section; what is not has been reported.
pub(super) fn settings(check: &mut Collector, document: &NetworkDocument) -> NetworkSettings {
    let host_name = document.host_name.as_deref();
    let search_domain = document.search_domain.as_deref();
    let gateway = document.default_gateway.as_deref();
    let gateway_ipv6 = document.default_gateway_ipv6.as_deref();
    let mut settings = NetworkSettings {
        host_name: host_name.and_then(|name| check.take("network.host_name", HostName::try_from(name))),
        default_gateway: gateway.and_then(|text| check.take("network.default_gateway", ipv4_address(text))),
        default_gateway_ipv6: gateway_ipv6.and_then(|text| {
            check.take("network.default_gateway_ipv6", ipv6_gateway(text, "default_gateway"))
        }),
        dns_servers: list(check, "dns_servers", &document.dns_servers, ipv4_address),
        search_domain: search_domain
            .and_then(|name| check.take("network.search_domain", HostName::try_from(name))),
        interfaces: interfaces(check, &document.interface),
        ..NetworkSettings::default()
    };
    for gateway in settings.default_gateways().collect::<Vec<_>>() {
        let field = if gateway.is_ipv4() { "default_gateway" } else { "default_gateway_ipv6" };
        gateway_is_near(check, field, &settings, gateway);
    }
    links::links(check, document, &mut settings);
    settings.routes = routes::routes(check, &document.route, &settings);
    own_gateways(check, &document.interface, &settings);
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
) -> BTreeMap<InterfaceName, InterfaceSettings> {
    let mut interfaces = BTreeMap::new();
    let mut owners = BTreeMap::new();
    for (index, document) in documents.iter().enumerate() {
        let field = format!("network.interface[{index}]");
        let name = check.take(format!("{field}.name"), InterfaceName::try_from(document.name.as_str()));
        let settings = interface(check, &field, document, &mut owners);
        let Some(name) = name else { continue };
        if interfaces.insert(name, settings).is_some() {
            let problem = format!("the interface {} is already listed", quoted(&document.name));
            let fault = Fault::new(problem, "list each interface once, with all its addresses");
            check.report(format!("{field}.name"), fault);
        }
    }
    interfaces
}

fn interface<'a>(
    check: &mut Collector,
    field: &str,
    document: &'a InterfaceDocument,
    owners: &mut BTreeMap<IpAddr, &'a str>,
) -> InterfaceSettings {
    let mut addresses = BTreeSet::new();
    for (position, text) in document.addresses.iter().enumerate() {
        let field = format!("{field}.addresses[{position}]");
        let Some(network) = check.take(&field, address_with_prefix(text)) else { continue };
        if let Some(owner) = owners.insert(network.address, &document.name) {
            let problem = format!("{} is already an address of {}", network.address, quoted(owner));
            check.report(field, Fault::new(problem, "give each address once, on one interface"));
        }
        addresses.insert(network);
    }
    let gateway = document.gateway.as_deref();
    let gateway_ipv6 = document.gateway_ipv6.as_deref();
    InterfaceSettings {
        mtu: mtu(check, &format!("{field}.mtu"), document.mtu, &addresses),
        gateway: gateway.and_then(|text| check.take(format!("{field}.gateway"), ipv4_address(text))),
        gateway_ipv6: gateway_ipv6
            .and_then(|text| check.take(format!("{field}.gateway_ipv6"), ipv6_gateway(text, "gateway"))),
        addresses,
    }
}

/// The least of IPv4 (RFC 791) and IPv6 (RFC 8200 section 5); the most is what switches call jumbo frames.
fn mtu(check: &mut Collector, field: &str, value: Option<i64>, addresses: &BTreeSet<Network>) -> Option<u32> {
    const USUAL: i64 = 1500;
    const LARGEST: i64 = 9216;
    const LEAST_OF_IPV6: i64 = 1280;
    let value = value?;
    let has_ipv6 = addresses.iter().any(|network| network.address.is_ipv6());
    if has_ipv6 && (68..LEAST_OF_IPV6).contains(&value) {
        let problem = format!("{value} bytes are too few for IPv6");
        check.report(field, Fault::new(problem, "give 1280 to 9216, or remove the IPv6 addresses"));
        return None;
    }
    let value = check.number(field.to_owned(), Some(value), USUAL, 68..=LARGEST)?;
    u32::try_from(value).ok()
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

fn ipv6_gateway(text: &str, of_ipv4: &str) -> Result<Ipv6Addr, Fault> {
    match host_address(text)? {
        IpAddr::V6(gateway) => Ok(gateway),
        IpAddr::V4(gateway) => {
            Err(Fault::new(format!("{gateway} is an IPv4 address"), format!("write it as {of_ipv4}")))
        }
    }
}

/// Whether one of these networks leads to `gateway`, which is none of our own addresses.
pub(super) fn leads_to<'a>(networks: impl IntoIterator<Item = &'a Network>, gateway: IpAddr) -> bool {
    networks.into_iter().any(|network| network.contains(gateway) && network.address != gateway)
}

fn gateway_is_near(check: &mut Collector, field: &str, settings: &NetworkSettings, gateway: IpAddr) {
    if !leads_to(settings.interfaces.values().flat_map(|interface| &interface.addresses), gateway) {
        let problem = format!("{gateway} lies in no network of the interfaces, or is an address of our own");
        let fault = Fault::new(problem, "give a router in one of these networks, or correct the addresses");
        check.report(format!("network.{field}"), fault);
    }
}

/// Answers leave by them; what the appliance asks itself needs a default gateway, and a route before that is known.
fn own_gateways(check: &mut Collector, documents: &[InterfaceDocument], settings: &NetworkSettings) {
    for (index, document) in documents.iter().enumerate() {
        let name = InterfaceName::try_from(document.name.as_str()).ok();
        let Some(interface) = name.and_then(|name| settings.interfaces.get(&name)) else { continue };
        for family in Family::ALL {
            let Some(gateway) = interface.gateway_of(family) else { continue };
            let suffix = if family == Family::Ipv4 { "" } else { "_ipv6" };
            let field = format!("network.interface[{index}].gateway{suffix}");
            if !leads_to(&interface.addresses, gateway) {
                let problem = format!("{gateway} lies in no network of {}", quoted(&document.name));
                let remedy = "give a router in a network of this interface, or correct its addresses";
                check.report(&field, Fault::new(problem, remedy));
            }
            if !settings.default_gateways().any(|default| Family::of(default) == family) {
                let problem = "an interface has a gateway of its own, but there is no default gateway";
                let remedy = format!("write default_gateway{suffix} in [network] too");
                check.report(field, Fault::new(problem, remedy));
            }
        }
    }
    let with_gateway = |interface: &&InterfaceSettings| {
        Family::ALL.into_iter().any(|family| interface.gateway_of(family).is_some())
    };
    let count = settings.interfaces.values().filter(with_gateway).count();
    if count > MOST_GATEWAYS {
        let problem = format!("{count} interfaces have a gateway of their own");
        let fault =
            Fault::new(problem, format!("give at most {MOST_GATEWAYS}; the others use default_gateway"));
        check.report("network.interface", fault);
    }
}

/// Names without a dot are in the search domain.
pub(super) fn complete(
    network: Option<&NetworkSettings>,
    time: &mut TimeSettings,
    alerting: Option<&mut Alerting>,
) {
    let domain = network.and_then(|network| network.search_domain.as_ref());
    for server in &mut time.ntp_servers {
        if let NtpServer::Name(name) = server {
            *name = name.clone().within(domain);
        }
    }
    if let Some(host) = alerting.and_then(|alerting| alerting.mail.smart_host.as_mut()) {
        *host = host.clone().within(domain);
    }
}

/// Where lbd sets the addresses, the management address must be one of them.
pub(super) fn holds_management(check: &mut Collector, network: &NetworkSettings, management: &Management) {
    let interface = network.interfaces.get(&management.interface);
    let holds = |interface: &InterfaceSettings| {
        interface.addresses.iter().any(|network| network.address == IpAddr::V4(management.address))
    };
    if !interface.is_some_and(holds) {
        let problem = format!(
            "{} is not among the addresses of {} in [network]",
            management.address, management.interface
        );
        check.report("management.address", Fault::new(problem, "make both the same"));
    }
}
