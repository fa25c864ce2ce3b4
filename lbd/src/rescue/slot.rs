//! A slot of the rescue partition: bytes to content and back, pure.
//!
//! | Offset | Bytes | |
//! | --- | --- | --- |
//! | 0 | 8 | `EVENKEEL` |
//! | 8 | 4 | version of this format, 1 (all numbers little-endian) |
//! | 12 | 4 | length of the payload |
//! | 16 | 8 | sequence number: the higher one is newer |
//! | 24 | 32 | SHA-256 of the 24 bytes before it and the payload |
//! | 4096 | length | payload, JSON; zeros up to the next block |

use std::fmt;

use crate::web::password::StoredPassword;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Physical sector of today's disks: who writes whole ones never makes the disk read and rewrite others.
pub const BLOCK: u64 = 4096;
const MAGIC: [u8; 8] = *b"EVENKEEL";
const VERSION: u32 = 1;
/// What the checksum covers of the header.
const COVERED: usize = 24;
const HEADER: usize = COVERED + 32;

/// What survives the loss of the data partition.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// The configuration, in TOML.
    pub configuration: String,
    /// argon2id, in PHC format; `None` while no password is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_hash: Option<String>,
    /// The password is a one-time one, and stays one.
    #[serde(default)]
    pub password_must_change: bool,
}

impl Saved {
    /// The password, as it is stored on the data disk.
    pub fn password(&self) -> Option<StoredPassword> {
        let hash = self.password_hash.clone()?;
        Some(StoredPassword { hash, must_change: self.password_must_change })
    }
}

impl fmt::Debug for Saved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Saved").field("configuration", &self.configuration).finish_non_exhaustive()
    }
}

/// The beginning of a slot that may be whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    covered: [u8; COVERED],
    length: usize,
    sequence: u64,
    digest: [u8; 32],
}

impl Header {
    /// `None` where there is no slot of this version, or none that fits into `slot_size` bytes.
    pub fn decode(block: &[u8], slot_size: u64) -> Option<Self> {
        let (covered, rest) = block.split_first_chunk::<COVERED>()?;
        let (digest, _) = rest.split_first_chunk::<32>()?;
        let (magic, numbers) = covered.split_first_chunk::<8>()?;
        let (version, numbers) = numbers.split_first_chunk::<4>()?;
        let (length, sequence) = numbers.split_first_chunk::<4>()?;
        let (length, sequence) = (u32::from_le_bytes(*length), u64::from_le_bytes(sequence.try_into().ok()?));
        let known = *magic == MAGIC && u32::from_le_bytes(*version) == VERSION;
        // There is always a next number.
        let fits = u64::from(length) <= room(slot_size) && sequence < u64::MAX;
        (known && fits).then_some(Self {
            covered: *covered,
            length: usize::try_from(length).ok()?,
            sequence,
            digest: *digest,
        })
    }

    /// Of the payload, in bytes.
    pub fn length(&self) -> usize {
        self.length
    }

    /// The higher one is newer.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The content, if header and payload belong together and are whole.
    pub fn saved(&self, payload: &[u8]) -> Option<Saved> {
        let whole = payload.len() == self.length && digest(&self.covered, payload) == self.digest;
        whole.then(|| serde_json::from_slice(payload).ok()).flatten()
    }
}

/// Reads a whole slot: its sequence number and content, or `None` where it is torn, damaged or empty.
pub fn decode(slot: &[u8]) -> Option<(u64, Saved)> {
    let header = Header::decode(slot, slot.len() as u64)?;
    let start = usize::try_from(BLOCK).ok()?;
    let payload = slot.get(start..start.checked_add(header.length)?)?;
    Some((header.sequence, header.saved(payload)?))
}

/// Bytes to be written at an offset within the slot, and to be on the disk before the next ones are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// A multiple of [`BLOCK`], as is the length.
    pub offset: u64,
    /// What to write.
    pub bytes: Vec<u8>,
}

/// The content is larger than a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooLarge {
    length: u64,
    room: u64,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { length, room } = self;
        write!(
            f,
            "the configuration takes {length} bytes, and {room} is all there is room for; make it smaller"
        )
    }
}

impl std::error::Error for TooLarge {}

/// The steps in which a slot is written: the payload, then the header that makes it count. Whatever part of
/// them reaches the disk, the slot is either whole or none.
pub fn writes(sequence: u64, saved: &Saved, slot_size: u64) -> Result<[Write; 2], TooLarge> {
    let payload = serde_json::to_vec(saved).expect("a struct of strings is always JSON");
    frame(sequence, &payload, slot_size)
}

/// The same for any payload.
pub fn frame(sequence: u64, payload: &[u8], slot_size: u64) -> Result<[Write; 2], TooLarge> {
    let room = room(slot_size);
    let too_large = TooLarge { length: payload.len() as u64, room };
    let length = match u32::try_from(payload.len()) {
        Ok(length) if u64::from(length) <= room => length,
        _ => return Err(too_large),
    };
    let mut header = Vec::with_capacity(HEADER);
    header.extend(MAGIC);
    header.extend(VERSION.to_le_bytes());
    header.extend(length.to_le_bytes());
    header.extend(sequence.to_le_bytes());
    header.extend(digest(&header, payload));
    Ok([Write { offset: BLOCK, bytes: padded(payload) }, Write { offset: 0, bytes: padded(&header) }])
}

fn room(slot_size: u64) -> u64 {
    (slot_size / BLOCK).saturating_sub(1) * BLOCK
}

fn digest(covered: &[u8], payload: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(covered).chain_update(payload).finalize().into()
}

fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut padded = bytes.to_vec();
    padded.resize(bytes.len().next_multiple_of(BLOCK as usize), 0);
    padded
}
