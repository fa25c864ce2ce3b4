//! Writes a raw disk as a stream-optimised VMDK.

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use miniz_oxide::deflate::compress_to_vec_zlib;

use super::content_id::Collector;
use super::{ContentId, Descriptor, GRAIN_BYTES, GRAIN_SECTORS, Header, Layout, SECTOR, TABLE_ENTRIES};
use crate::disk::RawDisk;
use crate::error::Error;

/// Deflate's usual effort. The image is compressed already: level 9 saves 441 bytes of its 19 MB.
const LEVEL: u8 = 6;

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Size of the VMDK.
    pub bytes: u64,
    /// Grains that are not all zero.
    pub grains: u64,
    /// Derived from the content.
    pub id: ContentId,
}

/// Writes `disk` to `out`, an empty file at `path`, under the name `name`. Tables stand in front of the
/// grains, so that whoever streams the file knows the disk before its data: they are written last.
pub fn write(disk: &mut RawDisk, out: &mut File, path: &Path, name: &str) -> Result<Written, Error> {
    let layout = Layout::new(disk.bytes() / SECTOR).ok_or_else(|| too_large(disk))?;
    let failed = || Error::io("write", path);
    let mut out = BufWriter::with_capacity(1 << 20, out);
    out.seek(SeekFrom::Start(layout.overhead * SECTOR)).map_err(failed())?;

    let mut table = vec![0_u32; (layout.tables * TABLE_ENTRIES) as usize];
    let mut content = Collector::default();
    let (mut sector, mut grains) = (layout.overhead, 0);
    let mut grain = Box::new([0; GRAIN_BYTES]);
    while let Some(number) = disk.next_grain(&mut grain)? {
        let lba = number * GRAIN_SECTORS;
        let stored = encode_grain(lba, grain.as_slice());
        out.write_all(&stored).map_err(failed())?;
        table[number as usize] = u32::try_from(sector).map_err(|_| too_large(disk))?;
        content.add(lba, grain.as_slice());
        sector += stored.len() as u64 / SECTOR;
        grains += 1;
    }
    out.write_all(&[0; SECTOR as usize]).map_err(failed())?;

    let id = content.finish(layout.capacity);
    out.rewind().map_err(failed())?;
    out.write_all(&front(&layout, id, name, &table)).map_err(failed())?;
    out.flush().map_err(failed())?;
    Ok(Written { bytes: (sector + 1) * SECTOR, grains, id })
}

fn too_large(disk: &RawDisk) -> Error {
    Error::VmdkTooLarge { path: disk.path().to_owned() }
}

/// Marker, zlib stream, zeros up to the next sector.
fn encode_grain(lba: u64, data: &[u8]) -> Vec<u8> {
    let stream = compress_to_vec_zlib(data, LEVEL);
    let mut stored = Vec::with_capacity(stream.len() + 12 + SECTOR as usize);
    stored.extend(lba.to_le_bytes());
    stored.extend((stream.len() as u32).to_le_bytes());
    stored.extend(&stream);
    stored.resize(stored.len().next_multiple_of(SECTOR as usize), 0);
    stored
}

/// All that stands in front of the first grain.
fn front(layout: &Layout, id: ContentId, name: &str, table: &[u32]) -> Vec<u8> {
    let mut bytes = Header::new(layout).encode();
    bytes.extend(Descriptor { id, capacity: layout.capacity, name }.encode());
    for number in 0..layout.tables {
        bytes.extend(((layout.tables_at + number * super::TABLE_SECTORS) as u32).to_le_bytes());
    }
    bytes.resize((layout.tables_at * SECTOR) as usize, 0);
    bytes.extend(table.iter().flat_map(|entry| entry.to_le_bytes()));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_grain_is_marker_stream_and_padding() {
        let stored = encode_grain(256, &[7; GRAIN_BYTES]);
        assert_eq!(stored.len() % 512, 0);
        assert_eq!(stored[..8], 256_u64.to_le_bytes());
        let size = u32::from_le_bytes(stored[8..12].try_into().unwrap()) as usize;
        assert_eq!(stored[12], 0x78);
        assert!(stored[12 + size..].iter().all(|&byte| byte == 0));
    }

    #[test]
    fn directory_and_tables_stand_where_the_layout_says() {
        let layout = Layout::new(131_072).unwrap();
        let table: Vec<u32> = (0..1024).collect();
        let bytes = front(&layout, Collector::default().finish(131_072), "x", &table);
        assert_eq!(bytes.len() as u64, layout.overhead * 512);
        assert_eq!(bytes[21 * 512..21 * 512 + 12], [22, 0, 0, 0, 26, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes[26 * 512..26 * 512 + 4], 512_u32.to_le_bytes());
    }
}
