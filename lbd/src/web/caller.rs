//! Who asks: known to every handler as `Extension<Caller>`, whichever way the request came.

use std::fmt;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::store::Author;

/// What somebody may do; a later one may everything that an earlier one may.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Look at everything but users, tokens and the audit log.
    Viewer,
    /// Also take servers out of service and back, and probe them.
    Operator,
    /// Everything.
    Administrator,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Administrator => "administrator",
        })
    }
}

/// Where a connection comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// Over the network.
    Network(IpAddr),
    /// Over the local socket, from a process of this user number.
    Local(u32),
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // A client of a dual-stack socket is still an IPv4 one.
            Self::Network(address) => address.to_canonical().fmt(f),
            Self::Local(_) => f.write_str("local socket"),
        }
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Name of the user, or of the token.
    pub user: String,
    /// What they may do.
    pub role: Role,
    /// Where they come from.
    pub from: Peer,
}

impl Caller {
    /// Whoever may open the local socket administers the machine anyway.
    pub fn local(user_number: u32) -> Self {
        let user = if user_number == 0 { "root".to_owned() } else { format!("user {user_number}") };
        Self { user, role: Role::Administrator, from: Peer::Local(user_number) }
    }

    /// As versions and log keep it.
    pub fn author(&self) -> Author {
        Author { user: self.user.clone(), from: self.from.to_string() }
    }
}
