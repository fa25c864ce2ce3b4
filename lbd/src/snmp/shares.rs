//! What outlives a change of the agent: counters, the machine's figures, when SNMP began.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{Semaphore, watch};

use super::figures::{self, Disk, Figures, Reader};
use super::front::{Tally, value};
use crate::view::SnmpCounters;
use crate::web::Published;

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Shares {
    pub(super) pictures: watch::Receiver<Arc<Published>>,
    pub(super) tally: Arc<Tally>,
    kept: Arc<Mutex<Kept>>,
    /// A disk that does not answer keeps one thread.
    disk_turn: Arc<Semaphore>,
    began: Instant,
}

#[derive(Default)]
struct Kept {
    /// Counted by agents that have ended.
    past: SnmpCounters,
    /// Counted by the one that runs, some seconds ago.
    present: SnmpCounters,
    disk: Option<Disk>,
    reader: Reader,
}

impl Shares {
    pub(super) fn new(pictures: watch::Receiver<Arc<Published>>) -> Self {
        Self {
            pictures,
            tally: Arc::default(),
            kept: Arc::default(),
            disk_turn: Arc::new(Semaphore::new(1)),
            began: Instant::now(),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nobody panics while they hold it.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The agent that counted these has ended.
    pub(super) fn keep_counters(&self, counters: SnmpCounters) {
        let mut kept = self.kept();
        kept.past = sum(kept.past, counters);
        kept.present = SnmpCounters::default();
    }

    /// Takes over what the agent has counted, and what can be seen of the machine.
    pub(super) fn look(&self, counters: SnmpCounters, state_directory: &Path) {
        self.kept().present = counters;
        self.figures();
        if let Ok(turn) = self.disk_turn.clone().try_acquire_owned() {
            let (kept, folder) = (self.clone(), state_directory.to_owned());
            tokio::task::spawn_blocking(move || {
                let disk = figures::disk(&folder);
                kept.kept().disk = disk;
                drop(turn);
            });
        }
    }

    pub(super) fn figures(&self) -> Figures {
        let mut kept = self.kept();
        let disk = kept.disk;
        kept.reader.read(disk)
    }

    /// Since lbd started.
    pub(super) fn counters(&self) -> SnmpCounters {
        let kept = self.kept();
        let tally = &self.tally;
        SnmpCounters {
            received: value(&tally.received),
            answered: value(&tally.answered),
            malformed: value(&tally.malformed),
            wrong_version: value(&tally.wrong_version),
            wrong_community: value(&tally.wrong_community),
            ..sum(kept.past, kept.present)
        }
    }

    /// Hundredths of a second since SNMP began; begins anew after 497 days, as sysUpTime does.
    pub(super) fn uptime(&self) -> u32 {
        (self.began.elapsed().as_millis() / 10) as u32
    }
}

/// Of what agents count.
fn sum(a: SnmpCounters, b: SnmpCounters) -> SnmpCounters {
    SnmpCounters {
        unknown_user: a.unknown_user + b.unknown_user,
        wrong_proof: a.wrong_proof + b.wrong_proof,
        undecipherable: a.undecipherable + b.undecipherable,
        unprotected: a.unprotected + b.unprotected,
        outside_time_window: a.outside_time_window + b.outside_time_window,
        unknown_engine: a.unknown_engine + b.unknown_engine,
        dropped: a.dropped + b.dropped,
        ..SnmpCounters::default()
    }
}
