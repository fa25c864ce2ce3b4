//! The TCP check: the server accepts a connection.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::attempt::Attempt;
use super::failure::Failure;

/// Connects and closes again.
pub(super) async fn probe(attempt: &mut Attempt) -> Result<Duration, Failure> {
    let stream = attempt.connect().await?;
    let took = attempt.elapsed();
    attempt.farewell(close_in_order(stream)).await;
    attempt.note(|| "closed");
    Ok(took)
}

/// Ends our side with a FIN and hears the server out until it ends its own. Closing a socket at once would
/// send a reset where the server has greeted us (as mail and SSH servers do), and that is an error in its
/// log at every check.
pub(crate) async fn close_in_order(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    // A greeting is one or a few segments; a server that talks on forever may well be cut off.
    const GREETINGS: usize = 16;
    let mut greeting = [0; 1024];
    if stream.shutdown().await.is_err() {
        return;
    }
    for _ in 0..GREETINGS {
        if !matches!(stream.read(&mut greeting).await, Ok(length) if length > 0) {
            return;
        }
    }
}
