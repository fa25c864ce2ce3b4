//! Netlink messages and attributes as bytes (linux/netlink.h): reading without trust, and writing.

/// Length of `nlmsghdr`.
const HEADER: usize = 16;
/// Length of `nlattr`.
const ATTRIBUTE_HEADER: usize = 4;
/// The two upper bits of an attribute's type say how it is written, not what it is.
const TYPE_MASK: u16 = 0x3fff;
const NESTED: u16 = 0x8000;
/// `NLMSG_ERROR`, also the acknowledgement with error 0.
const ERROR: u16 = 2;
/// `NLMSG_DONE`: the end of a dump.
const DONE: u16 = 3;
/// `NLM_F_DUMP_INTR`: the table changed so much during a dump that entries may be missing.
const INTERRUPTED: u16 = 0x10;

/// One message of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// What it is; subsystem and message number, or one of netlink's own.
    pub kind: u16,
    /// `NLM_F_*`.
    pub flags: u16,
    /// The request that it answers; 0 for an event.
    pub sequence: u32,
    /// In an event: the socket whose request caused it, or 0 where the kernel acted by itself.
    pub cause: u32,
    /// What follows the header.
    pub body: &'a [u8],
}

/// What a message means to whoever waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply<'a> {
    /// The request is answered in full.
    Finished,
    /// The kernel refuses, with this `errno` (positive).
    Refused(i32),
    /// A part of the answer.
    Part(&'a [u8]),
}

impl<'a> Message<'a> {
    /// Its part in the answer to a request.
    pub fn reply(&self) -> Reply<'a> {
        match self.kind {
            ERROR | DONE => match i32_at(self.body, 0).unwrap_or_default() {
                0 => Reply::Finished,
                // The length of DONE's body is not fixed; a positive number in it is no error.
                code if code > 0 => Reply::Finished,
                code => Reply::Refused(code.saturating_neg()),
            },
            _ => Reply::Part(self.body),
        }
    }

    /// True where a dump may lack entries.
    pub fn is_interrupted(&self) -> bool {
        self.flags & INTERRUPTED != 0
    }
}

/// The messages of a datagram, up to the first that does not fit.
pub fn messages(datagram: &[u8]) -> impl Iterator<Item = Message<'_>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let length = usize::try_from(u32_at(rest, 0)?).ok()?;
        let body = rest.get(HEADER..length)?;
        let message = Message {
            kind: u16_at(rest, 4)?,
            flags: u16_at(rest, 6)?,
            sequence: u32_at(rest, 8)?,
            cause: u32_at(rest, 12)?,
            body,
        };
        rest = rest.get(aligned(length)..).unwrap_or_default();
        Some(message)
    })
}

/// The attributes in `bytes` as (type, value), up to the first that does not fit.
pub fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(rest, 0)?);
        let kind = u16_at(rest, 2)? & TYPE_MASK;
        let value = rest.get(ATTRIBUTE_HEADER..length)?;
        rest = rest.get(aligned(length)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// A message under construction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// A request with `NLM_F_REQUEST` and these further flags; `body` is the fixed part before the attributes.
    pub fn request(kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Self {
        const REQUEST: u16 = 1;
        let mut bytes = vec![0; 4];
        bytes.extend(kind.to_ne_bytes());
        bytes.extend((REQUEST | flags).to_ne_bytes());
        bytes.extend(sequence.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(body);
        let mut writer = Self(bytes);
        writer.pad();
        writer
    }

    /// Adds an attribute.
    pub fn attribute(&mut self, kind: u16, value: &[u8]) {
        let length = ATTRIBUTE_HEADER + value.len();
        self.0.extend(u16::try_from(length).unwrap_or(u16::MAX).to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.pad();
    }

    /// Adds an attribute that holds those which `fill` adds.
    pub fn nested(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        self.attribute(kind | NESTED, &[]);
        fill(self);
        let length = u16::try_from(self.0.len() - start).unwrap_or(u16::MAX);
        self.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
    }

    /// The whole message.
    pub fn finish(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        self.0
    }

    fn pad(&mut self) {
        self.0.resize(aligned(self.0.len()), 0);
    }
}

/// The next multiple of four (`NLMSG_ALIGN`); never less than one header, so that reading always advances.
fn aligned(length: usize) -> usize {
    length.next_multiple_of(4).max(4)
}

fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes_at(bytes, at).map(u16::from_ne_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes_at(bytes, at).map(u32::from_ne_bytes)
}

fn i32_at(bytes: &[u8], at: usize) -> Option<i32> {
    bytes_at(bytes, at).map(i32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut writer = Writer::request(0x0102, 4, 7, &[2, 0, 0, 0]);
        writer.attribute(8, &5_u32.to_be_bytes());
        writer.nested(1, |tuple| tuple.nested(2, |proto| proto.attribute(1, &[6])));
        let bytes = writer.finish();
        let all: Vec<_> = messages(&bytes).collect();
        let [message] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!((message.kind, message.flags, message.sequence), (0x0102, 5, 7));
        let top: Vec<_> = attributes(&message.body[4..]).collect();
        assert_eq!(top[0], (8, &[0, 0, 0, 5][..]));
        let (1, inner) = top[1] else { panic!("{top:?}") };
        let (2, innermost) = attributes(inner).next().unwrap() else { panic!("{inner:?}") };
        assert_eq!(attributes(innermost).collect::<Vec<_>>(), [(1, &[6][..])]);
    }

    #[test]
    fn the_end_and_a_refusal_are_told_apart() {
        let reply = |kind, code: i32| {
            let bytes = Writer::request(kind, 0, 1, &code.to_ne_bytes()).finish();
            match messages(&bytes).next().unwrap().reply() {
                Reply::Finished => 0,
                Reply::Refused(errno) => errno,
                Reply::Part(_) => -1,
            }
        };
        assert_eq!([reply(ERROR, 0), reply(DONE, 0), reply(ERROR, -1), reply(0x100, 0)], [0, 0, 1, -1]);
    }

    proptest! {
        #[test]
        fn no_bytes_are_read_beyond_the_end_or_for_ever(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(messages(&bytes).count() <= bytes.len());
            prop_assert!(attributes(&bytes).count() <= bytes.len());
        }
    }
}
