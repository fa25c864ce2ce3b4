//! The appliance's own well-being: does the disk still take a write, and what does init have to say?

use std::collections::BTreeMap;
use std::time::Duration;

use super::Now;
use crate::network::figures::Figures;
use crate::view::{Condition, ConditionKind, GuestServicesView};

/// Often enough that an administrator who looks sees it, seldom enough not to wear out a disk.
const INTERVAL: Duration = Duration::from_secs(15);
/// A disk that takes longer for a few bytes is in trouble, though it has not said so.
const PATIENCE: Duration = Duration::from_secs(10);

/// The name of init's word about a version that was given up (`init/src/update/`).
const GIVEN_UP: &str = "update";

/// What a look at the appliance found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// What init has left word of: name and sentence.
    pub notices: Vec<(String, String)>,
    /// Why the disk does not take a write.
    pub disk_failure: Option<String>,
    /// Why the rescue partition has no copy of the latest configuration.
    pub rescue_failure: Option<String>,
    /// Why the disk lacks lines of the log, in a sentence.
    pub log_trouble: Option<String>,
    /// Why the disk does not take the history, in a sentence.
    pub history_trouble: Option<String>,
    /// What is wrong with the WebUI's certificate, or will be soon, in a sentence.
    pub certificate_fault: Option<String>,
    /// Of what there is little left, disk or memory, each in a sentence.
    pub scarce: Vec<(ConditionKind, String)>,
    /// What crashed in the last day, in a sentence.
    pub crash: Option<String>,
    /// What the kernel says of each interface.
    pub interfaces: BTreeMap<String, Figures>,
    /// Word of VMware's guest services, where they run.
    pub guest_services: Option<GuestServicesView>,
}

/// One look at a time.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    due: Duration,
    looking_since: Option<Duration>,
    findings: Findings,
    stuck: bool,
}

impl Pulse {
    /// True when a look is due; it must come back by [`Self::found`].
    pub(super) fn take_due(&mut self, now: Now) -> bool {
        if let Some(since) = self.looking_since {
            self.stuck |= now.monotonic >= since + PATIENCE;
            return false;
        }
        let due = self.due <= now.monotonic;
        if due {
            self.looking_since = Some(now.monotonic);
            self.due = now.monotonic + INTERVAL;
        }
        due
    }

    pub(super) fn next_due(&self) -> Option<Duration> {
        match self.looking_since {
            Some(_) if self.stuck => None,
            Some(since) => Some(since + PATIENCE),
            None => Some(self.due),
        }
    }

    pub(super) fn found(&mut self, findings: Findings) {
        self.looking_since = None;
        self.stuck = false;
        self.findings = findings;
    }

    /// Of an interface, as they were at the last look.
    pub(super) fn figures(&self, interface: &str) -> Figures {
        self.findings.interfaces.get(interface).cloned().unwrap_or_default()
    }

    /// For the View.
    pub(super) fn guest_services(&self) -> Option<GuestServicesView> {
        self.findings.guest_services.clone()
    }

    /// For the View.
    pub(super) fn conditions(&self) -> Vec<Condition> {
        let notice = |(name, text): &(String, String)| match name.as_str() {
            GIVEN_UP => Condition::new(ConditionKind::Update, "version", text),
            // Other sentences of init's have no lasting name but themselves.
            _ => Condition::new(ConditionKind::Other, text, text),
        };
        let mut all: Vec<_> = self.findings.notices.iter().map(notice).collect();
        if self.stuck {
            let text = "The disk does not answer. Traffic goes on; changes of the configuration cannot be stored until it \
                        does. Look at the datastore of the virtual machine.";
            all.push(Condition::new(ConditionKind::Disk, "data", text));
        } else if let Some(why) = &self.findings.disk_failure {
            let text = format!(
                "The disk takes no writes ({why}). Traffic goes on; changes of the configuration are refused until \
                 it does. Look at the datastore of the virtual machine, then restart the appliance."
            );
            all.push(Condition::new(ConditionKind::Disk, "data", text));
        } else {
            let trouble = self.findings.log_trouble.clone();
            all.extend(trouble.map(|text| Condition::new(ConditionKind::Disk, "log", text)));
            let trouble = self.findings.history_trouble.clone();
            all.extend(trouble.map(|text| Condition::new(ConditionKind::Disk, "history", text)));
        }
        if let Some(why) = &self.findings.rescue_failure {
            let text = format!(
                "There is no rescue copy of the latest configuration ({why}): should the data disk die, an older one \
                 would be used."
            );
            all.push(Condition::new(ConditionKind::Disk, "rescue", text));
        }
        let certificate = self.findings.certificate_fault.clone();
        all.extend(certificate.map(|text| Condition::new(ConditionKind::Certificate, "WebUI", text)));
        let crash = self.findings.crash.clone();
        all.extend(crash.map(|text| Condition::new(ConditionKind::Other, "crash", text)));
        let scarce = self.findings.scarce.iter().cloned();
        all.extend(scarce.map(|(kind, text)| Condition::new(kind, "room", text)));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Now {
        Now { monotonic: Duration::from_secs(seconds), wall: jiff::Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn one_look_at_a_time_and_a_stuck_one_is_told() {
        let mut pulse = Pulse::default();
        assert!(pulse.take_due(at(0)) && !pulse.take_due(at(1)));
        assert_eq!(pulse.next_due(), Some(Duration::from_secs(10)));
        assert!(!pulse.take_due(at(10)));
        assert!(pulse.conditions()[0].text.contains("does not answer"));
        assert_eq!(pulse.next_due(), None, "nothing to wait for but the look itself");
        pulse.found(Findings { disk_failure: Some("read-only".into()), ..Findings::default() });
        assert!(pulse.conditions()[0].text.contains("read-only"));
        assert!(pulse.take_due(at(15)));
        pulse.found(Findings::default());
        assert!(pulse.conditions().is_empty());
    }

    #[test]
    fn word_of_a_version_that_was_given_up_is_about_updates_and_any_other_about_itself() {
        let notices = [("disk", "It was empty."), ("update", "Version 2 is given up.")];
        let notices = notices.map(|(name, text)| (name.to_owned(), text.to_owned())).to_vec();
        let mut pulse = Pulse::default();
        pulse.found(Findings { notices, ..Findings::default() });
        let expected = [
            Condition::new(ConditionKind::Other, "It was empty.", "It was empty."),
            Condition::new(ConditionKind::Update, "version", "Version 2 is given up."),
        ];
        assert_eq!(pulse.conditions(), expected);
    }
}
