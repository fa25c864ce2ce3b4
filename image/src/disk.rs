//! The disk: a GUID partition table (UEFI 2.10, chapter 5) with the ESP, the rescue partition and the data
//! partition. The file is sparse: what is not written reads as zeros.

use crate::esp::{self, EspFiles};
use crate::fat32::FatError;
use crate::guid::Guid;
use crate::version::Version;
use gptman::{GPT, GPTPartitionEntry, PartitionName};
use std::fmt;
use std::fs::File;
use std::io;

const SECTOR: u64 = 512;
const MIB: u64 = 1 << 20;

/// EFI System Partition (UEFI 2.10, table 5-7).
pub const ESP_TYPE: Guid = Guid::from_text_order(0xC12A7328_F81F_11D2_BA4B_00A0C93EC93B);

/// Our rescue partition: two checksummed slots with the last good configuration. Chosen at random once.
pub const RESCUE_TYPE: Guid = Guid::from_text_order(0x6E1B8C52_7D43_4F0A_9B5E_2C84D1A6F37B);

/// Our data partition; init makes its ext4. A type of its own, so that nobody mistakes another disk's Linux
/// partition for it. Chosen at random once.
pub const DATA_TYPE: Guid = Guid::from_text_order(0xA94F2E17_05C8_4B6D_8E31_F7502B9DC46A);

/// Sizes in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// The whole disk.
    pub disk: u64,
    /// The EFI System Partition.
    pub esp: u64,
    /// The rescue partition.
    pub rescue: u64,
}

/// The product's disk: 20 GiB in all (facts-image: capacity 21474836480), 512 MiB for about twenty UKIs.
pub const LAYOUT: Layout = Layout { disk: 20 << 30, esp: 512 * MIB, rescue: 16 * MIB };

/// One partition: name, type, first and last sector.
struct Part(&'static str, Guid, u64, u64);

/// Writes the disk into `file`, which must be empty.
pub fn write(file: &mut File, layout: &Layout, files: &EspFiles<'_>) -> Result<(), DiskError> {
    file.set_len(layout.disk).map_err(|error| DiskError::Io { error })?;
    let seed = |what: &str| Guid::derived(&format!("evenkeel {} {what}", files.version)).0;
    let table = |error| DiskError::Table { error };
    let mut gpt = GPT::new_from(file, SECTOR, seed("disk")).map_err(table)?;
    let parts = partitions(layout, gpt.header.last_usable_lba)?;
    for (number, part) in (1..).zip(&parts) {
        gpt[number] = entry(part, files.version);
    }
    GPT::write_protective_mbr_into(file, SECTOR).map_err(table)?;
    gpt.write_into(file).map_err(table)?;
    let [Part(_, _, first, _), ..] = parts;
    esp::write(file, first * SECTOR, layout.esp, files).map_err(|error| DiskError::Esp { error })
}

/// ESP, rescue, data, each from a whole MiB on; data takes what is left.
fn partitions(layout: &Layout, last_usable: u64) -> Result<[Part; 3], DiskError> {
    let align = MIB / SECTOR;
    let esp = align;
    let rescue = esp + layout.esp / SECTOR;
    let data = rescue + layout.rescue / SECTOR;
    let end = (last_usable + 1) / align * align;
    if end <= data || layout.esp % MIB + layout.rescue % MIB != 0 {
        return Err(DiskError::Layout { layout: *layout });
    }
    Ok([
        Part("esp", ESP_TYPE, esp, rescue - 1),
        Part("rescue", RESCUE_TYPE, rescue, data - 1),
        Part("data", DATA_TYPE, data, end - 1),
    ])
}

fn entry(part: &Part, version: &Version) -> GPTPartitionEntry {
    let Part(name, kind, first, last) = *part;
    let mut entry = GPTPartitionEntry::empty();
    entry.partition_type_guid = kind.0;
    entry.unique_partition_guid = Guid::derived(&format!("evenkeel {version} partition {name}")).0;
    entry.starting_lba = first;
    entry.ending_lba = last;
    entry.partition_name = PartitionName::from(name);
    entry
}

/// Why no disk can be written.
#[derive(Debug)]
pub enum DiskError {
    /// The partitions do not fit, or are no whole MiB.
    Layout {
        /// The sizes.
        layout: Layout,
    },
    /// The partition table cannot be made.
    Table {
        /// Why not.
        error: gptman::Error,
    },
    /// The EFI System Partition cannot be written.
    Esp {
        /// Why not.
        error: FatError,
    },
    /// The file cannot be made as large as the disk.
    Io {
        /// Why not.
        error: io::Error,
    },
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Layout { layout } => {
                write!(
                    f,
                    "laying out the disk: the sizes do not fit or are no whole MiB: {layout:?}; change disk::LAYOUT"
                )
            }
            Self::Table { error } => {
                write!(f, "writing the partition table: {error}; is there room for the file?")
            }
            Self::Esp { error } => write!(f, "EFI System Partition: {error}"),
            Self::Io { error } => {
                write!(f, "setting the size of the disk file: {error}; use a file system with sparse files")
            }
        }
    }
}

impl std::error::Error for DiskError {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek, SeekFrom};

    const SMALL: Layout = Layout { disk: 60 * MIB, esp: 40 * MIB, rescue: MIB };

    fn build(layout: &Layout) -> File {
        let mut file = tempfile::tempfile().unwrap();
        let version = "1.0".parse().unwrap();
        write(&mut file, layout, &EspFiles { boot_loader: b"loader", uki: b"uki", version: &version })
            .unwrap();
        file
    }

    fn bytes(mut file: File) -> Vec<u8> {
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn the_table_reads_back() {
        let mut file = build(&LAYOUT);
        let gpt = GPT::find_from(&mut file).unwrap();
        assert_eq!(gpt.sector_size, SECTOR);
        let found: Vec<_> = gpt
            .iter()
            .filter(|(_, part)| part.is_used())
            .map(|(_, p)| {
                (
                    p.partition_name.as_str().to_owned(),
                    p.partition_type_guid,
                    p.starting_lba,
                    p.size().unwrap(),
                )
            })
            .collect();
        let expected = [
            ("esp", ESP_TYPE, 2048, 1_048_576),
            ("rescue", RESCUE_TYPE, 1_050_624, 32_768),
            ("data", DATA_TYPE, 1_083_392, 40_857_600),
        ];
        assert_eq!(found, expected.map(|(name, kind, first, size)| (name.to_owned(), kind.0, first, size)));
    }

    #[test]
    fn the_backup_table_is_at_the_end_and_the_mbr_protects() {
        let mut disk = bytes(build(&SMALL));
        assert_eq!(disk.len() as u64, SMALL.disk);
        assert_eq!((disk[450], &disk[510..512]), (0xee, &[0x55, 0xaa][..]));
        disk[512..1024].fill(0); // the first table is lost
        let gpt = GPT::read_from(&mut io::Cursor::new(disk), SECTOR).unwrap();
        assert_eq!(gpt.iter().filter(|(_, part)| part.is_used()).count(), 3);
    }

    #[test]
    fn two_builds_are_byte_equal_and_the_rescue_partition_is_zero() {
        let disk = bytes(build(&SMALL));
        assert!(disk == bytes(build(&SMALL)));
        let rescue = (41 * MIB) as usize..(42 * MIB) as usize;
        assert!(disk[rescue].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn the_file_is_sparse() {
        use std::os::unix::fs::MetadataExt;
        assert!(build(&LAYOUT).metadata().unwrap().blocks() * 512 < 16 * MIB);
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        for layout in [Layout { disk: 41 * MIB, ..SMALL }, Layout { esp: 40 * MIB + 512, ..SMALL }] {
            let last = layout.disk / SECTOR - 34;
            assert!(matches!(partitions(&layout, last), Err(DiskError::Layout { .. })));
        }
    }
}
