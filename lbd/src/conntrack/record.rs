//! A closed connection as it is kept on disk: a slot of fixed size with a checksum.
//!
//! Connections name their server by mark, as the kernel does. What a mark means stands in slots of its own, before the
//! first connection that carries it, in every file anew: so a file can be read without any other.
//!
//! Layout, little-endian: 0-3 checksum of the rest, 4 kind, then for a connection 5 protocol, 6 how it ended, 8-11
//! mark, 12-19 ports (client, SNAT, server, virtual), 24-87 addresses in the same order (IPv4 as ::ffff:a.b.c.d),
//! 88-103 start and end in nanoseconds since 1970, 104-119 bytes from and to the client; for a name 5 its length, 8-11
//! mark, 12-75 text.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::entry::TcpState;
use super::names::{Names, ServerName};
use super::socket::End;
use crate::numbered::checksum;

/// Bytes of a slot.
pub const SLOT: usize = 128;
const LONGEST_NAME: usize = 63;

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Both sides have closed it.
    Closed,
    /// One side has reset it.
    Reset,
    /// Nothing was heard of it for too long.
    TimedOut,
    /// The server never answered.
    Unanswered,
    /// Its server had failed or left, or an administrator ended it.
    Ended,
}

impl Cause {
    const ALL: [Self; 5] = [Self::Closed, Self::Reset, Self::TimedOut, Self::Unanswered, Self::Ended];

    fn of(end: &End) -> Self {
        match end.entry.state {
            _ if end.on_request => Self::Ended,
            Some(TcpState::TimeWait | TcpState::LastAck) => Self::Closed,
            Some(TcpState::Closed) => Self::Reset,
            Some(TcpState::SynSent | TcpState::SynReceived) => Self::Unanswered,
            Some(TcpState::Established | TcpState::FinWait | TcpState::CloseWait) | None => Self::TimedOut,
        }
    }
}

/// A closed connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// IP protocol number.
    pub protocol: u8,
    /// How it ended.
    pub cause: Cause,
    /// Number of the server.
    pub mark: u32,
    /// The client.
    pub client: SocketAddr,
    /// What the server saw.
    pub source: SocketAddr,
    /// The server.
    pub server: SocketAddr,
    /// What the client asked for.
    pub virtual_address: SocketAddr,
    /// Nanoseconds since 1970; 0 where the kernel did not know.
    pub started: u64,
    /// Nanoseconds since 1970.
    pub ended: u64,
    /// Bytes from the client.
    pub bytes_in: u64,
    /// Bytes to the client.
    pub bytes_out: u64,
}

impl Record {
    /// What is kept of an end that was heard of at `now`, nanoseconds since 1970.
    pub fn of(end: &End, now: u64) -> Self {
        let entry = &end.entry;
        Self {
            protocol: entry.protocol,
            cause: Cause::of(end),
            mark: entry.mark,
            client: entry.client,
            source: entry.source,
            server: entry.server,
            virtual_address: entry.virtual_address,
            started: entry.started.unwrap_or_default(),
            ended: entry.ended.unwrap_or(now),
            bytes_in: entry.received.bytes,
            bytes_out: entry.sent.bytes,
        }
    }
}

/// What a slot holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A closed connection.
    Connection(Record),
    /// From here on this mark means a server of this service.
    Service(u32, String),
    /// From here on this mark means this server; follows [`Self::Service`].
    Server(u32, String),
}

const CONNECTION: u8 = 1;
const SERVICE: u8 = 2;
const SERVER: u8 = 3;

impl Content {
    /// As bytes.
    pub fn encode(&self) -> [u8; SLOT] {
        let mut slot = [0; SLOT];
        match self {
            Self::Connection(record) => encode_connection(&mut slot, record),
            Self::Service(mark, name) => encode_name(&mut slot, SERVICE, *mark, name),
            Self::Server(mark, name) => encode_name(&mut slot, SERVER, *mark, name),
        }
        sealed(&slot)
    }

    /// From bytes; `None` for a slot that is damaged, empty or of a later version.
    pub fn decode(slot: &[u8; SLOT]) -> Option<Self> {
        if checksum(&slot[4..]) != u32::from_le_bytes(take(slot, 0)) {
            return None;
        }
        let mark = u32::from_le_bytes(take(slot, 8));
        let name = || {
            let text = slot.get(12..12 + usize::from(slot[5]).min(LONGEST_NAME))?;
            String::from_utf8(text.to_vec()).ok()
        };
        match slot[4] {
            CONNECTION => decode_connection(slot).map(Self::Connection),
            SERVICE => Some(Self::Service(mark, name()?)),
            SERVER => Some(Self::Server(mark, name()?)),
            _ => None,
        }
    }
}

/// The slot with the checksum that fits.
pub fn sealed(slot: &[u8; SLOT]) -> [u8; SLOT] {
    let mut slot = *slot;
    let checksum = checksum(&slot[4..]);
    put(&mut slot, 0, &checksum.to_le_bytes());
    slot
}

fn encode_name(slot: &mut [u8; SLOT], kind: u8, mark: u32, name: &str) {
    // Labels are ASCII and no longer; any other is cut rather than refused.
    let text = name.as_bytes().get(..LONGEST_NAME).unwrap_or(name.as_bytes());
    slot[4] = kind;
    slot[5] = u8::try_from(text.len()).unwrap_or_default();
    put(slot, 8, &mark.to_le_bytes());
    put(slot, 12, text);
}

fn encode_connection(slot: &mut [u8; SLOT], record: &Record) {
    slot[4] = CONNECTION;
    slot[5] = record.protocol;
    slot[6] = Cause::ALL.iter().position(|cause| *cause == record.cause).map_or(u8::MAX, |at| at as u8);
    put(slot, 8, &record.mark.to_le_bytes());
    let places = [record.client, record.source, record.server, record.virtual_address];
    for (index, place) in places.iter().enumerate() {
        put(slot, 12 + 2 * index, &place.port().to_le_bytes());
        let address = match place.ip() {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        put(slot, 24 + 16 * index, &address.octets());
    }
    let numbers = [record.started, record.ended, record.bytes_in, record.bytes_out];
    for (index, number) in numbers.iter().enumerate() {
        put(slot, 88 + 8 * index, &number.to_le_bytes());
    }
}

fn decode_connection(slot: &[u8; SLOT]) -> Option<Record> {
    let place = |index: usize| {
        let address = Ipv6Addr::from(take::<16>(slot, 24 + 16 * index)).to_canonical();
        SocketAddr::new(address, u16::from_le_bytes(take(slot, 12 + 2 * index)))
    };
    let number = |index: usize| u64::from_le_bytes(take(slot, 88 + 8 * index));
    Some(Record {
        protocol: slot[5],
        cause: *Cause::ALL.get(usize::from(slot[6]))?,
        mark: u32::from_le_bytes(take(slot, 8)),
        client: place(0),
        source: place(1),
        server: place(2),
        virtual_address: place(3),
        started: number(0),
        ended: number(1),
        bytes_in: number(2),
        bytes_out: number(3),
    })
}

fn put(slot: &mut [u8; SLOT], at: usize, bytes: &[u8]) {
    slot[at..at + bytes.len()].copy_from_slice(bytes);
}

/// The places are constants of this file, within the slot.
fn take<const N: usize>(slot: &[u8; SLOT], at: usize) -> [u8; N] {
    std::array::from_fn(|index| slot[at + index])
}

/// Gives marks their names while a file is written.
#[derive(Debug, Default)]
pub struct Namer(std::collections::BTreeMap<u32, ServerName>);

impl Namer {
    /// The slots for `record`: itself, and before it what its mark means if this file does not say so yet.
    pub fn slots(&mut self, record: Record, names: &Names) -> Vec<[u8; SLOT]> {
        let mut slots = Vec::with_capacity(1);
        if let Some(name) = names.get(record.mark).filter(|name| self.0.get(&record.mark) != Some(name)) {
            slots.push(Content::Service(record.mark, name.service.clone()).encode());
            slots.push(Content::Server(record.mark, name.server.clone()).encode());
            self.0.insert(record.mark, name.clone());
        }
        slots.push(Content::Connection(record).encode());
        slots
    }
}

/// The connections in the bytes of a file, with the names that their marks had. Damaged slots are passed over.
pub fn read(bytes: &[u8]) -> impl Iterator<Item = (Record, Option<ServerName>)> {
    let mut names = std::collections::BTreeMap::<u32, ServerName>::new();
    let slots = bytes.chunks_exact(SLOT).filter_map(|slot| Content::decode(slot.try_into().ok()?));
    slots.filter_map(move |content| match content {
        Content::Service(mark, service) => {
            names.insert(mark, ServerName { service, server: String::new() });
            None
        }
        Content::Server(mark, server) => {
            if let Some(name) = names.get_mut(&mark) {
                name.server = server;
            }
            None
        }
        Content::Connection(record) => {
            let name = names.get(&record.mark).cloned();
            Some((record, name))
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record() -> impl Strategy<Value = Record> {
        let place = || {
            any::<(Ipv6Addr, u16, bool)>().prop_map(|(address, port, is_v4)| {
                let [.., a, b, c, d] = address.octets();
                SocketAddr::new(if is_v4 { IpAddr::from([a, b, c, d]) } else { address.to_canonical() }, port)
            })
        };
        let cause = proptest::sample::select(Cause::ALL.to_vec());
        let numbers = any::<(u8, u32, u64, u64, u64, u64)>();
        (cause, place(), place(), place(), place(), numbers).prop_map(
            |(cause, client, source, server, virtual_address, numbers)| {
                let (protocol, mark, started, ended, bytes_in, bytes_out) = numbers;
                Record {
                    protocol,
                    cause,
                    mark,
                    client,
                    source,
                    server,
                    virtual_address,
                    started,
                    ended,
                    bytes_in,
                    bytes_out,
                }
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(record in record()) {
            let content = Content::Connection(record);
            prop_assert_eq!(Content::decode(&content.encode()), Some(content));
        }

        #[test]
        fn a_changed_byte_is_noticed(record in record(), at in 0..SLOT, change in 1..=u8::MAX) {
            let mut slot = Content::Connection(record).encode();
            slot[at] ^= change;
            prop_assert_eq!(Content::decode(&slot), None);
        }

        #[test]
        fn whatever_the_bytes_reading_ends(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            prop_assert!(read(&bytes).count() <= bytes.len() / SLOT);
        }

        #[test]
        fn a_cut_tail_costs_what_it_held(records in proptest::collection::vec(record(), 1..20), cut in 0..SLOT) {
            let mut namer = Namer::default();
            let slots = records.iter().flat_map(|record| namer.slots(record.clone(), &Names::default()));
            let mut bytes = slots.collect::<Vec<_>>().concat();
            bytes.truncate(bytes.len() - cut);
            let read: Vec<_> = read(&bytes).map(|(record, _)| record).collect();
            let whole = if cut == 0 { records.len() } else { records.len() - 1 };
            prop_assert_eq!(&read[..], &records[..whole]);
        }
    }

    #[test]
    fn names_stand_before_their_first_use_and_may_change() {
        let mut names = Names::default();
        let (mut namer, mut bytes) = (Namer::default(), Vec::new());
        let place: SocketAddr = ([192, 0, 2, 1], 1).into();
        let record = Record {
            protocol: 6,
            cause: Cause::Closed,
            mark: 0x10001,
            client: place,
            source: place,
            server: place,
            virtual_address: place,
            started: 1,
            ended: 2,
            bytes_in: 3,
            bytes_out: 4,
        };
        for label in ["OLD", "OLD", "NEW"] {
            names.follow(Names::from_iter([(
                0x10001,
                ServerName { service: "POOL".into(), server: label.into() },
            )]));
            bytes.extend(namer.slots(record.clone(), &names).concat());
        }
        assert_eq!(bytes.len(), 7 * SLOT);
        let servers: Vec<_> = read(&bytes).filter_map(|(_, name)| name).map(|name| name.server).collect();
        assert_eq!(servers, ["OLD", "OLD", "NEW"]);
    }
}
