//! Takes a sample every ten seconds and writes it to disk, in a thread of its own that nobody waits for. It looks at the
//! published picture, as everybody does: while a disk hangs, samples are missed, and nothing else is.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::watch;

use super::keeper::Keeper;
use super::outages::{self, Outages};
use super::sample::Sample;
use super::standing::{Entry, Watch, What, all};
use super::system::{self, Reading};
use super::{HOLE, LEVELS, step_of};
use crate::numbered::room;
use crate::web::Published;

/// The folder below the state directory.
const FOLDER: &str = "history";
/// How often it is looked whether a step has begun: then a sample is at most so late.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// A power cut costs at most so much; a disk is not kept awake for more.
const SYNC_INTERVAL: Duration = Duration::from_secs(60);

/// The history: where it is, and whether it is being recorded. Cheap to clone.
#[derive(Debug, Clone)]
pub struct History {
    state_directory: PathBuf,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Why the last sample was not written, and since when none is.
    failure: Option<(String, Timestamp)>,
    left_out: usize,
}

impl History {
    /// The one below this directory.
    pub fn below(state_directory: &Path) -> Self {
        Self { state_directory: state_directory.to_owned(), state: Arc::default() }
    }

    /// Where it is.
    pub fn folder(&self) -> PathBuf {
        self.state_directory.join(FOLDER)
    }

    /// Why nothing is recorded now, in a sentence; `None` while it is.
    pub fn trouble(&self) -> Option<String> {
        let state = self.state();
        let (why, since) = state.failure.as_ref()?;
        Some(format!(
            "The history for graphs and reports cannot be written to disk ({why}): it has a hole that began at {} UTC. \
             Traffic goes on. Look at the datastore of the virtual machine.",
            since.strftime("%Y-%m-%d %H:%M:%S")
        ))
    }

    /// So many servers are not recorded, as there are too many.
    pub fn left_out(&self) -> usize {
        self.state().left_out
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of what came of a sample; says so once.
    fn written(&self, result: io::Result<()>, now: Timestamp) {
        let failure = &mut self.state().failure;
        match (result, failure.as_ref().map(|(_, since)| *since)) {
            (Ok(()), None) => {}
            (Ok(()), Some(since)) => {
                *failure = None;
                tracing::warn!(%since, "the disk takes the history again; it has a hole since then");
            }
            (Err(error), since) => {
                if since.is_none() {
                    tracing::warn!(%error, "the disk does not take the history; traffic goes on");
                }
                *failure = Some((error.to_string(), since.unwrap_or(now)));
            }
        }
    }
}

/// Starts the thread, which ends with who publishes.
pub fn start(history: History, pictures: watch::Receiver<Arc<Published>>) -> io::Result<()> {
    let record = move || Recorder::new(history, pictures).record();
    std::thread::Builder::new().name("history".into()).spawn(record).map(|_| ())
}

struct Recorder {
    history: History,
    pictures: watch::Receiver<Arc<Published>>,
    keeper: Keeper,
    outages: Outages,
    watch: Watch,
    /// What the record says was not yet read.
    is_new: bool,
    before: Option<(Reading, Instant)>,
    synced: Instant,
}

impl Recorder {
    fn new(history: History, pictures: watch::Receiver<Arc<Published>>) -> Self {
        let keeper = Keeper::new(&history.folder());
        let outages = Outages::new(&history.folder(), outages::LIMITS);
        let (watch, is_new, synced) = (Watch::default(), true, Instant::now());
        Self { history, pictures, keeper, outages, watch, is_new, before: None, synced }
    }

    fn record(mut self) {
        let mut last = None;
        // Ends when nobody publishes any more.
        while self.pictures.has_changed().is_ok() {
            let now = Timestamp::now();
            let step = step_of(now.as_second(), LEVELS[0].step);
            if last != Some(step) {
                last = Some(step);
                let result = self.sample(now);
                self.history.written(result, now);
            } else if self.pictures.has_changed().unwrap_or(false) && self.history.trouble().is_none() {
                let result = self.compare(now.as_second());
                self.history.written(result, now);
            }
            std::thread::sleep(LOOK_INTERVAL);
        }
    }

    /// What nobody recorded is said first: then what has changed counts from now on.
    fn sample(&mut self, now: Timestamp) -> io::Result<()> {
        let reading = system::read(&self.history.state_directory);
        let read_at = Instant::now();
        let sample = {
            let picture = self.pictures.borrow().clone();
            let before =
                self.before.as_ref().map(|(before, at)| (before, read_at.duration_since(*at).as_secs_f64()));
            Sample::of(&picture.view, &reading, before)
        };
        self.before = Some((reading, read_at));
        self.history.state().left_out = sample.left_out;
        room(&self.history.state_directory)?;
        if self.is_new {
            outages::replay(&self.history.folder(), |entry| self.watch.learn(&entry))?;
            self.is_new = false;
        }
        let now = now.as_second();
        let last = self.keeper.last()?.map(|last| last + LEVELS[0].step);
        if let Some(since) = last.filter(|last| *last + HOLE < now) {
            self.write(&[Entry { time: now, what: What::Hole { since } }], now)?;
        }
        self.compare(now)?;
        self.keeper.take(&sample, now)?;
        if self.synced.elapsed() >= SYNC_INTERVAL {
            self.synced = Instant::now();
            self.keeper.sync()?;
        }
        Ok(())
    }

    /// Records what stands otherwise than before.
    fn compare(&mut self, now: i64) -> io::Result<()> {
        let picture = self.pictures.borrow_and_update().clone();
        match self.watch.changes(&picture.view, now) {
            Some(changes) if changes.is_empty() => Ok(()),
            Some(changes) => self.write(&changes, now),
            None => self.write(&[all(&picture.view, now)], now),
        }
    }

    fn write(&mut self, entries: &[Entry], now: i64) -> io::Result<()> {
        let picture = self.pictures.borrow().clone();
        let everything = || all(&picture.view, now);
        if self.outages.append(entries, everything)? {
            self.watch.learn(&everything());
        } else {
            entries.iter().for_each(|entry| self.watch.learn(entry));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_told_with_its_beginning_until_it_is_over() {
        let history = History::below(Path::new("/nowhere"));
        let at = |second| Timestamp::from_second(second).unwrap();
        let full = || Err(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(history.trouble(), None);
        history.written(full(), at(0));
        history.written(full(), at(100));
        let text = history.trouble().unwrap();
        assert!(text.contains("1970-01-01 00:00:00") && text.contains("no storage space"), "{text}");
        history.written(Ok(()), at(200));
        assert_eq!(history.trouble(), None);
    }
}
