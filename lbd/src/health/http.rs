//! The HTTP check: one GET, the status of its answer, and a text within the first 64 KiB of its body.
//!
//! hyper reads the answer, with bounds on its head; the body is read no further than it is looked at.

use std::error::Error as _;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{Either, FusedFuture, select};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, HOST, USER_AGENT};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::attempt::Attempt;
use super::failure::{Failure, Step};
use super::finder::Finder;
use crate::config::check_kind::{EscapedBytes, HttpRequest, Tls};

/// Usual heads have less than 2 KiB; hyper takes no less than 8 KiB.
const LARGEST_HEAD: usize = 32 * 1024;
const MOST_HEADERS: usize = 100;

/// Asks for the page.
pub(super) async fn probe(
    request: &HttpRequest,
    tls: Option<&Tls>,
    attempt: &mut Attempt,
) -> Result<Duration, Failure> {
    let connection = attempt.open(tls).await?;
    converse(connection, request, if tls.is_some() { "https" } else { "http" }, attempt).await?;
    Ok(attempt.elapsed())
}

/// Speaks over any connection.
pub(super) async fn converse(
    connection: impl AsyncRead + AsyncWrite + Unpin + Send,
    wanted: &HttpRequest,
    scheme: &str,
    attempt: &mut Attempt,
) -> Result<(), Failure> {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(LARGEST_HEAD).max_headers(MOST_HEADERS);
    let handshake = builder.handshake::<_, Empty<Bytes>>(TokioIo::new(connection)).await;
    let (mut sender, driver) = handshake.map_err(|error| explain(attempt, Step::HttpAnswer, &error))?;
    let mut driver = pin!(driver.map(|_| ()).fuse());
    let request = request(wanted, scheme, attempt)?;
    attempt.note(|| format!("GET {} sent", wanted.path));
    let answer = with(&mut driver, sender.send_request(request));
    let answer = timed(attempt, Step::HttpAnswer, answer).await?;
    let status = answer.status().as_u16();
    attempt.note(|| format!("status {status} received"));
    if !wanted.expected_status.contains(status) {
        return Err(Failure::HttpStatus { status, expected: wanted.expected_status.clone() });
    }
    let Some(expected) = &wanted.expected_body else { return Ok(()) };
    match timed(attempt, Step::HttpBody, with(&mut driver, find(answer, expected))).await? {
        None => {
            attempt.note(|| format!("the expected text found: {expected}"));
            Ok(())
        }
        Some(length) => Err(Failure::BodyLacks { expected: expected.clone(), length }),
    }
}

fn request(wanted: &HttpRequest, scheme: &str, attempt: &Attempt) -> Result<Request<Empty<Bytes>>, Failure> {
    let target = attempt.target();
    let is_usual = matches!((scheme, target.port()), ("http", 80) | ("https", 443));
    let host = match &wanted.host {
        Some(host) => host.to_string(),
        None if is_usual && target.is_ipv4() => target.ip().to_string(),
        None if is_usual => format!("[{}]", target.ip()),
        None => target.to_string(),
    };
    let request = Request::get(wanted.path.as_str()).header(HOST, host).header(ACCEPT, "*/*");
    let agent = concat!("evenkeel/", env!("CARGO_PKG_VERSION"));
    let request = request.header(USER_AGENT, agent).header(CONNECTION, "close").body(Empty::new());
    // The types of path and host leave no room for this.
    request.map_err(|error| Failure::Other { step: Step::HttpAnswer, error: error.to_string() })
}

/// `None` when the body holds the expected bytes, else how much of it was looked at.
async fn find(answer: Response<Incoming>, expected: &EscapedBytes) -> hyper::Result<Option<usize>> {
    let mut finder = Finder::new(expected.bytes());
    let mut body = answer.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame?;
        let Some(data) = frame.data_ref() else { continue };
        if finder.receive(data) {
            return Ok(None);
        }
        if finder.is_full() {
            break;
        }
    }
    Ok((!expected.bytes().is_empty()).then(|| finder.received().len()))
}

/// Does `work` while hyper moves the bytes; what has been read when the connection ends still counts.
async fn with<T>(driver: &mut (impl FusedFuture<Output = ()> + Unpin), work: impl Future<Output = T>) -> T {
    match select(pin!(work), driver).await {
        Either::Left((outcome, _)) => outcome,
        Either::Right(((), work)) => work.await,
    }
}

async fn timed<T>(
    attempt: &Attempt,
    step: Step,
    work: impl Future<Output = hyper::Result<T>>,
) -> Result<T, Failure> {
    let outcome = attempt.step(step, async { Ok::<_, io::Error>(work.await) }).await?;
    outcome.map_err(|error| explain(attempt, step, &error))
}

fn explain(attempt: &Attempt, step: Step, error: &hyper::Error) -> Failure {
    if let Some(system) = error.source().and_then(|source| source.downcast_ref::<io::Error>()) {
        return attempt.explain(step, system);
    }
    if error.is_parse_too_large() {
        return Failure::TooLarge { step, size: LARGEST_HEAD as u64 + 1, limit: LARGEST_HEAD };
    }
    if error.is_parse() {
        return Failure::NotHttp;
    }
    // Ended in the middle, or before anything had come.
    Failure::Closed { step }
}
