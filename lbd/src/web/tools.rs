//! Tools for API and pages alike: one at a time for each person, and a pause after it, so that nobody scans ports with them.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::StatusCode;

use super::api::ProblemDocument;
use super::{Caller, Gateway};
use crate::tools::{self, Finding, Tool};

/// From the beginning of one tool to that of the next one of the same person.
const PAUSE: Duration = Duration::from_secs(1);
/// Nothing takes longer: ten echo requests, or looking a name up and then at the way there.
const LONGEST: Duration = Duration::from_secs(30);
/// Persons and tokens at the same time.
const AT_ONCE: usize = 4;

static TURNS: LazyLock<Mutex<Turns>> = LazyLock::new(Mutex::default);

impl Gateway {
    /// Tries it, if it is the caller's turn.
    pub(in crate::web) async fn try_tool(
        &self,
        caller: &Caller,
        tool: &Tool,
    ) -> Result<Finding, ProblemDocument> {
        let _turn = Turn::take(&caller.user)?;
        let dns_servers = self.latest().alerting.dns_servers.clone();
        let finding = tokio::time::timeout(LONGEST, tools::carry_out(tool, &dns_servers)).await;
        finding.map_err(|_| {
            let detail = "It took longer than 30 s. Give an address instead of a name: the DNS servers may not answer.";
            ProblemDocument::new(StatusCode::GATEWAY_TIMEOUT, "The tool came to no end", detail)
        })
    }
}

/// Until when each has to wait.
#[derive(Debug, Default)]
struct Turns(BTreeMap<String, Instant>);

impl Turns {
    /// Whether it is this one's turn.
    fn take(&mut self, user: &str, now: Instant) -> bool {
        self.0.retain(|_, until| *until > now);
        let is_free = self.0.len() < AT_ONCE && !self.0.contains_key(user);
        if is_free {
            self.0.insert(user.to_owned(), now + LONGEST);
        }
        is_free
    }

    /// What was begun at `begin` has ended.
    fn give_back(&mut self, user: &str, begin: Instant) {
        self.0.insert(user.to_owned(), begin + PAUSE);
    }
}

/// Somebody's turn, which ends with it, also where they have gone away meanwhile.
struct Turn {
    user: String,
    begin: Instant,
}

impl Turn {
    fn take(user: &str) -> Result<Self, ProblemDocument> {
        let begin = Instant::now();
        match TURNS.lock().unwrap_or_else(PoisonError::into_inner).take(user, begin) {
            true => Ok(Self { user: user.to_owned(), begin }),
            false => {
                let detail =
                    "One tool at a time for each user, one a second, four in all. Try again in a moment.";
                let status = StatusCode::TOO_MANY_REQUESTS;
                Err(ProblemDocument::new(status, "Another tool is at work", detail).retry_after(1))
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        TURNS.lock().unwrap_or_else(PoisonError::into_inner).give_back(&self.user, self.begin);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_one_tool_at_a_time_and_a_pause_after_it() {
        let (mut turns, begin) = (Turns::default(), Instant::now());
        assert!(turns.take("a", begin));
        assert!(!turns.take("a", begin + 2 * PAUSE), "it is still at work");
        turns.give_back("a", begin);
        assert!(!turns.take("a", begin + PAUSE / 2), "too soon");
        assert!(turns.take("a", begin + PAUSE));
        for other in ["b", "c", "d"] {
            assert!(turns.take(other, begin + PAUSE));
        }
        assert!(!turns.take("e", begin + PAUSE), "four in all");
        assert!(turns.take("e", begin + 2 * LONGEST), "what was never given back is forgotten");
    }
}
