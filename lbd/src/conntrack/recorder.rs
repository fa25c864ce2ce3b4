//! Writes closed connections to disk, in a thread of its own: a disk that hangs keeps nobody else waiting. What does
//! not fit into the queue meanwhile is counted, told and left out.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::watch;

use super::names::Names;
use super::record::Record;
use super::ring::{LIMITS, Ring};
use super::socket::End;
use super::tasks::{Ledger, ended};
use crate::numbered::room;

/// Batches that may wait for the disk, of some hundred ends each.
const QUEUE: usize = 64;
/// Written together.
const MOST_TOGETHER: usize = 4_096;
/// A power cut costs at most what was closed in so long; a disk is not kept awake for more.
const SYNC_INTERVAL: Duration = Duration::from_secs(10);

/// Starts the thread, which ends with the returned end of the queue.
pub fn start(
    folder: PathBuf,
    names: watch::Receiver<Names>,
    ledger: Ledger,
) -> std::io::Result<SyncSender<Vec<End>>> {
    let (sender, receiver) = sync_channel(QUEUE);
    let state_directory = folder.parent().unwrap_or(&folder).to_owned();
    let write = move || write(&receiver, (&state_directory, Ring::new(folder, LIMITS)), &names, &ledger);
    std::thread::Builder::new().name("closed".into()).spawn(write)?;
    Ok(sender)
}

fn write(
    queue: &Receiver<Vec<End>>,
    (state_directory, mut ring): (&Path, Ring),
    names: &watch::Receiver<Names>,
    ledger: &Ledger,
) {
    let mut unsynced_since = None;
    loop {
        match queue.recv_timeout(SYNC_INTERVAL) {
            Ok(mut ends) => {
                while let Some(more) = (ends.len() < MOST_TOGETHER).then(|| queue.try_recv().ok()).flatten() {
                    ends.extend(more);
                }
                let count = ends.len() as u64;
                let room = room(state_directory);
                let written = room.and_then(|()| ring.append(records(&ends), &names.borrow()));
                let mut ledger = ended(ledger);
                ledger.unrecorded += if written.is_ok() { 0 } else { count };
                ledger.record_failure = written.err().map(|error| error.to_string());
                unsynced_since.get_or_insert_with(Instant::now);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if unsynced_since.is_some_and(|since: Instant| since.elapsed() >= SYNC_INTERVAL) {
            unsynced_since = None;
            if let Err(error) = ring.sync() {
                ended(ledger).record_failure = Some(error.to_string());
            }
        }
    }
}

fn records(ends: &[End]) -> Vec<Record> {
    let now = u64::try_from(Timestamp::now().as_nanosecond()).unwrap_or_default();
    ends.iter().map(|end| Record::of(end, now)).collect()
}
