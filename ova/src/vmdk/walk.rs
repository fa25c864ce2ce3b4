//! Walks over the grains and markers of a stream-optimised VMDK, from the first to the end of the file.

use std::io::{self, Read};

use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;

use super::{Damage, GRAIN_BYTES, GRAIN_SECTORS, Layout, SECTOR};
use crate::disk::is_zero;

/// The longest stream that VMware's converter reads: one grain and one sector, less the marker.
pub(super) const MAX_STREAM: usize = GRAIN_BYTES + SECTOR as usize - MARKER_BYTES;

/// LBA and size in front of each stream.
pub(super) const MARKER_BYTES: usize = 12;

/// More markers than this are not kept: the end marker and a footer need three.
const MAX_MARKERS: usize = 16;

/// A grain as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredGrain {
    /// Sector of its marker within the VMDK.
    pub at: u64,
    /// First sector on the disk.
    pub lba: u64,
    /// Why its content is not a whole grain, if so.
    pub fault: Option<String>,
    /// All of it is zero.
    pub zero: bool,
    /// The rest of its last sector is zero.
    pub padded: bool,
}

/// A sector whose size field is 0: it marks something else than a grain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marker {
    /// Sector within the VMDK.
    pub at: u64,
    /// 0 end of stream, 1 grain table, 2 grain directory, 3 footer.
    pub kind: u32,
    /// Nothing in the whole sector but zeros.
    pub zero: bool,
}

/// Everything behind the tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stream {
    /// In the order of the file.
    pub grains: Vec<StoredGrain>,
    /// In the order of the file.
    pub markers: Vec<Marker>,
    /// Why the walk ended before the end of the file, if it did.
    pub stopped: Option<Damage>,
}

/// Reads the rest of a VMDK of `sectors` whole sectors from `input`, which stands at the first grain.
/// Hands every sound grain with its data to `each`, zero ones included.
pub fn walk<E: From<io::Error>>(
    input: &mut impl Read,
    layout: &Layout,
    sectors: u64,
    mut each: impl FnMut(&StoredGrain, &[u8]) -> Result<(), E>,
) -> Result<Stream, E> {
    let mut stream = Stream::default();
    let mut at = layout.overhead;
    while at < sectors {
        let mut first = [0; SECTOR as usize];
        input.read_exact(&mut first)?;
        let (lba, size) = marker(&first);
        let rest = match stream.room(layout, lba, size, (sectors - at - 1) * SECTOR) {
            Ok(rest) => rest,
            Err(what) => {
                stream.stopped = Some(Damage { at: at * SECTOR, what });
                break;
            }
        };
        let mut rest_of_it = input.by_ref().take(rest);
        if size == 0 {
            io::copy(&mut rest_of_it, &mut io::sink())?;
            let kind = u32::from_le_bytes(std::array::from_fn(|i| first[MARKER_BYTES + i]));
            stream.markers.push(Marker { at, kind, zero: is_zero(&first) });
        } else {
            let mut stored = first.to_vec();
            rest_of_it.read_to_end(&mut stored)?;
            let (grain, data) = decode_grain(at, lba, &stored[MARKER_BYTES..], size as usize, layout);
            if grain.fault.is_none() {
                each(&grain, &data)?;
            }
            stream.grains.push(grain);
        }
        at += 1 + rest / SECTOR;
    }
    Ok(stream)
}

impl Stream {
    /// Bytes that follow the first sector of a grain or marker, `left` being what the file has. What is
    /// remembered of a hostile file stays within the size of an honest one.
    fn room(&self, layout: &Layout, lba: u64, size: u32, left: u64) -> Result<u64, String> {
        if self.grains.len() as u64 > layout.grains || self.markers.len() >= MAX_MARKERS {
            return Err("more grains or markers than the disk can have".to_owned());
        }
        match size {
            0 => room_for_metadata(lba, left),
            _ => room_for_stream(size, left),
        }
    }
}

fn marker(sector: &[u8; SECTOR as usize]) -> (u64, u32) {
    let lba = u64::from_le_bytes(std::array::from_fn(|i| sector[i]));
    (lba, u32::from_le_bytes(std::array::from_fn(|i| sector[8 + i])))
}

/// Bytes that follow a marker's sector; its first field counts them in sectors.
fn room_for_metadata(sectors: u64, room: u64) -> Result<u64, String> {
    let bytes = sectors.checked_mul(SECTOR).filter(|&bytes| bytes <= room);
    bytes.ok_or_else(|| format!("a marker announces {sectors} sectors, beyond the end of the file"))
}

/// Bytes of a stream that lie beyond its first sector.
fn room_for_stream(size: u32, room: u64) -> Result<u64, String> {
    let stored = (MARKER_BYTES as u64 + u64::from(size)).next_multiple_of(SECTOR);
    match size as usize <= MAX_STREAM && stored - SECTOR <= room {
        true => Ok(stored - SECTOR),
        false => Err(format!("a grain announces {size} bytes, more than a grain has or the file holds")),
    }
}

/// Judges one stored grain; `stored` is its stream of `size` bytes and the padding.
fn decode_grain(at: u64, lba: u64, stored: &[u8], size: usize, layout: &Layout) -> (StoredGrain, Vec<u8>) {
    let (stream, padding) = stored.split_at_checked(size).unwrap_or((stored, &[]));
    let inflated = inflate(stream).and_then(|data| match lba {
        _ if !lba.is_multiple_of(GRAIN_SECTORS) => Err(format!("LBA {lba} is no multiple of the grain")),
        _ if lba >= layout.capacity => Err(format!("LBA {lba} is beyond the disk")),
        _ => Ok(data),
    });
    let zero = inflated.as_ref().is_ok_and(|data| is_zero(data));
    let fault = inflated.as_ref().err().cloned();
    (StoredGrain { at, lba, fault, zero, padded: is_zero(padding) }, inflated.unwrap_or_default())
}

/// A grain from its zlib stream.
pub(super) fn inflate(stream: &[u8]) -> Result<Vec<u8>, String> {
    if stream.first() != Some(&0x78) {
        return Err("does not begin with 78, a zlib stream of 32 KB window".to_owned());
    }
    let data = decompress_to_vec_zlib_with_limit(stream, GRAIN_BYTES)
        .map_err(|error| format!("cannot be inflated: {:?}", error.status))?;
    match data.len() {
        GRAIN_BYTES => Ok(data),
        short => Err(format!("inflates to {short} bytes, expected {GRAIN_BYTES}")),
    }
}
