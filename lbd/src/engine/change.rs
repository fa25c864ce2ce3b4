//! A change of the configuration: taken over on trial, applied, stored, accepted; or taken back.

use super::checks::Checks;
use super::{Effect, Engine, Now, Outcome, Refusal, RequestId};
use crate::config::{Config, Document, validate};
use crate::traffic::numbering::Numbering;

/// The one change that is under way.
#[derive(Debug)]
pub(super) struct Change {
    request: RequestId,
    previous: Previous,
    /// What was amiss before: no reason to refuse the change.
    trouble_before: Option<String>,
    stage: Stage,
}

/// What is restored when the change fails.
#[derive(Debug)]
struct Previous {
    config: Config,
    numbering: Numbering,
    checks: Checks,
}

#[derive(Debug)]
enum Stage {
    /// Not yet ordered: an earlier apply is still running.
    Waiting,
    /// Ordered under this number.
    Applying(u64),
    /// In force; being stored.
    Storing,
    /// Failed; the previous configuration is being applied, under this number once it is ordered.
    Reverting(Refusal, Option<u64>),
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
    pub(super) fn begin_change(&mut self, request: RequestId, document: Document, now: Now) -> Vec<Effect> {
        if self.change.is_some() {
            return vec![Effect::Answer(request, Err(Refusal::Busy))];
        }
        let config = match validate(document) {
            Ok(config) => config,
            Err(problems) => return vec![Effect::Answer(request, Err(Refusal::Invalid(problems)))],
        };
        let checks = self.checks.follow(&config, now);
        let numbering = self.numbering.assign(&config);
        let previous = Previous {
            config: std::mem::replace(&mut self.config, config),
            numbering: std::mem::replace(&mut self.numbering, numbering),
            checks: std::mem::replace(&mut self.checks, checks),
        };
        let trouble_before = self.kernel.failure().map(str::to_owned);
        self.change = Some(Change { request, previous, trouble_before, stage: Stage::Waiting });
        self.follow_config()
    }

    /// [`super::Event::Applied`].
    pub(super) fn applied(&mut self, number: u64, outcome: &Outcome, now: Now) -> Vec<Effect> {
        self.kernel.ended(outcome, now.monotonic);
        if let Some(addresses) = self.kernel.addresses() {
            self.announcements.follow(addresses, now);
        }
        let Some(change) = &self.change else { return Vec::new() };
        let trouble = outcome.trouble().filter(|why| Some(why) != change.trouble_before.as_ref());
        match (&change.stage, trouble) {
            (Stage::Applying(ours), None) if *ours == number => self.store(),
            (Stage::Applying(ours), Some(why)) if *ours == number => {
                self.revert(Refusal::NotApplied(why), now)
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
        match result {
            Ok(version) => {
                self.version = version;
                // What was said about the configuration at start is settled by a new one.
                self.start_problems.clear();
                self.change
                    .take()
                    .map(|change| Effect::Answer(change.request, Ok(version)))
                    .into_iter()
                    .collect()
            }
            Err(why) => self.revert(Refusal::NotStored(why), now),
        }
    }

    fn store(&mut self) -> Vec<Effect> {
        if let Some(change) = &mut self.change {
            change.stage = Stage::Storing;
        }
        vec![Effect::Store(self.config.document.clone())]
    }

    fn revert(&mut self, refusal: Refusal, now: Now) -> Vec<Effect> {
        let Some(change) = &mut self.change else { return Vec::new() };
        change.stage = Stage::Reverting(refusal, None);
        self.config = change.previous.config.clone();
        self.numbering = change.previous.numbering.clone();
        // What was learned during the trial stays known; servers that were not in it are as they were before.
        self.checks = self.checks.follow_or(&self.config, &change.previous.checks, now);
        self.follow_config()
    }

    fn answer_reverted(&mut self, meanwhile: Option<String>) -> Vec<Effect> {
        match self.change.take() {
            Some(Change { request, stage: Stage::Reverting(refusal, _), .. }) => {
                let refusal = match (refusal, meanwhile) {
                    (Refusal::NotApplied(why) | Refusal::NotStored(why), Some(meanwhile)) => {
                        Refusal::NotRestored { why, meanwhile }
                    }
                    (refusal, _) => refusal,
                };
                vec![Effect::Answer(request, Err(refusal))]
            }
            _ => Vec::new(),
        }
    }
}
