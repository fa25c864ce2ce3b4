//! One HTTP connection, from the first byte to the last, within bounds.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
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

/// For a connection over which an update comes, and for the request itself: 200 MB over a line of 2 Mbit/s.
pub(super) const LONGEST_UPLOAD: Duration = Duration::from_secs(900);

/// Whether something slow came over the connection.
#[derive(Debug, Clone, Default)]
struct Patience(Arc<AtomicBool>);

/// Middleware of what may take its time: the connection is given it.
pub(super) async fn patiently(request: Request, next: Next) -> Response {
    if let Some(Patience(asked)) = request.extensions().get() {
        asked.store(true, Ordering::Relaxed);
    }
    next.run(request).await
}

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
    let patience = Patience::default();
    let asked = patience.clone();
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(asked.clone());
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
    let time_is_up = async {
        tokio::time::sleep(CONNECTION_TIMEOUT).await;
        if patience.0.load(Ordering::Relaxed) {
            tokio::time::sleep(LONGEST_UPLOAD).await;
        }
    };
    tokio::select! {
        ended = served => {
            if let Err(error) = ended {
                tracing::debug!(%error, "a management connection ended early");
            }
        }
        () = time_is_up => {}
    }
}
