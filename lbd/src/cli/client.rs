//! Speaks HTTP to lbd: over its socket, or over HTTPS.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{
    AUTHORIZATION, CONTENT_TYPE, COOKIE, ETAG, HOST, HeaderName, HeaderValue, IF_MATCH, RETRY_AFTER,
    SET_COOKIE,
};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::failure::CommandError;
use super::way::{Destination, Https, Way};
use crate::config::Problem;

/// A change waits for the kernel and the disk.
const TIMEOUT: Duration = Duration::from_secs(60);
/// For an update over a slow line.
const PATIENCE: Duration = Duration::from_secs(900);
/// For the connection itself, over whatever is between.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The status of 2,000 services of 10 servers has about 15 MB.
const LARGEST_ANSWER: usize = 64 << 20;

/// What is asked.
#[derive(Debug)]
pub(super) struct Call {
    method: Method,
    path: String,
    body: Bytes,
    kind: Option<&'static str>,
    timeout: Duration,
    if_match: Option<String>,
    cookie: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    /// The body.
    pub(super) bytes: Bytes,
    /// The body as text.
    pub(super) text: String,
    /// The version of the configuration that it shows.
    pub(super) tag: Option<String>,
    /// The cookie of a session that it opened.
    pub(super) cookie: Option<String>,
    /// Seconds after which it may be asked again.
    pub(super) retry_after: Option<u64>,
}

impl Answer {
    /// The body as what it should be.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, CommandError> {
        serde_json::from_str(&self.text).map_err(CommandError::not_understood)
    }
}

impl Call {
    pub(super) fn new(method: Method, path: impl Into<String>) -> Self {
        let (kind, if_match, cookie) = (None, None, None);
        Self { method, path: path.into(), body: Bytes::new(), kind, timeout: TIMEOUT, if_match, cookie }
    }

    pub(super) fn json(self, body: &impl serde::Serialize) -> Self {
        // Plain values with text keys: there is always a JSON text of them.
        let body = serde_json::to_string(body).unwrap_or_default().into();
        Self { body, kind: Some("application/json"), ..self }
    }

    pub(super) fn toml(self, body: String) -> Self {
        Self { body: body.into(), kind: Some("application/toml"), ..self }
    }

    pub(super) fn bytes(self, body: Vec<u8>) -> Self {
        Self { body: body.into(), kind: Some("application/octet-stream"), ..self }
    }

    /// What is sent, or done, may take its time.
    pub(super) fn patiently(self) -> Self {
        Self { timeout: PATIENCE, ..self }
    }

    /// Only if the configuration is still the one that an answer had shown.
    pub(super) fn based_on(self, tag: Option<String>) -> Self {
        Self { if_match: tag, ..self }
    }

    /// As who has this session.
    pub(super) fn with_session(self, cookie: Option<&str>) -> Self {
        Self { cookie: cookie.map(str::to_owned), ..self }
    }

    pub(super) fn send(self, way: &Way) -> Result<Answer, CommandError> {
        let (status, answer) = self.exchange(way)?;
        if status.is_success() { Ok(answer) } else { Err(refusal(status, &answer.text).into()) }
    }

    /// The same, where a refusal is an answer too.
    pub(super) fn exchange(self, way: &Way) -> Result<(StatusCode, Answer), CommandError> {
        let destination = way.destination()?;
        let timeout = self.timeout;
        let request = self.request(&destination)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let exchange = async { tokio::time::timeout(timeout, exchange(&destination, request)).await };
        let late = |_| {
            CommandError::unreached(format!(
                "lbd did not answer within {} s; try again, and look at its log if it stays so",
                timeout.as_secs()
            ))
        };
        runtime.block_on(exchange).map_err(late)?
    }

    fn request(self, destination: &Destination<'_>) -> Result<Request<Full<Bytes>>, String> {
        let mut request = Request::builder().method(self.method).uri(self.path);
        request = match destination {
            Destination::Socket(_) => request.header(HOST, "localhost"),
            Destination::Https(Https { host, port, token, .. }) => {
                let token = HeaderValue::try_from(format!("Bearer {token}"));
                let token = token.map_err(|_| "the token file holds no token: it has other characters")?;
                request.header(HOST, format!("{host}:{port}")).header(AUTHORIZATION, token)
            }
        };
        if let Some(kind) = self.kind {
            request = request.header(CONTENT_TYPE, kind);
        }
        if let Some(tag) = self.if_match {
            request = request.header(IF_MATCH, tag);
        }
        if let Some(cookie) = self.cookie {
            request = request.header(COOKIE, cookie);
        }
        request.body(Full::from(self.body)).map_err(|error| error.to_string())
    }
}

/// The body of an answer to GET.
pub(super) fn get(way: &Way, path: &str) -> Result<String, CommandError> {
    Call::new(Method::GET, path).send(way).map(|answer| answer.text)
}

async fn exchange(
    destination: &Destination<'_>,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Answer), CommandError> {
    match destination {
        Destination::Socket(path) => talk(on_socket(path).await?, request).await,
        Destination::Https(https) => talk(over_https(https).await?, request).await,
    }
}

async fn on_socket(path: &Path) -> Result<tokio::net::UnixStream, CommandError> {
    tokio::net::UnixStream::connect(path).await.map_err(|error| {
        CommandError::unreached(format!(
            "cannot reach lbd at {}: {error}; is it running, and are you root or its user?",
            path.display()
        ))
    })
}

async fn over_https(https: &Https) -> Result<tokio_rustls::client::TlsStream<TcpStream>, CommandError> {
    let Https { host, port, trust, .. } = https;
    let place = format!("{host}:{port}");
    let plain = host.trim_matches(['[', ']']);
    let failed = |error: String| {
        CommandError::unreached(format!("cannot reach {place}: {error}; does the WebUI answer there?"))
    };
    let name = ServerName::try_from(plain.to_owned()).map_err(|error| failed(error.to_string()))?;
    let connect = async {
        let stream = TcpStream::connect((plain, *port)).await.map_err(|error| failed(error.to_string()))?;
        let tls = TlsConnector::from(Arc::new(trust.client()?));
        let untrusted = |error: std::io::Error| {
            CommandError::unreached(format!(
                "{place} is not trusted: {error}. Compare the fingerprint with the one in the WebUI under Local \
                 Configuration, then give it with --fingerprint, or a certificate with --ca."
            ))
        };
        tls.connect(name, stream).await.map_err(untrusted)
    };
    let late = |_| failed(format!("no connection within {} s", CONNECT_TIMEOUT.as_secs()));
    tokio::time::timeout(CONNECT_TIMEOUT, connect).await.map_err(late)?
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Answer), CommandError> {
    let talking = |error: hyper::Error| {
        CommandError::unreached(format!(
            "the connection to lbd broke off: {error}; see whether it was done, then try again"
        ))
    };
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(talking)?;
    tokio::spawn(connection);
    let answer = sender.send_request(request).await.map_err(talking)?;
    let status = answer.status();
    let header = |name: HeaderName| {
        answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    let (tag, set_cookie, retry_after) = (header(ETAG), header(SET_COOKIE), header(RETRY_AFTER));
    let cookie = set_cookie.and_then(|cookie| cookie.split(';').next().map(str::to_owned));
    let retry_after = retry_after.and_then(|seconds| seconds.parse().ok());
    let body = Limited::new(answer.into_body(), LARGEST_ANSWER).collect().await;
    let body = body
        .map_err(|error| format!("lbd's answer broke off: {error}; see whether it was done, then try again"))?
        .to_bytes();
    let text = String::from_utf8_lossy(&body).into_owned();
    Ok((status, Answer { bytes: body, text, tag, cookie, retry_after }))
}

#[derive(Deserialize)]
struct ProblemDocument {
    title: String,
    detail: String,
    #[serde(default)]
    problems: Vec<Problem>,
    #[serde(default)]
    changed: Vec<String>,
}

/// A line for what happened, and one for each field and each change of others.
pub(super) fn refusal(status: StatusCode, body: &str) -> String {
    match serde_json::from_str::<ProblemDocument>(body) {
        Ok(problem) => {
            let fields = problem.problems.iter().map(|problem| format!("\n  {problem}"));
            let changes = problem.changed.iter().map(|change| format!("\n  meanwhile: {change}"));
            format!("{}. {}{}", problem.title, problem.detail, fields.chain(changes).collect::<String>())
        }
        Err(_) => format!(
            "the answer {status} is not lbd's: is there something else at that address? It says: {}",
            body.chars().take(500).collect::<String>()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_each_field_and_what_to_do() {
        let body = r#"{"title":"The configuration breaks rules","status":422,"detail":"Nothing was changed.","problems":[
            {"field":"ports","problem":"\"0\" is no port","remedy":"give 1 to 65535"}],"changed":["version 3 by ann"]}"#;
        assert_eq!(
            refusal(StatusCode::UNPROCESSABLE_ENTITY, body),
            "The configuration breaks rules. Nothing was changed.\n  ports: \"0\" is no port; give 1 to 65535\n  \
             meanwhile: version 3 by ann"
        );
        assert!(refusal(StatusCode::BAD_GATEWAY, "<html>").contains("502"));
    }
}
