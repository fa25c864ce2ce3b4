//! REST API, version 1. Errors are problem documents (RFC 9457).

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tokio::sync::oneshot;

use super::{ChangeRequest, Gateway};
use crate::config::document::LARGEST_DOCUMENT;
use crate::config::{Document, Format, Problem};
use crate::engine::Refusal;

/// The media type of a configuration as text (RFC 9618 registers it).
const TOML: &str = "application/toml";

/// `/api/v1/...`
pub(super) fn routes() -> Router<Gateway> {
    Router::new()
        .route("/api/v1/status", get(status))
        .route("/api/v1/config", get(config).put(change_config))
        // A little more than the parser takes, so that the parser's error is the one that is read.
        .layer(DefaultBodyLimit::max(LARGEST_DOCUMENT + 1024))
}

/// A problem document: what is wrong, and where the request breaks rules, each field.
#[derive(Debug, Serialize)]
pub struct ProblemDocument {
    title: &'static str,
    status: u16,
    detail: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<Problem>,
}

impl ProblemDocument {
    /// Without fields.
    pub fn new(status: StatusCode, title: &'static str, detail: impl Into<String>) -> Self {
        Self { title, status: status.as_u16(), detail: detail.into(), problems: Vec::new() }
    }

    fn invalid(problems: Vec<Problem>) -> Self {
        let detail = "Nothing was changed. Correct the fields below and send it again.";
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self { problems, ..Self::new(status, "The configuration breaks rules", detail) }
    }
}

impl IntoResponse for ProblemDocument {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, [(CONTENT_TYPE, "application/problem+json")], Json(self)).into_response()
    }
}

impl From<Refusal> for ProblemDocument {
    fn from(refusal: Refusal) -> Self {
        let unchanged = "The configuration before it is in force.";
        match refusal {
            Refusal::Invalid(problems) => Self::invalid(problems),
            Refusal::Busy => Self::new(
                StatusCode::CONFLICT,
                "Another change is under way",
                "Look at the configuration again in a second, then repeat your change.",
            ),
            Refusal::NotApplied(why) => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "The kernel did not take the configuration",
                format!("{why}. {unchanged}"),
            ),
            Refusal::NotRestored { why, meanwhile } => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "The change failed, and what was before it is not fully back",
                format!(
                    "{why}. Putting the previous configuration back has met a failure too: {meanwhile}. It is tried \
                     again by itself; the System Overview shows when it is done."
                ),
            ),
            Refusal::NotStored(why) => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "The configuration could not be stored",
                format!("{why}. {unchanged}"),
            ),
        }
    }
}

async fn status(State(gateway): State<Gateway>) -> Response {
    Json(&gateway.latest().view).into_response()
}

async fn config(State(gateway): State<Gateway>, headers: HeaderMap) -> Response {
    let document = &gateway.latest().document;
    if named(&headers, ACCEPT.as_str()) == Some(Format::Toml) {
        return ([(CONTENT_TYPE, TOML)], document.to_toml()).into_response();
    }
    Json(document.as_ref()).into_response()
}

/// The new version in the store.
#[derive(Debug, Serialize)]
struct Accepted {
    version: u64,
}

async fn change_config(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ProblemDocument> {
    let format = named(&headers, CONTENT_TYPE.as_str()).ok_or_else(|| {
        ProblemDocument::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "The format of the configuration is not known",
            "Send it with Content-Type: application/toml or application/json.",
        )
    })?;
    let text = std::str::from_utf8(&body).map_err(|error| {
        let problem = Problem {
            field: "document".into(),
            problem: format!("not UTF-8 text: {error}"),
            remedy: "send it as UTF-8".into(),
        };
        ProblemDocument::invalid(vec![problem])
    })?;
    let document = Document::parse(text, format).map_err(ProblemDocument::invalid)?;
    let version = ask(&gateway, document).await?;
    Ok(Json(Accepted { version }).into_response())
}

async fn ask(gateway: &Gateway, document: Document) -> Result<u64, ProblemDocument> {
    let (answer, answered) = oneshot::channel();
    let ending = || {
        ProblemDocument::new(StatusCode::SERVICE_UNAVAILABLE, "lbd is ending", "Try again in some seconds.")
    };
    gateway.changes.send(ChangeRequest { document, answer }).await.map_err(|_| ending())?;
    Ok(answered.await.map_err(|_| ending())??)
}

fn named(headers: &HeaderMap, header: &str) -> Option<Format> {
    let value = headers.get(header)?.to_str().ok()?;
    let media = value.split([';', ',']).next()?.trim();
    match media.to_ascii_lowercase().as_str() {
        TOML => Some(Format::Toml),
        "application/json" => Some(Format::Json),
        _ => None,
    }
}
