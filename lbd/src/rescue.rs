//! The rescue partition: the last configuration, for when the data partition is gone.
//!
//! Two slots of equal size are written in turn, so that one of them is always whole: [`slot`] says what a slot
//! is and in which steps one is written, this file does it. Nothing else is on the partition, no file system
//! that could need repair.

pub mod slot;

#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use slot::{BLOCK, Header, Saved, Write};

/// Half of the partition of 16 MB (image layout). A larger one is not used up to its end: a bound for memory.
const LARGEST_SLOT: u64 = 8 << 20;

/// What could not be done with which device, and why.
#[derive(Debug)]
pub struct RescueError {
    doing: &'static str,
    path: PathBuf,
    why: String,
}

impl fmt::Display for RescueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cannot {} the copy of the configuration on {}: {}",
            self.doing,
            self.path.display(),
            self.why
        )
    }
}

impl std::error::Error for RescueError {}

/// The open partition. Every method waits for the disk.
#[derive(Debug)]
pub struct Rescue {
    file: File,
    path: PathBuf,
    slot_size: u64,
    /// The slot that could not be written. The kernel may show what the disk did not take (fsync(2)), so that
    /// it does not count as whole until it has been written again.
    failed: Option<usize>,
}

impl Rescue {
    /// Opens a block device, or a file of a size that is given already. A disk that takes no writes is opened all
    /// the same: what it holds is worth more then than ever.
    pub fn open(path: &Path) -> Result<Self, RescueError> {
        let failed = |why: String| RescueError { doing: "open", path: path.to_owned(), why };
        let writable = OpenOptions::new().read(true).write(true).open(path);
        let opened = writable.or_else(|error| File::open(path).map_err(|_| error));
        let mut file = opened.map_err(|error| failed(error.to_string()))?;
        let size = file.seek(SeekFrom::End(0)).map_err(|error| failed(error.to_string()))?;
        let slot_size = (size / 2 / BLOCK * BLOCK).min(LARGEST_SLOT);
        if slot_size < 2 * BLOCK {
            return Err(failed(format!("its {size} bytes are too few; make it 16 MB large")));
        }
        Ok(Self { file, path: path.to_owned(), slot_size, failed: None })
    }

    /// Opens or makes a file, which only its owner may read, in a file system in memory: it takes what it holds.
    pub fn in_memory(path: &Path) -> Result<Self, RescueError> {
        let made =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        made.and_then(|file| file.set_len(2 * LARGEST_SLOT)).map_err(|error| RescueError {
            doing: "make",
            path: path.to_owned(),
            why: error.to_string(),
        })?;
        Self::open(path)
    }

    /// The newest slot that is whole; `None` where none is, as on a new partition. An error says that the disk
    /// could not be read and that nothing was found elsewhere on it.
    pub fn load(&self) -> Result<Option<Saved>, RescueError> {
        let slots = [0, 1].map(|index| self.read_slot(index));
        if slots.iter().all(|slot| !matches!(slot, Ok(Some(_))))
            && let Some(error) = slots.iter().find_map(|slot| slot.as_ref().err())
        {
            return Err(self.error("read", error));
        }
        let whole = slots.into_iter().filter_map(|slot| slot.ok().flatten());
        Ok(whole.max_by_key(|(sequence, _)| *sequence).map(|(_, saved)| saved))
    }

    /// Writes to the slot that is not the newest, unless the newest holds the same already. Returns whether it
    /// wrote. Cut off at any instant, or failed, it leaves the newest slot as it was.
    pub fn save(&mut self, saved: &Saved) -> Result<bool, RescueError> {
        // What cannot be read cannot be relied on, and is the one to be written over.
        let slots = [0, 1].map(|index| self.read_slot(index).ok().flatten());
        let newest = slots.iter().enumerate().filter_map(|(index, slot)| Some((slot.as_ref()?, index)));
        let newest = newest.max_by_key(|((sequence, _), _)| *sequence);
        if newest.is_some_and(|((_, newest), _)| newest == saved) && self.failed.is_none() {
            return Ok(false);
        }
        let (sequence, index) = newest.map_or((1, 0), |((sequence, _), index)| (sequence + 1, 1 - index));
        let writes = slot::writes(sequence, saved, self.slot_size).map_err(|why| self.error("write", why))?;
        self.failed = Some(index);
        for write in &writes {
            self.write(index, write).map_err(|error| self.error("write", error))?;
        }
        self.failed = None;
        Ok(true)
    }

    fn write(&self, index: usize, write: &Write) -> io::Result<()> {
        self.file.write_all_at(&write.bytes, self.start(index) + write.offset)?;
        self.file.sync_all()
    }

    fn read_slot(&self, index: usize) -> io::Result<Option<(u64, Saved)>> {
        if self.failed == Some(index) {
            return Ok(None);
        }
        let mut block = vec![0; BLOCK as usize];
        self.file.read_exact_at(&mut block, self.start(index))?;
        let Some(header) = Header::decode(&block, self.slot_size) else { return Ok(None) };
        let mut payload = vec![0; header.length()];
        self.file.read_exact_at(&mut payload, self.start(index) + BLOCK)?;
        Ok(header.saved(&payload).map(|saved| (header.sequence(), saved)))
    }

    fn start(&self, index: usize) -> u64 {
        if index == 0 { 0 } else { self.slot_size }
    }

    fn error(&self, doing: &'static str, why: impl fmt::Display) -> RescueError {
        RescueError { doing, path: self.path.clone(), why: why.to_string() }
    }
}
