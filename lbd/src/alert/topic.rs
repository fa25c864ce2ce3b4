//! What can be wrong, and how it is told.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a notice is about. The same trouble always has the same topic, however its words change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "kebab-case")]
pub enum Topic {
    /// A virtual service without a server.
    ServiceDown {
        /// Its label.
        service: String,
    },
    /// A virtual service that is not whole: some of its servers fail, or all.
    ServiceDegraded {
        /// Its label.
        service: String,
    },
    /// A virtual service whose fallback server serves.
    Fallback {
        /// Its label.
        service: String,
    },
    /// A real server that fails its check.
    Server {
        /// Label of the service.
        service: String,
        /// Its label.
        server: String,
    },
    /// Source ports towards a server that run out.
    SnatPorts {
        /// Label of the service.
        service: String,
        /// Label of the server.
        server: String,
    },
    /// A certificate that ends soon, or has ended.
    Certificate {
        /// Whose.
        of: String,
    },
    /// The disk, or a part of it.
    Disk {
        /// Which.
        part: String,
    },
    /// The memory runs out.
    Memory,
    /// The clock is not synchronised.
    Clock,
    /// Anything else that the appliance's own status complains of.
    Appliance {
        /// What.
        part: String,
    },
    /// The other appliance of the pair, or the link to it.
    Pair,
    /// A new version is available, has proven itself, or was given up.
    Update,
    /// Somebody was locked out after wrong passwords.
    LockOut,
    /// Somebody recovers the appliance at its own terminals, or erases everything.
    Recovery,
    /// Somebody tries the way of the alerts.
    Test {
        /// As if it were about this service; the global addresses where it is none.
        service: Option<String>,
    },
}

impl Topic {
    /// The virtual service that it is about, whose own addresses count.
    pub fn service(&self) -> Option<&str> {
        match self {
            Self::ServiceDown { service }
            | Self::ServiceDegraded { service }
            | Self::Fallback { service }
            | Self::Server { service, .. }
            | Self::SnatPorts { service, .. } => Some(service),
            Self::Test { service } => service.as_deref(),
            _ => None,
        }
    }
}

/// How urgent something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Information,
    /// Somebody should look at it in working hours.
    Warning,
    /// Work is disturbed.
    Critical,
}

/// Where a real server is, for subjects in ldirectord's wording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Address and port of the server.
    pub server: String,
    /// Address and ports of its virtual service.
    pub service: String,
}

/// Something that is wrong, in words for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// How urgent.
    pub severity: Severity,
    /// What it is about, at the beginning of a sentence: `Server NODE1 of POOL`.
    pub name: String,
    /// How the sentence goes on: `is down`.
    pub state: String,
    /// How it goes on when it is over: `is up again`.
    pub over: String,
    /// Why, in the words of whoever found it; may be empty.
    pub why: String,
    /// What follows from it, as a sentence; may be empty.
    pub effect: String,
    /// What to look at, as a sentence; may be empty.
    pub look_at: String,
    /// For servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// What is known of a topic that is in no trouble now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Absence {
    /// It is well; the words say what holds now.
    Well(String),
    /// Nothing is known: what was told still stands.
    Unknown,
    /// It is none of our business any more, and why: `it was removed from the configuration`.
    Withdrawn(String),
}

/// What a notice says of its topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It is in trouble.
    Began,
    /// It goes back and forth.
    Flaps,
    /// It still is.
    Lasts,
    /// It is well again.
    Ended,
    /// It is not watched any more.
    Withdrawn,
    /// It happened, and is over.
    Happened,
}

/// One thing to tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// About what.
    pub topic: Topic,
    /// What of it.
    pub kind: Kind,
    /// In words.
    pub trouble: Trouble,
    /// Since when it is, or was, in trouble.
    pub since: Timestamp,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// How long the trouble has lasted, on a clock that does not jump.
    pub seconds: i64,
    /// So many times it began lately; 1 where it does not go back and forth.
    pub times: u32,
    /// Since when it goes back and forth, and for how many seconds.
    pub first: Timestamp,
    /// The length of that.
    pub span_seconds: i64,
    /// What holds now, for what is over; may be empty.
    #[serde(default)]
    pub now: String,
}

/// Notices that are told together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bulletin {
    /// Its number; a later one is higher.
    pub number: u64,
    /// When it was made: with the number it names the bulletin also where numbers begin anew.
    pub at: Timestamp,
    /// What is urgent comes first.
    pub notices: Vec<Notice>,
}
