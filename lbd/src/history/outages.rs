//! The record of outages on disk: a folder of files of bounded size, the oldest of which goes when a new one begins. Each
//! begins with how everything stood, so that it can be read without any other. A line is a checksum and an [`Entry`] as
//! JSON; one that is damaged is passed over.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use super::standing::{Entry, What};
use crate::numbered::{Numbered, checksum};

const SUFFIX: &str = ".outages";
/// Below the folder of the history.
const FOLDER: &str = "outages";

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a file.
    pub file: u64,
    /// Files.
    pub files: usize,
}

/// 64 MB: some 400,000 changes of state, years of a calm farm; a line with 11,000 names fits a file.
pub const LIMITS: Limits = Limits { file: 4 << 20, files: 16 };

/// The folder.
#[derive(Debug)]
pub struct Outages {
    files: Numbered,
    limits: Limits,
    /// The newest file, its number and length; opened when it is first needed, and anew after a failure.
    newest: Option<(File, u64, u64)>,
}

fn numbered(folder: &Path) -> Numbered {
    Numbered::new(folder.join(FOLDER), SUFFIX)
}

fn line(entry: &Entry) -> io::Result<String> {
    let text = serde_json::to_string(entry).map_err(io::Error::other)?;
    Ok(format!("{:08x} {text}\n", checksum(text.as_bytes())))
}

/// The entry of a line; `None` where it is damaged.
pub fn parse(line: &str) -> Option<Entry> {
    let (sum, text) = line.split_at_checked(8)?;
    let text = text.strip_prefix(' ')?;
    let is_whole = u32::from_str_radix(sum, 16).ok()? == checksum(text.as_bytes());
    is_whole.then(|| serde_json::from_str(text).ok()).flatten()
}

impl Outages {
    /// Below the folder of the history.
    pub fn new(folder: &Path, limits: Limits) -> Self {
        Self { files: numbered(folder), limits, newest: None }
    }

    /// Appends these durably. A file that has no room for them, and the first, begins with what was not recorded and with
    /// `all`, which says as much as the rest. Returns whether one began.
    ///
    /// # Errors
    /// When the disk does not take them; some of them may be written then, and are said again.
    pub fn append(&mut self, entries: &[Entry], all: impl FnOnce() -> Entry) -> io::Result<bool> {
        let lines = entries.iter().map(line).collect::<io::Result<String>>()?;
        let newest = match self.newest.take() {
            Some(newest) => Some(newest),
            None => self.open()?,
        };
        let next = newest.as_ref().map_or(1, |(_, number, _)| number + 1);
        let fits = newest.filter(|(.., length)| length + lines.len() as u64 <= self.limits.file);
        let is_anew = fits.is_none();
        let (text, (mut file, number, length)) = match fits {
            Some(newest) => (lines, newest),
            None => (holes(entries)? + &line(&all())?, (self.files.begin(next, self.limits.files)?, next, 0)),
        };
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        self.newest = Some((file, number, length + text.len() as u64));
        Ok(is_anew)
    }

    /// What may be the rest of a line is ended, so that it spoils no other. A file without a first line is as good as
    /// none: the next begins.
    fn open(&self) -> io::Result<Option<(File, u64, u64)>> {
        let Some((mut file, number)) = self.files.newest()? else { return Ok(None) };
        let mut length = file.metadata()?.len();
        if entries(file.try_clone()?, self.limits)?.next().is_none() {
            length = u64::MAX >> 1;
        } else {
            file.write_all(b"\n")?;
            length += 1;
        }
        Ok(Some((file, number, length)))
    }
}

fn holes(all: &[Entry]) -> io::Result<String> {
    all.iter().filter(|entry| matches!(entry.what, What::Hole { .. })).map(line).collect()
}

fn entries(file: File, limits: Limits) -> io::Result<impl Iterator<Item = Entry>> {
    io::Seek::seek(&mut &file, io::SeekFrom::Start(0))?;
    // A line of everything may be longer than a file has room for.
    let lines = BufReader::new(file.take(2 * limits.file)).split(b'\n').map_while(Result::ok);
    Ok(lines.filter_map(|line| parse(std::str::from_utf8(&line).ok()?)))
}

/// Shows every entry of the newest file, in order.
pub fn replay(folder: &Path, learn: impl FnMut(Entry)) -> io::Result<()> {
    let files = numbered(folder);
    let Some(newest) = files.numbers()?.pop() else { return Ok(()) };
    let Some(file) = files.read(newest)? else { return Ok(()) };
    entries(file, LIMITS)?.for_each(learn);
    Ok(())
}

/// Shows every entry that may matter from a moment on, in the order in which they were written: whole files, from the last
/// that began before it. Only one file is in memory at a time.
pub fn read(folder: &Path, since: i64, mut learn: impl FnMut(Entry)) -> io::Result<()> {
    let files = numbered(folder);
    let numbers = files.numbers()?;
    let first = |number: &u64| -> io::Result<Option<i64>> {
        let Some(file) = files.read(*number)? else { return Ok(None) };
        Ok(entries(file, LIMITS)?.next().map(|entry| entry.time))
    };
    let mut start = 0;
    for (at, number) in numbers.iter().enumerate() {
        if first(number)?.is_some_and(|time| time <= since) {
            start = at;
        }
    }
    for number in &numbers[start..] {
        if let Some(file) = files.read(*number)? {
            entries(file, LIMITS)?.for_each(&mut learn);
        }
    }
    Ok(())
}

/// Bytes on disk, and the time of the oldest entry.
pub fn kept(folder: &Path) -> io::Result<(u64, Option<i64>)> {
    let files = numbered(folder);
    let oldest = match files.numbers()?.first() {
        Some(number) => files.read(*number)?,
        None => None,
    };
    let first = oldest.map(|file| entries(file, LIMITS)).transpose()?;
    Ok((files.bytes()?, first.and_then(|mut entries| entries.next()).map(|entry| entry.time)))
}

#[cfg(test)]
mod tests {
    use super::super::standing::{Change, Standing};
    use super::*;

    const SMALL: Limits = Limits { file: 600, files: 3 };

    fn change(time: i64) -> Entry {
        let reason = "connection refused".to_owned();
        Entry {
            time,
            what: What::Change(Change { key: "service/A".into(), standing: Standing::Down, reason }),
        }
    }

    fn all(time: i64) -> Entry {
        Entry { time, what: What::All { up: vec!["service/A".into()], other: Vec::new() } }
    }

    fn times(folder: &Path, since: i64) -> Vec<i64> {
        let mut found = Vec::new();
        read(folder, since, |entry| found.push(entry.time)).unwrap();
        found
    }

    #[test]
    fn files_begin_with_everything_and_stay_within_their_bound() {
        let folder = tempfile::tempdir().unwrap();
        let mut outages = Outages::new(folder.path(), SMALL);
        assert!(outages.append(&[], || all(0)).unwrap(), "the first file");
        for time in 1..100 {
            outages.append(&[change(time)], || all(time)).unwrap();
        }
        let sizes: Vec<_> = std::fs::read_dir(folder.path().join(FOLDER))
            .unwrap()
            .map(|file| file.unwrap().metadata().unwrap().len())
            .collect();
        assert!(sizes.len() == 3 && sizes.iter().all(|size| *size <= 600), "{sizes:?}");
        let found = times(folder.path(), 99);
        assert!(found.is_sorted() && found.last() == Some(&99), "{found:?}");
        let everything = times(folder.path(), 0);
        assert!(everything.len() > found.len() && everything.len() < 20, "{everything:?}");
    }

    #[test]
    fn a_damaged_line_is_passed_over_and_spoils_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let mut outages = Outages::new(folder.path(), LIMITS);
        outages.append(&[], || all(0)).unwrap();
        outages.append(&[change(1), change(2)], || all(2)).unwrap();
        drop(outages);
        let path = numbered(folder.path()).path(1);
        let text = std::fs::read_to_string(&path).unwrap();
        let damaged = text.replace("\"time\":1", "\"time\":7");
        std::fs::write(&path, &damaged[..damaged.len() - 5]).unwrap();
        assert!(!Outages::new(folder.path(), LIMITS).append(&[change(3)], || all(3)).unwrap());
        assert_eq!(times(folder.path(), 0), [0, 3]);
        for odd in ["", "0", "12345678", "00000000 {}", "é1234567 {}", "811c9dc5 "] {
            assert_eq!(parse(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_file_without_a_whole_beginning_is_followed_by_another() {
        let folder = tempfile::tempdir().unwrap();
        let files = numbered(folder.path());
        std::fs::create_dir_all(files.folder()).unwrap();
        std::fs::write(files.path(1), "torn").unwrap();
        assert!(Outages::new(folder.path(), LIMITS).append(&[change(3)], || all(3)).unwrap());
        assert_eq!(files.numbers().unwrap(), [1, 2]);
        assert_eq!(times(folder.path(), 0), [3]);
    }
}
