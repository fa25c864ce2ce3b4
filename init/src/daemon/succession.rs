//! Whether a new lbd takes the place of the one before it, after a quick update: pure. Time is an argument, counted from
//! init's start.
//!
//! ```text
//! Announced --2 s--> Leaving --ended--> Trying --proven, and healthy--> Keep
//!     '-------ended---------^ '--hangs: Kill   |------third end, or too late--> TakeBack
//! ```

use std::time::Duration;

/// The answer to whoever ordered it goes through the lbd that is to end, and so does its line in the audit log.
const ANSWER: Duration = Duration::from_secs(2);

/// lbd stores nothing at its end; it only closes connections.
const END: Duration = Duration::from_secs(5);

/// So often a new lbd may end before it has proven itself.
const ENDS: u32 = 3;

/// What to do now, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Ask the old lbd to end.
    End,
    /// It has not: kill it.
    Kill,
    /// The new one is good.
    Keep,
    /// The old one is to run again.
    TakeBack(Fault),
}

/// Why a new lbd is no good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It ended again and again.
    Ended,
    /// It had its time, and did not show that everything works that worked before.
    Unproven,
}

/// How long a new lbd has, and how long it must answer after its proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// To prove itself, from its first start.
    pub limit: Duration,
    /// To be healthy for.
    pub healthy: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Announced { until: Duration },
    Leaving { until: Duration, killed: bool },
    Trying { since: Duration, ends: u32 },
    Settled,
}

/// One replacement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Succession {
    terms: Terms,
    state: State,
}

impl Succession {
    /// The new lbd is in its place; the old one still runs.
    pub fn begin(terms: Terms, now: Duration) -> Self {
        Self { terms, state: State::Announced { until: now + ANSWER } }
    }

    /// What is due, if anything. `healthy_for`: how long lbd has answered, nothing before it has proven itself.
    pub fn due(&mut self, now: Duration, healthy_for: Duration) -> Option<Order> {
        let (state, order) = match self.state {
            State::Announced { until } if now >= until => {
                (State::Leaving { until: now + END, killed: false }, Order::End)
            }
            State::Leaving { until, killed: false } if now >= until => {
                (State::Leaving { until, killed: true }, Order::Kill)
            }
            State::Trying { ends: ENDS.., .. } => (State::Settled, Order::TakeBack(Fault::Ended)),
            State::Trying { .. } if healthy_for >= self.terms.healthy => (State::Settled, Order::Keep),
            State::Trying { since, .. } if now >= since + self.terms.limit => {
                (State::Settled, Order::TakeBack(Fault::Unproven))
            }
            _ => return None,
        };
        self.state = state;
        Some(order)
    }

    /// An lbd has ended, or could not be started.
    pub fn ended(&mut self, now: Duration) {
        self.state = match self.state {
            State::Announced { .. } | State::Leaving { .. } => State::Trying { since: now, ends: 0 },
            State::Trying { since, ends } => State::Trying { since, ends: ends.saturating_add(1) },
            State::Settled => State::Settled,
        }
    }

    /// When [`Self::due`] has something new at the latest, if nothing else happens.
    pub fn next_deadline(&self) -> Option<Duration> {
        match self.state {
            State::Announced { until } | State::Leaving { until, killed: false } => Some(until),
            State::Trying { since, .. } => Some(since + self.terms.limit),
            State::Leaving { .. } | State::Settled => None,
        }
    }
}

#[cfg(test)]
#[path = "succession_tests.rs"]
mod tests;
