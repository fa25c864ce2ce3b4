//! Speaks HTTP to the daemon over its socket.

use std::path::Path;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;

use crate::config::Problem;

/// A change waits for the kernel and the disk.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The status of 2,000 services of 10 servers has about 15 MB.
const LARGEST_ANSWER: usize = 64 << 20;

/// The body of an answer to GET.
pub fn get(socket: &Path, path: &str) -> Result<String, String> {
    ask(socket, Request::get(path).body(Full::default()))
}

/// The body of an answer to PUT of a TOML document; a refusal is told problem by problem.
pub fn put_toml(socket: &Path, path: &str, toml: String) -> Result<String, String> {
    let request = Request::builder().method(Method::PUT).uri(path).header(CONTENT_TYPE, "application/toml");
    ask(socket, request.body(Full::from(toml)))
}

/// The body of an answer to POST of a JSON document.
pub fn post_json(socket: &Path, path: &str, json: String) -> Result<String, String> {
    let request = Request::builder().method(Method::POST).uri(path).header(CONTENT_TYPE, "application/json");
    ask(socket, request.body(Full::from(json)))
}

fn ask(socket: &Path, request: hyper::http::Result<Request<Full<Bytes>>>) -> Result<String, String> {
    let mut request = request.map_err(|error| error.to_string())?;
    request.headers_mut().insert(HOST, hyper::header::HeaderValue::from_static("localhost"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let exchange = async { tokio::time::timeout(TIMEOUT, exchange(socket, request)).await };
    let (status, body) = runtime
        .block_on(exchange)
        .map_err(|_| format!("lbd did not answer within {} s", TIMEOUT.as_secs()))??;
    match status.is_success() {
        true => Ok(body),
        false => Err(refusal(&body)),
    }
}

async fn exchange(socket: &Path, request: Request<Full<Bytes>>) -> Result<(StatusCode, String), String> {
    let stream = tokio::net::UnixStream::connect(socket).await.map_err(|error| {
        format!(
            "cannot reach lbd at {}: {error}; is it running, and are you root or its user?",
            socket.display()
        )
    })?;
    let talking = |error: hyper::Error| format!("talking to lbd: {error}");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(talking)?;
    tokio::spawn(connection);
    let answer = sender.send_request(request).await.map_err(talking)?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), LARGEST_ANSWER).collect().await;
    let body = body.map_err(|error| format!("reading lbd's answer: {error}"))?.to_bytes();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

#[derive(Deserialize)]
struct ProblemDocument {
    title: String,
    detail: String,
    #[serde(default)]
    problems: Vec<Problem>,
}

fn refusal(body: &str) -> String {
    match serde_json::from_str::<ProblemDocument>(body) {
        Ok(problem) => {
            let lines = problem.problems.iter().map(|problem| format!("\n{problem}"));
            format!("{}. {}{}", problem.title, problem.detail, lines.collect::<String>())
        }
        Err(_) => body.to_owned(),
    }
}
