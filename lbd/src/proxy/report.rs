//! The task that tells others what has happened.

use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Proxy;
use super::connections::lock;
use crate::conntrack::socket::End;
use crate::conntrack::tasks::{Ledger, ended};
use crate::engine::Event;

/// Ends are handed on, and failures told, this often.
const REPORT_INTERVAL: Duration = Duration::from_millis(100);
/// Forgotten clients are let go of this often.
const TIDY_INTERVAL: Duration = Duration::from_secs(10);

impl Proxy {
    /// Hands ended connections on, tells of failures, closes listeners that are not wanted any more; for ever.
    pub async fn report(
        self,
        ledger: Ledger,
        recorder: SyncSender<Vec<End>>,
        events: mpsc::Sender<Event>,
    ) -> String {
        let mut tidy_at = Instant::now() + TIDY_INTERVAL;
        loop {
            tokio::time::sleep(REPORT_INTERVAL).await;
            hand_on(self.0.connections.take_ended(), &ledger, &recorder);
            self.0.listeners.lock().await.close_due().await;
            let failed = std::mem::take(&mut *lock(&self.0.failed));
            if !failed.is_empty() && events.send(Event::NotTaken(failed)).await.is_err() {
                return "nobody wants to know about failed connections any more".into();
            }
            if Instant::now() >= tidy_at {
                tidy_at = Instant::now() + TIDY_INTERVAL;
                let now = self.now();
                lock(&self.0.chooser).sticky.keep(|_| true, now);
            }
        }
    }
}

fn hand_on(ends: Vec<End>, ledger: &Ledger, recorder: &SyncSender<Vec<End>>) {
    if ends.is_empty() {
        return;
    }
    let mut ledger = ended(ledger);
    ends.iter().for_each(|end| ledger.add(&end.entry));
    if let Err(TrySendError::Full(ends) | TrySendError::Disconnected(ends)) = recorder.try_send(ends) {
        ledger.unrecorded += ends.len() as u64;
        ledger.record_failure = Some("the disk does not keep up".into());
    }
}
