//! The alert policy, one for all channels: what is told, when, and together with what. Pure: time is an argument, what
//! is to be done comes back as data.
//!
//! Each topic in trouble has an [`Episode`], which decides when it is worth a notice. Notices gather for a short time
//! from the first on and are told as one [`Bulletin`]: a rack that dies is one message. A bulletin stays in the outbox,
//! which is part of the memory, until every channel has taken it over ([`Policy::taken`]); a channel that is given a
//! bulletin twice, because lbd died between, knows it by its number and time.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::episode::{At, Episode, Remembered, Rhythm, SETTLE};
use super::topic::{Absence, Bulletin, Kind, Notice, Topic, Trouble};
use crate::engine::Now;

/// What may be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How patient it is.
    pub rhythm: Rhythm,
    /// How long notices gather.
    pub gathering: SignedDuration,
}

/// Bulletins that no channel took over so far; the oldest gives way. Channels take them at once, unless they hang.
const MOST_WAITING: usize = 64;
/// Notices in one bulletin; whatever more there is, nobody reads.
const MOST_NOTICES: usize = 20_000;
/// Incidents that are remembered in order not to tell of each repetition.
const MOST_INCIDENTS: usize = 256;

/// Something to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Keep this durably, instead of what was kept before.
    Remember(Memory),
    /// Hand this to every channel, then call [`Policy::taken`].
    Tell(Bulletin),
}

/// What outlives lbd.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    next_number: u64,
    told: Vec<Remembered>,
    gathered: Vec<Notice>,
    outbox: Vec<Bulletin>,
}

/// An incident that was told, and how often it happened since.
#[derive(Debug, Clone)]
struct Repeated {
    until: SignedDuration,
    latest: Option<(Notice, u32)>,
}

/// All state of the policy.
#[derive(Debug)]
pub struct Policy {
    settings: Settings,
    episodes: BTreeMap<Topic, Episode>,
    incidents: BTreeMap<Topic, Repeated>,
    gathered: BTreeMap<Topic, Notice>,
    closes: Option<SignedDuration>,
    outbox: BTreeMap<u64, Bulletin>,
    next_number: u64,
    /// What outlives lbd has changed.
    is_dirty: bool,
}

impl Policy {
    /// Goes on where an earlier lbd ended; what that one may not have handed on is told (again).
    pub fn new(settings: Settings, memory: Memory, now: Now) -> (Self, Vec<Effect>) {
        let at = At::from(now);
        let outbox: BTreeMap<_, _> =
            memory.outbox.into_iter().map(|bulletin| (bulletin.number, bulletin)).collect();
        let policy = Self {
            settings,
            episodes: memory.told.into_iter().map(|remembered| remembered.restore(at)).collect(),
            incidents: BTreeMap::new(),
            closes: (!memory.gathered.is_empty()).then(|| at.moment + settings.gathering),
            gathered: memory.gathered.into_iter().map(|notice| (notice.topic.clone(), notice)).collect(),
            next_number: memory.next_number,
            is_dirty: false,
            outbox,
        };
        let effects = policy.outbox.values().cloned().map(Effect::Tell).collect();
        (policy, effects)
    }

    /// Other settings count from now on.
    pub fn set(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Takes what is wrong now; `absence` tells of topics that are not among it.
    pub fn observe(
        &mut self,
        troubles: BTreeMap<Topic, Trouble>,
        absence: impl Fn(&Topic) -> Absence,
        now: Now,
    ) -> Vec<Effect> {
        let at = At::from(now);
        let absent: Vec<_> =
            self.episodes.keys().filter(|topic| !troubles.contains_key(*topic)).cloned().collect();
        for topic in absent {
            self.not_seen(&topic, absence(&topic), at);
        }
        for (topic, trouble) in troubles {
            let Some(episode) = self.episodes.get_mut(&topic) else {
                self.episodes.insert(topic, Episode::begin(trouble, at));
                continue;
            };
            let before = episode.due(self.settings.rhythm);
            episode.seen(trouble, at);
            // New words alone are not worth a write.
            self.is_dirty |= episode.is_told() && episode.due(self.settings.rhythm) != before;
        }
        self.advance(now)
    }

    fn not_seen(&mut self, topic: &Topic, absence: Absence, at: At) {
        let Some(episode) = self.episodes.get_mut(topic) else { return };
        match absence {
            Absence::Unknown => {}
            Absence::Well(words) => {
                let before = episode.due(self.settings.rhythm);
                episode.gone(words, at);
                self.is_dirty |= episode.is_told() && episode.due(self.settings.rhythm) != before;
            }
            Absence::Withdrawn(why) => {
                let notice = episode.withdrawn(topic, why, at);
                self.is_dirty |= notice.is_some();
                self.episodes.remove(topic);
                self.gather(notice, at);
            }
        }
    }

    /// Takes something that happened and is over. Of its repetitions within ten minutes one notice tells how many there
    /// were.
    pub fn happened(&mut self, topic: Topic, trouble: Trouble, now: Now) -> Vec<Effect> {
        let at = At::from(now);
        let notice = Episode::begin(trouble, at).notice(&topic, Kind::Happened, at);
        match self.incidents.get_mut(&topic) {
            Some(repeated) => {
                let count = repeated.latest.as_ref().map_or(0, |(_, count)| *count).saturating_add(1);
                repeated.latest = Some((notice, count));
            }
            None => {
                if self.incidents.len() >= MOST_INCIDENTS {
                    self.incidents.pop_first();
                }
                self.incidents.insert(topic, Repeated { until: at.moment + SETTLE, latest: None });
                self.gather(Some(notice), at);
            }
        }
        self.advance(now)
    }

    /// Tells of something that happened at once, alone, and however often. Returns the number of the bulletin too.
    pub fn happened_now(&mut self, topic: Topic, trouble: Trouble, now: Now) -> (u64, Vec<Effect>) {
        let at = At::from(now);
        let notice = Episode::begin(trouble, at).notice(&topic, Kind::Happened, at);
        let bulletin = self.publish(vec![notice], at);
        let number = bulletin.number;
        (number, vec![Effect::Remember(self.memory()), Effect::Tell(bulletin)])
    }

    /// Every channel has taken over the bulletin of this number.
    pub fn taken(&mut self, number: u64) -> Vec<Effect> {
        match self.outbox.remove(&number) {
            Some(_) => vec![Effect::Remember(self.memory())],
            None => Vec::new(),
        }
    }

    /// Does what is due.
    pub fn advance(&mut self, now: Now) -> Vec<Effect> {
        let at = At::from(now);
        self.pass_episodes(at);
        self.pass_incidents(at);
        let mut effects = Vec::new();
        if self.closes.is_some_and(|closes| closes <= at.moment) {
            self.closes = None;
            let mut notices: Vec<_> = std::mem::take(&mut self.gathered).into_values().collect();
            notices.sort_by_key(Notice::order);
            effects.push(Effect::Tell(self.publish(notices, at)));
        }
        if std::mem::take(&mut self.is_dirty) {
            effects.insert(0, Effect::Remember(self.memory()));
        }
        effects
    }

    fn pass_episodes(&mut self, at: At) {
        let rhythm = self.settings.rhythm;
        let mut notices = Vec::new();
        self.episodes.retain(|topic, episode| {
            // A long sleep may have let more than one deadline pass.
            loop {
                let step = episode.pass(at, rhythm);
                notices.extend(step.notice.map(|kind| episode.notice(topic, kind, at)));
                if step.is_over {
                    return false;
                }
                if step.notice.is_none() {
                    return true;
                }
            }
        });
        for notice in notices {
            self.is_dirty = true;
            self.gather(Some(notice), at);
        }
    }

    fn pass_incidents(&mut self, at: At) {
        let over = self.incidents.iter().filter(|(_, repeated)| repeated.until <= at.moment);
        for topic in over.map(|(topic, _)| topic.clone()).collect::<Vec<_>>() {
            let Some(Repeated { latest: Some((notice, count)), .. }) = self.incidents.remove(&topic) else {
                continue;
            };
            self.incidents.insert(topic, Repeated { until: at.moment + SETTLE, latest: None });
            self.gather(Some(Notice { times: count, ..notice }), at);
        }
    }

    /// The last word about a topic is the one that is told.
    fn gather(&mut self, notice: Option<Notice>, at: At) {
        let Some(notice) = notice else { return };
        if self.gathered.len() >= MOST_NOTICES && !self.gathered.contains_key(&notice.topic) {
            return;
        }
        self.gathered.insert(notice.topic.clone(), notice);
        self.closes.get_or_insert(at.moment + self.settings.gathering);
        self.is_dirty = true;
    }

    fn publish(&mut self, notices: Vec<Notice>, at: At) -> Bulletin {
        let bulletin = Bulletin { number: self.next_number, at: at.wall, notices };
        self.next_number += 1;
        self.outbox.insert(bulletin.number, bulletin.clone());
        while self.outbox.len() > MOST_WAITING {
            self.outbox.pop_first();
        }
        self.is_dirty = true;
        bulletin
    }

    /// When [`Self::advance`] wants to be called, on the monotonic clock; `None` while nothing is pending.
    pub fn next_due(&self) -> Option<std::time::Duration> {
        let rhythm = self.settings.rhythm;
        let episodes = self.episodes.values().filter_map(|episode| episode.due(rhythm));
        let incidents = self.incidents.values().map(|repeated| repeated.until);
        let first = episodes.chain(incidents).chain(self.closes).min()?;
        Some(first.max(SignedDuration::ZERO).try_into().unwrap_or(std::time::Duration::MAX))
    }

    /// What is told and not yet over, for the View.
    pub fn open(&self) -> usize {
        self.episodes.values().filter(|episode| episode.is_told()).count()
    }

    fn memory(&self) -> Memory {
        let told = self.episodes.iter().filter_map(|(topic, episode)| Remembered::of(topic, episode));
        Memory {
            next_number: self.next_number,
            told: told.collect(),
            gathered: self.gathered.values().cloned().collect(),
            outbox: self.outbox.values().cloned().collect(),
        }
    }

    /// Whether anything happens at `now` that [`Self::next_due`] did not announce: for tests.
    #[cfg(test)]
    pub(super) fn is_due(&self, now: Now) -> bool {
        let at = At::from(now).moment;
        self.next_due().is_some_and(|due| SignedDuration::try_from(due).is_ok_and(|due| due <= at))
    }
}

impl Notice {
    /// What began comes before what lasts, before what is over; the urgent before the rest.
    fn order(&self) -> (u8, std::cmp::Reverse<super::topic::Severity>) {
        let kind = match self.kind {
            Kind::Began | Kind::Flaps => 0,
            Kind::Lasts => 1,
            Kind::Happened => 2,
            Kind::Ended => 3,
            Kind::Withdrawn => 4,
        };
        (kind, std::cmp::Reverse(self.trouble.severity))
    }
}
