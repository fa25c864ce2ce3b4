//! How many bytes a second pass, from the sums that each count of connections gives.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::conntrack::census::{Census, Figures};

/// Between two readings: connections may be counted four times a second, and over so short a time a rate only flickers.
const WINDOW: Duration = Duration::from_secs(2);

/// By mark.
#[derive(Debug, Default)]
pub(super) struct Throughput {
    before: BTreeMap<u32, Bytes>,
    read_at: Option<Duration>,
    rates: BTreeMap<u32, Rate>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Bytes {
    received: u64,
    sent: u64,
}

/// Bytes a second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Rate {
    /// From clients.
    pub(super) received: f64,
    /// To clients.
    pub(super) sent: f64,
}

impl Bytes {
    fn of(figures: &Figures) -> Self {
        Self { received: figures.received.bytes, sent: figures.sent.bytes }
    }

    fn rate_since(self, before: Self, seconds: f64) -> Rate {
        let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
        Rate { received: rate(self.received, before.received), sent: rate(self.sent, before.sent) }
    }
}

impl Throughput {
    /// Takes a count.
    pub(super) fn read(&mut self, census: &Census, now: Duration) {
        let elapsed = self.read_at.map(|read_at| now.saturating_sub(read_at));
        if elapsed.is_some_and(|elapsed| elapsed < WINDOW) {
            return;
        }
        let sums: BTreeMap<_, _> =
            census.marks.iter().map(|(mark, figures)| (*mark, Bytes::of(figures))).collect();
        if let Some(elapsed) = elapsed {
            let rate = |(mark, sum): (&u32, &Bytes)| {
                // A mark that is new has had no bytes before.
                let before = self.before.get(mark).copied().unwrap_or_default();
                (*mark, sum.rate_since(before, elapsed.as_secs_f64()))
            };
            self.rates = sums.iter().map(rate).collect();
        }
        (self.before, self.read_at) = (sums, Some(now));
    }

    /// Of a server in a service; nothing before the second reading.
    pub(super) fn of(&self, mark: u32) -> Rate {
        self.rates.get(&mark).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conntrack::entry::Volume;

    fn census(bytes: &[(u32, u64)]) -> Census {
        let figures = |(mark, bytes): &(u32, u64)| {
            let received = Volume { bytes: *bytes, ..Volume::default() };
            (*mark, Figures { received, ..Figures::default() })
        };
        Census { marks: bytes.iter().map(figures).collect(), ..Census::default() }
    }

    #[test]
    fn a_rate_lies_between_readings_that_are_a_window_apart() {
        let seconds = Duration::from_secs;
        let mut throughput = Throughput::default();
        throughput.read(&census(&[(1, 1_000)]), seconds(10));
        assert_eq!(throughput.of(1), Rate::default(), "what was before is no throughput of now");
        throughput.read(&census(&[(1, 9_000)]), seconds(11));
        assert_eq!(throughput.of(1), Rate::default());
        throughput.read(&census(&[(1, 11_000), (2, 50)]), seconds(20));
        assert_eq!((throughput.of(1).received, throughput.of(2).received), (1_000.0, 5.0));
        throughput.read(&census(&[(1, 11_000)]), seconds(25));
        assert_eq!((throughput.of(1), throughput.of(2)), (Rate::default(), Rate::default()));
        throughput.read(&census(&[(1, 3)]), seconds(30));
        assert_eq!(throughput.of(1), Rate::default(), "never below zero");
    }
}
