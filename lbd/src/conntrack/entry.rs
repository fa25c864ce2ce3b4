//! Entries of the kernel's connection table, and requests about them (linux/netfilter/nfnetlink_conntrack.h).
//!
//! An entry has two tuples: how packets look that come from the client, and how the answers look that the server
//! sends. With both addresses translated the second one names the server and the source address that it sees.

use std::net::{IpAddr, SocketAddr};

use super::wire::{Message, Writer, attributes};

/// `NFNL_SUBSYS_CTNETLINK`, in the upper byte of a message's type.
const SUBSYSTEM: u16 = 1 << 8;
/// `IPCTNL_MSG_CT_NEW`: what a dump consists of.
const NEW: u16 = SUBSYSTEM;
const GET: u16 = SUBSYSTEM | 1;
const DELETE: u16 = SUBSYSTEM | 2;
/// `NLM_F_ACK`.
const ACKNOWLEDGE: u16 = 4;
/// `NLM_F_ROOT | NLM_F_MATCH`.
const DUMP: u16 = 0x300;
/// `nfgenmsg`: address family, version, resource.
const FAMILY_HEADER: usize = 4;

/// `IPS_SEEN_REPLY`: there was an answer other than a reset (include/uapi/linux/netfilter/nf_conntrack_common.h).
const SEEN_REPLY: u32 = 1 << 1;
/// `IPS_DST_NAT`: the destination was translated, so the connection is one of a virtual service.
const TRANSLATED: u32 = 1 << 5;

/// Attribute numbers.
mod kind {
    pub const TUPLE_ORIGINAL: u16 = 1;
    pub const TUPLE_REPLY: u16 = 2;
    pub const STATUS: u16 = 3;
    pub const PROTOCOL_INFO: u16 = 4;
    pub const TIMEOUT: u16 = 7;
    pub const MARK: u16 = 8;
    pub const COUNTERS_ORIGINAL: u16 = 9;
    pub const COUNTERS_REPLY: u16 = 10;
    pub const ID: u16 = 12;
    pub const TIMESTAMP: u16 = 20;
    pub const MARK_MASK: u16 = 21;
    pub const STATUS_MASK: u16 = 26;
}

/// State of a TCP connection as the kernel's table knows it (`enum tcp_conntrack`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TcpState {
    /// The client has asked.
    SynSent,
    /// The server has answered.
    SynReceived,
    /// Both have.
    Established,
    /// One side has closed.
    FinWait,
    /// The other side has seen that.
    CloseWait,
    /// Both sides have closed.
    LastAck,
    /// Closed; the ports are kept so that late packets do no harm.
    TimeWait,
    /// Reset.
    Closed,
}

impl TcpState {
    /// The kernel's number.
    pub fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            // 9 is the second SYN of a simultaneous open.
            1 | 9 => Self::SynSent,
            2 => Self::SynReceived,
            3 => Self::Established,
            4 => Self::FinWait,
            5 => Self::CloseWait,
            6 => Self::LastAck,
            7 => Self::TimeWait,
            8 => Self::Closed,
            _ => return None,
        })
    }

    /// For people.
    pub fn word(self) -> &'static str {
        match self {
            Self::SynSent => "opening",
            Self::SynReceived => "answered",
            Self::Established => "established",
            Self::FinWait => "closing",
            Self::CloseWait => "half closed",
            Self::LastAck => "last ack",
            Self::TimeWait => "closed, waiting",
            Self::Closed => "reset",
        }
    }
}

/// What has passed in one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Volume {
    /// Packets.
    pub packets: u64,
    /// Bytes with IP and TCP headers.
    pub bytes: u64,
}

impl std::ops::AddAssign for Volume {
    fn add_assign(&mut self, other: Self) {
        self.packets = self.packets.saturating_add(other.packets);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// One connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// IP protocol number: 6 is TCP, 17 UDP.
    pub protocol: u8,
    /// Who opened it.
    pub client: SocketAddr,
    /// The virtual address and port that the client asked for.
    pub virtual_address: SocketAddr,
    /// Who answers.
    pub server: SocketAddr,
    /// The address and port that the server sees.
    pub source: SocketAddr,
    /// Number of the service and the server; see [`crate::traffic::numbering`].
    pub mark: u32,
    /// `None` for what is not TCP.
    pub state: Option<TcpState>,
    /// `IPS_*` bits.
    pub status: u32,
    /// Seconds after which the kernel forgets it unless a packet comes.
    pub seconds_left: Option<u32>,
    /// From the client.
    pub received: Volume,
    /// To the client.
    pub sent: Volume,
    /// Nanoseconds since 1970, where the kernel keeps the time.
    pub started: Option<u64>,
    /// Nanoseconds since 1970; in the event of its end.
    pub ended: Option<u64>,
    /// Number of the entry.
    pub id: u32,
}

impl Entry {
    /// The entry in a part of a dump, or in an event; `None` where it is something else or incomplete.
    pub fn read(body: &[u8]) -> Option<Self> {
        let mut fields = Fields::default();
        for (kind, value) in attributes(body.get(FAMILY_HEADER..)?) {
            fields.take(kind, value);
        }
        fields.entry()
    }

    /// True for a connection of a virtual service.
    pub fn is_translated(&self) -> bool {
        self.status & TRANSLATED != 0 && self.mark != 0
    }

    /// False for a TCP connection whose server has never sent anything but a refusal, as far as it is known until now.
    pub fn was_taken(&self) -> bool {
        self.state.is_none() || self.status & SEEN_REPLY != 0
    }

    /// True while it can carry data: not closed, not reset.
    pub fn is_open(&self) -> bool {
        !matches!(self.state, Some(TcpState::TimeWait | TcpState::Closed))
    }
}

/// An entry while it is read.
#[derive(Default)]
struct Fields {
    original: Option<Tuple>,
    reply: Option<Tuple>,
    mark: u32,
    status: u32,
    state: Option<TcpState>,
    seconds_left: Option<u32>,
    received: Volume,
    sent: Volume,
    started: Option<u64>,
    ended: Option<u64>,
    id: u32,
}

impl Fields {
    fn take(&mut self, kind: u16, value: &[u8]) {
        match kind {
            kind::TUPLE_ORIGINAL => self.original = Tuple::read(value),
            kind::TUPLE_REPLY => self.reply = Tuple::read(value),
            kind::STATUS => self.status = number(value).unwrap_or_default(),
            kind::PROTOCOL_INFO => self.state = tcp_state(value),
            kind::TIMEOUT => self.seconds_left = number(value),
            kind::MARK => self.mark = number(value).unwrap_or_default(),
            kind::COUNTERS_ORIGINAL => self.received = volume(value),
            kind::COUNTERS_REPLY => self.sent = volume(value),
            kind::ID => self.id = number(value).unwrap_or_default(),
            kind::TIMESTAMP => {
                for (kind, value) in attributes(value) {
                    match kind {
                        1 => self.started = long(value).filter(|time| *time > 0),
                        2 => self.ended = long(value).filter(|time| *time > 0),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    fn entry(self) -> Option<Entry> {
        let (original, reply) = (self.original?, self.reply?);
        Some(Entry {
            protocol: original.protocol,
            client: original.source,
            virtual_address: original.destination,
            server: reply.source,
            source: reply.destination,
            mark: self.mark,
            state: self.state,
            status: self.status,
            seconds_left: self.seconds_left,
            received: self.received,
            sent: self.sent,
            started: self.started,
            ended: self.ended,
            id: self.id,
        })
    }
}

/// One direction of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tuple {
    protocol: u8,
    source: SocketAddr,
    destination: SocketAddr,
}

const TUPLE_IP: u16 = 1;
const TUPLE_PROTOCOL: u16 = 2;

impl Tuple {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (mut source, mut destination) = (None, None);
        let (mut protocol, mut source_port, mut destination_port) = (None, 0, 0);
        for (kind, value) in attributes(bytes) {
            match kind {
                TUPLE_IP => {
                    for (kind, value) in attributes(value) {
                        match kind {
                            1 | 3 => source = address(value),
                            2 | 4 => destination = address(value),
                            _ => {}
                        }
                    }
                }
                TUPLE_PROTOCOL => {
                    for (kind, value) in attributes(value) {
                        match kind {
                            1 => protocol = value.first().copied(),
                            2 => source_port = short(value).unwrap_or_default(),
                            3 => destination_port = short(value).unwrap_or_default(),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        let source = SocketAddr::new(source?, source_port);
        let destination = SocketAddr::new(destination?, destination_port);
        Some(Self { protocol: protocol?, source, destination })
    }

    fn write(&self, writer: &mut Writer) {
        writer.nested(TUPLE_IP, |ip| {
            for (place, address) in [(1, self.source.ip()), (2, self.destination.ip())] {
                match address {
                    IpAddr::V4(address) => ip.attribute(place, &address.octets()),
                    IpAddr::V6(address) => ip.attribute(place + 2, &address.octets()),
                }
            }
        });
        writer.nested(TUPLE_PROTOCOL, |protocol| {
            protocol.attribute(1, &[self.protocol]);
            protocol.attribute(2, &self.source.port().to_be_bytes());
            protocol.attribute(3, &self.destination.port().to_be_bytes());
        });
    }
}

/// Marks that a request is about: those that agree with `mark` in the bits of `mask`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarkFilter {
    /// The bits wanted.
    pub mark: u32,
    /// The bits that count.
    pub mask: u32,
}

impl MarkFilter {
    /// Every connection, whatever its mark.
    pub const ANY: Self = Self { mark: 0, mask: 0 };

    /// One server of one service.
    pub fn exactly(mark: u32) -> Self {
        Self { mark, mask: u32::MAX }
    }

    /// True for a mark that is meant. Kernels before 5.19 do not know every filter: what they send is looked at.
    pub fn matches(self, mark: u32) -> bool {
        mark & self.mask == self.mark & self.mask
    }

    fn write(self, writer: &mut Writer) {
        if self.mask != 0 {
            // The kernel compares with the mark as it is given: a bit too many, and nothing is found.
            writer.attribute(kind::MARK, &(self.mark & self.mask).to_be_bytes());
            writer.attribute(kind::MARK_MASK, &self.mask.to_be_bytes());
        }
    }
}

/// Asks for the connections of virtual services, of both address families.
pub fn dump(sequence: u32, filter: MarkFilter) -> Vec<u8> {
    let mut writer = Writer::request(GET, DUMP, sequence, &[0; FAMILY_HEADER]);
    filter.write(&mut writer);
    writer.attribute(kind::STATUS, &TRANSLATED.to_be_bytes());
    writer.attribute(kind::STATUS_MASK, &TRANSLATED.to_be_bytes());
    writer.finish()
}

/// Asks to forget every connection with this mark, in one go. A mark of 0 would mean all: it gives no request.
pub fn delete_marked(sequence: u32, mark: u32) -> Option<Vec<u8>> {
    let filter = (mark != 0).then(|| MarkFilter::exactly(mark))?;
    let mut writer = Writer::request(DELETE, ACKNOWLEDGE, sequence, &[0; FAMILY_HEADER]);
    filter.write(&mut writer);
    Some(writer.finish())
}

/// Asks to forget this one connection, and no later one of the same addresses and ports.
pub fn delete_one(sequence: u32, entry: &Entry) -> Vec<u8> {
    let family = match entry.client {
        SocketAddr::V4(_) => nix::libc::AF_INET,
        SocketAddr::V6(_) => nix::libc::AF_INET6,
    };
    let family = u8::try_from(family).unwrap_or_default();
    let mut writer = Writer::request(DELETE, ACKNOWLEDGE, sequence, &[family, 0, 0, 0]);
    let Entry { protocol, client: source, virtual_address: destination, .. } = *entry;
    writer.nested(kind::TUPLE_ORIGINAL, |tuple| Tuple { protocol, source, destination }.write(tuple));
    writer.attribute(kind::ID, &entry.id.to_be_bytes());
    writer.finish()
}

/// True for the event of a connection's end.
pub fn is_end(message: &Message<'_>) -> bool {
    message.kind == DELETE
}

/// True for a part of a dump.
pub fn is_entry(message: &Message<'_>) -> bool {
    message.kind == NEW
}

fn tcp_state(bytes: &[u8]) -> Option<TcpState> {
    const TCP: u16 = 1;
    const STATE: u16 = 1;
    let (_, tcp) = attributes(bytes).find(|(kind, _)| *kind == TCP)?;
    let (_, state) = attributes(tcp).find(|(kind, _)| *kind == STATE)?;
    TcpState::from_number(*state.first()?)
}

fn volume(bytes: &[u8]) -> Volume {
    let mut volume = Volume::default();
    for (kind, value) in attributes(bytes) {
        match kind {
            1 => volume.packets = long(value).unwrap_or_default(),
            2 => volume.bytes = long(value).unwrap_or_default(),
            _ => {}
        }
    }
    volume
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

fn short(bytes: &[u8]) -> Option<u16> {
    bytes.try_into().ok().map(u16::from_be_bytes)
}

fn number(bytes: &[u8]) -> Option<u32> {
    bytes.try_into().ok().map(u32::from_be_bytes)
}

fn long(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes)
}

#[cfg(test)]
#[path = "entry_tests.rs"]
mod tests;
