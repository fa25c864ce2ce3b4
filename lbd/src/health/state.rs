//! Rise and fall: when a server takes connections and when it does not. Pure: time is an argument.

use std::time::Duration;

use jiff::Timestamp;

use crate::config::Thresholds;

/// What is known of a server's health in one service.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerHealth {
    phase: Phase,
    since: Timestamp,
    reason: String,
    latency: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing is known: takes no connections; the first check decides alone.
    Checking,
    /// Takes connections; this many checks in a row have failed.
    Up { failed: u8 },
    /// Takes none; this many checks in a row have passed.
    Down { passed: u8 },
}

/// What a view needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Not yet checked.
    Checking,
    /// Takes new connections.
    Up,
    /// Takes none.
    Down,
}

impl ServerHealth {
    /// A server that nobody has asked yet.
    pub fn unknown(now: Timestamp) -> Self {
        Self {
            phase: Phase::Checking,
            since: now,
            reason: "the first check is under way".into(),
            latency: None,
        }
    }

    /// What an earlier lbd left in the kernel: its verdict stands until `rise` or `fall` checks overturn it.
    pub fn adopted(in_service: bool, now: Timestamp) -> Self {
        let (phase, state) = match in_service {
            true => (Phase::Up { failed: 0 }, "in service"),
            false => (Phase::Down { passed: 0 }, "out of service"),
        };
        let reason = format!("{state} before lbd started anew; the next check is under way");
        Self { phase, since: now, reason, latency: None }
    }

    /// Takes the result of a check, failures in words. True when the verdict has changed.
    pub fn observe(
        &mut self,
        result: Result<Duration, String>,
        thresholds: Thresholds,
        now: Timestamp,
    ) -> bool {
        let before = self.verdict();
        self.phase = match (&result, self.phase) {
            (Ok(_), Phase::Checking | Phase::Up { .. }) => Phase::Up { failed: 0 },
            (Ok(_), Phase::Down { passed }) if passed + 1 >= thresholds.rise => Phase::Up { failed: 0 },
            (Ok(_), Phase::Down { passed }) => Phase::Down { passed: passed + 1 },
            (Err(_), Phase::Checking | Phase::Down { .. }) => Phase::Down { passed: 0 },
            (Err(_), Phase::Up { failed }) if failed + 1 >= thresholds.fall => Phase::Down { passed: 0 },
            (Err(_), Phase::Up { failed }) => Phase::Up { failed: failed + 1 },
        };
        self.explain(result, thresholds);
        let changed = self.verdict() != before;
        if changed {
            self.since = now;
        }
        changed
    }

    /// While a server comes back, the reason of its failure stays readable.
    fn explain(&mut self, result: Result<Duration, String>, Thresholds { rise, fall }: Thresholds) {
        match (self.phase, result) {
            (Phase::Up { .. }, Ok(latency)) => {
                self.latency = Some(latency);
                self.reason = "passes its check".into();
            }
            (Phase::Down { passed }, Ok(latency)) => {
                self.latency = Some(latency);
                self.reason = format!("returning: passed {passed} of {rise} checks");
            }
            (Phase::Up { failed }, Err(why)) => {
                self.reason = format!("failed {failed} of {fall} checks: {why}");
            }
            (_, Err(why)) => self.reason = why,
            (Phase::Checking, Ok(_)) => {}
        }
    }

    /// Whether it takes connections, as far as is known.
    pub fn verdict(&self) -> Verdict {
        match self.phase {
            Phase::Checking => Verdict::Checking,
            Phase::Up { .. } => Verdict::Up,
            Phase::Down { .. } => Verdict::Down,
        }
    }

    /// True while a server in service has failed, but not yet often enough to be taken out.
    pub fn is_wavering(&self) -> bool {
        matches!(self.phase, Phase::Up { failed: 1.. })
    }

    /// Since when the verdict stands.
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// What the last check found, in words.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// How long the last passed check took.
    pub fn latency(&self) -> Option<Duration> {
        self.latency
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(rise: u8, fall: u8) -> Thresholds {
        Thresholds { rise, fall }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn result(passed: bool) -> Result<Duration, String> {
        passed.then_some(Duration::from_millis(1)).ok_or_else(|| "refused".to_owned())
    }

    /// The whole table for rise 2, fall 2: (state, result) -> state.
    #[test]
    fn transition_table() {
        use Phase::{Checking, Down, Up};
        let table = [
            (Checking, true, Up { failed: 0 }),
            (Checking, false, Down { passed: 0 }),
            (Up { failed: 0 }, true, Up { failed: 0 }),
            (Up { failed: 0 }, false, Up { failed: 1 }),
            (Up { failed: 1 }, true, Up { failed: 0 }),
            (Up { failed: 1 }, false, Down { passed: 0 }),
            (Down { passed: 0 }, true, Down { passed: 1 }),
            (Down { passed: 0 }, false, Down { passed: 0 }),
            (Down { passed: 1 }, true, Up { failed: 0 }),
            (Down { passed: 1 }, false, Down { passed: 0 }),
        ];
        for (before, passed, after) in table {
            let mut health = ServerHealth { phase: before, ..ServerHealth::unknown(at(0)) };
            let verdict = health.verdict();
            let changed = health.observe(result(passed), check(2, 2), at(1));
            assert_eq!(health.phase, after, "{before:?} {passed}");
            assert_eq!(changed, verdict != health.verdict());
            assert_eq!(health.since(), if changed { at(1) } else { at(0) });
        }
    }

    #[test]
    fn the_reason_of_a_failure_is_told_at_every_stage() {
        let mut health = ServerHealth::unknown(at(0));
        let check = check(2, 2);
        let mut reasons = Vec::new();
        for passed in [true, false, false, true, true] {
            health.observe(result(passed), check, at(1));
            reasons.push(health.reason().to_owned());
        }
        assert_eq!(
            reasons,
            [
                "passes its check",
                "failed 1 of 2 checks: refused",
                "refused",
                "returning: passed 1 of 2 checks",
                "passes its check"
            ]
        );
    }

    proptest! {
        /// A verdict changes only after as many equal results in a row as rise or fall say.
        #[test]
        fn a_verdict_needs_its_row(results in prop::collection::vec(any::<bool>(), 1..60), rise in 1_u8..6, fall in 1_u8..6) {
            let mut health = ServerHealth::adopted(true, at(0));
            for (index, passed) in results.iter().enumerate() {
                let changed = health.observe(result(*passed), check(rise, fall), at(1));
                let row = results[..=index].iter().rev().take_while(|r| *r == passed).count();
                let needed = usize::from(if *passed { rise } else { fall });
                prop_assert!(!changed || row >= needed);
                if row >= needed {
                    prop_assert_eq!(health.verdict(), if *passed { Verdict::Up } else { Verdict::Down });
                }
            }
        }
    }
}
