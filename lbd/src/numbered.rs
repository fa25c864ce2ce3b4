//! A folder of numbered files, the oldest of which goes when a new one begins: what keeps the log, the record of closed
//! connections and the history within bounds.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;

/// Where the files are, and how their names end.
#[derive(Debug, Clone)]
pub struct Numbered {
    folder: PathBuf,
    suffix: &'static str,
}

impl Numbered {
    /// In `folder`, which is made when the first file begins.
    pub fn new(folder: PathBuf, suffix: &'static str) -> Self {
        Self { folder, suffix }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The numbers of the files, ascending; none where there is no folder.
    pub fn numbers(&self) -> io::Result<Vec<u64>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut numbers = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            let number = |name: &str| name.strip_suffix(self.suffix)?.parse::<u64>().ok();
            numbers.extend(name.to_str().and_then(number));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// The path of a file.
    pub fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:010}{}", self.suffix))
    }

    /// Makes the folder and opens the newest file for appending; `None` where there is no file yet.
    pub fn newest(&self) -> io::Result<Option<(File, u64)>> {
        fs::create_dir_all(&self.folder)?;
        let Some(number) = self.numbers()?.last().copied() else { return Ok(None) };
        let file = OpenOptions::new().read(true).append(true).open(self.path(number))?;
        Ok(Some((file, number)))
    }

    /// Begins a file, once the oldest have made room: with it there are at most so many.
    pub fn begin(&self, number: u64, files: usize) -> io::Result<File> {
        let numbers = self.numbers()?;
        let too_many = (numbers.len() + 1).saturating_sub(files);
        numbers[..too_many.min(numbers.len())].iter().try_for_each(|old| self.remove(*old))?;
        OpenOptions::new().read(true).append(true).create_new(true).open(self.path(number))
    }

    /// Removes a file; one that is gone is as good as removed.
    pub fn remove(&self, number: u64) -> io::Result<()> {
        match fs::remove_file(self.path(number)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> io::Result<u64> {
        let mut bytes = 0;
        for number in self.numbers()? {
            bytes += self.read(number)?.map_or(Ok(0), |file| file.metadata().map(|about| about.len()))?;
        }
        Ok(bytes)
    }

    /// Opens a file for reading; `None` where it has made room for a newer one meanwhile.
    pub fn read(&self, number: u64) -> io::Result<Option<File>> {
        match File::open(self.path(number)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            file => file.map(Some),
        }
    }
}

/// The last of the disk is left to the configuration: so much, or a twentieth of a small disk.
const RESERVE: u64 = 64_000_000;

/// Whether there is room for records, which are not as dear as the configuration.
///
/// # Errors
/// When what is free below this directory is reserved, or nobody knows.
pub fn room(state_directory: &Path) -> io::Result<()> {
    let figures = statvfs(state_directory)?;
    let bytes = |blocks: u64| blocks.saturating_mul(figures.fragment_size());
    let (free, all) = (bytes(figures.blocks_available()), bytes(figures.blocks()));
    let reserve = RESERVE.min(all / 20);
    if free >= reserve {
        return Ok(());
    }
    let why = format!("{free} bytes are free on the disk; the last {reserve} are kept for the configuration");
    Err(io::Error::new(io::ErrorKind::StorageFull, why))
}

/// FNV-1a: cheap, and enough to tell what was only half written.
pub fn checksum(bytes: &[u8]) -> u32 {
    checksum_on(0x811c_9dc5, bytes)
}

/// The checksum of what has the checksum `sum` so far, and these bytes after it.
pub fn checksum_on(sum: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(sum, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Log and audit log look for no room: what they may grow by must leave some for the configuration.
    #[test]
    fn what_asks_for_no_room_has_less_than_the_reserve() {
        let log = crate::log::files::LIMITS;
        assert!(log.file * log.files as u64 + crate::audit::MOST_BYTES < RESERVE - (8 << 20));
    }

    #[test]
    fn the_oldest_make_room() {
        let folder = tempfile::tempdir().unwrap();
        let files = Numbered::new(folder.path().join("below"), ".part");
        assert_eq!(files.numbers().unwrap(), [0; 0]);
        assert!(files.newest().unwrap().is_none());
        (1..=5).for_each(|number| drop(files.begin(number, 3).unwrap()));
        fs::write(files.folder().join("other.txt"), "not ours").unwrap();
        assert_eq!(files.numbers().unwrap(), [3, 4, 5]);
        assert_eq!(files.newest().unwrap().unwrap().1, 5);
        assert!(files.read(2).unwrap().is_none() && files.read(3).unwrap().is_some());
        assert!(files.begin(5, 3).is_err(), "nothing is written over");
    }
}
