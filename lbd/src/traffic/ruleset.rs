//! The table that a configuration and the state of its servers ask for.
//!
//! A new connection to a virtual service goes: `prerouting` looks up address, protocol and port in `services`
//! (or `service_ranges`) and enters `svc_N`; there the packet mark becomes the mark of the server (from `sticky` for a
//! known client, else from `share_N`; of the fallback server where nobody is left), `servers` turns the mark into the
//! destination; `postrouting` keeps the mark on the connection and looks up the source address in `sources`, unless
//! `pool_N` has one for it. IPv6 goes the same way through maps and chains of its own, whose names end in 6: a server's
//! mark never leads to another family than its client's.
//!
//! A connection to a service that lbd forwards itself meets no map on its way: `input` lets in what is in `proxied` (or
//! `proxied_ranges`), which a service without anybody who answers is not in. Its servers stand in `servers` like others', where no chain looks for
//! them: as a note for the next lbd.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::numbering::{Mark, Numbering, SERVICE_BITS};
use super::openings::Opening;
use super::shares::{slots, turns};
use super::table::{Chain, MAPS, Map, MapKind, NUMBERING, Parts, Rule, STICKY6_PREFIX, Table};
use crate::config::{Fallback, Ports, Protocol, Scheduler, StickyPrefixes};
use crate::network::routes::Exit;
use crate::network::topology::{Family, Network, VirtualAddress};

/// Everything the table depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruleset<'a> {
    /// What of the appliance itself is open.
    pub openings: Vec<Opening>,
    /// See [`crate::config::Layer4::fallback_page_port`].
    pub fallback_page_port: u16,
    /// In any order, also those that lbd forwards.
    pub services: Vec<Service<'a>>,
    /// Names of all services and servers, also of those that take no connections now.
    pub numbering: &'a Numbering,
    /// Interfaces for the fast path, where the kernel offers one.
    pub fast_path: Option<BTreeSet<String>>,
    /// Addresses whose answers have a way out of their own.
    pub answers: BTreeMap<IpAddr, Exit>,
}

/// A fixed seed, without which nft makes one up at each change and every client moves.
const SEED: &str = "0x45766b6c";

/// What the table knows of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service<'a> {
    /// Its number.
    pub mark: Mark,
    /// lbd forwards it: the kernel lets its clients in, and notes its servers for the next lbd.
    pub is_proxied: bool,
    /// The virtual addresses.
    pub addresses: &'a [IpAddr],
    /// What its clients speak.
    pub protocol: Protocol,
    /// Its ports.
    pub ports: &'a Ports,
    /// See [`crate::config::VirtualService::scheduler`].
    pub scheduler: Scheduler,
    /// See [`crate::config::VirtualService::idle_timeout`].
    pub idle_timeout: Option<Duration>,
    /// See [`crate::config::VirtualService::persistence`].
    pub persistence: Option<Duration>,
    /// See [`crate::config::VirtualService::sticky_prefixes`].
    pub sticky_prefixes: StickyPrefixes,
    /// Source addresses that come first, where they live.
    pub pool: BTreeSet<VirtualAddress>,
    /// Clients whose server is settled.
    pub pins: BTreeMap<Network, Mark>,
    /// See [`crate::config::VirtualService::fallback`].
    pub fallback: Fallback,
    /// See [`crate::config::Layer4::fallback_page_port`].
    pub fallback_page_port: u16,
    /// Those that take connections now.
    pub servers: Vec<Server>,
    /// Who takes those of its family while none of them does.
    pub fallback_server: Option<Server>,
    /// Those that would, if they had not as many as they may: noted for the next lbd, which must not take them for dead.
    pub full: Vec<Mark>,
}

impl<'a> Ruleset<'a> {
    /// Those that the kernel forwards.
    fn translated(&self) -> impl Iterator<Item = &Service<'a>> {
        self.services.iter().filter(|service| !service.is_proxied)
    }
}

impl Service<'_> {
    /// Whether somebody answers clients of this family.
    fn answers(&self, family: Family) -> bool {
        self.fallback != Fallback::Refuse || self.destinations(family).next().is_some()
    }

    fn families(&self) -> impl Iterator<Item = Family> {
        let reached = |family: &Family| self.addresses.iter().any(|address| Family::of(*address) == *family);
        Family::ALL.into_iter().filter(reached)
    }

    fn fallback_server(&self, family: Family) -> Option<&Server> {
        self.fallback_server.as_ref().filter(|server| Family::of(server.address) == family)
    }

    /// The fallback server is in the kernel's map exactly while it is needed.
    fn destinations(&self, family: Family) -> impl Iterator<Item = &Server> {
        let of_family = move |server: &&Server| Family::of(server.address) == family;
        let is_needed = !self.servers.iter().any(|server| of_family(&server));
        let fallback = self.fallback_server(family).filter(|_| is_needed);
        self.servers.iter().filter(of_family).chain(fallback)
    }
}

fn service_chain(service: &Service<'_>, family: Family) -> String {
    format!("svc{}_{}", family.suffix(), service.mark.service())
}

fn share_chain(service: &Service<'_>, family: Family) -> String {
    share_chain_name(service.mark, family)
}

/// Name of the chain that chooses a server for a new client of this service.
pub fn share_chain_name(service: Mark, family: Family) -> String {
    format!("share{}_{}", family.suffix(), service.service())
}

fn pool_chain(service: &Service<'_>) -> String {
    format!("pool_{}", service.mark.service())
}

fn pin_chain(service: &Service<'_>, family: Family) -> String {
    format!("pin{}_{}", family.suffix(), service.mark.service())
}

/// Where a known client's server stands, and the key under which it does.
fn sticky(service: &Service<'_>, family: Family) -> (String, String) {
    let client = client(family, service.sticky_prefixes.of(family));
    match family {
        // Without brackets nft takes the whole concatenation for what is masked.
        Family::Ipv4 if client.contains('&') => ("sticky".to_owned(), format!("ct mark . ({client})")),
        Family::Ipv4 => ("sticky".to_owned(), format!("ct mark . {client}")),
        Family::Ipv6 => (format!("{STICKY6_PREFIX}{}", service.mark.service()), client),
    }
}

/// A client's address, of which so many bits matter.
fn client(family: Family, prefix: u8) -> String {
    let ones = match family {
        Family::Ipv4 => IpAddr::from([0xff; 4]),
        Family::Ipv6 => IpAddr::from([0xff; 16]),
    };
    let address = format!("{} saddr", family.keyword());
    match prefix == family.host_prefix() {
        true => address,
        false => format!("{address} & {}", Network { address: ones, prefix }.base()),
    }
}

fn sticky6_map(service: &Service<'_>) -> Option<String> {
    let needed = !service.is_proxied
        && service.persistence.is_some()
        && service.families().any(|family| family == Family::Ipv6);
    needed.then(|| sticky(service, Family::Ipv6).0)
}

/// What the table knows of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its number.
    pub mark: Mark,
    /// Its address.
    pub address: IpAddr,
    /// `None` means the port that the client asked for.
    pub port: Option<u16>,
    /// Its share of new clients, in relation to the others'.
    pub share: u32,
    /// The source address it is to see; `None` leaves the choice to the kernel (masquerade).
    pub source: Option<IpAddr>,
}

/// A time-out that conntrack is to use instead of its own.
struct IdleTimeout {
    name: String,
    transport: &'static str,
    /// In nft's words.
    definition: String,
}

/// Those of a service: nft wants one for each family and transport. A UDP connection is one from its first packet on.
fn idle_timeouts(service: &Service<'_>, family: Family) -> impl Iterator<Item = IdleTimeout> {
    let timeout = move |(seconds, transport): (u64, &'static str)| {
        let policy = match transport {
            "udp" => format!("unreplied : {seconds}, replied : {seconds}"),
            _ => format!("established : {seconds}"),
        };
        IdleTimeout {
            name: format!("idle{}_{transport}_{seconds}", family.suffix()),
            transport,
            definition: format!(
                "protocol {transport}; l3proto {}; policy = {{ {policy} }};",
                family.keyword()
            ),
        }
    };
    let transports = service.protocol.transports();
    let seconds = service.idle_timeout.map(|time| time.as_secs());
    seconds
        .into_iter()
        .flat_map(move |seconds| transports.iter().map(move |transport| (seconds, *transport)))
        .map(timeout)
}

/// The whole table.
pub fn table(ruleset: &Ruleset<'_>) -> Parts {
    let timeouts = ruleset
        .translated()
        .flat_map(|service| service.families().flat_map(move |family| idle_timeouts(service, family)));
    let common = Table {
        chains: base_chains(ruleset),
        timeouts: timeouts.map(|timeout| (timeout.name, timeout.definition)).collect(),
        maps: maps(ruleset),
        sticky6: ruleset.services.iter().filter_map(sticky6_map).collect(),
        fast_path: ruleset.fast_path.clone(),
    };
    Parts {
        common: common.into(),
        numbering: numbering(ruleset.numbering).into(),
        services: ruleset.services.iter().map(|service| (service.mark, part(service).into())).collect(),
    }
}

/// What is there for this service alone.
pub fn part(service: &Service<'_>) -> Table {
    let mut chains = BTreeMap::new();
    let chain = |rules| Chain { hook: "", rules };
    let families = || service.families().filter(|_| !service.is_proxied);
    if !service.pool.is_empty() && !service.is_proxied {
        chains.insert(pool_chain(service), chain(pool_rules(service)));
    }
    for family in families() {
        chains.insert(service_chain(service, family), chain(service_rules(service, family)));
        chains.insert(share_chain(service, family), chain(share_rules(service, family)));
        if has_pins(service, family) {
            chains.insert(pin_chain(service, family), chain(pin_rules(service, family)));
        }
    }
    let maps = MAPS.iter().filter_map(|kind| {
        let elements = elements(service, kind.name);
        (!elements.is_empty()).then_some((kind.name, Map { kind, elements }))
    });
    Table { chains, maps: maps.collect(), ..Table::default() }
}

fn numbering(numbering: &Numbering) -> Table {
    let kinds = MAPS.iter().filter(|kind| kind.name == NUMBERING);
    let elements = || numbering.iter().map(|(name, mark)| (mark.to_string(), name.to_owned())).collect();
    Table {
        maps: kinds.map(|kind| (kind.name, Map { kind, elements: elements() })).collect(),
        ..Table::default()
    }
}

fn rules(texts: &[&str]) -> Vec<Rule> {
    texts.iter().map(|text| Rule::new((*text).to_owned())).collect()
}

fn base_chains(ruleset: &Ruleset<'_>) -> BTreeMap<String, Chain> {
    let chain = |name: &str, hook, rules| (name.to_owned(), Chain { hook, rules });
    let mut chains = BTreeMap::from([
        chain(
            "prerouting",
            "type nat hook prerouting priority dstnat; policy accept;",
            prerouting_rules(ruleset),
        ),
        chain("forward", "type filter hook forward priority filter; policy drop;", forward_rules(ruleset)),
        chain("input", "type filter hook input priority filter; policy drop;", input_rules(ruleset)),
        chain(
            "output",
            "type filter hook output priority filter; policy accept;",
            // Single-arm: a client must not be told to talk to the server directly, past the translation. For IPv4 a
            // kernel setting does it.
            rules(&["icmpv6 type nd-redirect drop"]),
        ),
        chain(
            "postrouting",
            "type nat hook postrouting priority srcnat; policy accept;",
            postrouting_rules(ruleset),
        ),
    ]);
    if !ruleset.answers.is_empty() {
        // Before the kernel chooses the way: of what is forwarded, and anew of what comes from here.
        let forwarded = "type filter hook prerouting priority mangle; policy accept;";
        chains.extend([
            chain("answers", forwarded, answers_rules(ruleset)),
            chain(
                "answers_out",
                "type route hook output priority mangle; policy accept;",
                answers_rules(ruleset),
            ),
        ]);
    }
    chains
}

/// An answer leaves where its request came in: where the address lives that was asked. That is what conntrack knows of an
/// answer before and after translation alike.
fn answers_rules(ruleset: &Ruleset<'_>) -> Vec<Rule> {
    let rule = |family: Family| {
        let of_family = ruleset.answers.iter().filter(|(address, _)| Family::of(**address) == family);
        let marks: Vec<_> =
            of_family.map(|(address, exit)| format!("{address} : 0x{:08x}", exit.mark())).collect();
        let text = format!(
            "ct direction reply meta mark set ct original {} daddr map {{ {} }}",
            family.keyword(),
            marks.join(", ")
        );
        (!marks.is_empty()).then(|| Rule::new(text))
    };
    Family::ALL.into_iter().filter_map(rule).collect()
}

/// Single ports are found in a hash; ranges need a map of intervals, which is slower. Each map is only asked where
/// there is something in it.
fn prerouting_rules(ruleset: &Ruleset<'_>) -> Vec<Rule> {
    let mut rules = Vec::new();
    for family in Family::ALL {
        let (keyword, suffix) = (family.keyword(), family.suffix());
        let look_up =
            |map: &str| Rule::new(format!("{keyword} daddr . meta l4proto . th dport vmap @{map}{suffix}"));
        let services = || ruleset.translated().filter(|service| service.families().any(|f| f == family));
        if services().next().is_some() {
            rules.push(look_up("services"));
        }
        if services().any(has_ranges) {
            rules.push(look_up("service_ranges"));
        }
    }
    rules
}

/// Nothing but translated connections passes: without this chain the appliance would be an open router. A packet
/// that conntrack finds invalid belongs to no connection and so has no `ct status`: the policy drops it.
fn forward_rules(ruleset: &Ruleset<'_>) -> Vec<Rule> {
    let mut rules = Vec::new();
    if let Some(devices) = &ruleset.fast_path {
        // The interfaces stand in the rule, so that it is written again whenever the flowtable is.
        let names: Vec<_> = devices.iter().map(|name| format!("\"{name}\"")).collect();
        let devices = names.join(", ");
        let but = not_of_those_with_a_time_out(ruleset);
        // The kernel looks for the ways of both directions when the first packet is seen here: that of an answer is found
        // by the mark that only answers have.
        let direction = if ruleset.answers.is_empty() { "" } else { "ct direction reply " };
        rules.push(Rule::new(format!(
            "oifname {{ {devices} }} ct status dnat {but}{direction}ct state established flow add @fast"
        )));
    }
    rules.push(Rule::new("ct status dnat accept".into()));
    rules
}

/// A flowtable has the time-outs of the whole namespace: what it carries would never be idle for conntrack.
fn not_of_those_with_a_time_out(ruleset: &Ruleset<'_>) -> String {
    let own = ruleset.services.iter().filter(|service| service.idle_timeout.is_some());
    let marks: Vec<_> = own.map(|service| service.mark.to_string()).collect();
    match marks.as_slice() {
        [] => String::new(),
        marks => format!("ct mark & 0x{SERVICE_BITS:08x} != {{ {} }} ", marks.join(", ")),
    }
}

fn postrouting_rules(ruleset: &Ruleset<'_>) -> Vec<Rule> {
    let mut all = rules(&[
        "ct status dnat ct mark set meta mark",
        // Looking an element up counts it.
        "ct status dnat meta mark @numbering",
    ]);
    let with_pool = ruleset.translated().filter(|service| !service.pool.is_empty());
    let jumps: Vec<_> =
        with_pool.map(|service| format!("{} : jump {}", service.mark, pool_chain(service))).collect();
    if !jumps.is_empty() {
        let jumps = jumps.join(", ");
        all.push(Rule::new(format!("ct status dnat meta mark & 0x{SERVICE_BITS:08x} vmap {{ {jumps} }}")));
    }
    all.extend(rules(&[
        "ct status dnat snat ip to meta mark map @sources",
        "ct status dnat snat ip6 to meta mark map @sources6",
        "ct status dnat masquerade",
    ]));
    all
}

/// The same client is always seen under the same address of its pool, without any entry. Addresses that live elsewhere
/// are none to which the server's replies find their way.
fn pool_rules(service: &Service<'_>) -> Vec<Rule> {
    let mut by_way: BTreeMap<(&str, Family), Vec<IpAddr>> = BTreeMap::new();
    for place in &service.pool {
        by_way.entry((&place.interface, Family::of(place.address))).or_default().push(place.address);
    }
    let rule = |((interface, family), addresses): ((&str, Family), Vec<IpAddr>)| {
        let keyword = family.keyword();
        let source = match addresses.as_slice() {
            [only] => only.to_string(),
            many => {
                let elements: Vec<_> =
                    many.iter().enumerate().map(|(index, address)| format!("{index} : {address}")).collect();
                let (length, elements) = (many.len(), elements.join(", "));
                format!("jhash {keyword} saddr mod {length} seed {SEED} map {{ {elements} }}")
            }
        };
        Rule::new(format!("oifname \"{interface}\" snat {keyword} to {source}"))
    };
    by_way.into_iter().map(rule).collect()
}

/// Management answers on its interface's own address only, never on a virtual one.
fn input_rules(ruleset: &Ruleset<'_>) -> Vec<Rule> {
    let mut rules = rules(&[
        "iifname \"lo\" accept",
        "ct state established,related accept",
        "ct state invalid drop",
        "icmp type { echo-request, destination-unreachable, time-exceeded, parameter-problem } accept",
        // RFC 4890 section 4.4: errors, and what neighbours and switches need in order to find each other.
        "icmpv6 type { echo-request, destination-unreachable, packet-too-big, time-exceeded, parameter-problem, \
         nd-neighbor-solicit, nd-neighbor-advert, mld-listener-query } accept",
    ]);
    rules.extend(ruleset.openings.iter().map(Opening::rule));
    // Nobody reaches this port but by the redirection of a service without a server.
    rules.push(Rule::new(format!("ct status dnat tcp dport {} accept", ruleset.fallback_page_port)));
    rules.extend(proxied_rules(ruleset));
    // A client of a service without a server, or of a connection whose entry has gone, must hear so at once.
    for family in Family::ALL {
        let (keyword, suffix) = (family.keyword(), family.suffix());
        let to_virtual = format!("{keyword} daddr @addresses{suffix}");
        rules.push(Rule::new(format!("{to_virtual} meta l4proto tcp reject with tcp reset")));
        rules.push(Rule::new(format!("{to_virtual} meta l4proto udp reject with icmpx port-unreachable")));
    }
    rules
}

/// Each set is only asked where there is something in it. Single ports stand in a hash, as in `services`: the kernel changes
/// both at the same instant, so that a change of the forwarding method refuses nobody. Sets of intervals follow a moment
/// later (`nft_set_commit_update`, net/netfilter/nf_tables_api.c).
fn proxied_rules(ruleset: &Ruleset<'_>) -> Vec<Rule> {
    let mut rules = Vec::new();
    for family in Family::ALL {
        let (keyword, suffix) = (family.keyword(), family.suffix());
        let let_in = |set: &str| Rule::new(format!("{keyword} daddr . tcp dport @{set}{suffix} accept"));
        let proxied = ruleset.services.iter().filter(|service| service.is_proxied);
        let proxied = || proxied.clone().filter(|service| service.families().any(|f| f == family));
        if proxied().next().is_some() {
            rules.push(let_in("proxied"));
        }
        if proxied().any(has_ranges) {
            rules.push(let_in("proxied_ranges"));
        }
    }
    rules
}

/// All of them; the elements that services may have in common.
fn maps(ruleset: &Ruleset<'_>) -> BTreeMap<&'static str, Map> {
    let map = |kind: &'static MapKind| {
        let elements = match kind.name {
            "addresses" => addresses(ruleset, Family::Ipv4),
            "addresses6" => addresses(ruleset, Family::Ipv6),
            _ => BTreeMap::new(),
        };
        (kind.name, Map { kind, elements })
    };
    MAPS.iter().map(map).collect()
}

fn addresses(ruleset: &Ruleset<'_>, family: Family) -> BTreeMap<String, String> {
    let of = |service: &Service<'_>| {
        let pool = service.pool.iter().map(|place| place.address);
        service.addresses.iter().copied().chain(pool).collect::<Vec<_>>()
    };
    let all = ruleset.services.iter().flat_map(of).filter(|address| Family::of(*address) == family);
    all.map(|address| (address.to_string(), String::new())).collect()
}

/// Those of a service alone.
fn elements(service: &Service<'_>, map: &str) -> BTreeMap<String, String> {
    let (map, family) = match map.strip_suffix('6') {
        Some(map) => (map, Family::Ipv6),
        None => (map, Family::Ipv4),
    };
    let servers = service.destinations(family);
    let place = |s: &Server| Some((s.mark.to_string(), format!("{} . {}", s.address, s.port?)));
    let address = |s: &Server| (s.mark.to_string(), s.address.to_string());
    let source = |s: &Server| Some((s.mark.to_string(), s.source?.to_string()));
    match map {
        "full" => service.full.iter().map(|mark| (mark.to_string(), String::new())).collect(),
        "proxied" if service.is_proxied => proxied_elements(service, family, is_single),
        "proxied_ranges" if service.is_proxied => {
            proxied_elements(service, family, |ports| !is_single(ports))
        }
        "services" if !service.is_proxied => service_elements(service, family, is_single),
        "service_ranges" if !service.is_proxied => {
            service_elements(service, family, |ports| !is_single(ports))
        }
        "servers" => servers.filter_map(place).collect(),
        "servers_same_port" => servers.filter(|server| server.port.is_none()).map(address).collect(),
        "sources" => servers.filter_map(source).collect(),
        _ => BTreeMap::new(),
    }
}

fn is_single(ports: &RangeInclusive<u16>) -> bool {
    ports.start() == ports.end()
}

fn has_ranges(service: &Service<'_>) -> bool {
    service.ports.ranges().iter().any(|range| !is_single(range))
}

fn service_elements(
    service: &Service<'_>,
    family: Family,
    wanted: impl Fn(&RangeInclusive<u16>) -> bool,
) -> BTreeMap<String, String> {
    let mut elements = BTreeMap::new();
    let chain = service_chain(service, family);
    for address in service.addresses.iter().filter(|address| Family::of(**address) == family) {
        for range in service.ports.ranges().iter().filter(|range| wanted(range)) {
            let ports = ports(range);
            for transport in service.protocol.transports() {
                elements.insert(format!("{address} . {transport} . {ports}"), format!("goto {chain}"));
            }
        }
    }
    elements
}

/// Where nobody answers, clients are refused by the rules that follow.
fn proxied_elements(
    service: &Service<'_>,
    family: Family,
    wanted: impl Fn(&RangeInclusive<u16>) -> bool,
) -> BTreeMap<String, String> {
    let of_family = |address: &&IpAddr| Family::of(**address) == family && service.answers(family);
    let ranges: Vec<_> = service.ports.ranges().iter().filter(|range| wanted(range)).collect();
    let places = service.addresses.iter().filter(of_family);
    let element = |address, range| (format!("{address} . {}", ports(range)), String::new());
    places.flat_map(|address| ranges.iter().map(move |range| element(address, range))).collect()
}

/// In nft's words.
fn ports(range: &RangeInclusive<u16>) -> String {
    match is_single(range) {
        true => range.start().to_string(),
        false => format!("{}-{}", range.start(), range.end()),
    }
}

/// How a new connection finds its server. A look-up that finds nothing ends its rule, not the chain.
fn service_rules(service: &Service<'_>, family: Family) -> Vec<Rule> {
    let mark = service.mark;
    let mut lines = vec![
        format!("ct mark set {mark}"),
        "ct mark @numbering".to_owned(),
        "meta mark set 0x00000000".to_owned(),
    ];
    // Only the first packet of a connection gets here, when it may still be told.
    lines.extend(idle_timeouts(service, family).map(|IdleTimeout { name, transport, .. }| {
        format!("meta l4proto {transport} ct timeout set \"{name}\"")
    }));
    let (keyword, suffix) = (family.keyword(), family.suffix());
    let transports = match service.protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
        Protocol::TcpAndUdp => "{ tcp, udp }",
    };
    let to_server = ["servers", "servers_same_port"]
        .map(|map| format!("meta l4proto {transports} dnat {keyword} to meta mark map @{map}{suffix}"));
    let share = format!("jump {}", share_chain(service, family));
    if has_pins(service, family) {
        lines.push(format!("jump {}", pin_chain(service, family)));
        lines.extend(to_server.clone());
        // Its server takes no new ones: like any other client.
        lines.push("meta mark set 0x00000000".to_owned());
    }
    match service.persistence.map(|time| time.as_secs()) {
        None => lines.push(share),
        Some(seconds) => {
            let (sticky, client) = sticky(service, family);
            let entry = format!("@{sticky} {{ {client} timeout {seconds}s : meta mark }}");
            let known = format!("meta mark set {client} map @{sticky}");
            lines.push(known.clone());
            lines.push(format!("meta mark != 0x00000000 update {entry}"));
            lines.extend(to_server.clone());
            // Its server has gone: forget the entry.
            lines.push(format!("meta mark != 0x00000000 delete @{sticky} {{ {client} : meta mark }}"));
            lines.push("meta mark set 0x00000000".to_owned());
            lines.push(share);
            // `add` leaves an entry that another first connection of the client made meanwhile: read what stands.
            lines.push(format!("meta mark != 0x00000000 add {entry}"));
            lines.push(known);
        }
    }
    lines.extend(to_server.clone());
    if let Some(server) = service.fallback_server(family) {
        // Who gets here was learnt by no map, and goes to a real server with the next connection.
        lines.push(format!("meta mark set {}", server.mark));
        lines.extend(to_server);
    }
    let answering = match service.fallback {
        Fallback::Refuse => None,
        Fallback::DicomReject | Fallback::HttpPage => Some(service.fallback_page_port),
    };
    lines.extend(answering.map(|port| format!("meta l4proto tcp redirect to :{port}")));
    lines.into_iter().map(Rule::new).collect()
}

fn has_pins(service: &Service<'_>, family: Family) -> bool {
    service.pins.keys().any(|client| Family::of(client.address) == family)
}

/// The server of a pinned client: what a later rule finds, in a smaller network, counts.
fn pin_rules(service: &Service<'_>, family: Family) -> Vec<Rule> {
    let mut by_prefix: BTreeMap<u8, Vec<String>> = BTreeMap::new();
    for (network, mark) in service.pins.iter().filter(|(client, _)| Family::of(client.address) == family) {
        by_prefix.entry(network.prefix).or_default().push(format!("{} : {mark}", network.base()));
    }
    let rule = |(prefix, elements): (u8, Vec<String>)| {
        Rule::new(format!("meta mark set {} map {{ {} }}", client(family, prefix), elements.join(", ")))
    };
    by_prefix.into_iter().map(rule).collect()
}

/// The choice of a server for a new client: a chain of its own, because writing it anew restarts the turns.
fn share_rules(service: &Service<'_>, family: Family) -> Vec<Rule> {
    let servers = service.servers.iter().filter(|server| Family::of(server.address) == family);
    let shares: Vec<_> = servers.map(|server| (server.mark.get(), server.share)).collect();
    let (marks, choice) = match service.scheduler {
        Scheduler::WeightedLeastConnections | Scheduler::WeightedRoundRobin => {
            (turns(&shares), "numgen inc".to_owned())
        }
        Scheduler::SourceHash => (slots(&shares), format!("jhash {} saddr", family.keyword())),
    };
    let text = match marks.as_slice() {
        [] => return Vec::new(),
        [only, others @ ..] if others.iter().all(|mark| mark == only) => {
            format!("meta mark set 0x{only:08x}")
        }
        many => {
            let elements: Vec<_> =
                many.iter().enumerate().map(|(index, mark)| format!("{index} : 0x{mark:08x}")).collect();
            let is_hash = service.scheduler == Scheduler::SourceHash;
            let seed = if is_hash { format!(" seed {SEED}") } else { String::new() };
            let length = many.len();
            format!("meta mark set {choice} mod {length}{seed} map {{ {} }}", elements.join(", "))
        }
    };
    vec![Rule::new(text)]
}
