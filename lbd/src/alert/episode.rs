//! One topic in trouble: from the first sign of it until it has been quiet for long enough to be forgotten. Pure.
//!
//! | phase | seen | gone | in time |
//! | --- | --- | --- | --- |
//! | (none) | Rising | - | - |
//! | Rising | - | Settling | hold-down over: **Began**, Told; often enough: **Flaps**, Told |
//! | Settling | Rising, once more | - | quiet for [`SETTLE`]: forgotten; often enough: **Flaps**, Falling |
//! | Told | - | Falling | reminder due: **Lasts**; told as flapping, and steady since: **Began** |
//! | Falling | Told, once more | - | well for long enough: **Ended**, Settling (forgotten where it flapped) |
//!
//! In each phase a topic that is withdrawn is forgotten, with **Withdrawn** where it was told. "Often enough" is [`FLAPS`]
//! beginnings with less than [`SETTLE`] between them, and the hold-down over since the first.
//!
//! From this follows: what was told is taken back exactly once; trouble that lasts longer than the hold-down is told
//! exactly once; and as trouble is over only when it was for [`STEADY`], a minute holds at most two notices.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::topic::{Kind, Notice, Topic, Trouble};
use crate::engine::Now;

/// Trouble that is gone for less has not ended: no server is back that fails again within the minute.
pub const STEADY: SignedDuration = SignedDuration::from_mins(1);
/// What flapped must be well for so long.
pub const CALM: SignedDuration = SignedDuration::from_mins(5);
/// Who fails again within this time is remembered to have failed before.
pub const SETTLE: SignedDuration = SignedDuration::from_mins(10);
/// So many times is no accident any more.
pub const FLAPS: u32 = 4;

/// How patient the policy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rhythm {
    /// Trouble that is shorter is not told.
    pub hold_down: SignedDuration,
    /// Trouble that lasts is told again after this time.
    pub reminder: Option<SignedDuration>,
}

/// An instant on both clocks; the one that never jumps is negative before lbd started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct At {
    pub(super) moment: SignedDuration,
    pub(super) wall: Timestamp,
}

impl From<Now> for At {
    fn from(now: Now) -> Self {
        // Centuries fit.
        let moment = SignedDuration::try_from(now.monotonic).unwrap_or(SignedDuration::MAX);
        Self { moment, wall: now.wall }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Rising,
    Settling { gone: At },
    Told,
    Falling { gone: At },
}

/// A topic that is, or was lately, in trouble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Episode {
    phase: Phase,
    trouble: Trouble,
    /// What holds now that it is gone.
    words: String,
    /// Beginnings, also those that nobody was told of.
    onsets: u32,
    /// Of the first.
    first: At,
    /// Of the last.
    onset: At,
    /// Since when what was told goes on.
    since: At,
    /// When it was told, or told again.
    told: At,
    told_as_flapping: bool,
}

/// What time has brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    /// To be told.
    pub(super) notice: Option<Kind>,
    /// The episode is over.
    pub(super) is_over: bool,
}

impl Episode {
    /// The first sign of trouble.
    pub(super) fn begin(trouble: Trouble, at: At) -> Self {
        Self {
            phase: Phase::Rising,
            trouble,
            words: String::new(),
            onsets: 1,
            first: at,
            onset: at,
            since: at,
            told: at,
            told_as_flapping: false,
        }
    }

    /// It is in trouble; the latest words count.
    pub(super) fn seen(&mut self, trouble: Trouble, at: At) {
        self.trouble = trouble;
        match self.phase {
            Phase::Rising | Phase::Told => return,
            Phase::Settling { .. } => (self.phase, self.since) = (Phase::Rising, at),
            Phase::Falling { .. } => self.phase = Phase::Told,
        }
        self.onsets = self.onsets.saturating_add(1);
        self.onset = at;
    }

    /// It is well.
    pub(super) fn gone(&mut self, words: String, at: At) {
        self.words = words;
        match self.phase {
            Phase::Rising => self.phase = Phase::Settling { gone: at },
            Phase::Told => self.phase = Phase::Falling { gone: at },
            Phase::Settling { .. } | Phase::Falling { .. } => {}
        }
    }

    /// Whether it was told, and not yet taken back.
    pub(super) fn is_told(&self) -> bool {
        matches!(self.phase, Phase::Told | Phase::Falling { .. })
    }

    fn flaps(&self) -> bool {
        self.onsets >= FLAPS
    }

    fn calm(&self, rhythm: Rhythm) -> SignedDuration {
        if self.flaps() { CALM.max(rhythm.hold_down) } else { STEADY.max(rhythm.hold_down) }
    }

    /// Does what is due.
    pub(super) fn pass(&mut self, at: At, rhythm: Rhythm) -> Step {
        if self.due(rhythm).is_none_or(|due| at.moment < due) {
            return Step::default();
        }
        let (notice, is_over) = match self.phase {
            Phase::Rising if self.flaps() => (self.tell_flapping(Phase::Told), false),
            Phase::Settling { gone } if self.flaps() => (self.tell_flapping(Phase::Falling { gone }), false),
            Phase::Rising => {
                self.phase = Phase::Told;
                (Some(Kind::Began), false)
            }
            Phase::Settling { .. } => (None, true),
            Phase::Told if self.told_as_flapping => {
                (self.told_as_flapping, self.since) = (false, self.onset);
                (Some(Kind::Began), false)
            }
            Phase::Told => (Some(Kind::Lasts), false),
            Phase::Falling { .. } if self.flaps() => (Some(Kind::Ended), true),
            Phase::Falling { gone } => {
                // What comes back soon is remembered to have been here.
                self.phase = Phase::Settling { gone };
                (Some(Kind::Ended), false)
            }
        };
        if notice.is_some() {
            self.told = at;
        }
        Step { notice, is_over }
    }

    fn tell_flapping(&mut self, phase: Phase) -> Option<Kind> {
        (self.phase, self.told_as_flapping, self.since) = (phase, true, self.first);
        Some(Kind::Flaps)
    }

    /// When [`Self::pass`] has something to do.
    pub(super) fn due(&self, rhythm: Rhythm) -> Option<SignedDuration> {
        let after = |at: At, wait: SignedDuration| Some(at.moment.saturating_add(wait));
        match self.phase {
            Phase::Rising | Phase::Settling { .. } if self.flaps() => after(self.first, rhythm.hold_down),
            Phase::Rising => after(self.onset, rhythm.hold_down),
            Phase::Settling { gone } => after(gone, SETTLE),
            Phase::Told if self.told_as_flapping => after(self.onset, STEADY.max(rhythm.hold_down)),
            Phase::Told => rhythm.reminder.and_then(|reminder| after(self.told, reminder)),
            Phase::Falling { gone } => after(gone, self.calm(rhythm)),
        }
    }

    /// As a notice of this kind.
    pub(super) fn notice(&self, topic: &Topic, kind: Kind, at: At) -> Notice {
        let (Phase::Falling { gone } | Phase::Settling { gone }) = self.phase else {
            return self.notice_until(topic, kind, None, at);
        };
        self.notice_until(topic, kind, Some(gone), gone)
    }

    /// The last word of a topic that is withdrawn, if there was a first one.
    pub(super) fn withdrawn(&mut self, topic: &Topic, why: String, at: At) -> Option<Notice> {
        self.words = why;
        self.is_told().then(|| self.notice_until(topic, Kind::Withdrawn, None, at))
    }

    fn notice_until(&self, topic: &Topic, kind: Kind, until: Option<At>, end: At) -> Notice {
        let seconds = |from: At, to: At| (to.moment - from.moment).as_secs().max(0);
        Notice {
            topic: topic.clone(),
            kind,
            trouble: self.trouble.clone(),
            since: self.since.wall,
            until: until.map(|at| at.wall),
            seconds: seconds(self.since, end),
            times: self.onsets,
            first: self.first.wall,
            span_seconds: seconds(self.first, end),
            now: self.words.clone(),
        }
    }
}

/// An episode that was told, as it is remembered over a restart of lbd: on the clock for people, as the other begins
/// anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    topic: Topic,
    trouble: Trouble,
    onsets: u32,
    first: Timestamp,
    onset: Timestamp,
    since: Timestamp,
    told: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gone: Option<Timestamp>,
    #[serde(default)]
    told_as_flapping: bool,
}

impl Remembered {
    /// What is to be remembered; nothing of what nobody was told of.
    pub(super) fn of(topic: &Topic, episode: &Episode) -> Option<Self> {
        let gone = match episode.phase {
            Phase::Told => None,
            Phase::Falling { gone } => Some(gone.wall),
            Phase::Rising | Phase::Settling { .. } => return None,
        };
        Some(Self {
            topic: topic.clone(),
            trouble: episode.trouble.clone(),
            onsets: episode.onsets,
            first: episode.first.wall,
            onset: episode.onset.wall,
            since: episode.since.wall,
            told: episode.told.wall,
            gone,
            told_as_flapping: episode.told_as_flapping,
        })
    }

    /// The episode as it goes on. What lies in the future, because the clock was set back, is now.
    pub(super) fn restore(self, now: At) -> (Topic, Episode) {
        let at = |wall: Timestamp| {
            let age = now.wall.duration_since(wall).max(SignedDuration::ZERO);
            At { moment: now.moment.saturating_sub(age), wall }
        };
        let episode = Episode {
            phase: self.gone.map_or(Phase::Told, |gone| Phase::Falling { gone: at(gone) }),
            trouble: self.trouble,
            words: String::new(),
            onsets: self.onsets,
            first: at(self.first),
            onset: at(self.onset),
            since: at(self.since),
            told: at(self.told),
            told_as_flapping: self.told_as_flapping,
        };
        (self.topic, episode)
    }
}
