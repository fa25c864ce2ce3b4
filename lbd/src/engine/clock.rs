//! The clock of the appliance: what it follows, and how it stands.

use super::{Effect, Engine};
use crate::clock::{Wanted, zone};
use crate::view::{ClockState, ClockView, Condition, ConditionKind};

impl Engine {
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
