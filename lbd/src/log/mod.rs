//! The log: what lbd, init and the kernel have to say, on disk within a bound, for people, and for syslog servers.
//!
//! [`journal`] takes entries from everywhere without ever waiting, [`files`] keeps them on disk, [`layer`] brings lbd's
//! own, [`kernel`] those of init and the kernel; [`forward`] sends all to syslog
//! servers.

pub mod entry;
pub mod files;
pub mod forward;
pub mod journal;
pub mod kernel;
pub mod layer;
pub mod syslog;
pub mod wanted;
