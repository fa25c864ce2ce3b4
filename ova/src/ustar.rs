//! The tar archive that an OVA is: plain ustar, since vSphere takes no PAX or GNU extensions.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;

use tar::Header;

use crate::disk::is_zero;

/// Unit of an archive.
pub const BLOCK: u64 = 512;

/// What GNU tar fills an archive up to.
const RECORD: u64 = 20 * BLOCK;

/// The time that every file carries: 2020-01-01 00:00:00 UTC, so that the same input has the same bytes.
pub const MTIME: u64 = 1_577_836_800;

/// More entries than this are not read: an OVA of ours has three.
const MAX_ENTRIES: usize = 64;

/// Writes an archive to anything.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    written: u64,
}

impl<W: Write> Writer<W> {
    /// An archive without entries.
    pub fn new(out: W) -> Writer<W> {
        Writer { out, written: 0 }
    }

    /// Appends a file of exactly `size` bytes.
    pub fn append(&mut self, name: &str, size: u64, data: &mut dyn Read) -> io::Result<()> {
        self.write(header(name, size)?.as_bytes())?;
        let copied = io::copy(&mut data.take(size), &mut self.out)?;
        if copied != size {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("{name} has become shorter")));
        }
        self.written += size;
        self.fill_up(BLOCK)
    }

    /// Ends the archive with two blocks of zeros, filled up to a record.
    pub fn finish(mut self) -> io::Result<W> {
        self.write(&[0; 2 * BLOCK as usize])?;
        self.fill_up(RECORD)?;
        Ok(self.out)
    }

    fn fill_up(&mut self, unit: u64) -> io::Result<()> {
        let missing = self.written.next_multiple_of(unit) - self.written;
        self.write(&vec![0; missing as usize])
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written += bytes.len() as u64;
        self.out.write_all(bytes)
    }
}

/// The header of a regular file of root's, mode 0644.
fn header(name: &str, size: u64) -> io::Result<Header> {
    let (mode, zero) = (Some(0o644), Some(0));
    let name = name.to_owned();
    Entry {
        name,
        ustar: true,
        kind: b'0',
        mode,
        uid: zero,
        gid: zero,
        mtime: Some(MTIME),
        size,
        ..Entry::default()
    }
    .header()
}

/// An entry of an archive, as its header says; a number that cannot be read is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// Path in the archive.
    pub name: String,
    /// The header has the magic and version of ustar.
    pub ustar: bool,
    /// The type flag: `0` is a regular file.
    pub kind: u8,
    /// Permissions.
    pub mode: Option<u32>,
    /// Owner.
    pub uid: Option<u64>,
    /// Group.
    pub gid: Option<u64>,
    /// Seconds since 1970.
    pub mtime: Option<u64>,
    /// Bytes of the file.
    pub size: u64,
    /// Where they begin in the archive.
    pub at: u64,
    /// The rest of its last block is zero.
    pub padded: bool,
    /// The header says nothing else, and in the usual form.
    pub plain: bool,
}

impl Entry {
    /// The header that says this and no more: no names of owners, no links, no devices.
    fn header(&self) -> io::Result<Header> {
        let unreadable = || io::Error::from(io::ErrorKind::InvalidData);
        let mut header = Header::new_ustar();
        header.set_path(&self.name)?;
        header.set_size(self.size);
        header.set_mode(self.mode.ok_or_else(unreadable)?);
        header.set_uid(self.uid.ok_or_else(unreadable)?);
        header.set_gid(self.gid.ok_or_else(unreadable)?);
        header.set_mtime(self.mtime.ok_or_else(unreadable)?);
        header.set_entry_type(tar::EntryType::new(self.kind));
        header.set_cksum();
        Ok(header)
    }
}

/// What an archive holds, unjudged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Archive {
    /// In the order of the archive.
    pub entries: Vec<Entry>,
    /// Why it could not be read to its end, if so.
    pub problem: Option<String>,
    /// Bytes behind the last entry.
    pub end_bytes: u64,
    /// All of them are zero.
    pub end_zero: bool,
}

impl Archive {
    /// Reads all headers. Only the reading itself fails; what is wrong with the archive is in the result.
    pub fn read(file: &File) -> io::Result<Archive> {
        let bytes = file.metadata()?.len();
        let mut archive = Archive::default();
        let mut at = 0;
        while at + BLOCK <= bytes && archive.problem.is_none() {
            let mut block = [0; BLOCK as usize];
            file.read_exact_at(&mut block, at)?;
            if is_zero(&block) {
                break;
            }
            match decode(&block, at + BLOCK, bytes) {
                _ if archive.entries.len() == MAX_ENTRIES => {
                    archive.problem = Some(format!("more than {MAX_ENTRIES} entries"));
                }
                Ok(mut entry) => {
                    let end = entry.at + entry.size;
                    at = end.next_multiple_of(BLOCK);
                    entry.padded = all_zero(Section::new(file, end, at - end))?;
                    archive.entries.push(entry);
                }
                Err(problem) => archive.problem = Some(format!("the header at byte {at} {problem}")),
            }
        }
        archive.end_bytes = bytes.saturating_sub(at);
        archive.end_zero = all_zero(Section::new(file, at, archive.end_bytes))?;
        Ok(archive)
    }

    /// The regular files.
    pub fn files(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.kind == b'0')
    }

    /// The first regular file whose name ends in `ending`.
    pub fn find(&self, ending: &str) -> Option<&Entry> {
        self.files().find(|entry| entry.name.ends_with(ending))
    }
}

/// Reads a header; the file that it announces must lie within the archive.
fn decode(block: &[u8; BLOCK as usize], at: u64, bytes: u64) -> Result<Entry, String> {
    let header = Header::from_byte_slice(block);
    let sum: u32 =
        block.iter().enumerate().map(|(i, &b)| if (148..156).contains(&i) { 32 } else { b.into() }).sum();
    if header.cksum().ok() != Some(sum) {
        return Err("has a wrong checksum".to_owned());
    }
    let size = header.entry_size().map_err(|error| format!("has no size: {error}"))?;
    if size > bytes - at {
        return Err(format!("announces {size} bytes, the archive ends after {}", bytes - at));
    }
    let mut entry = Entry {
        name: String::from_utf8_lossy(&header.path_bytes()).into_owned(),
        ustar: header.as_ustar().is_some(),
        kind: block[156],
        mode: header.mode().ok(),
        uid: header.uid().ok(),
        gid: header.gid().ok(),
        mtime: header.mtime().ok(),
        size,
        at,
        ..Entry::default()
    };
    entry.plain = entry.header().is_ok_and(|header| header.as_bytes() == block);
    Ok(entry)
}

/// A part of a file, read from its start to its end without moving the file's own position.
#[derive(Debug)]
pub struct Section<'a> {
    file: &'a File,
    at: u64,
    left: u64,
}

impl Section<'_> {
    /// The `bytes` bytes of `file` from `at`.
    pub fn new(file: &File, at: u64, bytes: u64) -> Section<'_> {
        Section { file, at, left: bytes }
    }
}

impl Read for Section<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = self.file.read_at(&mut buffer[..wanted], self.at)?;
        self.at += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}

fn all_zero(mut section: Section<'_>) -> io::Result<bool> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match section.read(&mut buffer)? {
            0 => return Ok(true),
            read if !is_zero(&buffer[..read]) => return Ok(false),
            _ => {}
        }
    }
}
