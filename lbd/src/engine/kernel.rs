//! What is known of the kernel's side: what it has, what is on its way, when to try again.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::network::topology::{Network, Topology, VirtualAddress};
use crate::plan::Desired;

/// First pause after the kernel refused; it doubles up to the last.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(30);

/// One apply at a time, each with a number.
#[derive(Debug, Default)]
pub(super) struct Kernel {
    number: u64,
    in_flight: Option<Desired>,
    /// What was applied last; `None` when that is not certain.
    applied: Option<Desired>,
    failure: Option<Failure>,
}

#[derive(Debug)]
struct Failure {
    why: String,
    pause: Duration,
    retry_at: Duration,
}

impl Kernel {
    pub(super) fn is_busy(&self) -> bool {
        self.in_flight.is_some()
    }

    pub(super) fn has(&self, desired: &Desired) -> bool {
        self.applied.as_ref() == Some(desired)
    }

    pub(super) fn must_wait(&self, now: Duration) -> bool {
        self.retry_at().is_some_and(|retry_at| retry_at > now)
    }

    /// When to try again after a failure.
    pub(super) fn retry_at(&self) -> Option<Duration> {
        self.failure.as_ref().filter(|_| !self.is_busy()).map(|failure| failure.retry_at)
    }

    /// The last failure, in words, until an apply succeeds.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.as_ref().map(|failure| failure.why.as_str())
    }

    /// Takes note of an order and gives it a number.
    pub(super) fn order(&mut self, desired: Desired) -> u64 {
        self.number += 1;
        self.in_flight = Some(desired);
        self.number
    }

    /// An order has ended.
    pub(super) fn ended(&mut self, result: &Result<(), String>, now: Duration) {
        let ordered = self.in_flight.take();
        match result {
            Ok(()) => {
                self.applied = ordered;
                self.failure = None;
            }
            Err(why) => {
                self.applied = None;
                let pause =
                    self.failure.as_ref().map_or(FIRST_RETRY, |last| (last.pause * 2).min(LAST_RETRY));
                self.failure = Some(Failure { why: why.clone(), pause, retry_at: now + pause });
            }
        }
    }

    /// The virtual addresses that are in place, if anything is.
    pub(super) fn addresses(&self) -> Option<&BTreeSet<VirtualAddress>> {
        self.applied.as_ref().map(|applied| &applied.places.virtual_addresses)
    }

    /// The kernel's network is like this: where something of ours has been taken away, all is applied again.
    pub(super) fn network_is(&mut self, topology: &Topology) {
        let complete = |applied: &Desired| {
            let own = |(name, network): &(String, Network)| {
                topology.interfaces.get(name).is_some_and(|interface| interface.networks.contains(network))
            };
            applied.places.virtual_addresses.is_subset(&topology.virtual_addresses())
                && applied.places.own_addresses.iter().all(own)
        };
        if self.applied.as_ref().is_some_and(|applied| !complete(applied)) {
            self.applied = None;
        }
    }
}
