//! How long the body of a request may take to come.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use futures_util::{StreamExt, stream};
use tokio::time::Instant;

/// Whether the time was up before the body had come.
#[derive(Debug, Clone, Default)]
pub(super) struct Lateness(Arc<AtomicBool>);

impl Lateness {
    /// True once somebody has waited for it in vain.
    pub(super) fn is_known(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The same request; who reads its body waits for `longest` from now on at most.
pub(super) fn bounded(request: Request, longest: Duration) -> (Request, Lateness) {
    let lateness = Lateness::default();
    if request.body().is_end_stream() {
        return (request, lateness);
    }
    let (parts, body) = request.into_parts();
    let (deadline, late) = (Instant::now() + longest, lateness.clone());
    let chunks = stream::unfold(Some(body.into_data_stream()), move |chunks| {
        let late = late.clone();
        async move {
            let mut chunks = chunks?;
            match tokio::time::timeout_at(deadline, chunks.next()).await {
                Ok(chunk) => Some((chunk?.map_err(axum::Error::into_inner), Some(chunks))),
                Err(_) => {
                    late.0.store(true, Ordering::Relaxed);
                    Some((Err(TooSlow.into()), None))
                }
            }
        }
    });
    (Request::from_parts(parts, Body::from_stream(chunks)), lateness)
}

#[derive(Debug)]
struct TooSlow;

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it did not come in time")
    }
}

impl std::error::Error for TooSlow {}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    async fn read(body: Body, longest: Duration) -> (Option<usize>, bool) {
        let (request, lateness) = bounded(Request::new(body), longest);
        let read = axum::body::to_bytes(request.into_body(), 1000).await;
        (read.ok().map(|bytes| bytes.len()), lateness.is_known())
    }

    #[tokio::test]
    async fn a_body_that_does_not_end_is_cut_off_and_one_that_comes_is_read() {
        let begun = || stream::iter(["x"; 20].map(Ok::<_, Infallible>));
        let minute = Duration::from_secs(60);
        assert_eq!(read(Body::from_stream(begun()), minute).await, (Some(20), false));
        let endless = Body::from_stream(begun().chain(stream::pending()));
        assert_eq!(read(endless, Duration::from_millis(50)).await, (None, true));
        assert_eq!(read(Body::empty(), Duration::ZERO).await, (Some(0), false));
    }
}
