//! The journal: takes entries from everywhere and never waits. A thread of its own writes them to disk; who follows the
//! log hears of them at once; the latest stay in memory, for when the disk does not do its work.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::broadcast;

use super::entry::{Entry, Severity, Source};
use super::files::{self, Files, LIMITS};
use super::wanted::Wanted;

/// Entries that may wait for the disk; further ones are counted, and are in memory only.
const QUEUE: usize = 4096;
/// What a follower may be behind before it misses some.
const FOLLOWERS_QUEUE: usize = 4096;
/// Kept in memory: with texts of usual length some hundred kilobytes.
const RECENT: usize = 1000;
/// A power cut costs at most the calm lines of so long; what is grave is made durable at once.
const SYNC_INTERVAL: Duration = Duration::from_secs(10);

/// For the lines that wait when lbd ends; a disk that needs longer is in trouble.
const LAST_LINES: Duration = Duration::from_secs(2);

/// On its way to the disk.
#[derive(Debug)]
enum Message {
    Write(Entry),
    /// Everything before this is to be on disk before the sender is let go of.
    Finish(SyncSender<()>),
}

/// The journal. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Journal(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    to_disk: SyncSender<Message>,
    followers: broadcast::Sender<Entry>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    recent: VecDeque<Entry>,
    folder: Option<PathBuf>,
    /// Taken by the thread that writes.
    waiting: Option<Receiver<Message>>,
    unwritten: u64,
    failure: Option<String>,
}

impl Journal {
    /// One that keeps entries in memory until [`Self::keep`].
    pub fn new() -> Self {
        let (to_disk, waiting) = sync_channel(QUEUE);
        let state = Mutex::new(State { waiting: Some(waiting), ..State::default() });
        Self(Arc::new(Shared { to_disk, followers: broadcast::channel(FOLLOWERS_QUEUE).0, state }))
    }

    /// From now on entries are written to this folder, those that wait included.
    pub fn keep(&self, folder: PathBuf) -> io::Result<()> {
        let mut state = self.state();
        let Some(waiting) = state.waiting.take() else { return Ok(()) };
        state.folder = Some(folder.clone());
        drop(state);
        let journal = self.clone();
        let write = move || journal.write(&waiting, Files::new(folder, LIMITS));
        std::thread::Builder::new().name("log".into()).spawn(write).map(|_| ())
    }

    /// Takes an entry. Never waits for the disk or for who follows.
    pub fn record(&self, entry: Entry) {
        let mut state = self.state();
        if state.recent.len() == RECENT {
            state.recent.pop_front();
        }
        state.recent.push_back(entry.clone());
        if self.0.to_disk.try_send(Message::Write(entry.clone())).is_err() {
            state.unwritten += 1;
        }
        drop(state);
        // Nobody may follow.
        let _ = self.0.followers.send(entry);
    }

    /// Gives what waits two seconds to get onto the disk.
    pub fn finish(&self) {
        let (done, finished) = sync_channel(1);
        if self.0.to_disk.try_send(Message::Finish(done)).is_ok() {
            // Nobody is left to be told that it took too long.
            let _ = finished.recv_timeout(LAST_LINES);
        }
    }

    /// Every entry from now on.
    pub fn follow(&self) -> broadcast::Receiver<Entry> {
        self.0.followers.subscribe()
    }

    /// The latest, the oldest first.
    pub fn recent(&self) -> Vec<Entry> {
        self.state().recent.iter().cloned().collect()
    }

    /// The newest that are wanted, the newest first, and whether there are more. Waits for the disk.
    ///
    /// # Errors
    /// Where the disk cannot be read; [`Self::recent`] is there all the same.
    pub fn read(&self, wanted: &Wanted) -> io::Result<(Vec<Entry>, bool)> {
        let folder = self.state().folder.clone();
        let on_disk = folder.map_or_else(|| Ok(Vec::new()), |folder| files::read(&folder, LIMITS, wanted))?;
        // What is on its way to the disk.
        let newer = self.recent().into_iter().rev().take_while(|entry| !on_disk.contains(entry));
        let mut entries: Vec<_> = newer.filter(|entry| wanted.matches(entry)).collect();
        entries.extend(on_disk);
        let is_cut = entries.len() > wanted.most;
        entries.truncate(wanted.most);
        Ok((entries, is_cut))
    }

    /// Why the disk does not take the log, in a sentence; `None` while it does.
    pub fn trouble(&self) -> Option<String> {
        let state = self.state();
        let why = state.failure.as_ref()?;
        Some(format!(
            "The log cannot be written to disk ({why}): {} lines so far are in memory only, which keeps the latest \
             {RECENT}. Look at the datastore of the virtual machine.",
            state.unwritten
        ))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, waiting: &Receiver<Message>, mut files: Files) {
        let mut unsynced_since: Option<Instant> = None;
        loop {
            let first = match waiting.recv_timeout(SYNC_INTERVAL) {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let (mut entries, mut finished) = (Vec::new(), Vec::new());
            for message in first.into_iter().chain(waiting.try_iter().take(QUEUE)) {
                match message {
                    Message::Write(entry) => entries.push(entry),
                    Message::Finish(done) => finished.push(done),
                }
            }
            if !entries.is_empty() {
                self.written(entries.len(), files.append(&entries));
                unsynced_since.get_or_insert_with(Instant::now);
            }
            let is_grave = entries.iter().any(|entry| entry.severity <= Severity::Error);
            let is_due = unsynced_since.is_some_and(|since| since.elapsed() >= SYNC_INTERVAL);
            if is_grave || is_due || !finished.is_empty() {
                unsynced_since = None;
                self.written(0, files.sync());
            }
        }
    }

    /// Takes note of what came of a write of so many.
    fn written(&self, count: usize, result: io::Result<()>) {
        let mut state = self.state();
        match result {
            Err(error) => {
                state.unwritten += count as u64;
                state.failure = Some(error.to_string());
            }
            Ok(()) if count > 0 && state.failure.take().is_some() => {
                let lost = std::mem::take(&mut state.unwritten);
                drop(state);
                let text =
                    format!("the disk takes the log again; {lost} lines before this one are not on it");
                self.record(Entry::new(Timestamp::now(), Severity::Warning, Source::Lbd, &text));
            }
            Ok(()) => {}
        }
    }
}

impl Default for Journal {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(severity: Severity, text: &str) -> Entry {
        Entry::new(Timestamp::now(), severity, Source::Lbd, text)
    }

    fn texts(journal: &Journal) -> Vec<String> {
        let (entries, _) = journal.read(&Wanted::default()).unwrap();
        entries.into_iter().map(|entry| entry.text).collect()
    }

    /// Until the thread has written it, or a minute.
    fn wait_until(condition: impl Fn() -> bool) {
        let began = Instant::now();
        while !condition() {
            assert!(began.elapsed() < Duration::from_secs(60), "the log was not written");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[test]
    fn entries_are_found_before_and_after_they_are_written_and_once_each() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::new();
        let mut follower = journal.follow();
        journal.record(entry(Severity::Info, "early"));
        assert_eq!(texts(&journal), ["early"]);
        journal.keep(folder.path().join("log")).unwrap();
        journal.record(entry(Severity::Error, "late"));
        assert_eq!(texts(&journal), ["late", "early"]);
        let written = || files::read(&folder.path().join("log"), LIMITS, &Wanted::default()).unwrap().len();
        wait_until(|| written() == 2);
        assert_eq!(texts(&journal), ["late", "early"]);
        assert_eq!(follower.try_recv().unwrap().text, "early");
    }

    #[test]
    fn a_disk_that_fails_costs_nobody_anything_and_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let blocked = folder.path().join("log");
        std::fs::write(&blocked, "a file where the folder should be").unwrap();
        let journal = Journal::new();
        journal.keep(blocked.clone()).unwrap();
        journal.record(entry(Severity::Error, "first"));
        wait_until(|| journal.trouble().is_some());
        assert_eq!(journal.recent().len(), 1);
        std::fs::remove_file(&blocked).unwrap();
        journal.record(entry(Severity::Error, "second"));
        wait_until(|| journal.trouble().is_none());
        wait_until(|| texts(&journal).first().is_some_and(|text| text.contains("1 lines before this one")));
        assert_eq!(journal.recent().len(), 3);
    }

    #[test]
    fn who_ends_leaves_no_line_behind() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::new();
        journal.keep(folder.path().to_owned()).unwrap();
        (0..100).for_each(|number| journal.record(entry(Severity::Info, &number.to_string())));
        journal.finish();
        assert_eq!(files::read(folder.path(), LIMITS, &Wanted::default()).unwrap().len(), 100);
    }

    #[test]
    fn memory_is_bounded() {
        let journal = Journal::new();
        (0..10_000).for_each(|number| journal.record(entry(Severity::Info, &number.to_string())));
        assert_eq!(journal.recent().len(), RECENT);
    }
}
