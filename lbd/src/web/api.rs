//! REST API, version 1. Errors are problem documents (RFC 9457).

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Extension, Path, Query, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE, ETAG, IF_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::{Caller, Gateway};
use crate::config::document::LARGEST_DOCUMENT;
use crate::config::{Document, Format, Problem};
use crate::engine::{Accepted, Proposal, Refusal};
use crate::store::VersionInfo;

/// The media type of a configuration as text (RFC 9618 registers it).
const TOML: &str = "application/toml";

/// `/api/v1/...`
pub(super) fn routes() -> Router<Gateway> {
    Router::new()
        .route("/api/v1/status", get(status))
        .route("/api/v1/config", get(config).put(change_config))
        .route("/api/v1/config/confirm", post(confirm))
        .route("/api/v1/config/revert", post(revert))
        .route("/api/v1/config/versions", get(history))
        .route("/api/v1/config/versions/{version}", get(version))
        .route("/api/v1/config/versions/{version}/restore", post(go_back))
        .route("/api/v1/config/difference", get(difference))
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
    /// What changed meanwhile.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changed: Vec<String>,
}

impl ProblemDocument {
    /// Without fields.
    pub fn new(status: StatusCode, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            title,
            status: status.as_u16(),
            detail: detail.into(),
            problems: Vec::new(),
            changed: Vec::new(),
        }
    }

    /// What is wrong, in a few words.
    pub(super) fn title(&self) -> &'static str {
        self.title
    }

    /// The HTTP status.
    pub(super) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// All of it as text for people.
    pub(super) fn sentences(&self) -> String {
        let problems = self.problems.iter().map(|problem| format!("{problem}."));
        let changed = self.changed.iter().map(|line| format!("Meanwhile: {line}."));
        std::iter::once(self.detail.clone()).chain(problems).chain(changed).collect::<Vec<_>>().join(" ")
    }

    /// Fields that break rules.
    pub(super) fn invalid(problems: Vec<Problem>) -> Self {
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
            Refusal::Outdated { in_force, changed } => Self {
                changed,
                ..Self::new(
                    StatusCode::PRECONDITION_FAILED,
                    "The configuration was changed meanwhile",
                    format!(
                        "Nothing was changed. Version {in_force} is in force now. Look at what changed, read the \
                         configuration again, and repeat your change."
                    ),
                )
            },
            Refusal::OnTrial { version, by, until } => Self::new(
                StatusCode::CONFLICT,
                "A configuration is on trial",
                format!(
                    "Nothing was changed. Version {version} of {by} waits to be confirmed until {until:.0}; confirm \
                     it or take it back, then repeat your change."
                ),
            ),
            Refusal::NothingOnTrial => Self::new(
                StatusCode::CONFLICT,
                "No configuration is on trial",
                "It was confirmed or taken back already. The history shows what is in force.",
            ),
            Refusal::NoVersion(why) => {
                Self::new(StatusCode::NOT_FOUND, "The version cannot be read", format!("{why}."))
            }
            Refusal::Ending => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "lbd is ending", "Try again in some seconds.")
            }
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
    let latest = gateway.latest();
    let tag = [(ETAG, entity_tag(latest.view.configuration_version))];
    if named(&headers, ACCEPT.as_str()) == Some(Format::Toml) {
        return (tag, [(CONTENT_TYPE, TOML)], latest.document.to_toml()).into_response();
    }
    (tag, Json(latest.document.as_ref())).into_response()
}

fn entity_tag(version: u64) -> String {
    format!("\"v{version}\"")
}

/// The version that `If-Match` names; `None` where any will do (RFC 9110 section 13.1.1).
fn based_on(headers: &HeaderMap) -> Result<Option<u64>, ProblemDocument> {
    let Some(value) = headers.get(IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let number = text.strip_prefix("\"v").and_then(|text| text.strip_suffix('"'));
    number.and_then(|number| number.parse().ok()).map(Some).ok_or_else(|| {
        let detail =
            "Give If-Match the ETag that you were given with the configuration, for example \"v12\".";
        ProblemDocument::new(StatusCode::BAD_REQUEST, "If-Match is not understood", detail)
    })
}

fn accepted(accepted: Accepted) -> Response {
    ([(ETAG, entity_tag(accepted.version))], Json(accepted)).into_response()
}

/// Why a change is made.
#[derive(Debug, Deserialize)]
struct Comment {
    comment: Option<String>,
}

async fn change_config(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Query(Comment { comment }): Query<Comment>,
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
    let based_on = based_on(&headers)?;
    let text = std::str::from_utf8(&body).map_err(|error| {
        let problem = Problem {
            field: "document".into(),
            problem: format!("not UTF-8 text: {error}"),
            remedy: "send it as UTF-8".into(),
        };
        ProblemDocument::invalid(vec![problem])
    })?;
    let document = Document::parse(text, format).map_err(ProblemDocument::invalid)?;
    let comment = comment.unwrap_or_default();
    let proposal = Proposal { document, by: caller.author(), comment, based_on };
    Ok(accepted(gateway.change(proposal).await?))
}

async fn confirm(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, ProblemDocument> {
    Ok(accepted(gateway.confirm(&caller.author()).await?))
}

async fn revert(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, ProblemDocument> {
    Ok(accepted(gateway.revert(&caller.author()).await?))
}

async fn history(State(gateway): State<Gateway>) -> Result<Json<Vec<VersionInfo>>, ProblemDocument> {
    Ok(Json(gateway.history().await?))
}

async fn version(
    State(gateway): State<Gateway>,
    Path(version): Path<u64>,
    headers: HeaderMap,
) -> Result<Response, ProblemDocument> {
    let stored = gateway.version(version).await?;
    if named(&headers, ACCEPT.as_str()) == Some(Format::Toml) {
        return Ok(([(CONTENT_TYPE, TOML)], stored.document.to_toml()).into_response());
    }
    Ok(Json(stored.document).into_response())
}

async fn go_back(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Path(version): Path<u64>,
    Query(Comment { comment }): Query<Comment>,
    headers: HeaderMap,
) -> Result<Response, ProblemDocument> {
    let based_on = based_on(&headers)?;
    Ok(accepted(gateway.go_back(version, caller.author(), comment, based_on).await?))
}

/// Two versions; the one in force where none is given.
#[derive(Debug, Deserialize)]
struct Versions {
    from: Option<u64>,
    to: Option<u64>,
}

async fn difference(
    State(gateway): State<Gateway>,
    Query(Versions { from, to }): Query<Versions>,
) -> Result<Json<Vec<String>>, ProblemDocument> {
    Ok(Json(gateway.difference(from, to).await?))
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
