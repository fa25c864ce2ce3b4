//! What is on the disk in an OVA, read once and judged by nobody: the rules of [`crate::verify`] do that.
//!
//! Read with a bound on every length and every chain, whatever the disk says of itself.

mod fat;
mod program;
mod slots;
mod table;

pub use fat::{Files, Geometry, Volume};
pub use program::{Program, Section};
pub use table::Table;

use std::io;

use crate::product::DISK_BYTES;
use crate::vmdk::{Grains, SECTOR};

/// The boot partition begins here, in bytes (`image/src/disk.rs`).
const BOOT_AT: u64 = 1 << 20;

/// Sectors of the partition entries.
const ENTRIES: u64 = 32;

/// Partition tables and boot partition.
#[derive(Debug, Clone)]
pub struct System {
    /// The first sector of the disk.
    pub first_sector: Vec<u8>,
    /// The partition table at the beginning.
    pub primary: Table,
    /// Its copy at the end.
    pub backup: Table,
    /// The boot partition.
    pub boot: Volume,
}

impl System {
    /// Reads the system on a disk of [`DISK_BYTES`].
    pub fn read(disk: &mut Grains<'_>) -> io::Result<System> {
        let last = DISK_BYTES / SECTOR - 1;
        Ok(System {
            first_sector: disk.read(0, SECTOR as usize)?,
            primary: Table::read(disk, 1, 2)?,
            backup: Table::read(disk, last, last - ENTRIES)?,
            boot: Volume::read(disk, BOOT_AT)?,
        })
    }
}
