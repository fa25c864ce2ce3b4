//! From document to [`Config`]: every rule in one folder, every broken rule reported at once.

mod alerting;
mod checks;
mod fallback_page;
mod fallback_server;
mod links;
mod network;
mod online;
mod pins;
mod proxy;
mod routes;
mod security;
mod services;
mod snat_pool;
mod snmp;
mod sources;
mod syslog;
mod time;

pub use checks::check_problems;
pub(crate) use network::address_with_prefix;
pub(crate) use time::named as time_zone;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::document::{Layer4Document, ManagementDocument, SCHEMA};
use crate::config::values::{Fault, quoted};
use crate::config::{
    Config, Document, InterfaceName, Label, Layer4, Management, Problem, Protocol, VirtualService,
};

/// Port table of the product's specification.
const DEFAULT_HTTPS_PORT: u16 = 9443;
/// The same.
const DEFAULT_FALLBACK_PAGE_PORT: u16 = 9081;

/// Turns a document into a configuration, or says everything that is wrong with it.
pub fn validate(document: Document) -> Result<Config, Vec<Problem>> {
    let mut check = Collector::default();
    if document.schema != SCHEMA {
        check.report(
            "schema",
            Fault::new(
                format!("schema {} is not known", document.schema),
                format!("write schema = {SCHEMA}"),
            ),
        );
    }
    let management = management(&mut check, &document.management);
    let network = document.network.as_ref().map(|network| network::settings(&mut check, network));
    let mut time = time::settings(&mut check, document.time.as_ref());
    let layer4 = layer4(&mut check, &document.layer4.clone().unwrap_or_default());
    let security = security::security(&mut check, &document.security.clone().unwrap_or_default());
    let syslog_servers = syslog::servers(&mut check, &document.syslog_server);
    let mut alerting = alerting::alerting(&mut check, &document, time.zone.clone());
    network::complete(network.as_ref(), &mut time, alerting.as_mut());
    let snmp = document.snmp.as_ref().map(|document| snmp::agent(&mut check, document));
    let update = document.update.clone().unwrap_or_default();
    let online_updates = online::updates(&mut check, &update, network.as_ref(), alerting.as_ref());
    let checks = checks::health_checks(&mut check, &document.health_check);
    let services = services::services(&mut check, &document.virtual_service, &checks);
    if let (Some(management), Some(layer4), Some(security)) = (&management, &layer4, &security) {
        security::ports_differ(&mut check, management, layer4, security);
    }
    if let (Some(management), Some(network)) = (&management, &network) {
        network::holds_management(&mut check, network, management);
    }
    if let Some(management) = &management {
        addresses_do_not_collide(&mut check, management, &services);
        snat_pool::pools_do_not_collide(&mut check, management, network.as_ref(), &services);
    }
    ports_do_not_overlap(&mut check, &services);
    proxy::places_are_few(&mut check, &services);
    if let Some(layer4) = &layer4 {
        proxy::own_ports_stay_free(&mut check, layer4, &services);
    }
    let services = services.into_values().collect();
    match (management, layer4, security, alerting, check.problems) {
        (Some(management), Some(layer4), Some(security), Some(alerting), problems) if problems.is_empty() => {
            Ok(Config {
                management,
                network,
                time,
                layer4,
                security,
                syslog_servers,
                alerting: alerting.into(),
                snmp: snmp.flatten(),
                online_updates: online_updates.flatten().map(Into::into),
                services,
                document: document.into(),
            })
        }
        (.., problems) => Err(problems),
    }
}

#[derive(Default)]
struct Collector {
    problems: Vec<Problem>,
}

impl Collector {
    fn report(&mut self, field: impl Into<String>, fault: Fault) {
        self.problems.push(Problem { field: field.into(), problem: fault.problem, remedy: fault.remedy });
    }

    fn take<T>(&mut self, field: impl Into<String>, value: Result<T, Fault>) -> Option<T> {
        value.map_err(|fault| self.report(field, fault)).ok()
    }

    /// A whole number within `range`, or the default where none is given.
    fn number(
        &mut self,
        field: String,
        value: Option<i64>,
        default: i64,
        range: std::ops::RangeInclusive<i64>,
    ) -> Option<i64> {
        let value = value.unwrap_or(default);
        if range.contains(&value) {
            return Some(value);
        }
        let remedy = format!("give {} to {}; the usual value is {default}", range.start(), range.end());
        self.report(field, Fault::new(format!("{value} is out of range"), remedy));
        None
    }

    fn unique<'a>(&mut self, field: &str, seen: &mut BTreeMap<&'a str, usize>, label: &'a str, index: usize) {
        if let Some(first) = seen.insert(label, index) {
            let problem = format!("the label {} is already used by entry {}", quoted(label), first + 1);
            self.report(format!("{field}.label"), Fault::new(problem, "give each its own label"));
        }
    }
}

/// An IPv4 address that a host can have: not unspecified, loopback, multicast, broadcast or reserved.
pub(crate) fn ipv4_address(text: &str) -> Result<Ipv4Addr, Fault> {
    let example = "give an IPv4 address such as 192.168.10.100";
    match parsed_address(text, "an IPv4 address", example)? {
        IpAddr::V4(address) => Ok(address),
        IpAddr::V6(address) => {
            Err(Fault::new(format!("{} is not an IPv4 address", quoted(&address.to_string())), example))
        }
    }
}

/// The same of either family.
pub(crate) fn host_address(text: &str) -> Result<IpAddr, Fault> {
    let example = "give an IPv4 address such as 192.168.10.100, or an IPv6 address such as fd00::100";
    parsed_address(text, "an IP address", example)
}

fn parsed_address(text: &str, kind: &str, example: &str) -> Result<IpAddr, Fault> {
    let address: IpAddr = match text.parse() {
        Ok(address) => address,
        Err(_) if text.contains('/') => {
            return Err(Fault::new(format!("{} is a network, not an address", quoted(text)), example));
        }
        Err(_) => return Err(Fault::new(format!("{} is not {kind}", quoted(text)), example)),
    };
    let special = match address {
        IpAddr::V4(address) => special_ipv4(address),
        IpAddr::V6(address) => special_ipv6(address),
    };
    match special {
        None => Ok(address),
        Some(special) => Err(Fault::new(format!("{address} is {special} address"), example)),
    }
}

fn special_ipv4(address: Ipv4Addr) -> Option<&'static str> {
    match address.octets() {
        [0, ..] => Some("an unspecified"),
        [127, ..] => Some("a loopback"),
        [224..=239, ..] => Some("a multicast"),
        [240..=255, ..] => Some("a reserved or broadcast"),
        _ => None,
    }
}

fn special_ipv6(address: Ipv6Addr) -> Option<&'static str> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("an unspecified"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some("a loopback"),
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] => Some("an IPv4 address written as an IPv6"),
        [0xff00..=0xffff, ..] => Some("a multicast"),
        // It has a meaning only together with an interface.
        [0xfe80..=0xfebf, ..] => Some("a link-local"),
        _ => None,
    }
}

fn port(value: i64) -> Result<u16, Fault> {
    match u16::try_from(value) {
        Ok(port) if port != 0 => Ok(port),
        _ => Err(Fault::new(format!("{value} is not a port"), "give a port from 1 to 65535")),
    }
}

fn management(check: &mut Collector, document: &ManagementDocument) -> Option<Management> {
    let interface = check.take("management.interface", InterfaceName::try_from(document.interface.as_str()));
    let address = check.take("management.address", ipv4_address(&document.address));
    let https_port = match document.https_port {
        Some(value) => check.take("management.https_port", port(value)),
        None => Some(DEFAULT_HTTPS_PORT),
    };
    Some(Management { interface: interface?, address: address?, https_port: https_port? })
}

fn layer4(check: &mut Collector, document: &Layer4Document) -> Option<Layer4> {
    const WARNING_PERCENT: i64 = 80;
    let field = "layer4.snat_ports_warning_percent".to_owned();
    let percent = check.number(field, document.snat_ports_warning_percent, WARNING_PERCENT, 10..=100);
    let fallback_page_port = match document.fallback_page_port {
        Some(value) => check.take("layer4.fallback_page_port", port(value)),
        None => Some(DEFAULT_FALLBACK_PAGE_PORT),
    };
    let snat_ports_warning_percent = u8::try_from(percent?).ok()?;
    let fast_path = document.fast_path != Some(false);
    Some(Layer4 { fast_path, snat_ports_warning_percent, fallback_page_port: fallback_page_port? })
}

/// No server may be a virtual or the management address, or traffic would run in a circle.
fn addresses_do_not_collide(check: &mut Collector, management: &Management, services: &services::Services) {
    let of_service = |service: &'_ VirtualService| {
        let label = service.label.clone();
        service.addresses.clone().into_iter().map(move |address| (address, label.clone()))
    };
    let virtual_addresses: BTreeMap<IpAddr, Label> = services.values().flat_map(of_service).collect();
    let management = IpAddr::V4(management.address);
    for (index, service) in services {
        if let Some(position) = service.addresses.iter().position(|address| *address == management) {
            let problem = format!("{management} is the management address");
            let fault = Fault::new(problem, "give the virtual service an address of its own");
            check.report(format!("virtual_service[{index}].addresses[{position}]"), fault);
        }
        let servers = service.servers.iter().enumerate();
        let servers =
            servers.map(|(position, server)| (format!("real_server[{position}].address"), server.address));
        let fallback = service.fallback_server.map(|server| ("fallback_server".to_owned(), server.address));
        for (field, address) in servers.chain(fallback) {
            let problem = if address == management {
                format!("{address} is the management address of the appliance")
            } else if let Some(label) = virtual_addresses.get(&address) {
                format!("{address} is the virtual address of {label}")
            } else {
                continue;
            };
            let fault = Fault::new(problem, "give the server's own address");
            check.report(format!("virtual_service[{index}].{field}"), fault);
        }
    }
}

/// Services may share an address, but then neither a port nor name different interfaces.
fn ports_do_not_overlap(check: &mut Collector, services: &services::Services) {
    let mut by_address: BTreeMap<IpAddr, Vec<usize>> = BTreeMap::new();
    for (index, service) in services {
        for address in &service.addresses {
            by_address.entry(*address).or_default().push(*index);
        }
    }
    for (address, indices) in by_address {
        one_interface(check, services, address, &indices);
        each_port_once(check, services, address, &indices);
    }
}

fn one_interface(check: &mut Collector, services: &services::Services, address: IpAddr, indices: &[usize]) {
    let first = &services[&indices[0]];
    for index in indices.iter().filter(|index| services[index].interface != first.interface) {
        let problem = format!("{address} lies on another interface for {}", first.label);
        let fault = Fault::new(problem, format!("write the same interface as for {}", first.label));
        check.report(format!("virtual_service[{index}].interface"), fault);
    }
}

/// A service that is switched off has its ports only when it is switched on again.
fn each_port_once(check: &mut Collector, services: &services::Services, address: IpAddr, indices: &[usize]) {
    let mut told = BTreeSet::new();
    for transport in Protocol::TcpAndUdp.transports() {
        let speaks = |index: &&usize| {
            let service = &services[*index];
            service.enabled && service.protocol.transports().contains(transport)
        };
        let ranges =
            |index: usize| services[&index].ports.ranges().iter().map(move |r| (*r.start(), *r.end(), index));
        let mut all: Vec<_> = indices.iter().filter(speaks).flat_map(|index| ranges(*index)).collect();
        all.sort_unstable();
        for pair in all.windows(2).filter(|pair| pair[0].1 >= pair[1].0) {
            let (owner, other) = (pair[0].2.min(pair[1].2), pair[0].2.max(pair[1].2));
            if !told.insert((owner, other, pair[1].0)) {
                continue;
            }
            let service = &services[&owner];
            let problem = format!("{address} port {} already belongs to {}", pair[1].0, service.label);
            let fault = Fault::new(problem, "use another port or another address");
            check.report(format!("virtual_service[{other}].ports"), fault);
        }
    }
}
