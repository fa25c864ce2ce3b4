//! What goes into the engine and what comes out of it: plain data.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Ending, Findings};
use crate::clock;
use crate::config::{AeTitle, Document, Label, Problem, Question};
use crate::conntrack::census::Census;
use crate::conntrack::names::Names;
use crate::health::titles::Search;
use crate::health::{Failure, Passed};
use crate::log::forward::{Recipients, Trouble};
use crate::network::topology::{Interface, Topology};
use crate::plan::Desired;
use crate::snmp::Wanted;
use crate::store::{Author, Standing};
use crate::view::{ClockView, MailView, SnmpView};

/// An instant on both clocks: one that never jumps, for every decision, and one for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Since lbd started.
    pub monotonic: Duration,
    /// Wall clock.
    pub wall: Timestamp,
}

/// A server in a service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerKey {
    /// The service's label.
    pub service: Label,
    /// The server's label.
    pub server: Label,
}

/// Names one question to one server, for as long as somebody asks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProbeId(pub u64);

/// Names a request whose answer somebody waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId(pub u64);

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// Somebody wants another configuration.
    Change {
        /// Whom to answer.
        request: RequestId,
        /// What they want.
        proposal: Box<Proposal>,
    },
    /// Somebody still reaches the appliance, and wants to keep the configuration on trial: the one with this version,
    /// where they say which they saw.
    Confirm(RequestId, Option<u64>),
    /// Somebody wants the configuration before the one on trial back, now.
    Revert(RequestId, Option<u64>),
    /// [`Effect::Confirm`] has ended.
    Confirmed(Result<(), String>),
    /// A check has ended.
    Checked {
        /// Which.
        probe: ProbeId,
        /// What came of it.
        result: Result<Passed, Failure>,
        /// How long after its time it started.
        late: Duration,
    },
    /// [`Effect::FindTitles`] has ended.
    TitlesFound {
        /// The server.
        address: SocketAddr,
        /// The title that it did not know.
        called: AeTitle,
        /// Those that it answers to.
        answering: Vec<AeTitle>,
    },
    /// The network is, or has become, like this.
    Topology(Topology),
    /// [`Effect::Apply`] has ended.
    Applied {
        /// The one that was ordered under this number.
        number: u64,
        /// What the kernel has of it.
        outcome: Outcome,
    },
    /// [`Effect::Store`] has ended.
    Stored(Result<u64, String>),
    /// [`Effect::ReadCounters`] has ended; a failure means that the table may have gone.
    Counters(Result<BTreeMap<String, u64>, String>),
    /// Connections have been counted, which happens every some seconds, or why they could not be.
    Connections(Result<Census, String>),
    /// [`Effect::EndConnections`] has ended.
    ConnectionsEnded {
        /// As ordered.
        endings: Vec<Ending>,
        /// Why not all have ended.
        result: Result<(), String>,
    },
    /// Servers with these marks have not taken proxied connections.
    NotTaken(BTreeSet<u32>),
    /// [`Effect::LookForRoom`] has ended: whether each map has room.
    RoomFound(Result<bool, String>),
    /// [`Effect::LookAtAppliance`] has ended.
    Looked(Findings),
    /// The management port listens, or why it does not.
    Listening(Result<(), String>),
    /// The port of the WebUI over HTTP listens where it should, or why it does not.
    ListeningInClear(Result<(), String>),
    /// A syslog server takes the log, or why it does not.
    Forwarded {
        /// Its label.
        server: Label,
        /// Why not.
        trouble: Trouble,
    },
    /// How mail stands.
    Mail(Box<MailView>),
    /// How the clock stands.
    Clock(Box<ClockView>),
    /// How the SNMP agent stands.
    Snmp(Box<SnmpView>),
}

/// Something to do.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// Make the kernel have this.
    Apply {
        /// Comes back in [`Event::Applied`].
        number: u64,
        /// All of it; what differs is found by whoever applies it.
        desired: Arc<Desired>,
        /// What was known of the kernel's table is in doubt: it must be read again.
        read_again: bool,
    },
    /// Check a server once.
    Check {
        /// Comes back in [`Event::Checked`].
        probe: ProbeId,
        /// What to ask, and of whom.
        target: Arc<Target>,
        /// When it should start, on the monotonic clock.
        due: Duration,
    },
    /// See which AE titles a server answers to that did not know this one.
    FindTitles {
        /// Comes back in [`Event::TitlesFound`].
        called: AeTitle,
        /// Where and what to try.
        search: Search,
    },
    /// Store the configuration durably.
    Store {
        /// All of it.
        document: Arc<Document>,
        /// Who made it.
        by: Author,
        /// Why.
        comment: String,
        /// Whether it counts after a restart.
        standing: Standing,
    },
    /// Make the stored version on trial count after a restart.
    Confirm(u64),
    /// Answer a request.
    Answer(RequestId, Result<Accepted, Refusal>),
    /// Tell the neighbours where a virtual address lives.
    Announce {
        /// The address.
        address: IpAddr,
        /// Where it lives.
        interface: Interface,
    },
    /// Make the kernel forget connections whose server is out.
    EndConnections(Vec<Ending>),
    /// Count connections several times a second, because shares of new clients depend on them, or at ease.
    CountOften(bool),
    /// Remember which servers the marks of connections mean.
    NameServers(Names),
    /// Read the kernel's counters.
    ReadCounters,
    /// See whether these persistence maps have room for one more client.
    LookForRoom(BTreeSet<String>),
    /// See whether the disk takes writes, and what init has to say.
    LookAtAppliance,
    /// Watch the routes to these.
    WatchRoutes(BTreeSet<IpAddr>),
    /// Answer management requests there.
    Listen(SocketAddr),
    /// Answer over HTTP there, or nobody.
    ListenInClear(Option<SocketAddr>),
    /// Show the fallback page on this port.
    AnswerFallback(u16),
    /// Send the log there.
    SendLog(Recipients),
    /// Let the clock follow these servers.
    KeepTime(clock::Wanted),
    /// Answer managers there, or nobody.
    AnswerSnmp(Option<Box<Wanted>>),
}

/// What came of an apply. The rules are one transaction; all else is done as far as it can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Why the kernel does not have the rules.
    pub rules: Result<(), String>,
    /// Why not all settings, addresses and routes are in place.
    pub rest: Result<(), String>,
}

impl Outcome {
    /// Everything is in place.
    pub const DONE: Self = Self { rules: Ok(()), rest: Ok(()) };

    /// What is not in place, in words.
    pub fn trouble(&self) -> Option<String> {
        let parts: Vec<_> =
            [&self.rules, &self.rest].into_iter().filter_map(|part| part.clone().err()).collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

/// What a check asks, and of whom.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// Address and port of the server; port 0 where the question is not about a port.
    pub address: SocketAddr,
    /// The question.
    pub question: Arc<Question>,
}

/// Another configuration that somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The whole document.
    pub document: Document,
    /// Who wants it.
    pub by: Author,
    /// Why, in a line; may be empty. See [`crate::store::check_comment`].
    pub comment: String,
    /// The version that they saw when they decided; `None` where it does not matter to them.
    pub based_on: Option<u64>,
}

/// What is in force after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Accepted {
    /// The stored version.
    pub version: u64,
    /// It is taken back by itself unless it is confirmed until then (wall clock); `None` where it needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm_until: Option<Timestamp>,
}

/// Why a change was not made. The previous configuration is in force, but for the last kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The document breaks rules.
    Invalid(Vec<Problem>),
    /// Another change is under way.
    Busy,
    /// The change is based on a version that is not in force any more.
    Outdated {
        /// The version that is.
        in_force: u64,
        /// What changed meanwhile, in words, and by whom; empty where that is not known any more.
        changed: Vec<String>,
    },
    /// A configuration is on trial: it has to be confirmed or taken back first.
    OnTrial {
        /// Its version.
        version: u64,
        /// Who made it.
        by: String,
        /// When it is taken back by itself.
        until: Timestamp,
    },
    /// There is no configuration on trial that could be confirmed or taken back.
    NothingOnTrial,
    /// There is no such version, or it cannot be read.
    NoVersion(String),
    /// The part of the configuration that should change is not there.
    NoEntry(String),
    /// What should be added is there already.
    Exists(String),
    /// lbd ends, or does not answer.
    Ending,
    /// The kernel did not take it.
    NotApplied(String),
    /// It could not be stored.
    NotStored(String),
    /// It failed, and so far what was before it could not be put back either.
    NotRestored {
        /// Why the change failed.
        why: String,
        /// Why the previous state is not back.
        meanwhile: String,
    },
}
