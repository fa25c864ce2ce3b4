//! What goes into the engine and what comes out of it: plain data.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use jiff::Timestamp;

use super::Findings;
use crate::config::{Document, HealthCheck, Label, Problem};
use crate::health::Failure;
use crate::network::topology::{Interface, Topology};
use crate::plan::Desired;

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
        /// The whole document.
        document: Document,
    },
    /// A check has ended.
    Checked {
        /// Which server.
        key: ServerKey,
        /// What exactly was asked: a result for something else is out of date.
        target: Target,
        /// How long it took, or why it failed.
        result: Result<Duration, Failure>,
    },
    /// The network is, or has become, like this.
    Topology(Topology),
    /// [`Effect::Apply`] has ended.
    Applied {
        /// The one that was ordered under this number.
        number: u64,
        /// Why the kernel does not have it.
        result: Result<(), String>,
    },
    /// [`Effect::Store`] has ended.
    Stored(Result<u64, String>),
    /// [`Effect::ReadCounters`] has ended; a failure is worth a line in the log, and no more.
    Counters(BTreeMap<String, u64>),
    /// [`Effect::LookAtAppliance`] has ended.
    Looked(Findings),
    /// The management port listens, or why it does not.
    Listening(Result<(), String>),
}

/// Something to do.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// Make the kernel have this.
    Apply {
        /// Comes back in [`Event::Applied`].
        number: u64,
        /// All of it; what differs is found by whoever applies it.
        desired: Box<Desired>,
    },
    /// Check a server once.
    Check {
        /// Comes back in [`Event::Checked`].
        key: ServerKey,
        /// Comes back in [`Event::Checked`].
        target: Target,
    },
    /// Store the configuration durably.
    Store(Box<Document>),
    /// Answer a request for a change.
    Answer(RequestId, Result<u64, Refusal>),
    /// Tell the neighbours where a virtual address lives.
    Announce {
        /// The address.
        address: Ipv4Addr,
        /// Where it lives.
        interface: Interface,
    },
    /// Read the kernel's counters.
    ReadCounters,
    /// See whether the disk takes writes, and what init has to say.
    LookAtAppliance,
    /// Watch the routes to these.
    WatchRoutes(BTreeSet<Ipv4Addr>),
    /// Answer management requests there.
    Listen(SocketAddr),
}

/// What a check asks, and of whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Address and port of the server.
    pub address: SocketAddr,
    /// The question.
    pub check: HealthCheck,
}

/// Why a change was not made. The previous configuration is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The document breaks rules.
    Invalid(Vec<Problem>),
    /// Another change is under way.
    Busy,
    /// The kernel did not take it.
    NotApplied(String),
    /// It could not be stored.
    NotStored(String),
}
