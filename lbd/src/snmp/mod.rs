//! The SNMP agent: answers managers from the View.
//!
//! Datagrams come to [`front`], which counts them and lets through what is of an enabled version and, for versions 1 and 2c,
//! of the right community ([`envelope`], pure). The protocol itself is the crate async-snmp's, which listens on the loopback
//! interface; [`objects`] are what it is asked for. [`agent`] is the task that starts, changes and ends both. Community and
//! passphrases are in [`secret`], the engine's boots in [`boots`]. [`traps`] tell managers of alerts.

mod agent;
mod boots;
pub mod envelope;
mod figures;
mod front;
mod library;
mod objects;
mod running;
pub mod secret;
mod shares;
mod traps;

/// What the objects of our own are, for managers.
pub const MODULE: &str = include_str!("EVENKEEL-MIB.txt");

pub use agent::{Office, Snmp, Wanted, open, serve};
