//! An archive on its way onto the disk: verified while it comes, under its lasting name only when it is whole.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use evenkeel_update::archive::Reader;
use evenkeel_update::hash::{Hasher, Sha};
use evenkeel_update::manifest::{LARGEST_ARCHIVE, Manifest};
use evenkeel_update::signature::Key;
use evenkeel_update::version::Version;
use nix::sys::statvfs::statvfs;
use tokio::sync::OwnedMutexGuard;

use super::Refusal;

/// While it comes.
const PARTIAL: &str = "upload.partial";
/// When it is whole (`evenkeel_update::STAGED`).
const STAGED: &str = "staged.update";
/// What stays free for logs and configurations, in bytes.
const SPARE: u64 = 64 << 20;
/// Bytes that are written at once.
const PIECE: usize = 256 << 10;
/// Manifest and signature are within the first bytes.
const BEGINNING: u64 = 128 << 10;

/// An archive that comes. Everything here waits for the disk.
#[derive(Debug)]
pub struct Staging {
    folder: PathBuf,
    file: File,
    /// None when it has come to its end.
    reader: Option<Reader>,
    hasher: Hasher,
}

impl Drop for Staging {
    fn drop(&mut self) {
        // Gone already where it has become the staged one.
        let _ = fs::remove_file(self.folder.join(PARTIAL));
    }
}

fn failed(doing: &str, error: &io::Error) -> Refusal {
    Refusal::Failed(format!("{doing}: {error}"))
}

/// Makes room; the archive of before is given up.
pub(super) fn begin(
    folder: &Path,
    key: &Path,
    running: Version,
    length: Option<u64>,
) -> Result<Staging, Refusal> {
    let key = fs::read_to_string(key).map_err(|error| failed("reading the key of updates", &error))?;
    let key = Key::parse(&key).map_err(|fault| Refusal::Failed(fault.to_string()))?;
    let mebibytes = |bytes: u64| bytes.div_ceil(1 << 20);
    let length = length.unwrap_or(LARGEST_ARCHIVE);
    if length > LARGEST_ARCHIVE {
        return Err(Refusal::Archive(format!(
            "the file has {} MiB, and no update has more than {} MiB; choose the file whose name ends in .update",
            mebibytes(length),
            mebibytes(LARGEST_ARCHIVE)
        )));
    }
    fs::create_dir_all(folder)
        .and_then(|()| discard(folder))
        .map_err(|error| failed("making room", &error))?;
    let figures = statvfs(folder).map_err(|error| failed("looking for room", &error.into()))?;
    let free = figures.blocks_available().saturating_mul(figures.fragment_size());
    if free < length.saturating_add(SPARE) {
        return Err(Refusal::Failed(format!(
            "the data partition has {} MiB left, and the update needs {} MiB; enlarge the disk of the virtual machine",
            free >> 20,
            mebibytes(length.saturating_add(SPARE))
        )));
    }
    let file = File::create(folder.join(PARTIAL)).map_err(|error| failed("keeping the update", &error))?;
    let reader = Some(Reader::new(key, running));
    Ok(Staging { folder: folder.to_owned(), file, reader, hasher: Hasher::default() })
}

impl Staging {
    fn push(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let reader = self.reader.as_mut().ok_or_else(gone)?;
        reader.push(bytes, &mut |_, _| Ok(())).map_err(|fault| Refusal::Archive(fault.to_string()))?;
        self.hasher.update(bytes);
        self.file.write_all(bytes).map_err(|error| failed("keeping the update", &error))
    }

    fn finish(mut self, sum: Option<Sha>) -> Result<Manifest, Refusal> {
        let found = std::mem::take(&mut self.hasher).finish();
        if let Some(sum) = sum.filter(|sum| *sum != found) {
            return Err(Refusal::Archive(format!(
                "the checksum does not fit: it says {sum}, and the archive has {found}; download both again"
            )));
        }
        let reader = self.reader.take().ok_or_else(gone)?;
        let manifest = reader.finish().map_err(|fault| Refusal::Archive(fault.to_string()))?;
        let keep = || {
            self.file.sync_all()?;
            fs::rename(self.folder.join(PARTIAL), self.folder.join(STAGED))?;
            File::open(&self.folder)?.sync_all()
        };
        keep().map_err(|error: io::Error| failed("keeping the update", &error))?;
        Ok(manifest)
    }
}

/// Removes what waits, and what an upload has left that was cut off: none may be under way.
fn discard(folder: &Path) -> io::Result<()> {
    remove(&folder.join(PARTIAL))?;
    discard_staged(folder)
}

/// Removes what waits.
pub(super) fn discard_staged(folder: &Path) -> io::Result<()> {
    remove(&folder.join(STAGED))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes what an upload has left that was cut off.
pub(super) fn tidy(folder: &Path) {
    // There is hardly ever one.
    let _ = fs::remove_file(folder.join(PARTIAL));
}

/// The manifest of what waits.
pub(super) fn staged(folder: &Path, key: &Path, running: Version) -> Option<Manifest> {
    let mut beginning = Vec::new();
    File::open(folder.join(STAGED)).ok()?.take(BEGINNING).read_to_end(&mut beginning).ok()?;
    let mut reader = Reader::new(Key::parse(&fs::read_to_string(key).ok()?).ok()?, running);
    reader.push(&beginning, &mut |_, _| Ok(())).ok()?;
    reader.manifest().cloned()
}

/// The one upload. Pieces are gathered, and written in a thread that may wait.
#[derive(Debug)]
pub struct Upload {
    staging: Option<Staging>,
    gathered: Vec<u8>,
    turn: OwnedMutexGuard<()>,
}

impl Upload {
    pub(super) fn new(staging: Staging, turn: OwnedMutexGuard<()>) -> Self {
        Self { staging: Some(staging), gathered: Vec::with_capacity(PIECE), turn }
    }

    /// The next bytes. After a refusal there is nothing to go on with.
    pub async fn push(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        for piece in bytes.chunks(PIECE) {
            self.gathered.extend_from_slice(piece);
            if self.gathered.len() >= PIECE {
                self.flush().await?;
            }
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Refusal> {
        let Some(mut staging) = self.staging.take() else { return Err(gone()) };
        let mut bytes = std::mem::take(&mut self.gathered);
        let pushed = tokio::task::spawn_blocking(move || {
            staging.push(&bytes)?;
            bytes.clear();
            Ok((staging, bytes))
        });
        let (staging, bytes) = pushed.await.map_err(|_| gone())??;
        (self.staging, self.gathered) = (Some(staging), bytes);
        Ok(())
    }

    /// The end. With the checksum of the whole, where it is known.
    pub async fn finish(mut self, sum: Option<Sha>) -> Result<Manifest, Refusal> {
        self.flush().await?;
        let Some(staging) = self.staging.take() else { return Err(gone()) };
        let manifest = tokio::task::spawn_blocking(move || staging.finish(sum)).await.map_err(|_| gone())?;
        drop(self.turn);
        manifest
    }
}

fn gone() -> Refusal {
    Refusal::Failed("the upload has ended".into())
}

#[cfg(test)]
#[path = "staging_tests.rs"]
mod tests;
