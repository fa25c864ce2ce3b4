//! Work in a thread of its own, as a disk or a firmware may hold it up for ever.

use crate::failure::{Doing, Failure};
use std::thread::Builder;

/// Starts `work`, which `doing` names. A machine that has no room for a thread says so, and `work` is dropped: the first
/// process must go on, and `std::thread::spawn` would panic.
pub fn start(doing: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    Builder::new().spawn(work).map(drop).doing(|| format!("{doing}: starting a thread"))
}
