//! The clock of the appliance: who says what time it is, who sets it, and how people are told times.
//!
//! ntpd-rs sets the clock, as a process of its own ([`daemon`], kept alive by [`keeper`]) that may do nothing else. Whether
//! the clock is right is judged apart from it: lbd asks the same servers itself ([`packet`], [`measure`]), about once a
//! minute, and [`standing`] makes of it what the View says. So a time daemon that hangs, or thinks too well of itself, is
//! noticed; and an lbd that may not set the clock (any but the appliance's) still says whether it is right. Forwarding
//! knows nothing of all this, and whatever must not jump counts on the monotonic clock.

pub mod daemon;
pub mod keeper;
pub mod measure;
pub mod packet;
pub mod setting;
pub mod standing;
pub mod task;
pub mod zone;

use std::net::Ipv4Addr;

use crate::config::NtpServer;

/// What the configuration wants of the clock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Who is asked.
    pub servers: Vec<NtpServer>,
    /// Who knows their addresses; empty: whoever the system asks.
    pub dns_servers: Vec<Ipv4Addr>,
}
