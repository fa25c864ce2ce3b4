//! The audit log: who did what, from where. Changes and log-ins are files of their own, each with a bound, so that
//! no number of log-ins can push a change out.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::difference::summary;
use crate::store::Author;

/// Lines that may wait for the disk; more are told to the daemon's log only.
const QUEUE: usize = 256;
/// Some 10,000 lines; the file before it is kept too.
const LARGEST_FILE: u64 = 2 << 20;
/// Of the files of both kinds, each with the one before it.
pub const MOST_BYTES: u64 = 4 * LARGEST_FILE;
/// Differences in one line.
const MOST_DIFFERENCES: usize = 20;
/// For the lines that wait when lbd ends; a disk that needs longer is in trouble.
const LAST_LINES: Duration = Duration::from_secs(2);
/// Lines that are shown at once.
pub const MOST_ENTRIES: usize = 1000;

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AuditEntry")]
pub struct Entry {
    /// When.
    pub time: Timestamp,
    /// Who, and from where.
    #[serde(flatten)]
    pub by: Author,
    /// What, in words.
    pub what: String,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Change,
    LogIn,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Change => "changes",
            Self::LogIn => "log-ins",
        }
    }
}

/// The way to the log. Cheap to clone; never waits for the disk, but that the last clone's end gives the lines that
/// wait two seconds to get there.
#[derive(Debug, Clone)]
pub struct Audit {
    folder: PathBuf,
    lines: Arc<Lines>,
}

/// The way to the thread that writes.
#[derive(Debug)]
struct Lines {
    /// `None` only while this ends.
    sender: Option<SyncSender<(Kind, Entry)>>,
    /// Ends when the thread does.
    written: Mutex<Receiver<()>>,
}

impl Lines {
    /// Starts the thread.
    fn written_by(writer: Writer) -> Self {
        let (sender, receiver) = sync_channel(QUEUE);
        let (end, written) = sync_channel(0);
        std::thread::spawn(move || {
            writer.write_all(&receiver);
            drop(end);
        });
        Self { sender: Some(sender), written: Mutex::new(written) }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.sender = None;
        let written = self.written.get_mut().unwrap_or_else(PoisonError::into_inner);
        if written.recv_timeout(LAST_LINES) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            tracing::warn!("the disk keeps the audit log waiting; its last lines are lost");
        }
    }
}

impl Audit {
    /// Keeps the log below the state directory, in a thread of its own that ends with the last clone.
    pub fn below(state_directory: &Path) -> Self {
        let folder = state_directory.join("audit");
        let lines = Lines::written_by(Writer { folder: folder.clone() });
        Self { folder, lines: Arc::new(lines) }
    }

    /// Somebody changed something.
    pub fn change(&self, by: &Author, what: &[String]) {
        self.add(Kind::Change, by, summary(what, MOST_DIFFERENCES));
    }

    /// Somebody logged in or out, or tried to.
    pub fn log_in(&self, by: &Author, what: &str) {
        self.add(Kind::LogIn, by, what.to_owned());
    }

    fn add(&self, kind: Kind, by: &Author, what: String) {
        tracing::info!(%by, %what, "audit");
        let entry = Entry { time: Timestamp::now(), by: by.clone(), what };
        let is_taken = |sender: &SyncSender<_>| sender.try_send((kind, entry)).is_ok();
        if !self.lines.sender.as_ref().is_some_and(is_taken) {
            tracing::warn!("the disk keeps the audit log waiting; a line is here only");
        }
    }

    /// The newest lines, the newest first. Waits for the disk.
    pub fn read(&self, most: usize) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for kind in [Kind::Change, Kind::LogIn] {
            for path in [old(&self.folder, kind), current(&self.folder, kind)] {
                match File::open(path) {
                    Ok(file) => entries.extend(lines(file)?),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        entries.sort_by_key(|entry: &Entry| std::cmp::Reverse(entry.time));
        entries.truncate(most.min(MOST_ENTRIES));
        Ok(entries)
    }
}

fn current(folder: &Path, kind: Kind) -> PathBuf {
    folder.join(format!("{}.jsonl", kind.name()))
}

fn old(folder: &Path, kind: Kind) -> PathBuf {
    folder.join(format!("{}.old.jsonl", kind.name()))
}

/// A line that was cut off by a power failure is passed over.
fn lines(file: File) -> io::Result<Vec<Entry>> {
    let lines = BufReader::new(file).lines().collect::<io::Result<Vec<_>>>()?;
    Ok(lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

struct Writer {
    folder: PathBuf,
}

impl Writer {
    fn write_all(&self, lines: &Receiver<(Kind, Entry)>) {
        while let Ok((kind, entry)) = lines.recv() {
            if let Err(error) = self.write(kind, &entry) {
                tracing::warn!(%error, folder = %self.folder.display(), "cannot write the audit log");
            }
        }
    }

    fn write(&self, kind: Kind, entry: &Entry) -> io::Result<()> {
        // Only its own folder: a state directory that has gone is not made anew.
        match fs::create_dir(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let path = current(&self.folder, kind);
        let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
        if file.metadata()?.len() > LARGEST_FILE {
            fs::rename(&path, old(&self.folder, kind))?;
            file = OpenOptions::new().create(true).append(true).open(&path)?;
        }
        let text = serde_json::to_string(entry).map_err(io::Error::other)?;
        file.write_all(format!("{text}\n").as_bytes())?;
        file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(what: &str) -> Entry {
        let by = Author { user: "loadbalancer".into(), from: "192.0.2.1".into() };
        Entry { time: Timestamp::now(), by, what: what.into() }
    }

    #[test]
    fn log_ins_push_no_change_out_and_files_stay_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let audit = Audit::below(folder.path());
        let writer = Writer { folder: folder.path().join("audit") };
        writer.write(Kind::Change, &entry("weight of NODE1 100 -> 50")).unwrap();
        let long = "x".repeat(1 << 19);
        for _ in 0..20 {
            writer.write(Kind::LogIn, &entry(&long)).unwrap();
        }
        let files = fs::read_dir(folder.path().join("audit")).unwrap();
        let size: u64 = files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
        assert!(size < 3 * LARGEST_FILE, "{size}");
        let entries = audit.read(MOST_ENTRIES).unwrap();
        assert!(entries.iter().any(|entry| entry.what.starts_with("weight")));
        assert_eq!(audit.read(1).unwrap().len(), 1);
    }

    #[test]
    fn who_ends_leaves_no_line_behind() {
        // In memory: how long a disk takes for fifty lines is not what is asked here.
        let folder = tempfile::tempdir_in("/dev/shm").unwrap();
        let audit = Audit::below(folder.path());
        let by = entry("").by;
        (0..50).for_each(|number| audit.change(&by, &[format!("change {number}")]));
        drop(audit.clone());
        drop(audit);
        let written = fs::read_to_string(current(&folder.path().join("audit"), Kind::Change)).unwrap();
        assert_eq!(written.lines().count(), 50);
    }

    #[test]
    fn a_line_that_was_cut_off_hides_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let audit = Audit::below(folder.path());
        assert_eq!(audit.read(10).unwrap(), []);
        let writer = Writer { folder: folder.path().join("audit") };
        writer.write(Kind::Change, &entry("first")).unwrap();
        let path = current(&writer.folder, Kind::Change);
        fs::write(&path, fs::read_to_string(&path).unwrap() + "{\"time\":\"20\n").unwrap();
        writer.write(Kind::Change, &entry("second")).unwrap();
        let told: Vec<_> = audit.read(10).unwrap().into_iter().map(|entry| entry.what).collect();
        assert_eq!(told, ["second", "first"]);
    }
}
