//! Confirm or revert: a configuration that could cut the administrator off counts only once somebody has shown
//! that they still reach the appliance. Until then it is on trial: in force and stored, but marked, so that
//! neither the deadline nor a restart leaves it in force.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::change::{Change, Previous, Stage};
use super::clock::moved;
use super::{Accepted, Effect, Engine, Now, Refusal, RequestId};
use crate::config::{Config, NetworkSettings};
use crate::store::Author;
use crate::view::PendingConfirmation;

/// Long enough to log in at another address and to press a button, short enough to wait for.
const TIME: Duration = Duration::from_secs(120);

/// The configuration in force, on trial.
#[derive(Debug)]
pub(super) struct Trial {
    by: Author,
    comment: String,
    previous: Previous,
    /// On the monotonic clock: a clock that is set neither shortens nor prolongs the trial.
    deadline: Duration,
    /// The same for people.
    until: Timestamp,
    /// Whom to answer once the confirmation is stored.
    confirming: Option<RequestId>,
}

impl Trial {
    pub(super) fn new(by: Author, comment: String, previous: Previous, now: Now) -> Self {
        let until = SignedDuration::try_from(TIME).ok().and_then(|time| now.wall.checked_add(time).ok());
        let until = until.unwrap_or(now.wall);
        Self { by, comment, previous, deadline: now.monotonic + TIME, until, confirming: None }
    }

    /// The clock was set: the trial ends as soon as before, by the clock as it is now.
    pub(super) fn clock_was_set(&mut self, by: SignedDuration) {
        self.until = moved(self.until, by);
    }

    pub(super) fn until(&self) -> Timestamp {
        self.until
    }

    /// `None` while the confirmation is being stored.
    pub(super) fn next_due(&self) -> Option<Duration> {
        self.confirming.is_none().then_some(self.deadline)
    }

    pub(super) fn refusal(&self, version: u64) -> Refusal {
        Refusal::OnTrial { version, by: self.by.to_string(), until: self.until }
    }

    pub(super) fn view(&self, version: u64) -> PendingConfirmation {
        let (by, comment) = (self.by.to_string(), self.comment.clone());
        PendingConfirmation { version, until: self.until, by, comment }
    }
}

/// Whether the way to WebUI and API may be another one afterwards.
pub(super) fn needs_trial(old: &Config, new: &Config) -> bool {
    let ways = |config: &Config| config.network.as_ref().map(NetworkSettings::ways);
    old.management != new.management || old.security != new.security || ways(old) != ways(new)
}

/// A page that was open for longer, or was sent again, must not decide about somebody else's trial.
fn is_another(seen: Option<u64>, version: u64) -> bool {
    seen.is_some_and(|seen| seen != version)
}

fn outdated(in_force: u64) -> Refusal {
    Refusal::Outdated { in_force, changed: Vec::new() }
}

impl Engine {
    /// [`super::Event::Confirm`].
    pub(super) fn begin_confirm(&mut self, request: RequestId, seen: Option<u64>) -> Vec<Effect> {
        let version = self.version;
        let refusal = match (&self.change, &mut self.trial) {
            (Some(_), _) => Refusal::Busy,
            (None, None) => Refusal::NothingOnTrial,
            (None, Some(_)) if is_another(seen, version) => outdated(version),
            (None, Some(Trial { confirming: Some(_), .. })) => Refusal::Busy,
            (None, Some(trial)) => {
                trial.confirming = Some(request);
                return vec![Effect::Confirm(version)];
            }
        };
        vec![Effect::Answer(request, Err(refusal))]
    }

    /// [`super::Event::Confirmed`].
    pub(super) fn confirmed(&mut self, result: Result<(), String>, now: Now) -> Vec<Effect> {
        let Some(request) = self.trial.as_mut().and_then(|trial| trial.confirming.take()) else {
            return Vec::new();
        };
        let answer = match result {
            Ok(()) => {
                self.trial = None;
                Ok(Accepted { version: self.version, confirm_until: None })
            }
            // Still on trial: it may be tried again until the time is up.
            Err(why) => Err(Refusal::NotStored(why)),
        };
        let mut effects = vec![Effect::Answer(request, answer)];
        effects.extend(self.trial_due(now));
        effects
    }

    /// [`super::Event::Revert`].
    pub(super) fn revert_by_hand(&mut self, request: RequestId, seen: Option<u64>, now: Now) -> Vec<Effect> {
        match self.trial.is_some() && is_another(seen, self.version) {
            true => vec![Effect::Answer(request, Err(outdated(self.version)))],
            false => self.begin_revert(Some(request), now),
        }
    }

    /// By hand, or the time is up. The version on trial stays in the history, marked.
    pub(super) fn begin_revert(&mut self, request: Option<RequestId>, now: Now) -> Vec<Effect> {
        let refuse =
            |refusal| request.map(|request| Effect::Answer(request, Err(refusal))).into_iter().collect();
        if self.change.is_some() || self.trial.as_ref().is_some_and(|trial| trial.confirming.is_some()) {
            return refuse(Refusal::Busy);
        }
        let Some(trial) = self.trial.take() else { return refuse(Refusal::NothingOnTrial) };
        self.change = Some(Change {
            request,
            by: trial.by,
            comment: trial.comment,
            previous: trial.previous.clone(),
            trouble_before: None,
            stage: Stage::Reverting(None, None),
        });
        self.restore(trial.previous, now)
    }

    /// Takes the configuration on trial back when its time is up.
    pub(super) fn trial_due(&mut self, now: Now) -> Vec<Effect> {
        let due = self.trial.as_ref().and_then(Trial::next_due).is_some_and(|due| due <= now.monotonic);
        if !due || self.change.is_some() {
            return Vec::new();
        }
        let (version, by) = (self.version, self.trial.as_ref().map(|trial| trial.by.to_string()));
        let effects = self.begin_revert(None, now);
        self.taken_back = Some(format!(
            "Configuration version {version} of {} was not confirmed within {} s: version {} is in force again. Go \
             back to version {version} to try it once more.",
            by.unwrap_or_default(),
            TIME.as_secs(),
            self.version
        ));
        effects
    }
}
