//! Reads a sparse raw disk image grain by grain, leaving out what is zero.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{Whence, lseek};

use crate::error::Error;
use crate::vmdk::GRAIN_BYTES;

/// A raw disk image that is being read from its start to its end.
#[derive(Debug)]
pub struct RawDisk {
    file: File,
    path: PathBuf,
    bytes: u64,
    /// Number of the grain to be read next.
    next: u64,
    /// The file has data without a hole from `next` up to this byte.
    data_end: u64,
}

impl RawDisk {
    /// Opens the image. Its size must be a multiple of the grain (VMDK 5.0 specification, "capacity"), so
    /// that no grain is cut short.
    pub fn open(path: &Path) -> Result<RawDisk, Error> {
        let file = File::open(path).map_err(Error::io("open the disk image", path))?;
        let bytes = file.metadata().map_err(Error::io("get the size of", path))?.len();
        if bytes == 0 || !bytes.is_multiple_of(GRAIN_BYTES as u64) {
            let expected = format!("a multiple of {GRAIN_BYTES}");
            return Err(Error::DiskSize { path: path.to_owned(), found: bytes, expected });
        }
        Ok(RawDisk { file, path: path.to_owned(), bytes, next: 0, data_end: 0 })
    }

    /// Size of the disk.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The file it is read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the next grain that is not all zero into `grain` and returns its number.
    pub fn next_grain(&mut self, grain: &mut [u8; GRAIN_BYTES]) -> Result<Option<u64>, Error> {
        loop {
            let start = self.next * GRAIN_BYTES as u64;
            if start >= self.bytes {
                return Ok(None);
            }
            if start >= self.data_end {
                let Some(data) = self.seek(start, Whence::SeekData)? else {
                    return Ok(None);
                };
                self.next = data / GRAIN_BYTES as u64;
                self.data_end = self.seek(data, Whence::SeekHole)?.unwrap_or(self.bytes);
                continue;
            }
            self.file.read_exact_at(grain, start).map_err(Error::io("read", &self.path))?;
            self.next += 1;
            if !is_zero(grain) {
                return Ok(Some(self.next - 1));
            }
        }
    }

    /// Where data or a hole begins at or after `from`; `None` where there is none up to the end.
    fn seek(&self, from: u64, whence: Whence) -> Result<Option<u64>, Error> {
        let from = i64::try_from(from).map_err(|_| self.seek_error(Errno::EFBIG))?;
        match lseek(&self.file, from, whence) {
            Ok(place) => Ok(u64::try_from(place).ok().filter(|&place| place < self.bytes)),
            Err(Errno::ENXIO) => Ok(None),
            Err(errno) => Err(self.seek_error(errno)),
        }
    }

    fn seek_error(&self, errno: Errno) -> Error {
        Error::io("find the data in", &self.path)(errno.into())
    }
}

/// Whether every byte is zero; compares words, which the compiler turns into wide instructions.
pub fn is_zero(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    words.iter().all(|word| u64::from_ne_bytes(*word) == 0) && rest.iter().all(|&byte| byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(bytes: u64, pieces: &[(u64, &[u8])]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(bytes).unwrap();
        for (at, piece) in pieces {
            file.as_file().write_all_at(piece, *at).unwrap();
        }
        file
    }

    fn grains(file: &tempfile::NamedTempFile) -> Vec<u64> {
        let mut disk = RawDisk::open(file.path()).unwrap();
        let mut grain = [0; GRAIN_BYTES];
        std::iter::from_fn(|| disk.next_grain(&mut grain).unwrap()).collect()
    }

    #[test]
    fn only_grains_with_content_are_returned() {
        let zeros = vec![0; 3 * GRAIN_BYTES];
        let file = image(64 << 20, &[(0, b"x"), (65_535, b"yz"), (10 << 20, &zeros), ((64 << 20) - 1, b"e")]);
        assert_eq!(grains(&file), [0, 1, 1023]);
    }

    #[test]
    fn an_empty_disk_has_no_grains() {
        assert_eq!(grains(&image(1 << 20, &[])), [0; 0]);
    }

    #[test]
    fn a_size_that_cuts_a_grain_is_refused() {
        let file = image(65_537, &[]);
        let error = RawDisk::open(file.path()).unwrap_err().to_string();
        assert!(error.contains("65537 bytes") && error.contains("multiple of 65536"), "{error}");
    }
}
