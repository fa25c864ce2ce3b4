//! What people order of the clock, for API and pages alike; each order stands in the audit log.

use axum::http::StatusCode;
use jiff::Timestamp;

use super::api::ProblemDocument;
use super::{Caller, Gateway};
use crate::view::ClockState;

impl Gateway {
    /// Lets the time daemon begin anew, so that it sets the clock at once, and asks all servers.
    pub(in crate::web) async fn synchronise_clock(&self, caller: &Caller) -> Result<(), ProblemDocument> {
        if self.latest().view.clock.state == ClockState::Free {
            let detail = "Give NTP servers first: Local Configuration, System Date & Time, or [time] in the configuration.";
            return Err(ProblemDocument::new(StatusCode::CONFLICT, "There is no NTP server", detail));
        }
        self.timekeeper().synchronise().await;
        self.access().audit().change(&caller.author(), &["clock: synchronised at once".to_owned()]);
        Ok(())
    }

    /// Sets the clock by hand, where no server says what time it is.
    pub(in crate::web) async fn set_clock(
        &self,
        caller: &Caller,
        time: Timestamp,
    ) -> Result<(), ProblemDocument> {
        let conflict = |title: &'static str, detail: &str| {
            Err(ProblemDocument::new(StatusCode::CONFLICT, title, detail.to_owned()))
        };
        let clock = &self.latest().view.clock;
        if !clock.may_set {
            let detail = "lbd sets the clock of the appliance only; on any other machine set it there.";
            return conflict("lbd may not set the clock of this machine", detail);
        }
        if clock.state != ClockState::Free {
            let detail = "The NTP servers would set it back. Remove them first, or correct them.";
            return conflict("The clock follows NTP servers", detail);
        }
        let before = Timestamp::now();
        // Told before and after: whoever reads the log finds it at both times.
        self.access().audit().change(&caller.author(), &[format!("clock: to be set to {time:.0} by hand")]);
        self.timekeeper().set(time).await.map_err(|why| {
            ProblemDocument::new(StatusCode::CONFLICT, "The clock was not set", format!("{why}."))
        })?;
        self.access().audit().change(&caller.author(), &[format!("clock: set by hand; it was {before:.0}")]);
        Ok(())
    }
}
