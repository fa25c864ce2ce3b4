//! The clock of the appliance: what it follows, and how it stands.

use jiff::{SignedDuration, Timestamp};

use super::{Effect, Engine, Now};
use crate::clock::{Wanted, zone};
use crate::view::{ClockState, ClockView, Condition, ConditionKind};

/// The clock was set where it has gone further than the one that does not jump; what is less is the time daemon's patience.
const JUMP: SignedDuration = SignedDuration::from_secs(1);

/// A time that was told, by the clock as it is since it was set.
pub(super) fn moved(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.saturating_add(by).unwrap_or(time)
}

impl Engine {
    /// Decisions depend on the clock that does not jump. What is told of the past is told by the other one, and so must follow
    /// when that is set: else a server would be up since ten years, or since tomorrow.
    pub(super) fn follow_clock(&mut self, now: Now) {
        let before = std::mem::replace(&mut self.seen_last, now);
        let passed = now.monotonic.saturating_sub(before.monotonic);
        let passed = SignedDuration::try_from(passed).unwrap_or(SignedDuration::MAX);
        let by = now.wall.duration_since(before.wall).saturating_sub(passed);
        if by.abs() < JUMP {
            return;
        }
        self.started = moved(self.started, by);
        self.checks.clock_was_set(by);
        self.forwarding.clock_was_set(by);
        if let Some(trial) = &mut self.trial {
            trial.clock_was_set(by);
        }
    }

    /// Orders the clock to follow whom the configuration says.
    pub(super) fn keep_time(&self) -> Effect {
        let dns_servers = self.config.network.as_ref().map(|network| network.dns_servers.clone());
        let servers = self.config.time.ntp_servers.clone();
        Effect::KeepTime(Wanted { servers, dns_servers: dns_servers.unwrap_or_default() })
    }

    /// For people.
    pub(super) fn clock_view(&self) -> ClockView {
        ClockView { zone: zone::name(&self.config.time.zone).to_owned(), ..self.clock.clone() }
    }

    pub(super) fn clock_problem(&self) -> Option<Condition> {
        let ClockView { state, reason, .. } = &self.clock;
        (*state == ClockState::Unsynchronised).then(|| {
            let text = format!(
                "The clock is not synchronised: {reason}. Times in logs, alerts and records may be wrong; look at Local \
                 Configuration, System Date & Time."
            );
            Condition::new(ConditionKind::Clock, "ntp", text)
        })
    }
}
