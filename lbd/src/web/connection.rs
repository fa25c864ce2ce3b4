//! One HTTP connection, from the first byte to the last, within bounds.

use std::future::ready;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{CONNECTION, LOCATION};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::future::Either;
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

/// What became of a connection, for the requests on it.
#[derive(Debug, Default)]
struct Course {
    asked: AtomicBool,
    retired: AtomicBool,
}

impl Course {
    /// A request begins. On a connection that was retired before its first one, the answer: to ask again, over another
    /// connection. A browser asks again by itself only what it asked over a connection that has served before; where a
    /// new one just closes, it shows an error.
    fn begin(&self, request: &hyper::Request<Incoming>) -> Option<Response> {
        self.asked.store(true, Ordering::Relaxed);
        if !self.retired.load(Ordering::Relaxed) {
            return None;
        }
        let here = request.uri().path_and_query().map_or("", |path| path.as_str());
        // Two of them would be the beginning of another host's name (RFC 3986 section 4.2), one of them backwards too.
        let here = format!("/{}", here.trim_start_matches(['/', '\\']));
        let answer = (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, here.as_str()), (CONNECTION, "close")]);
        Some(answer.into_response())
    }

    /// Whether a first request still may come.
    fn retire(&self) -> bool {
        self.retired.store(true, Ordering::Relaxed);
        !self.asked.load(Ordering::Relaxed)
    }
}

/// Serves requests until the peer leaves, breaks the rules, the time is up, or `retired` is ready, which the request
/// under way outlives; one that comes only then, as the first, is told to come over another connection. Every request
/// carries where it comes from.
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
    let course = Arc::new(Course::default());
    let service = service_fn(|mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(asked.clone());
        let busy = activity.begin();
        let answer = match course.begin(&request) {
            Some(elsewhere) => Either::Left(ready(Ok(elsewhere))),
            None => Either::Right(router.call(request)),
        };
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
            // Where nothing was asked yet, the first answer ends it, and if none comes, HEAD_TIMEOUT.
            () = retired => if !course.retire() { connection.as_mut().graceful_shutdown() },
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

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::sync::oneshot;

    use super::*;

    /// What a peer gets that asks once before the connection is retired, or only then.
    async fn asked(before: usize, after: &[&str]) -> String {
        const BOTH_WAYS: usize = 1 << 16;
        let (mut peer, stream) = duplex(BOTH_WAYS);
        let router = Router::new().route("/page", get(|| async { "the page" }));
        let (retire, retired) = oneshot::channel::<()>();
        let who = Peer::Network(Ipv4Addr::LOCALHOST.into());
        let serving = tokio::spawn(serve(stream, router, who, Activity::default(), async {
            let _ = retired.await;
        }));
        let mut answers = Vec::new();
        for _ in 0..before {
            peer.write_all(b"GET /page HTTP/1.1\r\nHost: here\r\n\r\n").await.unwrap();
            while !answers.ends_with(b"the page") {
                peer.read_buf(&mut answers).await.unwrap();
            }
        }
        retire.send(()).unwrap();
        tokio::task::yield_now().await;
        for path in after {
            peer.write_all(format!("GET {path} HTTP/1.1\r\nHost: here\r\n\r\n").as_bytes()).await.unwrap();
        }
        peer.read_to_end(&mut answers).await.unwrap();
        serving.await.unwrap();
        String::from_utf8(answers).unwrap().to_lowercase()
    }

    #[tokio::test]
    async fn the_first_request_after_retirement_is_told_to_come_over_another_connection() {
        for path in ["/page?a=1", "//page?a=1", "/\\/page?a=1"] {
            let answers = asked(0, &[path]).await;
            assert!(answers.starts_with("http/1.1 307 "), "{path}: {answers}");
            for header in ["location: /page?a=1\r\n", "connection: close\r\n"] {
                assert!(answers.contains(header), "{path}: {answers}");
            }
        }
    }

    #[tokio::test]
    async fn a_retired_connection_ends_after_what_it_has_served() {
        let answers = asked(1, &[]).await;
        assert!(answers.starts_with("http/1.1 200 ") && answers.ends_with("the page"), "{answers}");
    }
}
