//! Health checks: one question to one server under one deadline, and the answer in words.
//!
//! [`probe`] asks once, [`trace`] asks once and tells each step with its time; when to ask and what follows from
//! the answers is decided elsewhere. Every wait of a check ends at the same deadline, every answer is bounded, and
//! a check that is dropped half-way leaves nothing behind but a closed connection, so cancelling one is safe.
//!
//! [`dicom`] is the protocol without I/O, [`Failure`] what can go wrong, in an administrator's words, [`template`]
//! the text in which administrators write checks.

pub mod certificate;
pub mod dicom;
pub mod failure;
pub mod ping;
pub mod state;
pub mod template;
pub mod thread;
pub mod titles;
pub mod tls;

mod attempt;
mod connection;
mod dicom_probe;
mod finder;
mod http;
mod send_expect;
mod tcp;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::time::Duration;

use jiff::Timestamp;

use crate::config::{CheckKind, Question};

use attempt::Attempt;
pub use attempt::{Milestone, Trace};
use connection::Connection;
use dicom::Titles;
pub use failure::{Failure, Step};
pub(crate) use tcp::close_in_order;

/// What a passed check has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// How long the server took to answer.
    pub took: Duration,
    /// Until when the server's TLS certificate counts, where it showed one.
    pub certificate_ends: Option<Timestamp>,
}

/// Asks the server at `address` once.
///
/// The answer is known at the latest when the question's time-out has passed; taking leave of the server may delay
/// it by half a second, but never beyond that. Where the question is not about a port, the port does not matter.
pub async fn probe(question: &Question, address: SocketAddr) -> Result<Passed, Failure> {
    ask(question, &mut Attempt::start(address, question.timeout)).await
}

/// The same, with every step told.
pub async fn trace(question: &Question, address: SocketAddr) -> Trace {
    let mut attempt = Attempt::traced(address, question.timeout);
    let outcome = ask(question, &mut attempt).await;
    attempt.into_trace(outcome)
}

async fn ask(question: &Question, attempt: &mut Attempt) -> Result<Passed, Failure> {
    let took = match &question.kind {
        CheckKind::Tcp => tcp::probe(attempt).await,
        CheckKind::Tls(tls) => tls::probe(tls, attempt).await,
        CheckKind::DicomEcho { calling, called, tls } => {
            dicom_probe::probe(Titles { calling, called }, tls.as_ref(), attempt).await
        }
        CheckKind::Http { request, tls } => http::probe(request, tls.as_ref(), attempt).await,
        CheckKind::SendExpect { send, expect, tls } => {
            send_expect::probe((send, expect), tls.as_ref(), attempt).await
        }
        CheckKind::Ping => ping::probe(attempt).await,
        CheckKind::AlwaysOn => Ok(Duration::ZERO),
        CheckKind::AlwaysOff => Err(Failure::AlwaysOff),
    }?;
    Ok(Passed { took, certificate_ends: attempt.certificate_ends() })
}

/// What the answer `bytes` of a server, after which it hangs up, amounts to. For tests and fuzzing: the bytes go
/// the way of real answers.
pub async fn replay(kind: &CheckKind, bytes: &[u8]) -> Result<(), Failure> {
    let address = SocketAddr::from(([192, 0, 2, 1], 80));
    let mut attempt = Attempt::start(address, Duration::from_secs(60));
    let connection = tokio::io::join(bytes, tokio::io::sink());
    match kind {
        CheckKind::Http { request, .. } => http::converse(connection, request, "http", &mut attempt).await,
        CheckKind::SendExpect { send, expect, .. } => {
            send_expect::converse(&mut { connection }, (send, expect), &mut attempt).await
        }
        CheckKind::Tls(tls) => tls::handshake(connection, tls, &mut attempt).await.map(drop),
        _ => Ok(()),
    }
}
