//! Crashes: what lbd or the kernel said last before they died.
//!
//! init leaves an account of each in memory (`init/src/crash.rs`), [`shelf`] takes them to the disk, [`account`] reads one,
//! [`hook`] makes a panic say where lbd lies in memory.

pub mod account;
pub mod hook;
pub mod shelf;
