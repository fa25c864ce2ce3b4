//! What to answer, to tell and to do: pure. Time is an argument, counted from the start of the process.

use std::time::Duration;

use super::facts::{self, Facts};
use super::request::{Request, State, parse};

/// Between two looks for a question, the most and, after one, the least: as VMware's own tools do.
const MOST_REST: Duration = Duration::from_millis(100);
const LEAST_REST: Duration = Duration::from_millis(10);

/// Between two attempts to open a channel.
const CLOSED_REST: Duration = Duration::from_secs(15);

/// The version of a guest that is not VMware's own: vSphere shows "guest managed".
const VERSION: u32 = i32::MAX as u32;

const OK: &[u8] = b"OK ";
const RESET: &[u8] = b"OK ATR toolbox";
const UNKNOWN: &[u8] = b"ERROR Unknown command";
const NO_ADDRESS: &[u8] = b"ERROR Unable to find guest IP address";

/// How the machine is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It is switched off.
    PowerOff,
    /// It starts again.
    Restart,
}

impl End {
    /// The first process's word for it (`init/src/control.rs`).
    pub fn word(self) -> &'static str {
        match self {
            Self::PowerOff => "poweroff",
            Self::Restart => "reboot",
        }
    }

    fn state(self) -> State {
        match self {
            Self::PowerOff => State::Halt,
            Self::Restart => State::Restart,
        }
    }
}

/// What follows from a request, in this order: the messages, the answer, the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// For the channel RPCI.
    pub tell: Vec<Vec<u8>>,
    /// For the channel in which the request came.
    pub answer: &'static [u8],
    /// The machine is to end.
    pub end: Option<End>,
}

/// Everything that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Services {
    facts: Facts,
    told: Option<Facts>,
    tells_address: bool,
    rest: Duration,
    next: Duration,
}

impl Services {
    /// Nothing has been told.
    pub fn new(facts: Facts) -> Self {
        Self { facts, told: None, tells_address: true, rest: LEAST_REST, next: Duration::ZERO }
    }

    /// When to look for the next question.
    pub fn next_deadline(&self) -> Duration {
        self.next
    }

    /// These are the facts now.
    pub fn know(&mut self, facts: Facts) {
        self.facts = facts;
    }

    /// What has to be told by itself. It counts as told until [`Services::lost`].
    pub fn news(&mut self) -> Vec<Vec<u8>> {
        if self.told.as_ref() == Some(&self.facts) {
            return Vec::new();
        }
        let mut news = facts::news(self.told.as_ref(), &self.facts);
        if !self.tells_address {
            news.retain(|message| !message.starts_with(b"info-set"));
        }
        self.told = Some(self.facts.clone());
        news
    }

    /// A question has come.
    pub fn hear(&mut self, message: &[u8], now: Duration) -> Turn {
        self.rest = LEAST_REST;
        // Questions come in groups.
        self.next = now;
        let (mut tell, mut answer, mut end) = (Vec::new(), OK, None);
        match parse(message) {
            // Whoever asks so knows nothing any more: another hypervisor, after a move.
            Request::Reset => {
                self.told = None;
                answer = RESET;
            }
            Request::Ping | Request::Option => {}
            Request::Capabilities => {
                self.told = None;
                tell = capabilities();
            }
            Request::State(state) => {
                end = ending(state);
                if state == State::Resume {
                    self.told = None;
                }
                tell = vec![reached(state, true)];
            }
            Request::TellAddress(wanted) => {
                self.tells_address = wanted;
                let address = facts::address(&self.facts).filter(|_| wanted);
                if wanted && address.is_none() {
                    answer = NO_ADDRESS;
                }
                tell = address.into_iter().collect();
            }
            Request::Unknown => answer = UNKNOWN,
        }
        Turn { tell, answer, end }
    }

    /// There was no question.
    pub fn heard_nothing(&mut self, now: Duration) {
        self.next = now + self.rest;
        self.rest = (self.rest * 2).min(MOST_REST);
    }

    /// The channel failed or is refused: everything is told again in the next one.
    pub fn lost(&mut self, now: Duration) {
        self.told = None;
        self.rest = LEAST_REST;
        self.next = now + CLOSED_REST;
    }
}

fn ending(state: State) -> Option<End> {
    match state {
        State::Halt => Some(End::PowerOff),
        State::Restart => Some(End::Restart),
        State::PowerOn | State::Resume | State::Suspend => None,
    }
}

/// Without the version vSphere takes the tools for not installed; without the change of state it offers no way to shut
/// down or restart the guest. The space at its end is part of it.
fn capabilities() -> Vec<Vec<u8>> {
    vec![
        b"vmx.capability.unified_loop toolbox".to_vec(),
        b"tools.capability.statechange ".to_vec(),
        format!("tools.set.version {VERSION}").into_bytes(),
    ]
}

fn reached(state: State, well: bool) -> Vec<u8> {
    format!("tools.os.statechange.status {} {}", u8::from(well), state as u8).into_bytes()
}

/// The machine does not end, after all.
pub fn refused(end: End) -> Vec<u8> {
    reached(end.state(), false)
}
