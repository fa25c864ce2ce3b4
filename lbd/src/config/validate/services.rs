//! Rules of the virtual services and their real servers.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::checks::Checks;
use super::{Collector, host_address, port};
use crate::config::document::{PersistenceDocument, RealServerDocument, VirtualServiceDocument};
use crate::config::values::{Fault, quoted};
use crate::config::{
    Fallback, ForwardingMethod, InterfaceName, Label, Limit, OnServerFailure, OperatorState, Ports, Protocol,
    RealServer, Scheduler, SnatSource, StickyPrefixes, VirtualService, Weight,
};
use crate::network::topology::Family;

/// The service number has 12 bits in the connection mark; the product is measured up to this many.
const MOST_SERVICES: usize = 2_000;
/// The share table of a service stays small, and no farm of DoseWatch servers comes near.
const MOST_SERVERS: usize = 256;
/// More than anybody publishes one service under.
const MOST_ADDRESSES: usize = 16;
/// A day: a modality that was silent longer may as well get another server.
const LONGEST_PERSISTENCE_SECONDS: i64 = 86_400;

/// A server that needs longer to warm up than an hour does not warm up.
const LONGEST_SLOW_START_SECONDS: i64 = 3_600;
/// Somebody who is slow is not idle.
const SHORTEST_IDLE_TIMEOUT_SECONDS: i64 = 5;
/// The kernel's own for TCP, 5 days (Documentation/networking/nf_conntrack-sysctl.rst).
const LONGEST_IDLE_TIMEOUT_SECONDS: i64 = 432_000;
/// More than the kernel's table of connections holds.
const MOST_CONNECTIONS: i64 = 10_000_000;

/// By index in the document, so that later rules can name the field.
pub(super) type Services = BTreeMap<usize, VirtualService>;

/// Every service that is valid by itself.
pub(super) fn services(
    check: &mut Collector,
    documents: &[VirtualServiceDocument],
    checks: &Checks,
) -> Services {
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
    let addresses = addresses(check, field, &document.addresses);
    let ports = check.take(format!("{field}.ports"), Ports::try_from(document.ports.as_str()));
    let forwarding_method = check.take(
        format!("{field}.forwarding_method"),
        super::proxy::forwarding_method(document.forwarding_method.as_deref()),
    );
    let protocol = check.take(format!("{field}.protocol"), protocol(document.protocol.as_deref()));
    let interface = match document.interface.as_deref() {
        Some(name) => check.take(format!("{field}.interface"), InterfaceName::try_from(name)).map(Some),
        None => Some(None),
    };
    let snat_source =
        check.take(format!("{field}.snat_source"), snat_source(document.snat_source.as_deref()));
    let fallback = check.take(format!("{field}.fallback"), Fallback::try_from(document.fallback.as_deref()));
    let on_server_failure = check
        .take(format!("{field}.on_server_failure"), on_server_failure(document.on_server_failure.as_deref()));
    let scheduler = check.take(format!("{field}.scheduler"), scheduler(document.scheduler.as_deref()));
    let slow_start = check.number(
        format!("{field}.slow_start_seconds"),
        document.slow_start_seconds,
        0,
        0..=LONGEST_SLOW_START_SECONDS,
    );
    let idle_timeout =
        check.take(format!("{field}.idle_timeout_seconds"), idle_timeout(document.idle_timeout_seconds));
    let persistence = persistence(check, field, document.persistence.as_ref());
    let sticky_prefixes = sticky_prefixes(check, field, document.persistence.as_ref());
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
    let protocol = protocol?;
    if let Some(fallback) = fallback {
        check.take(format!("{field}.fallback"), super::fallback_page::is_spoken_over(fallback, protocol));
        let page = super::fallback_page::page(fallback, document.fallback_page.as_deref());
        check.take(format!("{field}.fallback_page"), page);
    }
    let (addresses, servers, ports) = (addresses?, servers?, ports?);
    if forwarding_method == Some(ForwardingMethod::Proxy) {
        super::proxy::can_be_proxied(check, field, protocol, &addresses, &ports);
    }
    families_match(check, field, &addresses, &servers);
    let fallback_server = super::fallback_server::fallback_server(
        check,
        field,
        document.fallback_server.as_deref(),
        &addresses,
        &servers,
    );
    let snat_pool = super::snat_pool::snat_pool(check, field, &document.snat_pool, &addresses);
    let pins = super::pins::pins(check, field, &document.pin, &servers);
    Some(VirtualService {
        label: label?,
        addresses,
        enabled: document.enabled.unwrap_or(true),
        protocol,
        ports,
        forwarding_method: forwarding_method?,
        interface: interface?,
        snat_source: snat_source?,
        snat_pool: snat_pool?,
        scheduler: scheduler?,
        slow_start: Duration::from_secs(slow_start?.unsigned_abs()),
        idle_timeout: idle_timeout?,
        persistence: persistence?,
        sticky_prefixes: sticky_prefixes?,
        pins: pins?,
        fallback: fallback?,
        fallback_server: fallback_server?,
        on_server_failure: on_server_failure?,
        check: health_check?,
        servers,
    })
}

fn addresses(check: &mut Collector, field: &str, texts: &[String]) -> Option<Vec<IpAddr>> {
    let field = format!("{field}.addresses");
    if texts.is_empty() || texts.len() > MOST_ADDRESSES {
        let problem = format!("the service has {} addresses", texts.len());
        check.report(field, Fault::new(problem, format!("give 1 to {MOST_ADDRESSES} addresses")));
        return None;
    }
    let mut addresses = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let field = format!("{field}[{index}]");
        let Some(address) = check.take(&field, host_address(text)) else { continue };
        if addresses.contains(&address) {
            check.report(field, Fault::new(format!("{address} is named twice"), "name each address once"));
        }
        addresses.push(address);
    }
    (addresses.len() == texts.len()).then_some(addresses)
}

/// There is no translation between the families: each address needs a server of its own, and the other way round.
fn families_match(check: &mut Collector, field: &str, addresses: &[IpAddr], servers: &[RealServer]) {
    let mut told = Vec::new();
    for (index, address) in addresses.iter().enumerate() {
        let family = Family::of(*address);
        let served = servers.iter().any(|server| Family::of(server.address) == family);
        if !served && !told.contains(&family) {
            told.push(family);
            let problem = format!("{address} is an {family} address, and no real server has one");
            let remedy = format!("add a real server with an {family} address, or remove this address");
            check.report(format!("{field}.addresses[{index}]"), Fault::new(problem, remedy));
        }
    }
    for (index, server) in servers.iter().enumerate() {
        let family = Family::of(server.address);
        if !addresses.iter().any(|address| Family::of(*address) == family) {
            let problem = format!("{} is an {family} address, and the service has none", server.address);
            let remedy = format!("add an {family} address to the service, or remove this server");
            check.report(format!("{field}.real_server[{index}].address"), Fault::new(problem, remedy));
        }
    }
}

fn protocol(text: Option<&str>) -> Result<Protocol, Fault> {
    match text {
        None | Some("tcp") => Ok(Protocol::Tcp),
        Some("udp") => Ok(Protocol::Udp),
        Some("tcp+udp") => Ok(Protocol::TcpAndUdp),
        Some(other) => Err(Fault::new(
            format!("the protocol {} is not supported", quoted(other)),
            "use \"tcp\", \"udp\" or \"tcp+udp\"",
        )),
    }
}

fn operator_state(text: Option<&str>) -> Result<OperatorState, Fault> {
    match text {
        None | Some("online") => Ok(OperatorState::Online),
        Some("drain") => Ok(OperatorState::Drain),
        Some("halt") => Ok(OperatorState::Halt),
        Some(other) => Err(Fault::new(
            format!("the state {} is not known", quoted(other)),
            "use \"online\", \"drain\" (established connections go on) or \"halt\" (they end)",
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

fn on_server_failure(text: Option<&str>) -> Result<OnServerFailure, Fault> {
    match text {
        None | Some("reset") => Ok(OnServerFailure::Reset),
        Some("keep") => Ok(OnServerFailure::Keep),
        Some(other) => Err(Fault::new(
            format!("the choice {} is not known", quoted(other)),
            "use \"reset\" to end the connections of a failed server, or \"keep\" to leave them alone",
        )),
    }
}

fn scheduler(text: Option<&str>) -> Result<Scheduler, Fault> {
    match text {
        None | Some("weighted-least-connections") => Ok(Scheduler::WeightedLeastConnections),
        Some("weighted-round-robin") => Ok(Scheduler::WeightedRoundRobin),
        Some("source-hash") => Ok(Scheduler::SourceHash),
        Some(other) => Err(Fault::new(
            format!("the scheduler {} is not known", quoted(other)),
            "use \"weighted-round-robin\", \"weighted-least-connections\" or \"source-hash\"",
        )),
    }
}

fn idle_timeout(seconds: Option<i64>) -> Result<Option<Duration>, Fault> {
    let range = SHORTEST_IDLE_TIMEOUT_SECONDS..=LONGEST_IDLE_TIMEOUT_SECONDS;
    match seconds.unwrap_or(0) {
        0 => Ok(None),
        seconds if range.contains(&seconds) => Ok(Some(Duration::from_secs(seconds.unsigned_abs()))),
        seconds => Err(Fault::new(
            format!("{seconds} is out of range"),
            format!("give {} to {}, or 0 for the kernel's own time-out", range.start(), range.end()),
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

fn sticky_prefixes(
    check: &mut Collector,
    field: &str,
    document: Option<&PersistenceDocument>,
) -> Option<StickyPrefixes> {
    let [ipv4, ipv6] = [
        ("ipv4_prefix_length", document.and_then(|document| document.ipv4_prefix_length), 8..=32),
        ("ipv6_prefix_length", document.and_then(|document| document.ipv6_prefix_length), 32..=128),
    ]
    .map(|(name, length, range)| {
        let longest = *range.end();
        check.number(format!("{field}.persistence.{name}"), length, longest, range)?.try_into().ok()
    });
    Some(StickyPrefixes { ipv4: ipv4?, ipv6: ipv6? })
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
    let limit = limit(check, field, document);
    let state = check.take(format!("{field}.state"), operator_state(document.state.as_deref()));
    Some(RealServer {
        label: label?,
        address: address?,
        port: port?,
        weight: weight?,
        limit: limit?,
        state: state?,
    })
}

/// The level at which a full server is used again is three quarters of the maximum where none is given, as in IPVS
/// (`ip_vs_dest_totalconns` and `ip_vs_try_bind_dest`, net/netfilter/ipvs/ip_vs_conn.c).
fn limit(check: &mut Collector, field: &str, document: &RealServerDocument) -> Option<Option<Limit>> {
    let range = || 0..=MOST_CONNECTIONS;
    let most = check.number(format!("{field}.maximum_connections"), document.maximum_connections, 0, range());
    let least =
        check.number(format!("{field}.minimum_connections"), document.minimum_connections, 0, range());
    let (most, least) = (most?.unsigned_abs(), least?.unsigned_abs());
    let fault = match (most, least) {
        (0, 0) => return Some(None),
        (0, least) => Fault::new(
            format!("a full server is used again at {least} connections, but none is ever full"),
            "give maximum_connections too, or remove this field",
        ),
        (most, least) if least >= most => Fault::new(
            format!("{least} is not below the maximum of {most} connections"),
            format!("give less than {most}, or 0 for three quarters of it"),
        ),
        (most, 0) => return Some(Some(Limit { full_at: most, again_at: most * 3 / 4 })),
        (most, least) => return Some(Some(Limit { full_at: most, again_at: least })),
    };
    check.report(format!("{field}.minimum_connections"), fault);
    None
}
