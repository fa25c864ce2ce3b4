//! What to do about lbd: pure. Time is an argument, counted from init's start.
//!
//! ```text
//! Waiting --time--> Start --started--> Running --ended--> Waiting
//!                     '--failed-----------------------------^
//! Running: asks for an answer ten times a second until the first one, then every ten seconds; no answer for too long,
//!          or three times in a row, and it is killed (once: a process that does not die is the kernel's).
//! ```

use super::back_off::BackOff;
use std::time::Duration;

/// Between two questions: until lbd answers for the first time, and then.
const EAGER: Duration = Duration::from_millis(100);
const STEADY: Duration = Duration::from_secs(10);

/// lbd starts in a second; in a virtual machine on a host with ten times the work it can do, it took 33 s.
const START_UP: Duration = Duration::from_secs(60);

/// So many questions in a row may stay without an answer.
const MISSES: u32 = 3;

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Start lbd; report with [`Keeper::started`] or [`Keeper::not_started`].
    Start,
    /// Ask lbd for its status; report with [`Keeper::answered`].
    Ask,
    /// Kill lbd; its end is reported with [`Keeper::ended`].
    Kill,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting { until: Duration },
    Running(Life),
    Killed { since: Duration },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Life {
    since: Duration,
    next_question: Duration,
    asking: bool,
    asked: Duration,
    misses: u32,
    /// First and last answer without a miss in between.
    answers: Option<(Duration, Duration)>,
    ever_answered: bool,
}

/// Keeps lbd alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keeper {
    state: State,
    back_off: BackOff,
}

impl Keeper {
    /// lbd has not been started.
    pub fn new() -> Self {
        Self { state: State::Waiting { until: Duration::ZERO }, back_off: BackOff::default() }
    }

    /// What is due, if anything. Carry it out before asking again.
    pub fn due(&mut self, now: Duration) -> Option<Order> {
        match &mut self.state {
            State::Waiting { until } => (now >= *until).then_some(Order::Start),
            State::Killed { .. } => None,
            State::Running(life) if life.is_lost(now) => {
                self.state = State::Killed { since: life.since };
                Some(Order::Kill)
            }
            State::Running(life) if !life.asking && now >= life.next_question => {
                (life.asking, life.asked) = (true, now);
                Some(Order::Ask)
            }
            State::Running(_) => None,
        }
    }

    /// When [`Keeper::due`] has something new at the latest, if nothing else happens.
    pub fn next_deadline(&self) -> Option<Duration> {
        match self.state {
            State::Waiting { until } => Some(until),
            State::Running(life) if life.ever_answered && life.asking => None,
            State::Running(life) if life.asking => Some(life.since + START_UP),
            State::Running(life) => Some(life.next_question),
            State::Killed { .. } => None,
        }
    }

    /// lbd runs.
    pub fn started(&mut self, now: Duration) {
        self.state = State::Running(Life {
            since: now,
            next_question: now,
            asking: false,
            asked: now,
            misses: 0,
            answers: None,
            ever_answered: false,
        });
    }

    /// lbd could not be started. Gives the wait until the next attempt.
    pub fn not_started(&mut self, now: Duration) -> Duration {
        self.wait(now, Duration::ZERO)
    }

    /// lbd has ended, for whatever reason. Gives the wait until it is started again.
    pub fn ended(&mut self, now: Duration) -> Duration {
        let since = match self.state {
            State::Running(life) => life.since,
            State::Killed { since } => since,
            State::Waiting { .. } => now,
        };
        self.wait(now, now.saturating_sub(since))
    }

    fn wait(&mut self, now: Duration, life: Duration) -> Duration {
        let wait = self.back_off.after(life);
        self.state = State::Waiting { until: now + wait };
        wait
    }

    /// Another program is in lbd's place: what became of the one before it does not count.
    pub fn start_anew(&mut self, now: Duration) {
        self.back_off = BackOff::default();
        if let State::Waiting { until } = &mut self.state {
            *until = now.min(*until);
        }
    }

    /// The outcome of a question.
    pub fn answered(&mut self, now: Duration, well: bool) {
        let State::Running(life) = &mut self.state else { return };
        life.asking = false;
        if well {
            life.misses = 0;
            life.ever_answered = true;
            life.answers = Some((life.answers.map_or(now, |(first, _)| first), now));
        } else {
            life.misses = life.misses.saturating_add(1);
            life.answers = None;
        }
        // Counted from the question: an answer that never came has cost its time already.
        life.next_question = now.max(life.asked + if life.ever_answered { STEADY } else { EAGER });
    }

    /// For how long lbd has answered every question; zero when it does not run.
    pub fn healthy_for(&self) -> Duration {
        match self.state {
            State::Running(Life { answers: Some((first, last)), .. }) => last - first,
            _ => Duration::ZERO,
        }
    }

    /// Since when lbd is starting: it runs, and has not answered yet.
    pub fn starting_since(&self) -> Option<Duration> {
        match self.state {
            State::Running(Life { since, ever_answered: false, .. }) => Some(since),
            _ => None,
        }
    }

    /// True once this lbd has answered.
    pub fn is_up(&self) -> bool {
        matches!(self.state, State::Running(Life { ever_answered: true, .. }))
    }
}

impl Default for Keeper {
    fn default() -> Self {
        Self::new()
    }
}

impl Life {
    fn is_lost(&self, now: Duration) -> bool {
        match self.ever_answered {
            true => self.misses >= MISSES,
            false => now >= self.since + START_UP,
        }
    }
}

#[cfg(test)]
#[path = "keeper_tests.rs"]
mod tests;
