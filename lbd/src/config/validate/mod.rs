//! From document to [`Config`]: every rule in one place, every broken rule reported at once.

mod network;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::config::document::{
    HealthCheckDocument, ManagementDocument, PersistenceDocument, RealServerDocument, SCHEMA,
    VirtualServiceDocument,
};
use crate::config::values::{Fault, quoted};
use crate::config::{
    AeTitle, CheckKind, Config, Document, HealthCheck, InterfaceName, Label, Management, Ports, Problem,
    RealServer, SnatSource, VirtualService, Weight,
};

/// The service number has 12 bits in the connection mark; the product is measured up to this many.
const MOST_SERVICES: usize = 2_000;
/// The share table of a service stays small, and no farm of DoseWatch servers comes near.
const MOST_SERVERS: usize = 256;
/// Port table of the product's specification.
const DEFAULT_HTTPS_PORT: u16 = 9443;
/// A day: a modality that was silent longer may as well get another server.
const LONGEST_PERSISTENCE_SECONDS: i64 = 86_400;

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
    let checks = health_checks(&mut check, &document.health_check);
    let services = services(&mut check, &document.virtual_service, &checks);
    if let (Some(management), Some(network)) = (&management, &network) {
        network::holds_management(&mut check, network, management);
    }
    if let Some(management) = &management {
        addresses_do_not_collide(&mut check, management, &services);
    }
    ports_do_not_overlap(&mut check, &services);
    let services = services.into_values().collect();
    match (management, check.problems) {
        (Some(management), problems) if problems.is_empty() => {
            Ok(Config { management, network, services, document })
        }
        (_, problems) => Err(problems),
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

/// An address that a host can have: not unspecified, loopback, multicast, broadcast or reserved.
fn host_address(text: &str) -> Result<Ipv4Addr, Fault> {
    const EXAMPLE: &str = "give an IPv4 address such as 192.168.10.100";
    let address: Ipv4Addr = match text.parse() {
        Ok(address) => address,
        Err(_) if text.contains('/') => {
            return Err(Fault::new(format!("{} is a network, not an address", quoted(text)), EXAMPLE));
        }
        Err(_) => return Err(Fault::new(format!("{} is not an IPv4 address", quoted(text)), EXAMPLE)),
    };
    let kind = match address.octets() {
        [0, ..] => "unspecified",
        [127, ..] => "loopback",
        [224..=239, ..] => "multicast",
        [240..=255, ..] => "reserved or broadcast",
        _ => return Ok(address),
    };
    Err(Fault::new(format!("{address} is a {kind} address"), EXAMPLE))
}

fn port(value: i64) -> Result<u16, Fault> {
    match u16::try_from(value) {
        Ok(port) if port != 0 => Ok(port),
        _ => Err(Fault::new(format!("{value} is not a port"), "give a port from 1 to 65535")),
    }
}

fn management(check: &mut Collector, document: &ManagementDocument) -> Option<Management> {
    let interface = check.take("management.interface", InterfaceName::try_from(document.interface.as_str()));
    let address = check.take("management.address", host_address(&document.address));
    let https_port = match document.https_port {
        Some(value) => check.take("management.https_port", port(value)),
        None => Some(DEFAULT_HTTPS_PORT),
    };
    Some(Management { interface: interface?, address: address?, https_port: https_port? })
}

/// By label; a check that is itself wrong is there as `None`, so that who names it is not blamed.
type Checks = BTreeMap<String, Option<HealthCheck>>;

fn health_checks(check: &mut Collector, documents: &[HealthCheckDocument]) -> Checks {
    let mut seen = BTreeMap::new();
    let mut checks = Checks::new();
    for (index, document) in documents.iter().enumerate() {
        let field = format!("health_check[{index}]");
        check.unique(&field, &mut seen, &document.label, index);
        checks.insert(document.label.clone(), health_check(check, &field, document));
    }
    checks
}

fn health_check(check: &mut Collector, field: &str, document: &HealthCheckDocument) -> Option<HealthCheck> {
    let label = check.take(format!("{field}.label"), Label::try_from(document.label.as_str()));
    let kind = check_kind(check, field, document);
    let interval = check.number(format!("{field}.interval_seconds"), document.interval_seconds, 5, 1..=3600);
    let timeout = check.number(format!("{field}.timeout_seconds"), document.timeout_seconds, 3, 1..=3600);
    let rise = check.number(format!("{field}.rise"), document.rise, 2, 1..=10);
    let fall = check.number(format!("{field}.fall"), document.fall, 2, 1..=10);
    let (interval, timeout) = (interval?, timeout?);
    if timeout > interval {
        check.report(
            format!("{field}.timeout_seconds"),
            Fault::new(
                format!("a time-out of {timeout} s is longer than the interval of {interval} s"),
                "give at most the interval, so that one check ends before the next begins",
            ),
        );
        return None;
    }
    Some(HealthCheck {
        label: label?,
        kind: kind?,
        interval: Duration::from_secs(interval.unsigned_abs()),
        timeout: Duration::from_secs(timeout.unsigned_abs()),
        rise: u8::try_from(rise?).ok()?,
        fall: u8::try_from(fall?).ok()?,
    })
}

fn check_kind(check: &mut Collector, field: &str, document: &HealthCheckDocument) -> Option<CheckKind> {
    let titles =
        [("calling_ae_title", &document.calling_ae_title), ("called_ae_title", &document.called_ae_title)];
    match document.kind.as_str() {
        "tcp" => {
            for (name, _) in titles.iter().filter(|(_, value)| value.is_some()) {
                let fault = Fault::new(
                    "an AE title has no meaning in a tcp check",
                    "remove it, or write type = \"dicom-c-echo\"",
                );
                check.report(format!("{field}.{name}"), fault);
            }
            Some(CheckKind::Tcp)
        }
        "dicom-c-echo" => {
            let [calling, called] = titles.map(|(name, value)| {
                let missing = || {
                    Fault::new(
                        "a dicom-c-echo check needs this AE title",
                        "add it, for example calling_ae_title = \"LOADBALANCER\", called_ae_title = \"DW_SCP\"",
                    )
                };
                let title = value.as_deref().ok_or_else(missing).and_then(AeTitle::try_from);
                check.take(format!("{field}.{name}"), title)
            });
            Some(CheckKind::DicomEcho { calling: calling?, called: called? })
        }
        other => {
            let fault = Fault::new(
                format!("the check type {} is not known", quoted(other)),
                "use \"tcp\" or \"dicom-c-echo\"",
            );
            check.report(format!("{field}.type"), fault);
            None
        }
    }
}

/// By index in the document, so that later rules can name the field.
type Services = BTreeMap<usize, VirtualService>;

fn services(check: &mut Collector, documents: &[VirtualServiceDocument], checks: &Checks) -> Services {
    if documents.len() > MOST_SERVICES {
        let problem = format!("{} virtual services are too many", documents.len());
        check.report("virtual_service", Fault::new(problem, format!("give at most {MOST_SERVICES}")));
        return Services::new();
    }
    let mut seen = BTreeMap::new();
    let mut services = Services::new();
    for (index, document) in documents.iter().enumerate() {
        let field = format!("virtual_service[{index}]");
        check.unique(&field, &mut seen, &document.label, index);
        services.extend(service(check, &field, document, checks).map(|service| (index, service)));
    }
    services
}

fn service(
    check: &mut Collector,
    field: &str,
    document: &VirtualServiceDocument,
    checks: &Checks,
) -> Option<VirtualService> {
    let label = check.take(format!("{field}.label"), Label::try_from(document.label.as_str()));
    let address = check.take(format!("{field}.address"), host_address(&document.address));
    let ports = check.take(format!("{field}.ports"), Ports::try_from(document.ports.as_str()));
    let protocol = check.take(format!("{field}.protocol"), protocol(document.protocol.as_deref()));
    let interface = match document.interface.as_deref() {
        Some(name) => check.take(format!("{field}.interface"), InterfaceName::try_from(name)).map(Some),
        None => Some(None),
    };
    let snat_source =
        check.take(format!("{field}.snat_source"), snat_source(document.snat_source.as_deref()));
    let persistence = persistence(check, field, document.persistence.as_ref());
    let health_check = match checks.get(&document.health_check) {
        Some(known) => known.clone(),
        None => {
            let known: Vec<_> = checks.keys().map(|label| quoted(label)).take(8).collect();
            let problem = format!("there is no health check {}", quoted(&document.health_check));
            let remedy = match known.is_empty() {
                true => "add a [[health_check]] with that label".to_owned(),
                false => format!("use one that exists ({}), or add it", known.join(", ")),
            };
            check.report(format!("{field}.health_check"), Fault::new(problem, remedy));
            None
        }
    };
    let servers = real_servers(check, field, &document.real_server);
    protocol?;
    Some(VirtualService {
        label: label?,
        address: address?,
        ports: ports?,
        interface: interface?,
        snat_source: snat_source?,
        persistence: persistence?,
        check: health_check?,
        servers: servers?,
    })
}

fn protocol(text: Option<&str>) -> Result<(), Fault> {
    match text {
        None | Some("tcp") => Ok(()),
        Some(other) => Err(Fault::new(
            format!("the protocol {} is not supported", quoted(other)),
            "write protocol = \"tcp\"",
        )),
    }
}

fn snat_source(text: Option<&str>) -> Result<SnatSource, Fault> {
    match text {
        None | Some("auto") => Ok(SnatSource::Auto),
        Some("virtual-address") => Ok(SnatSource::VirtualAddress),
        Some("interface") => Ok(SnatSource::Interface),
        Some(other) => Err(Fault::new(
            format!("the SNAT source {} is not known", quoted(other)),
            "use \"auto\", \"virtual-address\" or \"interface\"",
        )),
    }
}

fn persistence(
    check: &mut Collector,
    field: &str,
    document: Option<&PersistenceDocument>,
) -> Option<Option<Duration>> {
    let enabled = document.and_then(|document| document.enabled).unwrap_or(true);
    let seconds = document.and_then(|document| document.timeout_seconds);
    let field = format!("{field}.persistence.timeout_seconds");
    let seconds = check.number(field, seconds, 300, 1..=LONGEST_PERSISTENCE_SECONDS)?;
    Some(enabled.then_some(Duration::from_secs(seconds.unsigned_abs())))
}

fn real_servers(
    check: &mut Collector,
    field: &str,
    documents: &[RealServerDocument],
) -> Option<Vec<RealServer>> {
    let field = format!("{field}.real_server");
    if documents.is_empty() || documents.len() > MOST_SERVERS {
        let problem = format!("the service has {} real servers", documents.len());
        check.report(
            field,
            Fault::new(problem, format!("give 1 to {MOST_SERVERS} [[virtual_service.real_server]]")),
        );
        return None;
    }
    let mut seen = BTreeMap::new();
    let mut places = BTreeMap::new();
    let mut servers = Vec::new();
    for (index, document) in documents.iter().enumerate() {
        let field = format!("{field}[{index}]");
        check.unique(&field, &mut seen, &document.label, index);
        let Some(server) = real_server(check, &field, document) else { continue };
        if let Some(first) = places.insert((server.address, server.port), index) {
            let problem = format!("{} and its port are those of entry {}", server.address, first + 1);
            check.report(
                format!("{field}.address"),
                Fault::new(problem, "name each server once; use its weight for a larger share"),
            );
        }
        servers.push(server);
    }
    if servers.len() == documents.len() && servers.iter().all(|server| server.weight.get() == 0) {
        let fault = Fault::new(
            "every server has weight 0, so that none would take a new client",
            "give at least one of them a weight of 1 or more",
        );
        check.report(format!("{field}[0].weight"), fault);
    }
    (servers.len() == documents.len()).then_some(servers)
}

fn real_server(check: &mut Collector, field: &str, document: &RealServerDocument) -> Option<RealServer> {
    let label = check.take(format!("{field}.label"), Label::try_from(document.label.as_str()));
    let address = check.take(format!("{field}.address"), host_address(&document.address));
    let port = match document.port {
        Some(value) => check.take(format!("{field}.port"), port(value)).map(Some),
        None => Some(None),
    };
    let weight = match document.weight {
        Some(value) => check.take(format!("{field}.weight"), Weight::try_from(value)),
        None => Some(Weight::DEFAULT),
    };
    Some(RealServer { label: label?, address: address?, port: port?, weight: weight? })
}

/// No server may be a virtual or the management address, or traffic would run in a circle.
fn addresses_do_not_collide(check: &mut Collector, management: &Management, services: &Services) {
    let virtual_addresses: BTreeMap<Ipv4Addr, &Label> =
        services.values().map(|service| (service.address, &service.label)).collect();
    for (index, service) in services {
        if service.address == management.address {
            let problem = format!("{} is the management address", service.address);
            let fault = Fault::new(problem, "give the virtual service an address of its own");
            check.report(format!("virtual_service[{index}].address"), fault);
        }
        for (position, server) in service.servers.iter().enumerate() {
            let field = format!("virtual_service[{index}].real_server[{position}].address");
            let problem = if server.address == management.address {
                format!("{} is the management address of the appliance", server.address)
            } else if let Some(label) = virtual_addresses.get(&server.address) {
                format!("{} is the virtual address of {label}", server.address)
            } else {
                continue;
            };
            check.report(field, Fault::new(problem, "give the server's own address"));
        }
    }
}

/// Services may share an address, but then neither a port nor name different interfaces.
fn ports_do_not_overlap(check: &mut Collector, services: &Services) {
    let mut by_address: BTreeMap<Ipv4Addr, Vec<usize>> = BTreeMap::new();
    for (index, service) in services {
        by_address.entry(service.address).or_default().push(*index);
    }
    for indices in by_address.values() {
        one_interface(check, services, indices);
        each_port_once(check, services, indices);
    }
}

fn one_interface(check: &mut Collector, services: &Services, indices: &[usize]) {
    let first = &services[&indices[0]];
    for index in indices.iter().filter(|index| services[index].interface != first.interface) {
        let problem = format!("{} lies on another interface for {}", first.address, first.label);
        let fault = Fault::new(problem, format!("write the same interface as for {}", first.label));
        check.report(format!("virtual_service[{index}].interface"), fault);
    }
}

fn each_port_once(check: &mut Collector, services: &Services, indices: &[usize]) {
    let ranges =
        |index: usize| services[&index].ports.ranges().iter().map(move |r| (*r.start(), *r.end(), index));
    let mut all: Vec<_> = indices.iter().flat_map(|index| ranges(*index)).collect();
    all.sort_unstable();
    for pair in all.windows(2).filter(|pair| pair[0].1 >= pair[1].0) {
        let (owner, other) = (pair[0].2.min(pair[1].2), pair[0].2.max(pair[1].2));
        let service = &services[&owner];
        let problem = format!("{} port {} already belongs to {}", service.address, pair[1].0, service.label);
        let fault = Fault::new(problem, "use another port or another address");
        check.report(format!("virtual_service[{other}].ports"), fault);
    }
}
