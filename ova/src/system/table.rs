//! One of the two copies of a GUID partition table (UEFI 2.10, 5.3).

use std::io::{self, Cursor};

use gptman::{GPTHeader, GPTPartitionEntry};

use crate::vmdk::{Grains, SECTOR};

/// Entries of a table and bytes of each: what every disk has, and the least that UEFI allows.
const COUNT: u32 = 128;
const ENTRY: u32 = 128;

/// A copy of the partition table.
#[derive(Debug, Clone)]
pub struct Table {
    /// The header, if its own checksum is right; or why it cannot be read.
    pub header: Result<GPTHeader, String>,
    /// Nothing but zeros behind the header, up to the end of its sector.
    pub padded: bool,
    /// The entries, if their checksum is right; nothing where the header says that they are others or elsewhere.
    pub entries: Option<Result<Vec<GPTPartitionEntry>, String>>,
}

impl Table {
    /// Reads the copy whose header is in sector `header_at`, with its entries from `entries_at` on.
    pub fn read(disk: &mut Grains<'_>, header_at: u64, entries_at: u64) -> io::Result<Table> {
        let sector = disk.read(header_at * SECTOR, SECTOR as usize)?;
        let padded = sector[92..].iter().all(|&byte| byte == 0);
        let header = GPTHeader::read_from(&mut Cursor::new(&sector)).map_err(|error| error.to_string());
        let promised = |header: &GPTHeader| {
            header.partition_entry_lba == entries_at
                && (header.number_of_partition_entries, header.size_of_partition_entry) == (COUNT, ENTRY)
        };
        let entries = match header.as_ref().ok().filter(|header| promised(header)) {
            Some(header) => Some(entries(disk, header)?),
            None => None,
        };
        Ok(Table { header, padded, entries })
    }
}

fn entries(disk: &mut Grains<'_>, header: &GPTHeader) -> io::Result<Result<Vec<GPTPartitionEntry>, String>> {
    // gptman reads a little more than the last entry.
    let length = (COUNT * ENTRY) as usize;
    let mut bytes = disk.read(header.partition_entry_lba * SECTOR, length)?;
    bytes.resize(length + SECTOR as usize, 0);
    let from_here = GPTHeader { partition_entry_lba: 0, ..header.clone() };
    let read = from_here.read_partitions(&mut Cursor::new(&bytes), SECTOR);
    Ok(read.map_err(|error| error.to_string()))
}
