//! The form with which people log in, without JavaScript, and the way out.

use askama::Template;
use axum::Router;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Extension, Form, Query, State};
use axum::http::header::{LOCATION, RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;

use super::access::{CANNOT_LOG_IN, LogInRefusal};
use super::carried::{self, Carried};
use super::pages::Frame;
use super::password::LONGEST_PASSWORD;
use super::users::FIRST_USER;
use super::{Caller, Gateway, Peer, origin, pages};

/// Where the form is, and where it is sent to.
pub(super) const LOG_IN_PATH: &str = "/login";
/// Where the button of the way out is sent to.
pub(super) const LOG_OUT_PATH: &str = "/logout";
/// A name and a password of four bytes a character, each byte written as `%XX`, a path, and what was typed before.
const LARGEST_FORM: usize = LONGEST_PASSWORD * 4 * 3 + 4096 + carried::ROOM;
/// Longer ones are no address of ours.
const LONGEST_PATH: usize = 1024;

pub(super) fn routes() -> Router<Gateway> {
    Router::new()
        .route(LOG_IN_PATH, get(form).post(log_in))
        .route(LOG_OUT_PATH, post(log_out))
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
}

/// The address of the form, which leads on to `next`.
pub(super) fn location(next: &str) -> String {
    let encoded = encoded(&next[..next.floor_char_boundary(LONGEST_PATH)]);
    if encoded == "/" { LOG_IN_PATH.to_owned() } else { format!("{LOG_IN_PATH}?next={encoded}") }
}

/// For a part of a query (RFC 3986 section 3.4); slashes stay readable.
pub(in crate::web) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// Only to a path of this appliance: a link from elsewhere must not lead elsewhere.
pub(super) fn safe(next: &str) -> &str {
    let is_path = next.starts_with('/') && !next.starts_with("//");
    let is_plain =
        next.len() <= LONGEST_PATH && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_path && is_plain { next } else { "/" }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Next {
    next: String,
}

async fn form(State(gateway): State<Gateway>, next: Result<Query<Next>, QueryRejection>) -> Response {
    if gateway.access().users().await.is_ok_and(|users| users.iter().next().is_none()) {
        return pages::no_password();
    }
    let next = next.map(|Query(Next { next })| next).unwrap_or_default();
    page(StatusCode::OK, None, &next, None)
}

/// For who was not logged in any more when they sent a form.
pub(super) fn keeping(carried: &Carried) -> Response {
    page(StatusCode::UNAUTHORIZED, None, "/", Some(carried))
}

/// The same where what was sent is not kept.
pub(super) fn after_a_loss() -> Response {
    let error = "You were not logged in any more: what you sent was not done and is not kept. Log in, then do it again.";
    page(StatusCode::UNAUTHORIZED, Some(error), "/", None)
}

/// As sent. Passwords: neither shown nor logged.
struct Fields {
    user: String,
    password: String,
    next: String,
    carried: Option<Carried>,
}

impl From<Vec<(String, String)>> for Fields {
    fn from(pairs: Vec<(String, String)>) -> Self {
        let text = |wanted: &str| {
            let found = pairs.iter().find(|(name, _)| name == wanted);
            found.map(|(_, text)| text.clone()).unwrap_or_default()
        };
        let (user, password, next) = (text("user"), text("password"), text("next"));
        Self { user, password, next, carried: Carried::out_of(pairs) }
    }
}

async fn log_in(
    State(gateway): State<Gateway>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    fields: Result<Form<Vec<(String, String)>>, FormRejection>,
) -> Response {
    let Ok(Form(fields)) = fields else {
        let error = "The form could not be read: it is too large, or not a form. Fill it in again.";
        return page(StatusCode::UNPROCESSABLE_ENTITY, Some(error), "/", None);
    };
    if !origin::is_ours_or_unknown(&headers) {
        let error = "The form was sent by another page. Log in here.";
        return page(StatusCode::FORBIDDEN, Some(error), "/", None);
    }
    let Fields { user, password, next, carried } = Fields::from(fields);
    let refusal = match gateway.access().log_in(&user, password, peer).await {
        Ok(logged_in) => {
            if let Some(carried) = carried.filter(|_| !logged_in.must_change) {
                return ([(SET_COOKIE, logged_in.cookie)], carried.review(&logged_in.caller.user))
                    .into_response();
            }
            let to = if logged_in.must_change { super::change_password::PATH } else { safe(&next) };
            let headers = [(SET_COOKIE, logged_in.cookie), (LOCATION, to.to_owned())];
            return (StatusCode::SEE_OTHER, headers).into_response();
        }
        Err(refusal) => refusal,
    };
    let page = |status, error: &str| page(status, Some(error), &next, carried.as_ref());
    match refusal {
        LogInRefusal::Wrong => page(
            StatusCode::UNAUTHORIZED,
            "Name or password are wrong. Try again; an administrator gives you a one-time password if you have forgotten yours.",
        ),
        LogInRefusal::Wait(wait) => {
            let seconds = wait.as_secs() + 1;
            let error = format!(
                "Too many wrong passwords came from your address. Wait {seconds} s; other addresses and the console \
                 are not affected."
            );
            let answer = page(StatusCode::TOO_MANY_REQUESTS, &error);
            ([(RETRY_AFTER, seconds.to_string())], answer).into_response()
        }
        LogInRefusal::Busy => {
            let error = "Several log-ins are under way. Try again in some seconds.";
            page(StatusCode::TOO_MANY_REQUESTS, error)
        }
        LogInRefusal::NoPassword => pages::no_password(),
        LogInRefusal::Failed(why) => {
            let error = format!("Log-in is not possible: {why}. {CANNOT_LOG_IN}");
            page(StatusCode::INTERNAL_SERVER_ERROR, &error)
        }
    }
}

async fn log_out(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Response {
    let cookie = gateway.access().log_out(&headers, &caller.author());
    (StatusCode::SEE_OTHER, [(SET_COOKIE, cookie), (LOCATION, LOG_IN_PATH.to_owned())]).into_response()
}

#[derive(Template)]
#[template(path = "login.html")]
struct LogInPage<'a> {
    frame: Frame,
    user: &'static str,
    error: Option<&'a str>,
    next: &'a str,
    /// What was typed before, as hidden inputs.
    hidden: Vec<(String, &'a str)>,
}

fn page(status: StatusCode, error: Option<&str>, next: &str, carried: Option<&Carried>) -> Response {
    let hidden = carried.map(Carried::hidden).unwrap_or_default();
    let page = LogInPage { frame: Frame::bare(), user: FIRST_USER, error, next: safe(next), hidden };
    pages::page_of(status, &page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_leads_nowhere_else() {
        for wrong in [
            "https://evil.example/",
            "//evil.example",
            "/\\evil.example",
            "",
            "/a b",
            "/a\nb",
            "javascript:1",
        ] {
            assert_eq!(safe(wrong), "/", "{wrong}");
        }
        assert_eq!(safe("/services?sort=state"), "/services?sort=state");
        assert_eq!(location("/"), "/login");
        assert_eq!(location("/a?b=c&d"), "/login?next=/a%3Fb%3Dc%26d");
    }
}
