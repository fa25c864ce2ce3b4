//! The table as data: what [`super::ruleset`] wants and [`super::difference`] compares.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::numbering::Mark;

/// Family of the one table that is ours.
pub const FAMILY: &str = "inet";
/// Its name.
pub const NAME: &str = "evenkeel";
/// Both.
pub const TABLE: &str = "inet evenkeel";

/// A marker set that names the layout of maps and base chains. A version that changes them changes this
/// name; a table of another layout is replaced whole, in one transaction.
pub const LAYOUT: &str = "layout_6";
/// Number, name and counter of every service and server: numbered elements, not named counters, because nft reads all
/// named counters before each change (measured with 11,000 of them: 50 of 80 ms).
pub const NUMBERING: &str = "numbering";

/// The whole table in parts that share what is the same: with a thousand services the verdict on one server costs no
/// more than its own service's part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parts {
    /// What belongs to no single service: base chains, addresses, all maps and sets.
    pub common: Arc<Table>,
    /// Elements of [`NUMBERING`], also of services that are switched off.
    pub numbering: Arc<Table>,
    /// Chains and elements of each service that is not.
    pub services: BTreeMap<Mark, Arc<Table>>,
}

impl Parts {
    /// All in one.
    pub fn whole(&self) -> Table {
        self.but(&Self::default())
    }

    /// All but what it shares with `other`. What belongs to no single service is always in it: without that no
    /// table can be compared.
    pub fn but(&self, other: &Self) -> Table {
        let mut table = Table::clone(&self.common);
        let services = self.services.iter().filter(|(mark, part)| other.services.get(mark) != Some(part));
        let numbering = Some(&self.numbering).filter(|part| **part != other.numbering);
        services.map(|(_, part)| part).chain(numbering).for_each(|part| table.take_in(part));
        table
    }

    /// Names of all counters: those of services and servers.
    pub fn counters(&self) -> BTreeSet<&String> {
        self.numbering.maps.get(NUMBERING).into_iter().flat_map(|map| map.elements.values()).collect()
    }

    /// Keys of the elements that services have in this map.
    pub fn keys<'a>(&'a self, map: &'a str) -> impl Iterator<Item = &'a String> {
        let maps = self.services.values().filter_map(move |part| part.maps.get(map));
        maps.flat_map(|map| map.elements.keys())
    }
}

/// The table, or a part of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// By name; `svc_*` and `share_*` come and go, the base chains are always there.
    pub chains: BTreeMap<String, Chain>,
    /// Maps and sets by name; in a whole table always the same names.
    pub maps: BTreeMap<&'static str, Map>,
    /// Names of the persistence maps that belong to a single service, all of them [`STICKY6`].
    pub sticky6: BTreeSet<String>,
    /// Idle time-outs by name, in nft's words. A name says all of it: the kernel changes none that it has.
    pub timeouts: BTreeMap<String, String>,
    /// Interfaces of the fast path; `None` where the kernel has none.
    pub fast_path: Option<BTreeSet<String>>,
}

/// A chain and its rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chain {
    /// Hook, priority and policy of a base chain; empty for one that is jumped to.
    pub hook: &'static str,
    /// In order.
    pub rules: Vec<Rule>,
}

/// A rule; in the kernel it carries its fingerprint as comment, by which it is recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    text: String,
    fingerprint: String,
}

impl Rule {
    /// A rule in nft's language.
    pub fn new(text: String) -> Self {
        let fingerprint = Sha256::digest(&text).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        Self { text, fingerprint }
    }

    /// In nft's language.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The first 48 bits of the SHA-256 of the text: the kernel lists a rule in other words than those in
    /// which it was given, so the rule itself cannot be compared.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

impl Table {
    /// Adds a part, which has chains and elements only.
    fn take_in(&mut self, part: &Self) {
        self.chains.extend(part.chains.iter().map(|(name, chain)| (name.clone(), chain.clone())));
        for (name, map) in &part.maps {
            let elements = map.elements.iter().map(|(key, value)| (key.clone(), value.clone()));
            let ours =
                self.maps.entry(name).or_insert_with(|| Map { kind: map.kind, elements: BTreeMap::new() });
            ours.elements.extend(elements);
        }
    }
}

/// A map, or a set (whose values are empty, or the comments of its elements).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Map {
    /// What it is.
    pub kind: &'static MapKind,
    /// Key to value or comment, as nft writes them; empty for the map that the kernel fills itself.
    pub elements: BTreeMap<String, String>,
}

/// Name and type of a map or set.
#[derive(Debug, PartialEq, Eq)]
pub struct MapKind {
    /// Its name.
    pub name: &'static str,
    /// `map` or `set`.
    pub keyword: &'static str,
    /// Type, flags and size in nft's words.
    pub definition: &'static str,
    /// False for what the kernel learns.
    pub written_by_us: bool,
}

const fn map(name: &'static str, definition: &'static str) -> MapKind {
    MapKind { name, keyword: "map", definition, written_by_us: true }
}

const fn set(name: &'static str, definition: &'static str) -> MapKind {
    MapKind { keyword: "set", ..map(name, definition) }
}

/// Filled by the kernel: about a million clients; a full map only means that further ones are not remembered.
const fn learned(name: &'static str, definition: &'static str) -> MapKind {
    MapKind { written_by_us: false, ..map(name, definition) }
}

/// What the kernel learns of a service's IPv6 clients. Each service has a map of its own: with mark and address as key,
/// as for IPv4, nft 1.0.6 writes the value over the last bytes of the key (both are put into the same registers).
pub const STICKY6: &str = "type ipv6_addr : mark; flags dynamic,timeout; timeout 5m; size 1048576;";
/// How the names of these maps begin; the service's number follows.
pub const STICKY6_PREFIX: &str = "sticky6_";

/// All maps and sets of the table that are always there; those of IPv6 have a 6 at the end. Whoever changes one of them changes [`LAYOUT`]
/// too.
pub const MAPS: [MapKind; 20] = [
    set(LAYOUT, "type mark;"),
    set("addresses", "type ipv4_addr;"),
    set("addresses6", "type ipv6_addr;"),
    set("full", "type mark;"),
    set(NUMBERING, "type mark; counter;"),
    set("proxied", "type ipv4_addr . inet_service;"),
    set("proxied6", "type ipv6_addr . inet_service;"),
    set("proxied_ranges", "type ipv4_addr . inet_service; flags interval;"),
    set("proxied_ranges6", "type ipv6_addr . inet_service; flags interval;"),
    map("services", "type ipv4_addr . inet_proto . inet_service : verdict;"),
    map("services6", "type ipv6_addr . inet_proto . inet_service : verdict;"),
    map("service_ranges", "type ipv4_addr . inet_proto . inet_service : verdict; flags interval;"),
    map("service_ranges6", "type ipv6_addr . inet_proto . inet_service : verdict; flags interval;"),
    map("servers", "type mark : ipv4_addr . inet_service;"),
    map("servers6", "type mark : ipv6_addr . inet_service;"),
    map("servers_same_port", "type mark : ipv4_addr;"),
    map("servers_same_port6", "type mark : ipv6_addr;"),
    map("sources", "type mark : ipv4_addr;"),
    map("sources6", "type mark : ipv6_addr;"),
    learned("sticky", "type mark . ipv4_addr : mark; flags dynamic,timeout; timeout 5m; size 1048576;"),
];
