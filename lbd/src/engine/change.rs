//! A change of the configuration: taken over on trial, applied, stored, accepted; or taken back.

use super::checks::Checks;
use super::lockdown::locks_out;
use super::trial::{Trial, needs_trial};
use super::{Accepted, Effect, Engine, Now, Outcome, Proposal, Refusal, RequestId};
use crate::config::{Config, validate};
use crate::store::{Author, Standing};
use crate::traffic::numbering::Numbering;

/// The one change that is under way.
#[derive(Debug)]
pub(super) struct Change {
    /// `None` where lbd itself takes a configuration back.
    pub(super) request: Option<RequestId>,
    pub(super) by: Author,
    pub(super) comment: String,
    pub(super) previous: Previous,
    /// What was amiss before: no reason to refuse the change.
    pub(super) trouble_before: Option<String>,
    pub(super) stage: Stage,
}

/// What is restored when the change fails.
#[derive(Debug, Clone)]
pub(super) struct Previous {
    pub(super) config: Config,
    pub(super) numbering: Numbering,
    pub(super) checks: Checks,
    pub(super) version: u64,
}

#[derive(Debug)]
pub(super) enum Stage {
    /// Not yet ordered: an earlier apply is still running.
    Waiting,
    /// Ordered under this number.
    Applying(u64),
    /// In force; being stored.
    Storing,
    /// Failed, for this reason, or taken back as somebody wanted (`None`); the previous configuration is being
    /// applied, under this number once it is ordered.
    Reverting(Option<Refusal>, Option<u64>),
}

impl Change {
    /// What is in force until the change is accepted.
    pub(super) fn previous_config(&self) -> &Config {
        &self.previous.config
    }

    /// The state at this moment has been ordered from the kernel.
    pub(super) fn ordered(&mut self, number: u64) {
        match &mut self.stage {
            stage @ Stage::Waiting => *stage = Stage::Applying(number),
            Stage::Reverting(_, ordered @ None) => *ordered = Some(number),
            Stage::Applying(_) | Stage::Storing | Stage::Reverting(..) => {}
        }
    }
}

impl Engine {
    /// [`super::Event::Change`].
    pub(super) fn begin_change(&mut self, request: RequestId, proposal: Proposal, now: Now) -> Vec<Effect> {
        if let Some(refusal) = self.cannot_begin(proposal.based_on) {
            return vec![Effect::Answer(request, Err(refusal))];
        }
        let config = match validate(proposal.document) {
            Ok(config) => config,
            Err(problems) => return vec![Effect::Answer(request, Err(Refusal::Invalid(problems)))],
        };
        if let Some(problem) = locks_out(&self.config, &config, &proposal.by) {
            return vec![Effect::Answer(request, Err(Refusal::Invalid(vec![problem])))];
        }
        let checks = self.checks.follow(&config, now);
        let numbering = self.numbering.assign(&config);
        let previous = Previous {
            config: std::mem::replace(&mut self.config, config),
            numbering: std::mem::replace(&mut self.numbering, numbering),
            checks: std::mem::replace(&mut self.checks, checks),
            version: self.version,
        };
        self.change = Some(Change {
            request: Some(request),
            by: proposal.by,
            comment: proposal.comment,
            previous,
            trouble_before: self.kernel.failure().map(str::to_owned),
            stage: Stage::Waiting,
        });
        self.follow_config()
    }

    fn cannot_begin(&self, based_on: Option<u64>) -> Option<Refusal> {
        if self.change.is_some() {
            return Some(Refusal::Busy);
        }
        if let Some(trial) = &self.trial {
            return Some(trial.refusal(self.version));
        }
        let is_old = based_on.is_some_and(|version| version != self.version);
        is_old.then(|| Refusal::Outdated { in_force: self.version, changed: Vec::new() })
    }

    /// [`super::Event::Applied`].
    pub(super) fn applied(&mut self, number: u64, outcome: &Outcome, now: Now) -> Vec<Effect> {
        self.kernel.ended(outcome, now.monotonic);
        if let Some(addresses) = self.kernel.addresses() {
            self.announcements.follow(addresses, now);
        }
        let Some(change) = &self.change else { return Vec::new() };
        // Without its rules a change is not in force, whatever was amiss before it.
        let is_new = |why: &String| outcome.rules.is_err() || Some(why) != change.trouble_before.as_ref();
        let trouble = outcome.trouble().filter(is_new);
        match (&change.stage, trouble) {
            (Stage::Applying(ours), None) if *ours == number => self.store(),
            (Stage::Applying(ours), Some(why)) if *ours == number => {
                self.take_back(Refusal::NotApplied(why), now)
            }
            (Stage::Reverting(_, Some(ours)), meanwhile) if *ours == number => {
                self.answer_reverted(meanwhile)
            }
            _ => Vec::new(),
        }
    }

    /// The kernel has already what the configuration on trial, or the previous one, asks for.
    pub(super) fn nothing_to_apply(&mut self) -> Vec<Effect> {
        match self.change.as_ref().map(|change| &change.stage) {
            Some(Stage::Waiting) => self.store(),
            Some(Stage::Reverting(_, None)) => self.answer_reverted(None),
            _ => Vec::new(),
        }
    }

    /// [`super::Event::Stored`].
    pub(super) fn stored(&mut self, result: Result<u64, String>, now: Now) -> Vec<Effect> {
        let version = match result {
            Ok(version) => version,
            Err(why) => return self.take_back(Refusal::NotStored(why), now),
        };
        let Some(change) = self.change.take() else { return Vec::new() };
        self.version = version;
        // What was said about the configuration at start or of an earlier trial is settled by a new one.
        self.start_problems.clear();
        self.taken_back = None;
        if needs_trial(&change.previous.config, &self.config) {
            self.trial = Some(Trial::new(change.by, change.comment, change.previous, now));
        }
        let accepted = Accepted { version, confirm_until: self.trial.as_ref().map(Trial::until) };
        change.request.map(|request| Effect::Answer(request, Ok(accepted))).into_iter().collect()
    }

    fn store(&mut self) -> Vec<Effect> {
        let Some(change) = &mut self.change else { return Vec::new() };
        change.stage = Stage::Storing;
        let standing = match needs_trial(&change.previous.config, &self.config) {
            true => Standing::Unconfirmed,
            false => Standing::Accepted,
        };
        let (by, comment) = (change.by.clone(), change.comment.clone());
        vec![Effect::Store { document: self.config.document.clone(), by, comment, standing }]
    }

    fn take_back(&mut self, refusal: Refusal, now: Now) -> Vec<Effect> {
        let Some(change) = &mut self.change else { return Vec::new() };
        change.stage = Stage::Reverting(Some(refusal), None);
        let previous = change.previous.clone();
        self.restore(previous, now)
    }

    /// Puts what was before back in force.
    pub(super) fn restore(&mut self, previous: Previous, now: Now) -> Vec<Effect> {
        self.config = previous.config;
        self.numbering = previous.numbering;
        self.version = previous.version;
        // What was learned during the trial stays known; servers that were not in it are as they were before.
        self.checks = self.checks.follow_or(&self.config, &previous.checks, now);
        self.follow_config()
    }

    fn answer_reverted(&mut self, meanwhile: Option<String>) -> Vec<Effect> {
        let Some(Change { request, stage: Stage::Reverting(refusal, _), .. }) = self.change.take() else {
            return Vec::new();
        };
        let answer = match (refusal, meanwhile) {
            (Some(Refusal::NotApplied(why) | Refusal::NotStored(why)), Some(meanwhile)) => {
                Err(Refusal::NotRestored { why, meanwhile })
            }
            (Some(refusal), _) => Err(refusal),
            (None, Some(meanwhile)) => {
                Err(Refusal::NotRestored { why: "The trial was ended".into(), meanwhile })
            }
            (None, None) => Ok(Accepted { version: self.version, confirm_until: None }),
        };
        request.map(|request| Effect::Answer(request, answer)).into_iter().collect()
    }
}
