//! What to do about the time daemon: pure. Time is an argument, on the clock that does not jump.
//!
//! ```text
//! Off --wanted--> Waiting --time--> Start --started--> Running --ended--> Waiting
//!  ^                 ^                '--failed----------^ |
//!  '--- not wanted --+-------------------------------------'
//! Running: asked every ten seconds; three questions in a row without an answer, and it is killed.
//! ```

use std::time::Duration;

/// Between two questions.
const ASK_EVERY: Duration = Duration::from_secs(10);
/// So many questions in a row may stay without an answer.
const MISSES: u32 = 3;
/// Before the first start after an end; doubled each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Who ran for so long begins with the first pause again.
const LONG_LIFE: Duration = Duration::from_secs(300);

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Start it; report with [`Keeper::started`] or [`Keeper::ended`].
    Start,
    /// Ask it how it is; report with [`Keeper::answered`].
    Ask,
    /// Kill it; report its end with [`Keeper::ended`].
    Kill,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Off,
    Waiting { until: Duration },
    Running { since: Duration, next_question: Duration, misses: u32 },
    Killed { since: Duration },
}

/// Keeps the time daemon alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keeper {
    state: State,
    pause: Duration,
}

impl Default for Keeper {
    fn default() -> Self {
        Self { state: State::Off, pause: FIRST_PAUSE }
    }
}

impl Keeper {
    /// It is wanted, with other servers than before where it runs: it starts anew, at once.
    pub fn want(&mut self, now: Duration) {
        self.pause = FIRST_PAUSE;
        self.state = State::Waiting { until: now };
    }

    /// It is not wanted any more.
    pub fn rest(&mut self) {
        *self = Self::default();
    }

    /// What is due, if anything. Carry it out before asking again.
    pub fn due(&mut self, now: Duration) -> Option<Order> {
        match &mut self.state {
            State::Waiting { until } if now >= *until => Some(Order::Start),
            State::Running { since, misses, .. } if *misses >= MISSES => {
                self.state = State::Killed { since: *since };
                Some(Order::Kill)
            }
            State::Running { next_question, .. } if now >= *next_question => {
                *next_question = now + ASK_EVERY;
                Some(Order::Ask)
            }
            _ => None,
        }
    }

    /// When [`Keeper::due`] has something new at the latest, if nothing else happens.
    pub fn next_due(&self) -> Option<Duration> {
        match self.state {
            State::Waiting { until } => Some(until),
            State::Running { next_question, .. } => Some(next_question),
            State::Off | State::Killed { .. } => None,
        }
    }

    /// It runs.
    pub fn started(&mut self, now: Duration) {
        self.state = State::Running { since: now, next_question: now + FIRST_PAUSE, misses: 0 };
    }

    /// Whether it answered.
    pub fn answered(&mut self, well: bool) {
        if let State::Running { misses, .. } = &mut self.state {
            *misses = if well { 0 } else { *misses + 1 };
        }
    }

    /// It has ended, or could not be started. Gives the pause until it starts again; none where it is not wanted.
    pub fn ended(&mut self, now: Duration) -> Option<Duration> {
        let since = match self.state {
            State::Off => return None,
            State::Running { since, .. } | State::Killed { since } => since,
            State::Waiting { .. } => now,
        };
        if now.saturating_sub(since) >= LONG_LIFE {
            self.pause = FIRST_PAUSE;
        }
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        self.state = State::Waiting { until: now + pause };
        Some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn running(now: Duration) -> Keeper {
        let mut keeper = Keeper::default();
        keeper.want(now);
        assert_eq!(keeper.due(now), Some(Order::Start));
        keeper.started(now);
        keeper
    }

    #[test]
    fn one_that_is_not_wanted_is_left_alone() {
        let mut keeper = Keeper::default();
        assert_eq!((keeper.due(at(1000)), keeper.next_due(), keeper.ended(at(1))), (None, None, None));
        let mut keeper = running(at(0));
        keeper.rest();
        assert_eq!((keeper.due(at(1000)), keeper.ended(at(1000)), keeper.next_due()), (None, None, None));
    }

    #[test]
    fn one_that_ends_again_and_again_is_started_ever_more_rarely() {
        let mut keeper = Keeper::default();
        keeper.want(at(0));
        let mut now = at(0);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            assert_eq!(keeper.due(now), Some(Order::Start));
            keeper.started(now);
            let pause = keeper.ended(now).unwrap();
            assert_eq!(keeper.due(now + pause - Duration::from_millis(1)), None);
            pauses.push(pause.as_secs());
            now += pause;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(keeper.due(now), Some(Order::Start));
        keeper.started(now);
        assert_eq!(keeper.ended(now + LONG_LIFE), Some(FIRST_PAUSE));
    }

    #[test]
    fn one_that_hangs_is_killed_and_one_that_stumbles_is_not() {
        let mut keeper = running(at(0));
        let mut now = at(0);
        let mut ask = |keeper: &mut Keeper, well| {
            now = keeper.next_due().unwrap();
            assert_eq!(keeper.due(now), Some(Order::Ask));
            assert_eq!(keeper.due(now), None, "one question at a time");
            keeper.answered(well);
            now
        };
        for well in [false, false, true, false, false] {
            ask(&mut keeper, well);
        }
        let now = ask(&mut keeper, false);
        assert_eq!(keeper.due(now), Some(Order::Kill));
        assert_eq!((keeper.due(now + at(100)), keeper.next_due()), (None, None), "killed once");
        assert!(now < at(60), "a hang is noticed within a minute: {now:?}");
        assert!(keeper.ended(now).is_some());
    }
}
