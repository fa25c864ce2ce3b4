//! One HTTP connection, from the first byte to the last, within bounds.

use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};

use super::Peer;
use super::room::Activity;

/// For the head of a request: who needs longer is not a browser.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// For the head of a request; a cookie and a long address take little of it.
const LARGEST_HEAD: usize = 32 << 10;
/// For a whole connection with all its requests; browsers open another one without a word.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(120);

/// Serves requests until the peer leaves, breaks the rules, the time is up, or `retired` is ready, which the request
/// under way outlives. Every request carries where it comes
/// from.
pub(super) async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    router: Router,
    peer: Peer,
    activity: Activity,
    retired: impl Future<Output = ()>,
) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        let busy = activity.begin();
        let answer = router.call(request);
        async move {
            let _busy = busy;
            answer.await
        }
    });
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(LARGEST_HEAD)
        .max_headers(64);
    let mut connection = pin!(server.serve_connection(TokioIo::new(stream), service));
    let served = async {
        tokio::select! {
            ended = connection.as_mut() => return ended,
            () = retired => connection.as_mut().graceful_shutdown(),
        }
        connection.as_mut().await
    };
    match tokio::time::timeout(CONNECTION_TIMEOUT, served).await {
        Ok(Ok(())) | Err(_) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a management connection ended early"),
    }
}
