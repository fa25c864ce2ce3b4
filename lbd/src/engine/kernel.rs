//! What is known of the kernel's side: what it has, what is on its way, when to try again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::Outcome;
use crate::network::topology::VirtualAddress;
use crate::plan::Desired;
use crate::traffic::listing::Listing;
use crate::traffic::numbering::Mark;

/// First pause after the kernel refused; it doubles up to the last.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(30);

/// Everything is applied again this often, so that what somebody else changed is mended: kernel settings send no
/// notice when they do. What is right already is not touched.
const REFRESH: Duration = Duration::from_secs(60);

/// One apply at a time, each with a number.
#[derive(Debug, Default)]
pub(super) struct Kernel {
    number: u64,
    in_flight: Option<Arc<Desired>>,
    /// The rules that were applied last, with all else that was wanted; `None` when that is not certain.
    applied: Option<Arc<Desired>>,
    /// Rules have been applied by this lbd, not by one before it.
    has_applied: bool,
    /// Something in the network has changed since.
    doubted: bool,
    /// The table is not what was applied.
    lost: bool,
    refresh_at: Duration,
    /// Marks of the servers that take connections, as far as is known.
    serving: BTreeSet<String>,
    failure: Option<Failure>,
}

#[derive(Debug)]
struct Failure {
    why: String,
    pause: Duration,
    retry_at: Duration,
}

/// The maps that turn a mark into a server.
pub(super) const SERVER_MAPS: [&str; 4] = ["servers", "servers6", "servers_same_port", "servers_same_port6"];

impl Kernel {
    /// What an earlier lbd left.
    pub(super) fn adopt(listing: &Listing) -> Self {
        let maps = SERVER_MAPS.iter().filter_map(|name| listing.maps.get(*name));
        Self { serving: maps.flat_map(|map| map.keys().cloned()).collect(), ..Self::default() }
    }

    /// Whether the kernel sends connections to the server with this mark.
    pub(super) fn serves(&self, mark: Mark) -> bool {
        self.serving.contains(&mark.to_string())
    }

    /// Whether lbd forwards what it is to forward itself: what an earlier lbd left in the kernel is only a note.
    pub(super) fn forwards(&self) -> bool {
        self.has_applied
    }

    pub(super) fn is_busy(&self) -> bool {
        self.in_flight.is_some()
    }

    /// Whether there is something to order now. A failure of the rules is tried again after a pause; what is new
    /// does not wait for a failure of the rest.
    pub(super) fn needs(&self, desired: &Arc<Desired>, now: Duration) -> bool {
        let due = now >= self.next_due();
        match &self.applied {
            None => self.failure.is_none() || due,
            Some(applied) => !Arc::ptr_eq(applied, desired) || self.doubted || due,
        }
    }

    /// Whether everything wanted is in place.
    pub(super) fn has(&self, desired: &Arc<Desired>) -> bool {
        self.applied.as_ref().is_some_and(|applied| Arc::ptr_eq(applied, desired))
    }

    /// Makes what is wanted the same object as what is on its way or in place, where they are equal: so every
    /// later comparison costs nothing, however large the configuration.
    pub(super) fn share(&self, desired: &mut Arc<Desired>) {
        let known = [&self.in_flight, &self.applied].into_iter().flatten();
        if let Some(equal) = known.into_iter().find(|known| **known == *desired) {
            *desired = equal.clone();
        }
    }

    /// When to apply again without any reason but time.
    pub(super) fn next_due(&self) -> Duration {
        self.failure.as_ref().map_or(self.refresh_at, |failure| failure.retry_at)
    }

    /// The last failure, in words, until an apply succeeds.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.as_ref().map(|failure| failure.why.as_str())
    }

    /// Takes note of an order; gives it a number, and says whether the table must be read again.
    pub(super) fn order(&mut self, desired: Arc<Desired>, now: Duration) -> (u64, bool) {
        self.number += 1;
        self.in_flight = Some(desired);
        self.doubted = false;
        self.refresh_at = now + REFRESH;
        (self.number, std::mem::take(&mut self.lost))
    }

    /// An order has ended.
    pub(super) fn ended(&mut self, outcome: &Outcome, now: Duration) {
        let ordered = self.in_flight.take();
        match &outcome.rules {
            Ok(()) => {
                let keys = |desired: &Arc<Desired>| {
                    SERVER_MAPS.iter().flat_map(|map| desired.table.keys(map)).cloned().collect()
                };
                self.serving = ordered.as_ref().map(keys).unwrap_or_default();
                self.applied = ordered;
                self.has_applied = true;
            }
            Err(_) => self.applied = None,
        }
        let pause = self.failure.as_ref().map_or(FIRST_RETRY, |last| (last.pause * 2).min(LAST_RETRY));
        self.failure = outcome.trouble().map(|why| Failure { why, pause, retry_at: now + pause });
    }

    /// The virtual addresses that were wanted last, if any.
    pub(super) fn addresses(&self) -> Option<&BTreeSet<VirtualAddress>> {
        self.applied.as_ref().map(|applied| &applied.places.virtual_addresses)
    }

    /// Something in the network has changed: what is ours is looked at again.
    pub(super) fn doubt(&mut self) {
        self.doubted = true;
    }

    /// The kernel has these counters: others than ours mean that the table is not ours any more.
    pub(super) fn counters_are<'a>(&mut self, names: Option<impl Iterator<Item = &'a String>>) {
        let Some(applied) = &self.applied else { return };
        if !names.is_some_and(|names| names.eq(applied.table.counters())) {
            self.applied = None;
            self.lost = true;
            self.serving.clear();
        }
    }
}
