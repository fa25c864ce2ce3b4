//! Persistence entries in the kernel's messages (linux/netfilter/nf_tables.h).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::conntrack::wire::{Message, Writer, attributes};
use crate::traffic::numbering::{service_mark, service_number};
use crate::traffic::table::{NAME, STICKY6_PREFIX};

/// `NFNL_SUBSYS_NFTABLES`.
const SUBSYSTEM: u16 = 10 << 8;
const NEW_ELEMENTS: u16 = SUBSYSTEM | 12;
const GET_ELEMENTS: u16 = SUBSYSTEM | 13;
/// `nfgenmsg`: family `NFPROTO_INET`, version 0, no resource.
const HEADER: [u8; 4] = [1, 0, 0, 0];
const ACKNOWLEDGE: u16 = 0x004;
const DUMP: u16 = 0x300;
/// The time-out of the maps themselves (`traffic/table.rs`): the kernel leaves it out where an entry has the same.
const USUAL_TIMEOUT: Duration = Duration::from_secs(300);

/// Attributes of a list of elements.
mod list {
    pub(super) const TABLE: u16 = 1;
    pub(super) const SET: u16 = 2;
    pub(super) const ELEMENTS: u16 = 3;
    pub(super) const ELEMENT: u16 = 1;
}

/// Attributes of an element.
mod element {
    pub(super) const KEY: u16 = 1;
    pub(super) const DATA: u16 = 2;
    pub(super) const TIMEOUT: u16 = 4;
    pub(super) const EXPIRATION: u16 = 5;
    pub(super) const VALUE: u16 = 1;
}

/// A map of the kernel's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Map {
    /// Of all services' IPv4 clients.
    Ipv4,
    /// Of the IPv6 clients of the service with this number.
    Ipv6(u32),
}

impl Map {
    /// As the kernel calls it.
    pub fn name(self) -> String {
        match self {
            Self::Ipv4 => "sticky".to_owned(),
            Self::Ipv6(service) => format!("{STICKY6_PREFIX}{service}"),
        }
    }
}

/// What an entry is found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Number of the service.
    pub service: u32,
    /// The client, or the first address of the network that counts as one.
    pub client: IpAddr,
}

impl Key {
    /// Where it stands.
    pub fn map(self) -> Map {
        match self.client {
            IpAddr::V4(_) => Map::Ipv4,
            IpAddr::V6(_) => Map::Ipv6(self.service),
        }
    }

    /// In nft's words.
    pub fn text(self) -> String {
        match self.client {
            IpAddr::V4(client) => format!("0x{:08x} . {client}", service_mark(self.service)),
            IpAddr::V6(client) => client.to_string(),
        }
    }

    /// A mark is in the byte order of the machine, an address in that of the network.
    fn bytes(self) -> Vec<u8> {
        match self.client {
            IpAddr::V4(client) => [service_mark(self.service).to_ne_bytes(), client.octets()].concat(),
            IpAddr::V6(client) => client.octets().to_vec(),
        }
    }

    fn read(map: Map, bytes: &[u8]) -> Option<Self> {
        Some(match map {
            Map::Ipv4 => {
                let (mark, address) = bytes.split_first_chunk::<4>()?;
                let address: [u8; 4] = address.try_into().ok()?;
                Self {
                    service: service_number(u32::from_ne_bytes(*mark)),
                    client: Ipv4Addr::from(address).into(),
                }
            }
            Map::Ipv6(service) => {
                let address: [u8; 16] = bytes.try_into().ok()?;
                Self { service, client: Ipv6Addr::from(address).into() }
            }
        })
    }
}

/// A client whose server is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The client, and in which service.
    pub key: Key,
    /// Mark of its server.
    pub server: u32,
    /// How long it is remembered after its last new connection.
    pub timeout: Duration,
    /// How long from now.
    pub left: Duration,
}

impl Entry {
    fn read(map: Map, bytes: &[u8]) -> Option<Self> {
        let (mut key, mut server, mut timeout, mut left) = (None, None, USUAL_TIMEOUT, None);
        for (kind, value) in attributes(bytes) {
            match kind {
                element::KEY => key = inner(value).and_then(|bytes| Key::read(map, bytes)),
                element::DATA => server = inner(value).and_then(|bytes| bytes.try_into().ok()),
                element::TIMEOUT => timeout = milliseconds(value)?,
                element::EXPIRATION => left = milliseconds(value),
                _ => {}
            }
        }
        let left = left.unwrap_or(timeout);
        Some(Self { key: key?, server: u32::from_ne_bytes(server?), timeout, left })
    }
}

fn inner(data: &[u8]) -> Option<&[u8]> {
    attributes(data).find(|(kind, _)| *kind == element::VALUE).map(|(_, value)| value)
}

fn milliseconds(value: &[u8]) -> Option<Duration> {
    Some(Duration::from_millis(u64::from_be_bytes(value.try_into().ok()?)))
}

fn request(flags: u16, sequence: u32, map: Map) -> Writer {
    let mut writer = Writer::request(GET_ELEMENTS, flags, sequence, &HEADER);
    writer.attribute(list::TABLE, format!("{NAME}\0").as_bytes());
    writer.attribute(list::SET, format!("{}\0", map.name()).as_bytes());
    writer
}

/// Asks for all entries of a map.
pub fn dump(sequence: u32, map: Map) -> Vec<u8> {
    request(DUMP, sequence, map).finish()
}

/// Asks for one entry.
pub fn get(sequence: u32, key: Key) -> Vec<u8> {
    let mut writer = request(ACKNOWLEDGE, sequence, key.map());
    writer.nested(list::ELEMENTS, |elements| {
        elements.nested(list::ELEMENT, |one| {
            one.nested(element::KEY, |data| data.attribute(element::VALUE, &key.bytes()));
        });
    });
    writer.finish()
}

/// The entries in a part of the answer, those that can be read.
pub fn entries<'a>(message: &Message<'a>, map: Map) -> impl Iterator<Item = Entry> + use<'a> {
    let body = match message.kind {
        NEW_ELEMENTS => message.body.get(HEADER.len()..).unwrap_or_default(),
        _ => &[],
    };
    let lists = attributes(body).filter(|(kind, _)| *kind == list::ELEMENTS);
    lists.flat_map(|(_, elements)| attributes(elements)).filter_map(move |(_, bytes)| Entry::read(map, bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::conntrack::wire::messages;

    /// As the kernel answers.
    fn answer(key: Key, timeout: Option<u64>, left: u64) -> Vec<u8> {
        let mut writer = Writer::request(NEW_ELEMENTS, 0, 7, &HEADER);
        writer.attribute(list::TABLE, b"evenkeel\0");
        writer.nested(list::ELEMENTS, |elements| {
            elements.nested(list::ELEMENT, |one| {
                one.nested(element::KEY, |data| data.attribute(element::VALUE, &key.bytes()));
                one.nested(element::DATA, |data| {
                    data.attribute(element::VALUE, &0x0003_0002_u32.to_ne_bytes())
                });
                if let Some(timeout) = timeout {
                    one.attribute(element::TIMEOUT, &timeout.to_be_bytes());
                }
                one.attribute(element::EXPIRATION, &left.to_be_bytes());
            });
        });
        writer.finish()
    }

    fn read(bytes: &[u8], map: Map) -> Vec<Entry> {
        messages(bytes).flat_map(|message| entries(&message, map)).collect()
    }

    #[test]
    fn entries_of_both_families_are_read() {
        for client in ["192.0.2.9", "fd00::9"] {
            let key = Key { service: 3, client: client.parse().unwrap() };
            let seconds = Duration::from_secs;
            let entry = Entry { key, server: 0x0003_0002, timeout: seconds(20), left: seconds(5) };
            assert_eq!(read(&answer(key, Some(20_000), 5_000), key.map()), [entry]);
            let usual = Entry { timeout: seconds(300), ..entry };
            assert_eq!(read(&answer(key, None, 5_000), key.map()), [usual], "what the kernel leaves out");
        }
    }

    #[test]
    fn a_key_is_told_to_nft_as_it_stands_in_the_map() {
        let text = |client: &str| Key { service: 3, client: client.parse().unwrap() }.text();
        assert_eq!(text("192.0.2.9"), "0x00030000 . 192.0.2.9");
        assert_eq!(text("fd00::9"), "fd00::9");
        assert_eq!(Map::Ipv6(3).name(), "sticky6_3");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0_usize..100) {
            let key = Key { service: 1, client: Ipv4Addr::LOCALHOST.into() };
            let mut whole = answer(key, Some(1), 1);
            let at = cut.min(whole.len());
            whole.splice(at..at, bytes);
            let _ = (read(&whole, Map::Ipv4), read(&whole, Map::Ipv6(1)));
        }
    }
}
