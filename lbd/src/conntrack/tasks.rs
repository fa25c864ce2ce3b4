//! The tasks that speak to the connection table. Each ends only when lbd ends; a failure is told and tried again.

use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::census::{self, Census, Count, Ended};
use super::entry::{Entry, MarkFilter};
use super::socket::{ConntrackError, End, EndWatch, Table};
use crate::engine::{Ending, Event};
use crate::proxy::Proxy;

/// After a failure, until the next try.
const RETRY: Duration = Duration::from_secs(5);

/// What has ended so far: written by the task that hears of it, read by the one that counts.
pub type Ledger = Arc<Mutex<Ended>>;

/// The ledger, for a moment.
pub(crate) fn ended(ledger: &Ledger) -> std::sync::MutexGuard<'_, Ended> {
    // Whoever panicked has left sums that are as good as any.
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks at the table now and then, and reports what it found.
pub async fn count(
    ledger: Ledger,
    proxy: Proxy,
    mut in_a_hurry: watch::Receiver<bool>,
    events: mpsc::Sender<Event>,
) -> String {
    let mut table = None;
    let mut last = Census::default();
    loop {
        let start = Instant::now();
        let looked = look(&mut table, &ledger, &proxy, &last).await;
        let pause = match &looked {
            Ok(census) => {
                last = census.clone();
                census::pause(start.elapsed(), *in_a_hurry.borrow_and_update())
            }
            Err(_) => RETRY,
        };
        let report = Event::Connections(looked.map_err(|error| error.to_string()));
        if events.send(report).await.is_err() {
            return "nobody wants to know about connections any more".into();
        }
        tokio::time::sleep(pause).await;
    }
}

async fn look(
    table: &mut Option<Table>,
    ledger: &Ledger,
    proxy: &Proxy,
    last: &Census,
) -> Result<Census, ConntrackError> {
    let mut open = match table.take() {
        Some(open) => open,
        None => Table::open()?,
    };
    let before = ended(ledger).clone();
    let mut count = Count::default();
    open.each(MarkFilter::ANY, |entry| {
        count.add(&entry);
        true
    })
    .await?;
    *table = Some(open);
    proxy.entries().iter().for_each(|entry| count.add(entry));
    Ok(Census { proxy: proxy.figures(), ..count.finish(&before, last) })
}

/// Hears of the ends of connections, adds up what they have moved, and hands them on to be recorded.
pub async fn hear(ledger: Ledger, recorder: SyncSender<Vec<End>>) -> String {
    loop {
        let Err(error) = hear_until_failure(&ledger, &recorder).await;
        ended(&ledger).lost += 1;
        tracing::warn!(%error, "the ends of connections are not recorded; it is tried again");
        tokio::time::sleep(RETRY).await;
    }
}

async fn hear_until_failure(
    ledger: &Ledger,
    recorder: &SyncSender<Vec<End>>,
) -> Result<std::convert::Infallible, ConntrackError> {
    let mut watch = EndWatch::open()?;
    loop {
        let ends = watch.next().await?;
        let mut ledger = ended(ledger);
        ledger.lost += u64::from(ends.some_lost);
        for end in &ends.seen {
            ledger.add(&end.entry);
        }
        // The disk is behind, or hangs: what does not fit is left out.
        if let Err(TrySendError::Full(ends) | TrySendError::Disconnected(ends)) = recorder.try_send(ends.seen)
        {
            ledger.unrecorded += ends.len() as u64;
            ledger.record_failure = Some("the disk does not keep up".into());
        }
    }
}

/// Makes the kernel forget connections, as ordered.
pub async fn end(mut orders: mpsc::Receiver<Vec<Ending>>, events: mpsc::Sender<Event>) -> String {
    let mut table = None;
    while let Some(endings) = orders.recv().await {
        let result = end_all(&mut table, &endings).await.map_err(|error| error.to_string());
        if events.send(Event::ConnectionsEnded { endings, result }).await.is_err() {
            break;
        }
    }
    "nobody orders the end of connections any more".into()
}

async fn end_all(table: &mut Option<Table>, endings: &[Ending]) -> Result<(), ConntrackError> {
    let mut open = match table.take() {
        Some(open) => open,
        None => Table::open()?,
    };
    for ending in endings {
        match *ending {
            Ending::Server { mark, but_those_to: None } => open.delete_marked(mark).await?,
            Ending::Server { mark, but_those_to: Some(address) } => {
                end_each(&mut open, MarkFilter::exactly(mark), |entry| entry.server.ip() != address).await?;
            }
            Ending::Source(address) => {
                end_each(&mut open, MarkFilter::ANY, |entry| entry.source.ip() == address).await?;
            }
        }
    }
    *table = Some(open);
    Ok(())
}

/// One by one, as the kernel's filter knows marks only.
async fn end_each(
    table: &mut Table,
    filter: MarkFilter,
    is_meant: impl Fn(&Entry) -> bool,
) -> Result<(), ConntrackError> {
    let mut meant = Vec::new();
    let each = |entry: Entry| {
        if is_meant(&entry) {
            meant.push(entry);
        }
        meant.len() < MOST_ENDED_ONE_BY_ONE
    };
    table.each(filter, each).await?;
    for entry in &meant {
        table.delete_one(entry).await?;
    }
    Ok(())
}

/// One place of a server has no more ports; a server of many ports is told in the next round.
const MOST_ENDED_ONE_BY_ONE: usize = 65_536;
