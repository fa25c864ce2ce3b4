//! Health checks: one question to one server under one deadline, and the answer in words.
//!
//! [`probe`] asks once; when to ask and what follows from the answers is decided elsewhere. Every wait of a
//! probe ends at the same deadline, every answer is bounded, and a probe that is dropped half-way leaves
//! nothing behind but a closed connection, so cancelling one is safe.
//!
//! [`dicom`] is the protocol without I/O, [`Failure`] what can go wrong, in an administrator's words.

pub mod dicom;
pub mod failure;
pub mod state;

mod attempt;
mod dicom_probe;
mod tcp;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::time::Duration;

use crate::config::{CheckKind, HealthCheck};

use attempt::Attempt;
use dicom::Titles;
pub use failure::{Failure, Step};

/// Checks the server at `target` once and returns how long it took to answer.
///
/// The answer is known at the latest when `check.timeout` has passed; taking leave of the server may delay
/// it by half a second, but never beyond that.
pub async fn probe(check: &HealthCheck, target: SocketAddr) -> Result<Duration, Failure> {
    let attempt = Attempt::start(target, check.timeout);
    match &check.kind {
        CheckKind::Tcp => tcp::probe(&attempt).await,
        CheckKind::DicomEcho { calling, called } => {
            let titles = Titles { calling, called };
            dicom_probe::probe(titles, &attempt).await
        }
    }
}
