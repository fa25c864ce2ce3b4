//! Writes to a disk that may hang: they are done by a thread of their own, in order, and whoever orders one goes on after
//! a while, whether it has been done or not.
//!
//! A datastore that is gone lets a write wait for minutes or for ever, and says nothing. What is ordered meanwhile is put
//! together, so that it takes little room, and is written when the disk answers again.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

/// A healthy disk needs milliseconds, a busy one a second or two.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Orders writes of one kind. The thread ends when this is gone, and its last write with it.
#[derive(Debug)]
pub struct DiskWriter<J> {
    shared: Arc<Shared<J>>,
    done: watch::Receiver<Done>,
    merge: fn(J, J) -> J,
    patience: Duration,
    /// The disk has not answered in time, and not since.
    hangs: AtomicBool,
}

#[derive(Debug)]
struct Shared<J> {
    slot: Mutex<Slot<J>>,
    filled: Condvar,
}

#[derive(Debug)]
struct Slot<J> {
    waiting: Option<J>,
    ordered: u64,
    is_closed: bool,
}

/// Everything that was ordered up to this number is done; the latest of it failed with these words.
#[derive(Debug, Clone, Default)]
struct Done {
    number: u64,
    failure: Option<String>,
}

impl<J> Shared<J> {
    fn slot(&self) -> MutexGuard<'_, Slot<J>> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next write and its number; `None` once nobody can order any more.
    fn next(&self) -> Option<(J, u64)> {
        let mut slot = self.slot();
        loop {
            if let Some(job) = slot.waiting.take() {
                return Some((job, slot.ordered));
            }
            if slot.is_closed {
                return None;
            }
            slot = self.filled.wait(slot).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<J: Send + 'static> DiskWriter<J> {
    /// `write` does it, in a thread with this name; `merge` puts two orders together, the older first.
    ///
    /// # Errors
    /// When there can be no further thread.
    pub fn start(
        name: &str,
        merge: fn(J, J) -> J,
        write: impl FnMut(J) -> io::Result<()> + Send + 'static,
    ) -> io::Result<Self> {
        Self::patient(name, PATIENCE, merge, write)
    }

    fn patient(
        name: &str,
        patience: Duration,
        merge: fn(J, J) -> J,
        mut write: impl FnMut(J) -> io::Result<()> + Send + 'static,
    ) -> io::Result<Self> {
        let slot = Slot { waiting: None, ordered: 0, is_closed: false };
        let shared = Arc::new(Shared { slot: Mutex::new(slot), filled: Condvar::new() });
        let (sender, done) = watch::channel(Done::default());
        let of_thread = shared.clone();
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            while let Some((job, number)) = of_thread.next() {
                let failure = write(job).err().map(|error| error.to_string());
                sender.send_replace(Done { number, failure });
            }
        })?;
        Ok(Self { shared, done, merge, patience, hangs: AtomicBool::new(false) })
    }

    /// Returns once it is written, or after five seconds; at once while the disk is known to hang.
    ///
    /// # Errors
    /// What the disk said; or that it does not answer: then the write is done when it does.
    pub async fn write(&self, job: J) -> io::Result<()> {
        let number = self.order(job);
        let mut done = self.done.clone();
        let late = || {
            io::Error::new(io::ErrorKind::TimedOut, "the disk does not answer; it is written when it does")
        };
        if self.hangs.load(Ordering::Relaxed) && done.borrow().number + 1 < number {
            return Err(late());
        }
        match tokio::time::timeout(self.patience, done.wait_for(|done| done.number >= number)).await {
            Ok(Ok(done)) => {
                self.hangs.store(false, Ordering::Relaxed);
                done.failure.clone().map_or(Ok(()), |why| Err(io::Error::other(why)))
            }
            Ok(Err(_)) => Err(io::Error::other("the thread that writes has ended")),
            Err(_) => {
                self.hangs.store(true, Ordering::Relaxed);
                Err(late())
            }
        }
    }

    fn order(&self, job: J) -> u64 {
        let mut slot = self.shared.slot();
        let job = match slot.waiting.take() {
            Some(before) => (self.merge)(before, job),
            None => job,
        };
        slot.waiting = Some(job);
        slot.ordered += 1;
        self.shared.filled.notify_one();
        slot.ordered
    }
}

impl<J> Drop for DiskWriter<J> {
    fn drop(&mut self) {
        self.shared.slot().is_closed = true;
        self.shared.filled.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn both(mut before: Vec<u8>, now: Vec<u8>) -> Vec<u8> {
        before.extend(now);
        before
    }

    /// What comes of each write.
    type Answers = mpsc::Sender<io::Result<()>>;

    /// A writer to a disk that does each write when it is told to, and what it has written.
    fn hanging(patience: Duration) -> (DiskWriter<Vec<u8>>, Answers, mpsc::Receiver<Vec<u8>>) {
        let (answer, answers) = mpsc::channel();
        let (written, writes) = mpsc::channel();
        let write = move |job| {
            written.send(job).map_err(io::Error::other)?;
            answers.recv().map_err(io::Error::other)?
        };
        (DiskWriter::patient("test", patience, both, write).unwrap(), answer, writes)
    }

    #[tokio::test]
    async fn what_the_disk_says_is_told() {
        let (writer, answer, writes) = hanging(Duration::from_secs(60));
        answer.send(Ok(())).unwrap();
        writer.write(vec![1]).await.unwrap();
        answer.send(Err(io::Error::from(io::ErrorKind::StorageFull))).unwrap();
        let refused = writer.write(vec![2]).await.unwrap_err();
        assert!(refused.to_string().contains("no storage space"), "{refused}");
        assert_eq!(writes.try_iter().collect::<Vec<_>>(), [[1], [2]]);
    }

    #[tokio::test]
    async fn nobody_waits_for_a_disk_that_hangs_and_nothing_ordered_is_lost() {
        let (writer, answer, writes) = hanging(Duration::from_millis(20));
        let late = async |number| writer.write(vec![number]).await.unwrap_err().kind();
        assert_eq!(late(1).await, io::ErrorKind::TimedOut);
        assert_eq!(writes.recv().unwrap(), [1], "what hangs is under way");
        for number in 2..=4 {
            assert_eq!(late(number).await, io::ErrorKind::TimedOut);
        }
        (0..2).for_each(|_| answer.send(Ok(())).unwrap());
        assert_eq!(writes.recv().unwrap(), [2, 3, 4], "put together meanwhile");
        let mut done = writer.done.clone();
        done.wait_for(|done| done.number == 4).await.unwrap();
        assert!(done.borrow().failure.is_none());
    }
}
