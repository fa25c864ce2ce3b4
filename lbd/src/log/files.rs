//! The log on disk: a folder of files of bounded size, the oldest of which goes when a new one begins. Each line is an
//! [`Entry`] as JSON; one that was cut off by a power failure is passed over.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::entry::Entry;
use super::wanted::Wanted;
use crate::numbered::Numbered;

const SUFFIX: &str = ".log";

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a file.
    pub file: u64,
    /// Files.
    pub files: usize,
}

/// 32 MB: some 200,000 lines, months of a calm appliance; and little enough to look through at every question.
pub const LIMITS: Limits = Limits { file: 2 << 20, files: 16 };

/// The folder.
#[derive(Debug)]
pub struct Files {
    files: Numbered,
    limits: Limits,
    /// The newest file and its length; opened when it is first needed, and anew after a failure.
    newest: Option<(File, u64, u64)>,
}

impl Files {
    /// In `folder`, which is made when the first line is written.
    pub fn new(folder: PathBuf, limits: Limits) -> Self {
        Self { files: Numbered::new(folder, SUFFIX), limits, newest: None }
    }

    /// Appends these. After an error some of them may be written, and the next call starts afresh.
    pub fn append(&mut self, entries: &[Entry]) -> io::Result<()> {
        let (mut file, mut number, mut length) = match self.newest.take() {
            Some(newest) => newest,
            None => self.open()?,
        };
        for entry in entries {
            let line = serde_json::to_string(entry).map_err(io::Error::other)? + "\n";
            if length + line.len() as u64 > self.limits.file {
                (file, number, length) = self.begin(number + 1)?;
            }
            file.write_all(line.as_bytes())?;
            length += line.len() as u64;
        }
        self.newest = Some((file, number, length));
        Ok(())
    }

    /// Makes what was written durable.
    pub fn sync(&self) -> io::Result<()> {
        self.newest.as_ref().map_or(Ok(()), |(file, ..)| file.sync_data())
    }

    /// What may be the rest of a line is ended, so that it spoils no other.
    fn open(&self) -> io::Result<(File, u64, u64)> {
        let Some((mut file, number)) = self.files.newest()? else { return self.begin(1) };
        let length = file.metadata()?.len();
        if length >= self.limits.file {
            return self.begin(number + 1);
        }
        file.write_all(b"\n")?;
        Ok((file, number, length + 1))
    }

    /// Begins a file, once there is room for it.
    fn begin(&self, number: u64) -> io::Result<(File, u64, u64)> {
        Ok((self.files.begin(number, self.limits.files)?, number, 0))
    }
}

/// The newest lines that are wanted, the newest first; one more than wanted shows that there are more.
pub fn read(folder: &Path, limits: Limits, wanted: &Wanted) -> io::Result<Vec<Entry>> {
    let files = Numbered::new(folder.to_owned(), SUFFIX);
    let mut found = Vec::new();
    for number in files.numbers()?.into_iter().rev() {
        if let Some(file) = files.read(number)? {
            find(&whole(file, limits)?, wanted, &mut found);
        }
        if found.len() > wanted.most {
            break;
        }
    }
    Ok(found)
}

fn whole(file: File, limits: Limits) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(limits.file + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// From the end of a file's bytes. What is no line is passed over.
pub fn find(bytes: &[u8], wanted: &Wanted, found: &mut Vec<Entry>) {
    let lines = bytes.rsplit(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let entries = lines.filter_map(|line| serde_json::from_slice::<Entry>(line).ok());
    let room = (wanted.most + 1).saturating_sub(found.len());
    found.extend(entries.filter(|entry| wanted.matches(entry)).take(room));
}

#[cfg(test)]
mod tests {
    use std::fs;

    use jiff::Timestamp;

    use super::super::entry::{Severity, Source};
    use super::*;

    const SMALL: Limits = Limits { file: 1000, files: 3 };

    fn entry(number: i64) -> Entry {
        let time = Timestamp::from_second(number).unwrap();
        Entry::new(time, Severity::Info, Source::Lbd, &format!("line {number}"))
    }

    fn texts(folder: &Path, wanted: &Wanted) -> Vec<String> {
        read(folder, SMALL, wanted).unwrap().into_iter().map(|entry| entry.text).collect()
    }

    #[test]
    fn the_newest_lines_are_found_and_the_folder_stays_within_its_bound() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = Files::new(folder.path().join("log"), SMALL);
        for number in 0..200 {
            files.append(&[entry(number)]).unwrap();
        }
        files.sync().unwrap();
        let sizes: Vec<_> = fs::read_dir(folder.path().join("log"))
            .unwrap()
            .map(|file| file.unwrap().metadata().unwrap().len())
            .collect();
        assert!(sizes.len() == 3 && sizes.iter().all(|size| *size <= 1000), "{sizes:?}");
        let two = Wanted { most: 2, ..Wanted::default() };
        assert_eq!(texts(&folder.path().join("log"), &two), ["line 199", "line 198", "line 197"]);
        let one = Wanted { text: "LINE 18".into(), most: 50, ..Wanted::default() };
        assert_eq!(texts(&folder.path().join("log"), &one).len(), 10);
        assert_eq!(texts(&folder.path().join("nothing"), &two), [""; 0]);
    }

    #[test]
    fn a_line_that_was_cut_off_spoils_no_other() {
        let folder = tempfile::tempdir().unwrap();
        Files::new(folder.path().to_owned(), SMALL).append(&[entry(1)]).unwrap();
        let path = Numbered::new(folder.path().to_owned(), SUFFIX).path(1);
        fs::write(&path, fs::read_to_string(&path).unwrap() + "{\"time\":\"20").unwrap();
        Files::new(folder.path().to_owned(), SMALL).append(&[entry(2)]).unwrap();
        assert_eq!(texts(folder.path(), &Wanted::default()), ["line 2", "line 1"]);
    }
}
