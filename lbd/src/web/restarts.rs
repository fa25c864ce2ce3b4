//! Ports of the appliance itself that are opened anew when somebody wants it. Nothing that is balanced depends on them.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{Caller, Gateway};

/// What can be started anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Restartable {
    /// WebUI and API, over HTTPS and HTTP.
    Webui,
    /// The SNMP agent.
    Snmp,
    /// lbd's own answers to clients of services without a server.
    FallbackPage,
}

impl Restartable {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Webui, Self::Snmp, Self::FallbackPage];

    /// As forms and paths name it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Webui => "webui",
            Self::Snmp => "snmp",
            Self::FallbackPage => "fallback-page",
        }
    }

    /// The one of this word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.word() == word)
    }

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Webui => "WebUI and API",
            Self::Snmp => "SNMP agent",
            Self::FallbackPage => "Fallback answers",
        }
    }

    /// What a restart does, in a sentence or two.
    pub fn effect(self) -> &'static str {
        match self {
            Self::Webui => {
                "The ports are closed and opened anew, and the certificate is read from the disk. Requests under way are \
                 answered; nobody is logged out."
            }
            Self::Snmp => {
                "The agent is ended and started anew. Managers get no answer for less than a second."
            }
            Self::FallbackPage => {
                "The port is closed and opened anew. Clients that are being answered are answered to the end."
            }
        }
    }
}

/// Tells the tasks that listen. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Restarts {
    web: Arc<watch::Sender<u64>>,
    fallback: Arc<watch::Sender<u64>>,
}

impl Restarts {
    /// Changes whenever WebUI and API are to listen anew.
    pub fn web(&self) -> watch::Receiver<u64> {
        self.web.subscribe()
    }

    /// The same for the fallback answers.
    pub fn fallback(&self) -> watch::Receiver<u64> {
        self.fallback.subscribe()
    }
}

impl Gateway {
    /// Starts a service of the appliance anew, and says in the audit log who wanted it.
    pub(in crate::web) async fn restart(&self, what: Restartable, caller: &Caller) {
        let again = |sender: &watch::Sender<u64>| sender.send_modify(|count| *count += 1);
        match what {
            Restartable::Webui => again(&self.restarts().web),
            Restartable::FallbackPage => again(&self.restarts().fallback),
            Restartable::Snmp => return self.restart_snmp(caller).await,
        }
        self.access().audit().change(&caller.author(), &[format!("{}: restarted", what.name())]);
    }
}
