//! Numbers for services and servers: the kernel knows them by marks, people by labels.
//!
//! Layout of packet mark and connection mark, the same for both:
//! bits 0-15 the server within its service (1 to 65,534; 65,535 is the fallback server, 0 means the service itself),
//! bits 16-27 the service (1 to 4,095), bits 28-31 kept free for policy routing.
//!
//! The numbering is not stored: the table's own set `numbering` (mark, with the name as comment) holds it, so that it
//! lives exactly as long as the learned persistence entries that depend on it.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{Config, Label, VirtualService};

const SERVICE_SHIFT: u32 = 16;
/// The bits of a mark that name the service.
pub const SERVICE_BITS: u32 = 0x0fff_0000;
const LARGEST_SERVICE: u32 = 0x0fff;
const SERVER_BITS: u32 = 0xffff;
/// Of the fallback server.
const FALLBACK_SERVER: u32 = 0xffff;
const LARGEST_SERVER: u32 = 0xfffe;

/// The mark of the service with this number, as the kernel has it.
pub fn service_mark(number: u32) -> u32 {
    number << SERVICE_SHIFT
}

/// The number of the service that a mark names, its own or one of its servers'.
pub fn service_number(mark: u32) -> u32 {
    (mark & SERVICE_BITS) >> SERVICE_SHIFT
}

/// Mark of a service (server bits 0) or of a server of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(u32);

impl Mark {
    /// The number in the kernel.
    pub fn get(self) -> u32 {
        self.0
    }

    /// That of the service to which a server belongs.
    pub fn of_service(self) -> Self {
        Self(self.0 & !SERVER_BITS)
    }

    /// Number of the service, for the names of its chains.
    pub fn service(self) -> u32 {
        service_number(self.0)
    }
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "0x{:08x}", self.0)
    }
}

/// Name of the counter of a service.
pub fn service_counter(service: &str) -> String {
    service.to_owned()
}

/// Whether that is the counter of a service.
pub fn is_service_counter(name: &str) -> bool {
    !name.contains('/')
}

/// Name of the counter of a server: with labels of at most 63 characters it fits into a comment of nft, 128.
pub fn server_counter(service: &str, server: &str) -> String {
    format!("{service}/{server}")
}

/// Name of the counter of the fallback server of a service: no label has a blank.
pub fn fallback_counter(service: &str) -> String {
    server_counter(service, "fallback server")
}

/// Marks by counter name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Numbering(BTreeMap<String, Mark>);

impl Numbering {
    /// What the kernel's set `numbering` says; entries that no version of lbd writes are passed over.
    pub fn adopt<'a>(counters: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mark = |text: &str| u32::from_str_radix(text.strip_prefix("0x")?, 16).ok().map(Mark);
        Self(counters.filter_map(|(key, name)| Some((name.to_owned(), mark(key)?))).collect())
    }

    /// The numbering for `config`: what has a number keeps it, what is new takes the lowest that is free,
    /// what is gone loses it.
    ///
    /// The number of what is gone is not used again at once: connections that still carry it must end first. Later
    /// it does no harm: a left-over persistence entry of its former owner names a server of the same service that is
    /// alive, or one that its next packet finds missing.
    pub fn assign(&self, config: &Config) -> Self {
        let wanted = config.services.iter().map(|service| service_counter(service.label.as_str()));
        let used: BTreeSet<u32> = self.0.values().map(|mark| mark.service()).collect();
        let known = |name: &str| self.0.get(name).map(|mark| mark.service());
        let services = keep_or_take(wanted, known, &used, LARGEST_SERVICE);
        let used_servers: BTreeSet<Mark> = self.0.values().copied().collect();
        let mut marks = BTreeMap::new();
        for service in &config.services {
            let name = service_counter(service.label.as_str());
            let Some(number) = services.get(&name).map(|number| number << SERVICE_SHIFT) else { continue };
            let wanted = service.servers.iter().map(|server| counter_of(service, &server.label));
            let of_this_service = |mark: &&Mark| mark.0 & !SERVER_BITS == number;
            let known = |name: &str| Some(self.0.get(name).filter(of_this_service)?.0 & SERVER_BITS);
            let numbers = Mark(number)..=Mark(number | LARGEST_SERVER);
            let used = used_servers.range(numbers).map(|mark| mark.0 & SERVER_BITS).collect();
            let servers = keep_or_take(wanted, known, &used, LARGEST_SERVER);
            marks.extend(servers.into_iter().map(|(name, server)| (name, Mark(number | server))));
            if service.fallback_server.is_some() {
                marks.insert(fallback_counter(service.label.as_str()), Mark(number | FALLBACK_SERVER));
            }
            marks.insert(name, Mark(number));
        }
        Self(marks)
    }

    /// All names with their marks.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Mark)> {
        self.0.iter().map(|(name, mark)| (name.as_str(), *mark))
    }

    /// The counter name of a mark.
    pub fn name(&self, mark: u32) -> Option<&str> {
        self.iter().find(|(_, known)| known.get() == mark).map(|(name, _)| name)
    }

    /// Mark of a service.
    pub fn service(&self, service: &Label) -> Option<Mark> {
        self.0.get(&service_counter(service.as_str())).copied()
    }

    /// Mark of the fallback server of a service, where it has one.
    pub fn fallback(&self, service: &Label) -> Option<Mark> {
        self.0.get(&fallback_counter(service.as_str())).copied()
    }

    /// Mark of a server.
    pub fn server(&self, service: &Label, server: &Label) -> Option<Mark> {
        self.0.get(&server_counter(service.as_str(), server.as_str())).copied()
    }
}

fn counter_of(service: &VirtualService, server: &Label) -> String {
    server_counter(service.label.as_str(), server.as_str())
}

fn keep_or_take(
    wanted: impl Iterator<Item = String>,
    known: impl Fn(&str) -> Option<u32>,
    used: &BTreeSet<u32>,
    largest: u32,
) -> BTreeMap<String, u32> {
    let (kept, new): (Vec<_>, Vec<_>) =
        wanted.map(|name| (known(&name), name)).partition(|(old, _)| old.is_some());
    let mut numbers: BTreeMap<String, u32> =
        kept.into_iter().filter_map(|(number, name)| Some((name, number?))).collect();
    let taken: BTreeSet<u32> = numbers.values().copied().collect();
    let fresh = (1..=largest).filter(|number| !used.contains(number));
    // Only where all numbers were in use: better one that was just given back than none.
    let given_back = used.iter().copied().filter(|number| !taken.contains(number));
    let free = fresh.chain(given_back);
    numbers.extend(new.into_iter().map(|(_, name)| name).zip(free));
    numbers
}
