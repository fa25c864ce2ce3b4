//! What goes into the console and comes out of it.

use std::net::Ipv4Addr;

use super::facts::Daemon;
use super::menu::Order;
use super::wizard::Answers;
use crate::tools::{Finding, Tool};
use crate::web::update::UpdateDocument;

/// What happens to the console.
#[derive(Debug, Clone)]
pub enum Input {
    /// A line was typed.
    Line(String),
    /// End of file (Ctrl-D).
    End,
    /// Nothing was typed for [`super::IDLE`].
    Idle,
    /// Some seconds have passed since the boot: [`super::recovery::OFFER`].
    OfferEnds,
    /// How lbd stands now, without anybody having asked.
    News(Daemon),
    /// What came of an effect.
    Outcome(Outcome),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Ask lbd how it stands.
    Look,
    /// Verify a password and open a session.
    LogIn {
        /// As typed.
        user: String,
        /// As typed.
        password: String,
    },
    /// End the session.
    LogOut,
    /// Look whether somebody else uses the address.
    Probe {
        /// Interface name.
        interface: String,
        /// IPv4 address.
        address: Ipv4Addr,
    },
    /// Look for a fault in the network with this.
    Use(Tool),
    /// Put the answers of the wizard in force.
    Apply(Box<Answers>),
    /// Set another password for who is logged in.
    ChangePassword {
        /// The present one.
        current: String,
        /// The new one.
        new: String,
    },
    /// Somebody has entered the recovery: log and tell it.
    TellRecovery,
    /// Set the password of the first user without the present one.
    RecoverPassword(String),
    /// Have the first process do this.
    Order(Order),
    /// Ask lbd which versions are installed.
    AskVersions,
}

/// What came of an [`Effect`]. Errors are for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// How lbd stands.
    Looked(Daemon),
    /// Somebody is logged in, or why not.
    LoggedIn(Result<Admitted, String>),
    /// The session has ended.
    LoggedOut,
    /// Who uses the address already; why that is not known.
    Probed(Result<Option<String>, String>),
    /// What the tool has found, or why it could not be used.
    Found(Result<Finding, String>),
    /// The answers are in force, with what is to be said about it; or why nothing was changed.
    Applied(Result<Option<String>, String>),
    /// The new password is in force, and all sessions have ended.
    PasswordChanged(Result<(), String>),
    /// It is told, or cannot be.
    RecoveryTold,
    /// The first user has the new password.
    PasswordRecovered(Result<(), String>),
    /// The order is taken.
    Ordered(Result<Order, String>),
    /// Which versions are installed.
    Versions(Result<Box<UpdateDocument>, String>),
}

/// Somebody who has logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// Their name.
    pub user: String,
    /// They may do everything.
    pub is_administrator: bool,
    /// Their password opens nothing but its own replacement.
    pub must_change: bool,
}

/// What to print, and what to do then.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Turn {
    /// Whole lines.
    pub text: String,
    /// Its outcome is the next input.
    pub effect: Option<Effect>,
}

/// What stands before the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// Without a line break.
    pub text: String,
    /// What is typed can be seen.
    pub echoes: bool,
}

impl Prompt {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), echoes: true }
    }

    pub(super) fn hidden(text: impl Into<String>) -> Self {
        Self { text: text.into(), echoes: false }
    }
}

impl Turn {
    pub(super) fn say(text: impl Into<String>) -> Self {
        Self { text: text.into(), effect: None }
    }

    pub(super) fn act(effect: Effect) -> Self {
        Self { text: String::new(), effect: Some(effect) }
    }

    pub(super) fn and(mut self, effect: Effect) -> Self {
        self.effect = Some(effect);
        self
    }
}
