//! Stream-optimised VMDK files: the layout of VMware's own converter, and nothing else.
//!
//! ```text
//! sector 0        header (KDMV, version 3)
//! sector 1..21    descriptor, text
//! sector 21..     grain directory, then all grain tables
//! overhead..      grains: u64 LBA, u32 size, zlib stream, padded to a sector; ascending; zero ones left out
//! last sector     zeros: the end-of-stream marker
//! ```

mod content_id;
mod descriptor;
mod grains;
mod header;
mod walk;
mod write;

pub use content_id::{Collector, ContentId};
pub use descriptor::{Descriptor, Fields};
pub use grains::Grains;
pub use header::Header;
pub use walk::{Marker, StoredGrain, Stream, walk};
pub use write::{Written, write};

use std::fmt;

/// Unit of every offset in a VMDK.
pub const SECTOR: u64 = 512;

/// Sectors of a grain: 64 KB, what ESX expects of a stream-optimised disk.
pub const GRAIN_SECTORS: u64 = 128;

/// Bytes of a grain.
pub const GRAIN_BYTES: usize = 65_536;

/// Entries of a grain table.
pub const TABLE_ENTRIES: u64 = 512;

/// Sectors of a grain table: 512 entries of 4 bytes.
pub const TABLE_SECTORS: u64 = 4;

/// Where the descriptor begins.
pub const DESCRIPTOR_AT: u64 = 1;

/// Sectors of the descriptor.
pub const DESCRIPTOR_SECTORS: u64 = 20;

/// Where everything lies in the VMDK of a disk of a given size; all numbers in sectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Size of the disk.
    pub capacity: u64,
    /// Number of grains of the disk.
    pub grains: u64,
    /// Number of grain tables.
    pub tables: u64,
    /// The grain directory.
    pub directory_at: u64,
    /// The first grain table; the others follow.
    pub tables_at: u64,
    /// The first grain.
    pub overhead: u64,
}

impl Layout {
    /// The layout for a disk of `capacity` sectors; `None` if its tables would lie beyond 2^32 sectors.
    pub fn new(capacity: u64) -> Option<Layout> {
        let grains = capacity.div_ceil(GRAIN_SECTORS);
        let tables = grains.div_ceil(TABLE_ENTRIES);
        let directory_at = DESCRIPTOR_AT + DESCRIPTOR_SECTORS;
        let tables_at = directory_at + tables.div_ceil(SECTOR / 4);
        let overhead = tables_at + tables * TABLE_SECTORS;
        u32::try_from(overhead).ok()?;
        Some(Layout { capacity, grains, tables, directory_at, tables_at, overhead })
    }
}

/// Why a VMDK cannot be read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Byte within the VMDK.
    pub at: u64,
    /// What is wrong there.
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "its VMDK is damaged at byte {}: {}", self.at, self.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_of_the_20_gb_disk() {
        let layout = Layout::new(41_943_040).unwrap();
        assert_eq!((layout.grains, layout.tables), (327_680, 640));
        assert_eq!((layout.directory_at, layout.tables_at, layout.overhead), (21, 26, 2586));
    }

    #[test]
    fn absurd_capacities_have_no_layout() {
        assert_eq!(Layout::new(u64::MAX), None);
    }
}
