//! Letters on disk, a file each: written under another name, synced, renamed. Every method waits for the disk.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::durable;

use super::queue::{Change, Entry, MOST_LETTERS};

const SUFFIX: &str = "letter";
/// Far more than a letter has.
const LARGEST_LETTER: u64 = 1 << 20;

/// The folder of letters.
#[derive(Debug, Clone)]
pub struct Spool(PathBuf);

impl Spool {
    /// Below the state directory.
    pub fn below(state_directory: &Path) -> Self {
        Self(state_directory.join("mail"))
    }

    /// What an earlier lbd left. A file that is damaged is removed: nobody could look at it here, and it would stay
    /// for ever.
    pub fn load(&self) -> io::Result<Vec<Entry>> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        let mut entries = Vec::new();
        for found in fs::read_dir(&self.0)? {
            let path = found?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with(durable::TEMPORARY) {
                fs::remove_file(&path)?;
            }
            if path.extension().is_none_or(|extension| extension != SUFFIX) || entries.len() >= MOST_LETTERS {
                continue;
            }
            match read(&path) {
                Ok(Some(entry)) if self.path(&entry.letter.id) == path => entries.push(entry),
                Ok(_) => {
                    tracing::warn!(
                        "a mail in the queue, {name}, is damaged and thrown away: what it had to tell is lost"
                    );
                    fs::remove_file(&path)?;
                }
                Err(error) => tracing::warn!("a mail in the queue, {name}, cannot be read now: {error}"),
            }
        }
        Ok(entries)
    }

    /// Makes the disk follow.
    pub fn follow(&self, change: &Change) -> io::Result<()> {
        match change {
            Change::Keep(entry) => self.keep(entry),
            Change::Forget(id) => match fs::remove_file(self.path(id)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => durable::sync_folder(&self.0),
            },
        }
    }

    fn keep(&self, entry: &Entry) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        let text = serde_json::to_string_pretty(entry).map_err(io::Error::other)?;
        durable::replace(&self.path(&entry.letter.id), text.as_bytes())
    }

    fn path(&self, id: &str) -> PathBuf {
        self.0.join(format!("{id}.{SUFFIX}"))
    }
}

/// `None` where it is damaged.
fn read(path: &Path) -> io::Result<Option<Entry>> {
    let mut text = Vec::new();
    File::open(path)?.take(LARGEST_LETTER).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::letter::{Urgency, letter};

    #[test]
    fn letters_outlive_lbd_and_damaged_ones_hide_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::below(folder.path());
        assert_eq!(spool.load().unwrap(), []);
        let entry = |id: &str| Entry {
            waited_seconds: 0,
            letter: letter(id, Urgency::Alarm),
            attempts: 3,
            last_error: "450 later".into(),
        };
        spool.follow(&Change::Keep(entry("a-1.x"))).unwrap();
        spool.follow(&Change::Keep(entry("b"))).unwrap();
        fs::write(spool.path("c"), b"half\xff").unwrap();
        fs::write(spool.0.join(".new-1"), "half").unwrap();
        let mut ids: Vec<_> = spool.load().unwrap().into_iter().map(|entry| entry.letter.id).collect();
        ids.sort();
        assert_eq!(ids, ["a-1.x", "b"]);
        spool.follow(&Change::Forget("b".into())).unwrap();
        spool.follow(&Change::Forget("b".into())).unwrap();
        assert_eq!(spool.load().unwrap(), [entry("a-1.x")]);
        let left: Vec<_> = fs::read_dir(&spool.0).unwrap().map(|found| found.unwrap().file_name()).collect();
        assert_eq!(left, ["a-1.x.letter"]);
    }
}
