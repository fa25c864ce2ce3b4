//! Reads any place of the disk in a VMDK, once a walk over it has found every grain sound.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::walk::{MARKER_BYTES, MAX_STREAM, inflate};
use super::{GRAIN_BYTES, GRAIN_SECTORS, SECTOR, Stream};

/// The disk, read a grain at a time; no more than one is kept.
#[derive(Debug)]
pub struct Grains<'a> {
    file: &'a File,
    /// Where the VMDK begins in the file.
    start: u64,
    /// Sector in the VMDK of each grain that is stored, by its number on the disk.
    stored: BTreeMap<u64, u64>,
    last: Option<(u64, Vec<u8>)>,
}

impl<'a> Grains<'a> {
    /// The disk of the VMDK that begins at byte `start` of `file`, in which `stream` was found.
    pub fn new(file: &'a File, start: u64, stream: &Stream) -> Grains<'a> {
        let stored = stream.grains.iter().map(|grain| (grain.lba / GRAIN_SECTORS, grain.at));
        Grains { file, start, stored: stored.collect(), last: None }
    }

    /// The `length` bytes from byte `at` of the disk on; what is not stored is zero.
    pub fn read(&mut self, at: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            let place = at + bytes.len() as u64;
            let within = (place % GRAIN_BYTES as u64) as usize;
            let count = (length - bytes.len()).min(GRAIN_BYTES - within);
            match self.grain(place / GRAIN_BYTES as u64)? {
                Some(grain) => bytes.extend_from_slice(&grain[within..within + count]),
                None => bytes.resize(bytes.len() + count, 0),
            }
        }
        Ok(bytes)
    }

    fn grain(&mut self, number: u64) -> io::Result<Option<&[u8]>> {
        let Some(at) = self.stored.get(&number) else {
            return Ok(None);
        };
        if self.last.as_ref().is_none_or(|(last, _)| *last != number) {
            self.last = Some((number, self.load(*at)?));
        }
        Ok(self.last.as_ref().map(|(_, grain)| grain.as_slice()))
    }

    /// Fails only if the file has changed since the walk.
    fn load(&self, sector: u64) -> io::Result<Vec<u8>> {
        let at = self.start + sector * SECTOR;
        let mut size = [0; 4];
        self.file.read_exact_at(&mut size, at + 8)?;
        let mut stream = vec![0; (u32::from_le_bytes(size) as usize).min(MAX_STREAM)];
        self.file.read_exact_at(&mut stream, at + MARKER_BYTES as u64)?;
        inflate(&stream).map_err(|what| io::Error::new(io::ErrorKind::InvalidData, what))
    }
}
