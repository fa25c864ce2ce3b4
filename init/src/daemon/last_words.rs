//! What lbd said last, for the day on which it dies: pure. Time is an argument, counted from init's start.

use std::collections::VecDeque;
use std::time::Duration;

/// A backtrace has some fifty frames of two lines; before it stands what led to it.
const MOST_LINES: usize = 250;
const MOST_BYTES: usize = 32 << 10;

/// A panic that does not end lbd has said everything by then.
const SETTLED: Duration = Duration::from_secs(2);

/// What fails again and again is kept once in this time: it must not push out what came before it.
const AGAIN: Duration = Duration::from_secs(600);

/// The standard library's first line about a panic; lines of the log begin with a time, whatever they quote.
const THREAD: &str = "thread '";
const PANIC: &str = "panicked at";

/// The latest lines of one lbd.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastWords {
    lines: VecDeque<String>,
    bytes: usize,
    born: Duration,
    panicked: Option<Duration>,
    quiet_until: Duration,
}

impl LastWords {
    /// Another lbd runs: what the one before said is nobody's any more.
    pub fn born(&mut self, now: Duration) {
        *self = Self { born: now, quiet_until: self.quiet_until, ..Self::default() };
    }

    /// A line that it wrote.
    pub fn hear(&mut self, line: &str, now: Duration) {
        if line.starts_with(THREAD) && line.contains(PANIC) && self.panicked.is_none() {
            self.panicked = Some(now);
        }
        self.bytes += line.len();
        self.lines.push_back(line.to_owned());
        while self.lines.len() > MOST_LINES || self.bytes > MOST_BYTES {
            self.bytes -= self.lines.pop_front().map_or(self.bytes, |line| line.len());
        }
    }

    /// When [`Self::survived`] has something to give.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.panicked.map(|at| at + SETTLED)
    }

    /// A part of lbd has panicked, and lbd goes on without it: what it said, unless the like of it was kept just now.
    pub fn survived(&mut self, now: Duration) -> Option<Vec<String>> {
        if self.next_deadline().is_none_or(|at| at > now) {
            return None;
        }
        self.panicked = None;
        if now < self.quiet_until {
            return None;
        }
        self.quiet_until = now + AGAIN;
        Some(self.lines.iter().cloned().collect())
    }

    /// It has ended: how long it had lived, and what it said.
    pub fn take(&mut self, now: Duration) -> (Duration, Vec<String>) {
        let ended = std::mem::take(self);
        self.quiet_until = ended.quiet_until;
        (now.saturating_sub(ended.born), ended.lines.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn who_ends_has_said_all_of_it_and_the_next_one_nothing() {
        let mut words = LastWords::default();
        words.born(s(5));
        words.hear("thread 'main' (1) panicked at x.rs:1:1:", s(9));
        words.hear("no way", s(9));
        assert_eq!(words.next_deadline(), Some(s(11)));
        let said = vec!["thread 'main' (1) panicked at x.rs:1:1:".to_owned(), "no way".into()];
        assert_eq!(words.take(s(10)), (s(5), said));
        words.born(s(10));
        assert_eq!((words.survived(s(99)), words.take(s(99))), (None, (s(89), vec![])));
    }

    #[test]
    fn a_panic_that_it_survives_is_kept_once_in_ten_minutes() {
        let mut words = LastWords::default();
        let mut panic_at = |at| {
            words.hear("thread 'tokio-rt-worker' (7) panicked at y.rs:2:2:", at);
            assert_eq!(words.survived(at + s(1)), None, "it may say more");
            words.survived(at + s(2)).is_some()
        };
        assert_eq!([1, 10, 600, 604].map(|at| panic_at(s(at))), [true, false, false, true]);
        words.hear("nothing to speak of", s(700));
        assert_eq!((words.survived(s(710)), words.next_deadline()), (None, None));
    }

    proptest! {
        #[test]
        fn it_is_bounded_and_the_newest_line_is_there(lines in proptest::collection::vec("[a-z ]{0,2048}", 1..300)) {
            let mut words = LastWords::default();
            lines.iter().for_each(|line| words.hear(line, Duration::ZERO));
            let (_, said) = words.take(Duration::ZERO);
            prop_assert!(said.len() <= MOST_LINES && said.concat().len() <= MOST_BYTES);
            prop_assert_eq!(said.last(), lines.last());
        }
    }
}
