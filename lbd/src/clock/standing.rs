//! Whether the clock is right, from what servers and daemon say: pure. Time is an argument, on the clock that does not jump.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::Wanted;
use super::measure::Asked;
use super::packet::Answer;
use crate::config::NtpServer;
use crate::view::{ClockState, TimeServerView};

/// A clock within it is right: what IHE's profile Consistent Time asks for (IHE ITI TF-1 section 7).
pub const TOLERANCE_SECONDS: f64 = 1.0;
/// Between two questions to a server that answers; the least that public servers ask for.
const ASK_EVERY: Duration = Duration::from_secs(64);
/// The same until it has answered, and while the clock is wrong.
const ASK_AGAIN: Duration = Duration::from_secs(16);
/// An answer says something for so long: ten questions in a row were lost.
const FRESH: Duration = Duration::from_secs(640);
/// So long may everything take that begins: names are looked up, the daemon takes eight samples 16 s apart over a long way.
const BEGINNING: Duration = Duration::from_secs(300);
/// Servers answer, or not, within this time.
const FIRST_ANSWERS: Duration = Duration::from_secs(60);

/// What is known of a server.
#[derive(Debug, Clone, Default)]
struct Known {
    address: Option<IpAddr>,
    answer: Option<(Answer, Duration)>,
    trouble: Option<String>,
    asked: Option<Duration>,
    is_being_asked: bool,
}

/// The daemon, as far as it matters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Setter {
    /// lbd may not set the clock.
    #[default]
    NotAllowed,
    /// It has set the clock, and keeps it.
    Holds,
    /// It runs, and has not found the time yet.
    Seeks,
    /// It does not run, or does not answer: why.
    Fails(String),
}

/// What is known of the clock.
#[derive(Debug, Default)]
pub struct Standing {
    servers: BTreeMap<NtpServer, Known>,
    order: Vec<NtpServer>,
    setter: Setter,
    /// Since when something new is tried.
    began: Duration,
    /// Since when the clock is neither right nor known.
    doubtful: Option<Duration>,
}

/// What is said of the clock.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// In a word.
    pub state: ClockState,
    /// In a sentence without its full stop.
    pub reason: String,
    /// So many seconds must be added to the clock; `None` where nobody knows.
    pub offset_seconds: Option<f64>,
    /// Who says so.
    pub source: Option<String>,
}

impl Standing {
    /// Follows the configuration: what is known of servers that stay is kept.
    pub fn follow(&mut self, wanted: &Wanted, now: Duration) {
        let mut before = std::mem::take(&mut self.servers);
        let known = |server: &NtpServer| (server.clone(), before.remove(server).unwrap_or_default());
        self.servers = wanted.servers.iter().map(known).collect();
        self.order.clone_from(&wanted.servers);
        self.begin_anew(now);
    }

    /// Everything is asked now, and gets the time of a beginning.
    pub fn begin_anew(&mut self, now: Duration) {
        (self.began, self.doubtful) = (now, None);
        for known in self.servers.values_mut() {
            known.asked = None;
        }
    }

    /// The clock was set by somebody: what was measured before is worth nothing.
    pub fn clock_was_set(&mut self, now: Duration) {
        for known in self.servers.values_mut() {
            known.answer = None;
        }
        self.begin_anew(now);
    }

    /// How the daemon is.
    pub fn setter_is(&mut self, setter: Setter) {
        self.setter = setter;
    }

    /// Servers to be asked now, with the address where they answered last.
    pub fn take_due(&mut self, now: Duration) -> Vec<(NtpServer, Option<IpAddr>)> {
        let pause = self.pause();
        let due = |known: &Known| !known.is_being_asked && known.next(pause).is_none_or(|next| next <= now);
        let mut all = Vec::new();
        for (server, known) in self.servers.iter_mut().filter(|(_, known)| due(known)) {
            (known.is_being_asked, known.asked) = (true, Some(now));
            // A server that does not answer may have moved.
            let address = known.address.filter(|_| known.trouble.is_none());
            all.push((server.clone(), address));
        }
        all
    }

    /// When [`Standing::take_due`] has something new.
    pub fn next_due(&self) -> Option<Duration> {
        let waiting = self.servers.values().filter(|known| !known.is_being_asked);
        waiting.map(|known| known.next(self.pause()).unwrap_or_default()).min()
    }

    /// Asks often while there is something to find out.
    fn pause(&self) -> Duration {
        if self.doubtful.is_some() { ASK_AGAIN } else { ASK_EVERY }
    }

    /// What came of asking; of a server that is not wanted any more, nothing.
    pub fn asked(&mut self, server: &NtpServer, asked: Asked, now: Duration) {
        let Some(known) = self.servers.get_mut(server) else { return };
        known.is_being_asked = false;
        known.address = asked.address.or(known.address);
        match asked.result {
            Ok(answer) => (known.answer, known.trouble) = (Some((answer, now)), None),
            Err(why) => known.trouble = Some(why),
        }
    }

    /// Where the servers are, as far as that is known: each once, in order.
    pub fn addresses(&self) -> Vec<IpAddr> {
        let mut all: Vec<_> = self.servers.values().filter_map(|known| known.address).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// What there is to say. Remembers since when there is doubt.
    pub fn judge(&mut self, now: Duration) -> Verdict {
        let verdict = self.judged(now);
        match verdict.state {
            ClockState::Synchronised | ClockState::Measured | ClockState::Free => self.doubtful = None,
            ClockState::Starting | ClockState::Unsynchronised => {
                self.doubtful.get_or_insert(now);
            }
        }
        verdict
    }

    fn judged(&self, now: Duration) -> Verdict {
        let said = |state, reason: String| Verdict { state, reason, offset_seconds: None, source: None };
        if self.servers.is_empty() {
            return said(
                ClockState::Free,
                "no NTP server is configured: nobody looks after the clock".into(),
            );
        }
        let Some((server, answer)) = self.source(now) else {
            if now < self.began + FIRST_ANSWERS {
                return said(ClockState::Starting, "the NTP servers are being asked".into());
            }
            return said(ClockState::Unsynchronised, format!("no NTP server answers: {}", self.troubles()));
        };
        let is_right = answer.offset_seconds.abs() <= TOLERANCE_SECONDS;
        let beginning = self.doubtful.unwrap_or(now).max(self.began) + BEGINNING;
        let wrong = format!("the clock is {} by {server}", off_by(answer.offset_seconds));
        let (state, reason) = match (&self.setter, is_right) {
            (Setter::NotAllowed, true) => {
                let words = "the clock is right; lbd only measures it, as it is not the appliance's own";
                (ClockState::Measured, words.to_owned())
            }
            (Setter::NotAllowed, false) => {
                (ClockState::Unsynchronised, format!("{wrong}, and lbd may not set it on this machine"))
            }
            (Setter::Holds, true) => (ClockState::Synchronised, format!("the clock follows {server}")),
            (Setter::Holds | Setter::Seeks, _) if now < beginning => {
                let words =
                    if is_right { "the time daemon is getting to know its servers".into() } else { wrong };
                (ClockState::Starting, words)
            }
            (Setter::Holds, false) => {
                (ClockState::Unsynchronised, format!("{wrong}, and the time daemon does not set it"))
            }
            (Setter::Seeks, _) => {
                let words =
                    "the time daemon has not found the time yet: the servers may contradict each other";
                (ClockState::Unsynchronised, words.to_owned())
            }
            (Setter::Fails(why), _) => {
                let is_new = now < self.began + FIRST_ANSWERS;
                let state = if is_new { ClockState::Starting } else { ClockState::Unsynchronised };
                (state, format!("the time daemon does not keep the clock: {why}"))
            }
        };
        let source = Some(server.to_string());
        let reason = format!("{reason}{}", self.dissenters(answer, now));
        Verdict { state, reason, offset_seconds: Some(answer.offset_seconds), source }
    }

    fn fresh(&self, now: Duration) -> impl Iterator<Item = (&NtpServer, &Answer)> {
        self.servers.iter().filter_map(move |(server, known)| {
            let (answer, at) = known.answer.as_ref()?;
            (now.saturating_sub(*at) < FRESH).then_some((server, answer))
        })
    }

    /// The server in the middle: one that is wrong is never it while two others agree.
    fn source(&self, now: Duration) -> Option<(&NtpServer, &Answer)> {
        let mut all: Vec<_> = self.fresh(now).collect();
        all.sort_by(|(_, a), (_, b)| a.offset_seconds.total_cmp(&b.offset_seconds));
        all.get(all.len().checked_sub(1)? / 2).copied()
    }

    /// Servers that say something else.
    fn dissenters(&self, of: &Answer, now: Duration) -> String {
        let differs = |answer: &Answer| (answer.offset_seconds - of.offset_seconds).abs() > TOLERANCE_SECONDS;
        let others = self.fresh(now).filter(|(_, answer)| differs(answer));
        others
            .map(|(server, answer)| {
                format!("; {server} disagrees by {}", length(answer.offset_seconds - of.offset_seconds))
            })
            .collect()
    }

    fn troubles(&self) -> String {
        let one = |(server, known): (&NtpServer, &Known)| {
            format!("{server}: {}", known.trouble.as_deref().unwrap_or("no answer yet"))
        };
        self.servers.iter().map(one).collect::<Vec<_>>().join("; ")
    }

    /// For people, in the order of the configuration.
    pub fn views(&self) -> Vec<TimeServerView> {
        let view = |server: &NtpServer| {
            let known = self.servers.get(server)?;
            let answer = known.answer.as_ref().filter(|_| known.trouble.is_none()).map(|(answer, _)| answer);
            Some(TimeServerView {
                server: server.to_string(),
                address: known.address,
                answers: known.trouble.is_none() && known.answer.is_some(),
                reason: match (&known.trouble, answer) {
                    (Some(why), _) => why.clone(),
                    (None, Some(_)) => "answers".into(),
                    (None, None) => "is being asked".into(),
                },
                offset_seconds: answer.map(|answer| answer.offset_seconds),
                round_trip_seconds: answer.map(|answer| answer.round_trip_seconds),
                stratum: answer.map(|answer| answer.stratum),
            })
        };
        self.order.iter().filter_map(view).collect()
    }
}

impl Known {
    /// `None`: at once.
    fn next(&self, pause: Duration) -> Option<Duration> {
        let pause = if self.trouble.is_some() || self.answer.is_none() { ASK_AGAIN } else { pause };
        self.asked.map(|asked| asked + pause)
    }
}

/// `3.2 s slow`.
pub fn off_by(offset_seconds: f64) -> String {
    let direction = if offset_seconds < 0.0 { "fast" } else { "slow" };
    format!("{} {direction}", length(offset_seconds))
}

/// In the unit that people read.
fn length(seconds: f64) -> String {
    let seconds = seconds.abs();
    match seconds {
        _ if seconds < 0.001 => format!("{:.0} \u{b5}s", seconds * 1e6),
        _ if seconds < 1.0 => format!("{:.1} ms", seconds * 1e3),
        _ if seconds < 60.0 => format!("{seconds:.1} s"),
        // Far below 2^63.
        _ => crate::web::pages::duration(seconds.round() as i64),
    }
}

#[cfg(test)]
#[path = "standing_tests.rs"]
mod tests;
