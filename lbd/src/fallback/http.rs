//! Shows the fallback page over HTTP: one answer a connection, which says that it is not the service's own.

use std::convert::Infallible;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use super::choice::media_type;

/// For the head of a request: who needs longer is no browser.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
const LARGEST_HEAD: usize = 16 << 10;
/// For what a form sends along. It is read so that the answer is not lost by a reset (RFC 9112 section 9.6), and let go of.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);
const LARGEST_BODY: usize = 1 << 20;
/// For the whole connection: a page of 64 KiB takes a slow line a second.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);
/// Seconds after which programs may try again: a server that is back takes clients within that time.
const TRY_AGAIN: HeaderValue = HeaderValue::from_static("30");

/// Answers whatever is asked with what `page` is at that moment.
pub(super) async fn show(stream: TcpStream, page: impl Fn() -> String) {
    let service = service_fn(move |request: Request<Incoming>| {
        let page = page();
        async move {
            let _ = tokio::time::timeout(BODY_TIMEOUT, pass_over(request.into_body())).await;
            Ok::<_, Infallible>(answer(page))
        }
    });
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(LARGEST_HEAD)
        .max_headers(64)
        .keep_alive(false);
    let connection = server.serve_connection(TokioIo::new(stream), service);
    // Whoever does not speak HTTP, or not in time, meets a closed connection.
    let _ = tokio::time::timeout(CONNECTION_TIMEOUT, connection).await;
}

async fn pass_over(mut body: Incoming) {
    let mut left = LARGEST_BODY;
    while let Some(Ok(frame)) = body.frame().await {
        left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
        if left == 0 {
            return;
        }
    }
}

fn answer(page: String) -> Response<Full<Bytes>> {
    let kind = HeaderValue::from_static(media_type(&page));
    let mut answer = Response::new(Full::from(page));
    *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    answer.headers_mut().extend([
        (CONTENT_TYPE, kind),
        (RETRY_AFTER, TRY_AGAIN),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (CONNECTION, HeaderValue::from_static("close")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ]);
    answer
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// What comes back until the connection is closed, when these parts are sent one after the other.
    async fn talk(parts: impl Iterator<Item = Vec<u8>>) -> String {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let shown = tokio::spawn(show(server, || "Call 4711".into()));
        for part in parts {
            if client.write_all(&part).await.is_err() {
                break;
            }
        }
        let mut answer = Vec::new();
        // A reset ends it too.
        let _ = client.read_to_end(&mut answer).await;
        shown.await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    #[tokio::test]
    async fn one_answer_a_connection_whatever_is_asked() {
        for request in ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "DELETE /a HTTP/1.0\r\n\r\n"] {
            let answer = talk(std::iter::once(request.repeat(2).into_bytes())).await;
            assert!(answer.contains(" 503 ") && answer.ends_with("Call 4711"), "{answer}");
            assert_eq!(answer.matches("Call 4711").count(), 1, "{answer}");
        }
    }

    #[tokio::test]
    async fn neither_noise_nor_a_head_without_end_is_listened_to() {
        let noise = talk(std::iter::once(b"\x01\x00\x00\x00 no HTTP\r\n\r\n".to_vec())).await;
        assert!(!noise.contains("4711"), "{noise}");
        let line = format!("X: {}\r\n", "x".repeat(1_000)).into_bytes();
        let endless = std::iter::once(b"GET / HTTP/1.1\r\n".to_vec()).chain(std::iter::repeat_n(line, 1_000));
        assert!(!talk(endless).await.contains("4711"));
    }

    #[tokio::test]
    async fn a_body_is_read_to_a_bound() {
        let head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n".to_vec();
        let body = std::iter::repeat_n(vec![b'x'; 64 << 10], 1_000);
        let sent = std::sync::atomic::AtomicUsize::new(0);
        let counted = body.inspect(|_| _ = sent.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        talk(std::iter::once(head).chain(counted)).await;
        assert!(sent.into_inner() < 500, "the rest is not taken");
    }
}
