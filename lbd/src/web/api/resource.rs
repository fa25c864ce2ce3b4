//! What the handlers share: reading bodies, queries and `If-Match`, and answering with versions.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::{CONTENT_TYPE, ETAG, IF_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{LARGEST_BODY, ProblemDocument};
use crate::config::{Format, document};
use crate::engine::Accepted;

/// Where it stands what can be asked.
const DESCRIPTION: &str = "See /api/v1/openapi.json for what it may be.";
/// The media type of a configuration as text (RFC 9618 registers it).
pub(super) const TOML: &str = "application/toml";

/// A JSON body; what is wrong with it is told field by field.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ProblemDocument;

    async fn from_request(request: Request, state: &S) -> Result<Self, ProblemDocument> {
        if named(request.headers(), CONTENT_TYPE.as_str()) != Some(Format::Json) {
            return Err(ProblemDocument::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "The format of the body is not known",
                "Send it with Content-Type: application/json.",
            ));
        }
        let text = text_of(request, state).await?;
        document::parse_json(&text).map(Self).map_err(|problem| ProblemDocument::invalid(vec![problem]))
    }
}

/// A body of UTF-8 text.
pub(super) async fn text_of<S: Send + Sync>(request: Request, state: &S) -> Result<String, ProblemDocument> {
    let body = Bytes::from_request(request, state).await.map_err(|rejection| {
        let status = rejection.status();
        let detail = format!(
            "{}. Send it again, whole, as text of at most {LARGEST_BODY} bytes.",
            rejection.body_text()
        );
        ProblemDocument::new(status, "The body cannot be read", detail)
    })?;
    String::from_utf8(body.into()).map_err(|error| {
        ProblemDocument::field("document", format!("not UTF-8 text: {error}"), "send it as UTF-8")
    })
}

/// The query; a wrong one is told as a problem document.
pub(super) struct Asked<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = ProblemDocument;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ProblemDocument> {
        let query = Query::from_request_parts(parts, state).await.map_err(|rejection| {
            let detail = format!("{}. {DESCRIPTION}", rejection.body_text());
            ProblemDocument::new(StatusCode::BAD_REQUEST, "The query is not understood", detail)
        });
        query.map(|Query(query)| Self(query))
    }
}

/// What stands in the path; a wrong one is told as a problem document.
pub(in crate::web) struct Named<T>(pub(in crate::web) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Named<T> {
    type Rejection = ProblemDocument;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ProblemDocument> {
        let path = Path::from_request_parts(parts, state).await.map_err(|rejection| {
            let detail = format!("{}. {DESCRIPTION}", rejection.body_text());
            ProblemDocument::new(StatusCode::BAD_REQUEST, "The path is not understood", detail)
        });
        path.map(|Path(path)| Self(path))
    }
}

/// On which version a change is based, and why it is made.
pub(super) struct Basis {
    pub(super) based_on: Option<u64>,
    pub(super) comment: Option<String>,
}

#[derive(Deserialize)]
struct Comment {
    comment: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Basis {
    type Rejection = ProblemDocument;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ProblemDocument> {
        let Asked(Comment { comment }) = Asked::from_request_parts(parts, state).await?;
        Ok(Self { based_on: based_on(&parts.headers)?, comment })
    }
}

/// The version that `If-Match` names; `None` where any will do (RFC 9110 section 13.1.1).
pub(super) fn based_on(headers: &HeaderMap) -> Result<Option<u64>, ProblemDocument> {
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

/// A resource as of this version of the configuration.
pub(super) fn tagged(version: u64, content: impl IntoResponse) -> Response {
    ([(ETAG, format!("\"v{version}\""))], content).into_response()
}

/// What a change answers.
pub(super) fn accepted(accepted: Accepted) -> Response {
    tagged(accepted.version, Json(accepted))
}

/// The format that a header names first.
pub(super) fn named(headers: &HeaderMap, header: &str) -> Option<Format> {
    let value = headers.get(header)?.to_str().ok()?;
    let media = value.split([';', ',']).next()?.trim();
    match media.to_ascii_lowercase().as_str() {
        TOML => Some(Format::Toml),
        "application/json" => Some(Format::Json),
        _ => None,
    }
}
