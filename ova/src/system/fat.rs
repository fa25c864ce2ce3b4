//! The boot partition: a FAT32 volume as `image/src/fat32.rs` writes it, and its files (Microsoft "FAT32 File System
//! Specification" 1.03).
//!
//! It is read with the geometry that it must have, and every cluster once: crates that read FAT trust what a volume
//! says, and this one may be anybody's.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::slots::{self, Entry};
use crate::vmdk::Grains;

const SECTOR: usize = 512;
const CLUSTER: usize = 4096;
const CLUSTERS: usize = 130_812;
const ROOT: u32 = 2;

/// The geometry of a volume of 512 MiB with clusters of 4 KiB, behind 1 MiB.
pub const GEOMETRY: Geometry = Geometry {
    sector_bytes: 512,
    cluster_sectors: 8,
    reserved: 32,
    tables: 2,
    hidden: 2048,
    sectors: 1_048_576,
    table_sectors: 1023,
    root: ROOT,
};

/// An entry of the table from here on ends a chain; the upper four bits are not part of one.
const END_OF_CHAIN: u32 = 0x0fff_fff8;
const ENTRY_BITS: u32 = 0x0fff_ffff;

/// More is not read into memory: the image has 26 MB.
const MAX_BYTES: usize = 128 << 20;

/// More files and folders are not looked at: the image has seven.
const MAX_ENTRIES: usize = 256;

/// More faults are not kept.
const MAX_FAULTS: usize = 8;

/// The FAT32 volume on the boot partition.
#[derive(Debug, Clone)]
pub struct Volume {
    /// What its boot sector says.
    pub geometry: Geometry,
    /// Boot sector and information sector have their signatures.
    pub signed: bool,
    /// Both sectors are there again, six sectors on.
    pub copied: bool,
    /// Clusters that are free, as the information sector has it.
    pub free: u32,
    /// What is on it; nothing where the geometry is another than [`GEOMETRY`].
    pub files: Option<Files>,
}

/// Numbers of the boot sector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Bytes of a sector.
    pub sector_bytes: u16,
    /// Sectors of a cluster.
    pub cluster_sectors: u8,
    /// Sectors in front of the tables.
    pub reserved: u16,
    /// Copies of the table.
    pub tables: u8,
    /// Sectors in front of the partition.
    pub hidden: u32,
    /// Sectors of the volume.
    pub sectors: u32,
    /// Sectors of a table.
    pub table_sectors: u32,
    /// First cluster of the root folder.
    pub root: u32,
}

/// What is on a volume.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// Both copies of the table are the same.
    pub tables_equal: bool,
    /// Clusters that the table calls free.
    pub free: usize,
    /// What is wrong with tables and folders, the first few.
    pub faults: Vec<String>,
    /// The paths of the folders.
    pub folders: BTreeSet<String>,
    /// The files by their path.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Volume {
    /// Reads the volume that begins at byte `start` of the disk.
    pub fn read(disk: &mut Grains<'_>, start: u64) -> io::Result<Volume> {
        let front = disk.read(start, 8 * SECTOR)?;
        let (boot, info) = (&front[..SECTOR], &front[SECTOR..2 * SECTOR]);
        let geometry = Geometry::decode(boot);
        let files = match geometry == GEOMETRY {
            true => Some(Walk::new(disk, start)?.run()?),
            false => None,
        };
        let signed = (&boot[510..], &boot[82..90]) == (&[0x55, 0xaa], b"FAT32   ")
            && (word(info, 0), word(info, 484), word(info, 508)) == (0x4161_5252, 0x6141_7272, 0xaa55_0000);
        let copied = front[..2 * SECTOR] == front[6 * SECTOR..];
        Ok(Volume { geometry, signed, copied, free: word(info, 488), files })
    }
}

impl Geometry {
    /// Offsets: specification, "Boot Sector and BPB". The fields of older FATs must be 0.
    fn decode(boot: &[u8]) -> Geometry {
        let half = |at: usize| u16::from_le_bytes([boot[at], boot[at + 1]]);
        let older = [half(17), half(19), half(22)] != [0; 3];
        Geometry {
            sector_bytes: half(11),
            cluster_sectors: boot[13],
            reserved: half(14),
            tables: if older { 0 } else { boot[16] },
            hidden: word(boot, 28),
            sectors: word(boot, 32),
            table_sectors: word(boot, 36),
            root: word(boot, 44),
        }
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The way through the folders, from the root on.
struct Walk<'a, 'b> {
    disk: &'a mut Grains<'b>,
    /// Of the volume, in bytes.
    start: u64,
    table: Vec<u32>,
    /// Clusters that belong to a file or folder already.
    used: Vec<bool>,
    /// Bytes and entries that may still be read.
    bytes_left: usize,
    entries_left: usize,
    found: Files,
}

impl<'a, 'b> Walk<'a, 'b> {
    fn new(disk: &'a mut Grains<'b>, start: u64) -> io::Result<Walk<'a, 'b>> {
        let length = GEOMETRY.table_sectors as usize * SECTOR;
        let both = disk.read(start + u64::from(GEOMETRY.reserved) * SECTOR as u64, 2 * length)?;
        let entries = both.as_chunks::<4>().0.iter().take(CLUSTERS + 2);
        let table: Vec<u32> = entries.map(|bytes| u32::from_le_bytes(*bytes) & ENTRY_BITS).collect();
        let tables_equal = both[..length] == both[length..];
        let free = table.iter().filter(|&&entry| entry == 0).count();
        let used = vec![false; table.len()];
        let found = Files { tables_equal, free, ..Files::default() };
        Ok(Walk { disk, start, table, used, bytes_left: MAX_BYTES, entries_left: MAX_ENTRIES, found })
    }

    fn run(mut self) -> io::Result<Files> {
        let mut folders = vec![(String::new(), ROOT)];
        while let Some((path, cluster)) = folders.pop() {
            let bytes = self.content(&path, cluster)?;
            match slots::entries(&bytes) {
                Ok(entries) => self.folder(&path, entries, &mut folders)?,
                Err(what) => self.fault(format!("in folder \"{path}\" {what}")),
            }
        }
        let lost = (ROOT as usize..self.table.len()).filter(|&at| self.table[at] != 0 && !self.used[at]);
        match lost.count() {
            0 => {}
            count => self.fault(format!("{count} clusters belong to no file")),
        }
        Ok(self.found)
    }

    /// Reads the files of a folder; puts its folders on the list.
    fn folder(
        &mut self,
        path: &str,
        entries: Vec<Entry>,
        folders: &mut Vec<(String, u32)>,
    ) -> io::Result<()> {
        for entry in entries {
            let Some(left) = self.entries_left.checked_sub(1) else {
                self.fault(format!("there are more than {MAX_ENTRIES} files and folders"));
                return Ok(());
            };
            self.entries_left = left;
            let name = if path.is_empty() { entry.name.clone() } else { format!("{path}/{}", entry.name) };
            let is_new = match entry.is_folder {
                true => {
                    folders.push((name.clone(), entry.cluster));
                    self.found.folders.insert(name.clone())
                }
                false => {
                    let content = self.file(&name, &entry)?;
                    self.found.files.insert(name.clone(), content).is_none()
                }
            };
            if !is_new {
                self.fault(format!("{name} is there twice"));
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &str, entry: &Entry) -> io::Result<Vec<u8>> {
        let size = entry.size as usize;
        if size == 0 && entry.cluster == 0 {
            return Ok(Vec::new());
        }
        let mut content = self.content(path, entry.cluster)?;
        if content.len() != size.next_multiple_of(CLUSTER) {
            self.fault(format!("{path} has {size} bytes in {} clusters", content.len() / CLUSTER));
        }
        content.truncate(size);
        Ok(content)
    }

    /// All clusters of the chain that begins at `first`.
    fn content(&mut self, path: &str, first: u32) -> io::Result<Vec<u8>> {
        let chain = self.chain(path, first);
        let Some(left) = self.bytes_left.checked_sub(chain.len() * CLUSTER) else {
            self.fault(format!("there are more than {MAX_BYTES} bytes"));
            return Ok(Vec::new());
        };
        self.bytes_left = left;
        let mut content = Vec::with_capacity(chain.len() * CLUSTER);
        for cluster in chain {
            content.extend(self.disk.read(self.offset(cluster), CLUSTER)?);
        }
        Ok(content)
    }

    /// Clusters of a chain. Each is used once, so that no chain is endless and two never meet.
    fn chain(&mut self, path: &str, first: u32) -> Vec<u32> {
        let mut chain = Vec::new();
        let mut next = first;
        while next < END_OF_CHAIN || chain.is_empty() {
            let used = self.used.get_mut(next as usize).filter(|used| next >= ROOT && !**used);
            let Some(used) = used else {
                self.fault(format!("cluster {next} of \"{path}\" is used already or does not exist"));
                return chain;
            };
            *used = true;
            chain.push(next);
            next = self.table[next as usize];
        }
        chain
    }

    fn offset(&self, cluster: u32) -> u64 {
        let data = u64::from(GEOMETRY.reserved) + 2 * u64::from(GEOMETRY.table_sectors);
        self.start + data * SECTOR as u64 + u64::from(cluster - ROOT) * CLUSTER as u64
    }

    fn fault(&mut self, what: String) {
        if self.found.faults.len() < MAX_FAULTS {
            self.found.faults.push(what);
        }
    }
}
