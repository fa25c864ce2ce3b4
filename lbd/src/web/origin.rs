//! Whether a browser sends a request for a page of our own, or for one from elsewhere that misuses a session.
//!
//! `Sec-Fetch-Site` (W3C Fetch Metadata) is what browsers say of a request, `Origin` (RFC 6454 section 7) what
//! older ones say. Neither can be forged by a page.

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, Method, StatusCode};

use super::api::ProblemDocument;

/// Methods that change nothing (RFC 9110 section 9.2.1).
pub(super) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}

/// The browser says that it is a page of ours. For requests with a session, where saying nothing is not enough.
pub(super) fn is_ours(headers: &HeaderMap) -> bool {
    let says_something = headers.contains_key("sec-fetch-site") || headers.contains_key(ORIGIN);
    says_something && is_ours_or_unknown(headers)
}

/// Nothing says that it is a page from elsewhere. For requests that carry a password, which such a page does not
/// know.
pub(super) fn is_ours_or_unknown(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let site_is_ours = text("sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none"));
    let origin_is_ours = text(ORIGIN.as_str()).is_none_or(|origin| {
        let host = text(HOST.as_str()).filter(|host| !host.is_empty());
        host.is_some_and(|host| origin.strip_prefix("https://") == Some(host))
    });
    site_is_ours && origin_is_ours
}

/// What such a request is told.
pub(super) fn problem() -> ProblemDocument {
    ProblemDocument::new(
        StatusCode::FORBIDDEN,
        "The request was sent by another page",
        "Nothing was changed. Open the WebUI of the appliance and use it; programs use a token, or say with \
         Sec-Fetch-Site: same-origin that they send for themselves.",
    )
}
