//! The send-expect check: bytes out, and others back within the first 64 KiB of the answer.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::attempt::Attempt;
use super::failure::{Failure, FirstBytes, Step};
use super::finder::Finder;
use super::tcp::close_in_order;
use crate::config::check_kind::{EscapedBytes, Tls};

/// What is sent, and what must come back.
type Exchange<'a> = (&'a EscapedBytes, &'a EscapedBytes);

/// Connects, sends, waits for the expected bytes.
pub(super) async fn probe(
    exchange: Exchange<'_>,
    tls: Option<&Tls>,
    attempt: &mut Attempt,
) -> Result<Duration, Failure> {
    let mut connection = attempt.open(tls).await?;
    converse(&mut connection, exchange, attempt).await?;
    let took = attempt.elapsed();
    attempt.farewell(close_in_order(connection)).await;
    attempt.note(|| "closed");
    Ok(took)
}

/// Speaks over any connection.
pub(super) async fn converse(
    connection: &mut (impl AsyncRead + AsyncWrite + Unpin),
    (send, expect): Exchange<'_>,
    attempt: &mut Attempt,
) -> Result<(), Failure> {
    let step = Step::ExpectedAnswer;
    if !send.bytes().is_empty() {
        let sending = async {
            connection.write_all(send.bytes()).await?;
            connection.flush().await
        };
        attempt.step(step, sending).await?;
        attempt.note(|| format!("{} bytes sent", send.bytes().len()));
    }
    let mut finder = Finder::new(expect.bytes());
    let mut chunk = [0; 1024];
    loop {
        let length = match attempt.step(step, connection.read(&mut chunk)).await {
            // What came instead says more than that nothing else came.
            Err(Failure::TimedOut { .. }) if !finder.received().is_empty() => 0,
            other => other?,
        };
        if finder.receive(&chunk[..length]) {
            attempt.note(|| format!("the expected bytes received: {expect}"));
            return Ok(());
        }
        if length == 0 && finder.received().is_empty() {
            return Err(Failure::Closed { step });
        }
        if length == 0 || finder.is_full() {
            return Err(Failure::AnswerLacks {
                expected: expect.clone(),
                first: FirstBytes::of(finder.received()),
                length: finder.received().len(),
            });
        }
    }
}
