//! Writes a FAT32 volume with given files: each in one piece, nothing left to chance, so that the same files give
//! the same bytes (Microsoft "FAT32 File System Specification" 1.03).

use crate::fat_entry::{Slot, Target, attribute, short_slot, slot_count, slots};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, Seek, SeekFrom, Write};

const SECTOR: u64 = 512;
const RESERVED: u64 = 32;
const ROOT: u32 = 2;
const END_OF_CHAIN: u32 = 0x0fff_ffff;

/// Fewer clusters than this would be FAT16.
const FEWEST_CLUSTERS: u64 = 65_525;

/// What to write.
#[derive(Clone, Copy, Debug)]
pub struct Volume<'a> {
    /// Where it starts in the disk file, in bytes.
    pub start: u64,
    /// Its size in bytes.
    pub size: u64,
    /// The volume id.
    pub id: u32,
    /// The label, padded with blanks.
    pub label: &'a [u8; 11],
    /// Paths with `/`, and contents.
    pub files: &'a [(&'a str, &'a [u8])],
}

/// A folder or a file of the volume.
enum Node<'a> {
    Folder(BTreeMap<&'a str, Node<'a>>),
    File(&'a [u8]),
}

/// Sizes of the volume's parts, in sectors.
#[derive(Clone, Copy, Debug)]
struct Geometry {
    total: u64,
    per_cluster: u64,
    fat: u64,
    clusters: u64,
}

impl Geometry {
    /// Cluster sizes as Microsoft's format gives them; the size of a FAT by the specification's formula.
    fn of(size: u64) -> Option<Self> {
        let total = size / SECTOR;
        let per_cluster = if size > 260 << 20 { 8 } else { 1 };
        let fat = total.checked_sub(RESERVED)?.div_ceil((256 * per_cluster + 2) / 2);
        let clusters = (total - RESERVED).checked_sub(2 * fat)? / per_cluster;
        let fits = (FEWEST_CLUSTERS..1 << 28).contains(&clusters) && total <= u64::from(u32::MAX);
        fits.then_some(Self { total, per_cluster, fat, clusters })
    }

    fn cluster_bytes(&self) -> u64 {
        self.per_cluster * SECTOR
    }

    fn offset(&self, cluster: u32) -> u64 {
        (RESERVED + 2 * self.fat) * SECTOR + u64::from(cluster - ROOT) * self.cluster_bytes()
    }
}

/// Writes the volume. What lies between its parts is left as it is and must be zero.
pub fn write<T: Write + Seek>(out: &mut T, volume: &Volume<'_>) -> Result<(), FatError> {
    let geometry = Geometry::of(volume.size).ok_or(FatError::Size(volume.size))?;
    let mut writer = Writer { out, start: volume.start, geometry, fat: vec![0x0fff_fff8, END_OF_CHAIN] };
    let root = tree(volume.files)?;
    let label = Target { attributes: attribute::VOLUME_ID, cluster: 0, size: 0 };
    let cluster = writer.allocate(folder_bytes(&root, 1))?;
    writer.folder(&root, cluster, vec![short_slot(volume.label, label)])?;
    writer.tables()?;
    writer.headers(volume)
}

fn tree<'a>(files: &[(&'a str, &'a [u8])]) -> Result<BTreeMap<&'a str, Node<'a>>, FatError> {
    let mut root = BTreeMap::new();
    for (path, content) in files {
        let bad = || FatError::Path((*path).to_owned());
        let mut folder = &mut root;
        let mut parts = path.split('/').peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                let before = folder.insert(part, Node::File(content));
                before.is_none().then_some(()).ok_or_else(bad)?;
                break;
            }
            match folder.entry(part).or_insert_with(|| Node::Folder(BTreeMap::new())) {
                Node::Folder(inner) => folder = inner,
                Node::File(_) => return Err(bad()),
            }
        }
    }
    Ok(root)
}

/// The size of a folder with `own` slots beside those of its children.
fn folder_bytes(folder: &BTreeMap<&str, Node<'_>>, own: usize) -> u64 {
    let slots: usize = folder.keys().map(|name| slot_count(name)).sum();
    ((slots + own) * size_of::<Slot>()) as u64
}

struct Writer<'a, T> {
    out: &'a mut T,
    start: u64,
    geometry: Geometry,
    /// The table as far as it is used.
    fat: Vec<u32>,
}

impl<T: Write + Seek> Writer<'_, T> {
    /// A chain of neighbouring clusters for so many bytes: its first, or 0 for none.
    fn allocate(&mut self, bytes: u64) -> Result<u32, FatError> {
        let count = bytes.div_ceil(self.geometry.cluster_bytes());
        let first = self.fat.len() as u64;
        if first + count > self.geometry.clusters + u64::from(ROOT) {
            return Err(FatError::Full);
        }
        // At most 2^28 clusters (`Geometry::of`): they fit in 32 bits.
        self.fat.extend((first + 1..first + count).map(|next| next as u32));
        if count > 0 {
            self.fat.push(END_OF_CHAIN);
        }
        Ok(if count > 0 { first as u32 } else { 0 })
    }

    /// Writes a folder at `cluster`, its first slots given, and all that is in it.
    fn folder(
        &mut self,
        folder: &BTreeMap<&str, Node<'_>>,
        cluster: u32,
        mut all: Vec<Slot>,
    ) -> Result<(), FatError> {
        let mut taken = BTreeSet::new();
        for (name, node) in folder {
            let target = self.node(node, cluster)?;
            let made = slots(name, target, &mut taken).ok_or_else(|| FatError::Path((*name).to_owned()))?;
            all.extend(made);
        }
        self.put(self.geometry.offset(cluster), all.as_flattened())
    }

    /// Writes a child of the folder at `parent`; returns what its entry says.
    fn node(&mut self, node: &Node<'_>, parent: u32) -> Result<Target, FatError> {
        match node {
            Node::File(content) => {
                let size = u32::try_from(content.len()).map_err(|_| FatError::Full)?;
                let cluster = self.allocate(content.len() as u64)?;
                if cluster != 0 {
                    self.put(self.geometry.offset(cluster), content)?;
                }
                Ok(Target { attributes: attribute::ARCHIVE, cluster, size })
            }
            Node::Folder(inner) => {
                let cluster = self.allocate(folder_bytes(inner, 2))?;
                let folder = |cluster| Target { attributes: attribute::FOLDER, cluster, size: 0 };
                // The root folder is called 0 in the `..` of its children.
                let parent = if parent == ROOT { 0 } else { parent };
                let dots = [(b".          ", cluster), (b"..         ", parent)];
                self.folder(inner, cluster, dots.map(|(name, to)| short_slot(name, folder(to))).to_vec())?;
                Ok(folder(cluster))
            }
        }
    }

    fn tables(&mut self) -> Result<(), FatError> {
        let table: Vec<u8> = self.fat.iter().flat_map(|entry| entry.to_le_bytes()).collect();
        for copy in 0..2 {
            self.put((RESERVED + copy * self.geometry.fat) * SECTOR, &table)?;
        }
        Ok(())
    }

    /// Boot sector and FSInfo, and the copies of both six sectors on.
    fn headers(&mut self, volume: &Volume<'_>) -> Result<(), FatError> {
        let used = self.fat.len() as u64 - u64::from(ROOT);
        let boot = boot_sector(&self.geometry, volume);
        let info = info_sector(self.geometry.clusters - used, self.fat.len() as u64);
        for copy in [0, 6] {
            self.put(copy * SECTOR, &boot)?;
            self.put((copy + 1) * SECTOR, &info)?;
        }
        Ok(())
    }

    fn put(&mut self, at: u64, bytes: &[u8]) -> Result<(), FatError> {
        self.out.seek(SeekFrom::Start(self.start + at)).map_err(FatError::Io)?;
        self.out.write_all(bytes).map_err(FatError::Io)
    }
}

/// Field offsets: specification, "Boot Sector and BPB" and "FAT32 structure starting at offset 36".
fn boot_sector(geometry: &Geometry, volume: &Volume<'_>) -> [u8; 512] {
    let mut sector = [0; 512];
    let hidden = (volume.start / SECTOR) as u32;
    let fields: [(usize, &[u8]); 17] = [
        (0, &[0xeb, 0x58, 0x90]),
        (3, b"MSWIN4.1"),
        (11, &512u16.to_le_bytes()),
        (13, &[geometry.per_cluster as u8]),
        (14, &(RESERVED as u16).to_le_bytes()),
        (16, &[2]),
        (21, &[0xf8]),
        (24, &[63, 0, 255, 0]),
        (28, &hidden.to_le_bytes()),
        (32, &(geometry.total as u32).to_le_bytes()),
        (36, &(geometry.fat as u32).to_le_bytes()),
        (44, &ROOT.to_le_bytes()),
        (48, &[1, 0, 6, 0]),
        (64, &[0x80, 0, 0x29]),
        (67, &volume.id.to_le_bytes()),
        (71, volume.label),
        (82, b"FAT32   "),
    ];
    for (at, bytes) in fields {
        sector[at..at + bytes.len()].copy_from_slice(bytes);
    }
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    sector
}

fn info_sector(free: u64, next: u64) -> [u8; 512] {
    let mut sector = [0; 512];
    let fields =
        [(0, 0x4161_5252), (484, 0x6141_7272), (488, free as u32), (492, next as u32), (508, 0xaa55_0000)];
    for (at, value) in fields {
        sector[at..at + 4].copy_from_slice(&u32::to_le_bytes(value));
    }
    sector
}

/// Why the volume cannot be written.
#[derive(Debug)]
pub enum FatError {
    /// Too small or too large for FAT32.
    Size(u64),
    /// A path is there twice, is a file and a folder, or has characters that FAT cannot hold.
    Path(String),
    /// The files do not fit.
    Full,
    /// The disk file cannot be written.
    Io(io::Error),
}

impl fmt::Display for FatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("writing the FAT32 volume: ")?;
        match self {
            Self::Size(size) => write!(f, "{size} bytes is no size for FAT32; between 34 MB and 2 TB is"),
            Self::Path(path) => write!(f, "{path:?} is there twice or is no FAT name; rename it"),
            Self::Full => f.write_str("the files do not fit; make them smaller or the volume larger"),
            Self::Io(error) => write!(f, "{error}; is there room for the disk file?"),
        }
    }
}

impl std::error::Error for FatError {}

#[cfg(test)]
#[path = "fat32_tests.rs"]
mod tests;
