//! Reads a system: the files in the initramfs of a UKI. Pure, and bounded whatever the bytes say.
//!
//! ```text
//! evenkeel.efi (PE) --section .initrd--> zstd, one frame --> cpio "newc": one entry after the other
//! ```

use cpio::newc::Reader;
use object::LittleEndian as LE;
use object::read::pe::PeFile64;
use ruzstd::decoding::StreamingDecoder;
use std::fmt;
use std::io::{self, Read};

/// Of the initramfs: 2^26 bytes, so that equal texts far apart are found (6.96 MB become 6.87). The kernel takes windows
/// up to 2^27 (`ZSTD_WINDOWSIZE_MAX` in `lib/decompress_unzstd.c`); who unpacks needs up to twice as much memory.
pub const WINDOW_LOG: u32 = 26;

/// An initramfs of ours has 70 MiB.
const MOST_BYTES: u64 = 512 << 20;

/// An initramfs of ours has a thousand.
const MOST_ENTRIES: usize = 1 << 16;

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Folder,
    /// A regular file.
    File,
    /// A symbolic link; its content is its target.
    Link,
    /// A device.
    Other,
}

/// What an initramfs says of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Without a leading `/`, and without any way out of the folder that it is unpacked into.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// Permission bits.
    pub mode: u32,
}

/// Takes an entry with its content.
pub type Take<'a> = &'a mut dyn FnMut(&Entry, &mut dyn Read) -> io::Result<()>;

/// Hands each entry of the initramfs in `uki` on, in its order.
pub fn unpack(uki: &[u8], take: Take<'_>) -> Result<(), Unreadable> {
    let packed = section(uki, ".initrd")?;
    let mut decoder = StreamingDecoder::new_with_max_window_size(packed, 1 << WINDOW_LOG)
        .map_err(|error| Unreadable::Compression(error.to_string()))?;
    entries(&mut decoder, take)
}

/// What the section `name` holds, without its padding.
fn section<'a>(uki: &'a [u8], name: &'static str) -> Result<&'a [u8], Unreadable> {
    let program = PeFile64::parse(uki).map_err(|error| Unreadable::Program(error.to_string()))?;
    let found = program.section_table().iter().find(|section| section.raw_name() == name.as_bytes());
    let section = found.ok_or(Unreadable::NoSection(name))?;
    let at = section.pointer_to_raw_data.get(LE) as usize;
    let length = section.virtual_size.get(LE).min(section.size_of_raw_data.get(LE)) as usize;
    let end = at.checked_add(length);
    end.and_then(|end| uki.get(at..end)).ok_or(Unreadable::NoSection(name))
}

fn entries(archive: &mut dyn Read, take: Take<'_>) -> Result<(), Unreadable> {
    let mut archive = archive.take(MOST_BYTES);
    for _ in 0..MOST_ENTRIES {
        let mut reader = Reader::new(&mut archive)?;
        if reader.entry().is_trailer() {
            return Ok(());
        }
        let entry = Entry {
            path: inside(reader.entry().name()).ok_or(Unreadable::Path)?,
            kind: kind(reader.entry().mode()),
            mode: reader.entry().mode() & 0o7777,
        };
        take(&entry, &mut reader)?;
        // What nobody took is passed over.
        io::copy(&mut reader, &mut io::sink())?;
        reader.finish()?;
    }
    Err(Unreadable::TooLarge)
}

/// The path, where it leads into a folder and nowhere else.
fn inside(path: &str) -> Option<String> {
    let is_plain = |part: &str| !["", ".", ".."].contains(&part) && !part.contains('\0');
    path.split('/').all(is_plain).then(|| path.to_owned())
}

/// `S_IFMT` of inode(7).
fn kind(mode: u32) -> Kind {
    match mode & 0o170_000 {
        0o040_000 => Kind::Folder,
        0o100_000 => Kind::File,
        0o120_000 => Kind::Link,
        _ => Kind::Other,
    }
}

/// Why a system cannot be read.
#[derive(Debug)]
pub enum Unreadable {
    /// It is no program for UEFI.
    Program(String),
    /// It has not this section, or not within the file.
    NoSection(&'static str),
    /// The initramfs is not compressed as ours are.
    Compression(String),
    /// It is not packed as ours are, or what was in it could not be taken.
    Archive(io::Error),
    /// It has a path that leads out of it.
    Path,
    /// It is larger than any of ours.
    TooLarge,
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        Self::Archive(error)
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program(error) => write!(f, "it is no program for UEFI: {error}"),
            Self::NoSection(name) => write!(f, "it has no section {name}"),
            Self::Compression(error) => write!(f, "its initramfs is compressed in another way: {error}"),
            Self::Archive(error) => write!(f, "unpacking its initramfs: {error}"),
            Self::Path => write!(f, "a path of its initramfs leads out of it"),
            Self::TooLarge => write!(f, "its initramfs is too large"),
        }
    }
}

impl std::error::Error for Unreadable {}

#[cfg(test)]
#[path = "uki_tests.rs"]
mod tests;
