//! Rise and fall: when a server takes connections and when it does not. Pure: time is an argument.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::config::Thresholds;

/// What is known of a server's health in one service.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerHealth {
    phase: Phase,
    since: Timestamp,
    reason: String,
    latency: Option<Duration>,
}

/// What came of a check, failures in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The server answered as it should, after this time.
    Passed(Duration),
    /// The server failed.
    Failed(String),
    /// The appliance itself could not send the question: that says nothing of the server.
    NotSent(String),
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

    /// Takes what came of a check. True when the verdict has changed.
    pub fn observe(&mut self, outcome: Outcome, thresholds: Thresholds, now: Timestamp) -> bool {
        let before = self.verdict();
        let never_sent = matches!(outcome, Outcome::NotSent(_));
        let result = match outcome {
            Outcome::Passed(latency) => Ok(latency),
            Outcome::Failed(why) | Outcome::NotSent(why) => Err(why),
        };
        self.phase = match (&result, self.phase) {
            // The server was not asked: its first answer still decides alone, and what it has answered still counts.
            (Err(_), Phase::Checking) if never_sent => Phase::Down { passed: thresholds.rise - 1 },
            (Err(_), Phase::Down { passed }) if never_sent => Phase::Down { passed },
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

    /// The clock was set by so much: since when the verdict stands is told by the clock as it is now.
    pub fn clock_was_set(&mut self, by: SignedDuration) {
        self.since = self.since.saturating_add(by).unwrap_or(self.since);
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

    fn result(passed: bool) -> Outcome {
        if passed { Outcome::Passed(Duration::from_millis(1)) } else { Outcome::Failed("refused".into()) }
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

    /// At boot checks may begin before the network is there.
    #[test]
    fn the_first_answer_decides_also_after_a_check_that_was_not_sent() {
        let mut health = ServerHealth::unknown(at(0));
        for _ in 0..3 {
            health.observe(Outcome::NotSent("no route".into()), check(3, 2), at(1));
            assert_eq!((health.verdict(), health.reason()), (Verdict::Down, "no route"));
        }
        assert!(health.observe(result(true), check(3, 2), at(2)));
        assert_eq!(health.verdict(), Verdict::Up);
    }

    #[test]
    fn a_server_in_service_that_is_not_reached_is_taken_out_and_comes_back_as_any_other() {
        let mut health = ServerHealth::adopted(true, at(0));
        let mut verdict_after = |outcome: Outcome| {
            health.observe(outcome, check(2, 2), at(1));
            health.verdict()
        };
        let not_sent = || Outcome::NotSent("no route".into());
        assert_eq!(verdict_after(not_sent()), Verdict::Up);
        assert_eq!(verdict_after(not_sent()), Verdict::Down);
        assert_eq!(verdict_after(result(true)), Verdict::Down);
        assert_eq!(verdict_after(result(true)), Verdict::Up);
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
