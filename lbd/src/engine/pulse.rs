//! The appliance's own well-being: does the disk still take a write, and what does init have to say?

use std::time::Duration;

use super::Now;

/// Often enough that an administrator who looks sees it, seldom enough not to wear out a disk.
const INTERVAL: Duration = Duration::from_secs(15);
/// A disk that takes longer for a few bytes is in trouble, though it has not said so.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a look at the appliance found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// Sentences of init's, for people.
    pub notices: Vec<String>,
    /// Why the disk does not take a write.
    pub disk_failure: Option<String>,
    /// Why the rescue partition has no copy of the latest configuration.
    pub rescue_failure: Option<String>,
    /// Why the disk lacks lines of the log, in a sentence.
    pub log_trouble: Option<String>,
    /// What is wrong with the WebUI's certificate, or will be soon, in a sentence.
    pub certificate_fault: Option<String>,
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

    /// For the View.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = self.findings.notices.clone();
        if self.stuck {
            problems.push(
                "The disk does not answer. Traffic goes on; changes of the configuration cannot be stored until it \
                 does. Look at the datastore of the virtual machine."
                    .into(),
            );
        } else if let Some(why) = &self.findings.disk_failure {
            problems.push(format!(
                "The disk takes no writes ({why}). Traffic goes on; changes of the configuration are refused until \
                 it does. Look at the datastore of the virtual machine, then restart the appliance."
            ));
        } else {
            problems.extend(self.findings.log_trouble.clone());
        }
        if let Some(why) = &self.findings.rescue_failure {
            problems.push(format!(
                "There is no rescue copy of the latest configuration ({why}): should the data disk die, an older one \
                 would be used."
            ));
        }
        problems.extend(self.findings.certificate_fault.clone());
        problems
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
        assert!(pulse.problems()[0].contains("does not answer"));
        assert_eq!(pulse.next_due(), None, "nothing to wait for but the look itself");
        pulse.found(Findings { disk_failure: Some("read-only".into()), ..Findings::default() });
        assert!(pulse.problems()[0].contains("read-only"));
        assert!(pulse.take_due(at(15)));
        pulse.found(Findings::default());
        assert!(pulse.problems().is_empty());
    }
}
