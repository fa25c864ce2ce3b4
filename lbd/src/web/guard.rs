//! Stands before every route that is reached over the network: who asks, and may they?
//!
//! What a role may do says the table of the API; every other route is a page, which viewers may read, and whose forms
//! are for administrators, but for those of [`OPERATOR_FORMS`]; some pages are for administrators alone.

use std::net::IpAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY,
    RETRY_AFTER, STRICT_TRANSPORT_SECURITY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;

use super::access::{Access, Admission, CANNOT_LOG_IN};
use super::api::{self, Least, ProblemDocument};
use super::carried::Carried;
use super::connection::LONGEST_UPLOAD;
use super::update::SLOW_PATHS;
use super::{Caller, Peer, Role, body, change_password, login, origin, pages};

/// Paths of forms, as they are registered, that operators may send.
pub const OPERATOR_FORMS: &[&str] = &[
    pages::SERVER_ORDER_PATH,
    pages::PERSISTENCE_PATH,
    pages::MAIL_ORDER_PATH,
    pages::CLOCK_ORDER_PATH,
    pages::SNMP_ORDER_PATH,
    pages::RESTART_PATH,
    pages::TOOLS_PATH,
    pages::TEST_PATHS[0],
    pages::TEST_PATHS[1],
];
/// Forms that everybody who is logged in may send: they concern nobody else.
const EVERYBODYS_FORMS: &[&str] = &[
    change_password::PATH,
    change_password::API_PATH,
    change_password::SESSIONS_PATH,
    login::LOG_OUT_PATH,
    pages::THEME_PATH,
];
/// For the body alone: whoever sends the largest document that is read, over a slow line, needs a third of it.
const LONGEST_BODY: Duration = Duration::from_secs(30);
/// For a whole request, with its body: longer than the slowest change, which waits a minute.
const LONGEST_REQUEST: Duration = Duration::from_secs(75);

/// For the body of somebody who is known: reading it costs time only, and the answer is not lost.
const LARGEST_THROWN_AWAY: usize = 4 * api::LARGEST_BODY;

/// Puts the guard before all routes.
pub fn guarded(router: Router, access: Access) -> Router {
    let guarded = router.layer(from_fn_with_state(access, guard));
    guarded.layer(from_fn(within_time)).layer(from_fn(for_people)).layer(from_fn(with_headers))
}

/// Who may use a route at least.
fn least(method: &Method, path: &str) -> Least {
    if let Some(least) = api::least(method, path) {
        return least;
    }
    if path == login::LOG_IN_PATH {
        return Least::Public;
    }
    let role = match () {
        () if pages::ADMINISTRATORS_PAGES.contains(&path) => Role::Administrator,
        () if origin::is_safe(method) || EVERYBODYS_FORMS.contains(&path) => Role::Viewer,
        () if OPERATOR_FORMS.contains(&path) => Role::Operator,
        () => Role::Administrator,
    };
    Least::Role(role)
}

/// Middleware: lets a request pass, or answers it.
async fn guard(State(access): State<Access>, mut request: Request, next: Next) -> Response {
    let matched = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let path = matched.unwrap_or_else(|| request.uri().path().to_owned());
    if pages::is_asset(request.uri().path()) {
        return next.run(request).await;
    }
    let Least::Role(least) = least(request.method(), &path) else { return next.run(request).await };
    let from = request.extensions().get().copied().unwrap_or(Peer::Network(IpAddr::from([0; 4])));
    let (caller, must_change, by_session) = match access.admit(request.headers(), from).await {
        Admission::Somebody { caller, must_change, by_session } => (caller, must_change, by_session),
        Admission::NoPassword => return pages::no_password(),
        Admission::Nobody(why) => return log_in_first(request, why).await,
        Admission::Unreadable(why) => return unreadable(&why),
    };
    if by_session && !origin::is_safe(request.method()) && !origin::is_ours(request.headers()) {
        return origin::problem().into_response();
    }
    if must_change {
        if !EVERYBODYS_FORMS.contains(&path.as_str()) || origin::is_safe(request.method()) {
            return change_password::demand(request.uri().path(), &caller);
        }
        request.extensions_mut().insert(change_password::Reason::OneTime);
    }
    if caller.role < least {
        let answer = too_little(is_for_programs(&request), &caller, least);
        return match throw_away(request).await {
            Ok(()) => answer,
            Err(problem) => problem.into_response(),
        };
    }
    // An update is larger than memory has room for; its handler takes it as it comes.
    let mut request = match SLOW_PATHS.contains(&path.as_str()) {
        true => request,
        false => match with_body(request).await {
            Ok(request) => request,
            Err(problem) => return problem.into_response(),
        },
    };
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// Reads the body of somebody who is known, so that an answer that needs none of it is not lost: a connection that is
/// closed on the rest of a body is reset, often before the answer was read (RFC 9112 section 9.6). One that is too large is
/// read and thrown away; one that is far too large, or does not say how large it is, is left to the handler.
async fn with_body(request: Request) -> Result<Request, ProblemDocument> {
    let Some(length) = readable_length(&request) else { return Ok(request) };
    if length > api::LARGEST_BODY {
        throw_away(request).await?;
        let detail = format!("At most {} bytes are read. Send less at a time.", api::LARGEST_BODY);
        return Err(ProblemDocument::new(StatusCode::PAYLOAD_TOO_LARGE, "The body is too large", detail));
    }
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, length).await.map_err(unread)?;
    Ok(Request::from_parts(parts, axum::body::Body::from(body)))
}

/// Reads a body to its end where that is worth it, and keeps nothing.
async fn throw_away(request: Request) -> Result<(), ProblemDocument> {
    if readable_length(&request).is_some() {
        let mut chunks = request.into_body().into_data_stream();
        while let Some(chunk) = chunks.next().await {
            chunk.map_err(unread)?;
        }
    }
    Ok(())
}

/// `None` where a body does not say how large it is, or is far too large.
fn readable_length(request: &Request) -> Option<usize> {
    let length = request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()?;
    (length <= LARGEST_THROWN_AWAY).then_some(length)
}

fn unread(error: axum::Error) -> ProblemDocument {
    let detail = format!("{error}. Send the request again.");
    ProblemDocument::new(StatusCode::BAD_REQUEST, "The body cannot be read", detail)
}

fn is_for_programs(request: &Request) -> bool {
    request.uri().path().starts_with("/api/v1/") || request.uri().path() == "/metrics"
}

/// Programs are told, people are led to the form, which keeps what they typed.
async fn log_in_first(request: Request, why: &str) -> Response {
    if is_for_programs(&request) {
        let detail = format!("{}. Send Authorization: Bearer TOKEN, or log in.", api::capitalised(why));
        let problem = ProblemDocument::new(StatusCode::UNAUTHORIZED, "Who are you?", detail);
        return ([(WWW_AUTHENTICATE, "Bearer realm=\"Evenkeel\"")], problem).into_response();
    }
    let to = |next: &str| (StatusCode::SEE_OTHER, [(LOCATION, login::location(next))]).into_response();
    if origin::is_safe(request.method()) {
        // In the place of a part of a page the log-in would be shown as that part: load the page anew.
        return match request.headers().contains_key("hx-request") {
            true => (StatusCode::UNAUTHORIZED, [("hx-refresh", "true")]).into_response(),
            false => to(request.uri().path_and_query().map_or("/", |path| path.as_str())),
        };
    }
    if EVERYBODYS_FORMS.contains(&request.uri().path()) {
        return to("/");
    }
    // The page that a form was sent to may not be one to read.
    Carried::of(request).await.map_or_else(login::after_a_loss, |carried| login::keeping(&carried))
}

fn too_little(is_program: bool, caller: &Caller, least: Role) -> Response {
    let Caller { user, role, .. } = caller;
    let detail =
        format!("{user} has the role {role}; this needs the role {least}. Ask an administrator to do it.");
    let problem = ProblemDocument::new(StatusCode::FORBIDDEN, "You may not do this", detail);
    if is_program { problem.into_response() } else { pages::refused_outside(&problem) }
}

fn unreadable(why: &str) -> Response {
    let detail = format!("The stored users cannot be read: {why}. {CANNOT_LOG_IN}");
    ProblemDocument::new(StatusCode::INTERNAL_SERVER_ERROR, "Log-in is not possible", detail).into_response()
}

/// Middleware: a body that does not come holds up nothing for long.
async fn within_time(request: Request, next: Next) -> Response {
    let (longest_body, longest) = match SLOW_PATHS.contains(&request.uri().path()) {
        true => (LONGEST_UPLOAD, LONGEST_UPLOAD + LONGEST_REQUEST),
        false => (LONGEST_BODY, LONGEST_REQUEST),
    };
    let (request, lateness) = body::bounded(request, longest_body);
    match tokio::time::timeout(longest, next.run(request)).await {
        Ok(answer) if !lateness.is_known() => answer,
        Ok(_) | Err(_) => {
            let detail = "The request took too long. Send it again, over a faster line.";
            let problem = ProblemDocument::new(StatusCode::REQUEST_TIMEOUT, "Too slow", detail);
            ([(RETRY_AFTER, "1")], problem).into_response()
        }
    }
}

/// Longer ones are no sentence for people.
const LONGEST_WORDS: usize = 1000;

/// Middleware: people meet a page where programs are told by a problem document, and where a form or an address was not
/// understood at all.
async fn for_people(request: Request, next: Next) -> Response {
    let is_for_programs = is_for_programs(&request);
    let answer = next.run(request).await;
    let is_failure = answer.status().is_client_error() || answer.status().is_server_error();
    let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    // A part of a page makes the browser load the whole page anew.
    let is_told = kind.starts_with("text/html") || answer.headers().contains_key("hx-refresh");
    if is_for_programs || !is_failure || is_told {
        return answer;
    }
    let retry_after = answer.headers().get(RETRY_AFTER).cloned();
    let mut page = pages::refused_outside(&problem_of(answer).await);
    if let Some(seconds) = retry_after {
        page.headers_mut().insert(RETRY_AFTER, seconds);
    }
    page
}

/// What an answer says that is no page.
async fn problem_of(answer: Response) -> ProblemDocument {
    if let Some(problem) = answer.extensions().get::<ProblemDocument>() {
        return problem.clone();
    }
    let status = answer.status();
    let title = match status {
        StatusCode::METHOD_NOT_ALLOWED => "There is no page at this address",
        StatusCode::PAYLOAD_TOO_LARGE => "What was sent is too large",
        _ => "What was sent is not understood",
    };
    let words = axum::body::to_bytes(answer.into_body(), LONGEST_WORDS).await.unwrap_or_default();
    let words = String::from_utf8_lossy(&words);
    let words = words.trim().trim_end_matches('.');
    let remedy = "Nothing was changed. Go back in your browser, where what you typed is still there, or begin anew from \
                  the System Overview.";
    let detail = if words.is_empty() { remedy.to_owned() } else { format!("{words}. {remedy}") };
    ProblemDocument::new(status, title, detail)
}

/// What every answer carries, unless the page says it more exactly.
const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
    ),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    // A year; heeded where the certificate is trusted (RFC 6797 section 8.1).
    (STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000")),
    // With less, browsers would not name the origin of our own forms.
    (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
];

/// Middleware.
async fn with_headers(request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    for (name, value) in HEADERS {
        answer.headers_mut().entry(name).or_insert(value);
    }
    answer
}

#[cfg(test)]
mod tests;
