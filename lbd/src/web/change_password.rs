//! The form that changes the password: by choice, or at the first login with a one-time password.
//!
//! It works without JavaScript. The present password has to be typed in again: a page from elsewhere, which
//! could make a logged-in browser send the form, does not know it. Where the browser says that the form comes
//! from elsewhere, it is refused before that.

use askama::Template;
use axum::Router;
use axum::extract::rejection::FormRejection;
use axum::extract::{DefaultBodyLimit, Extension, Form, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;

use super::access::{LogInRefusal, SessionView};
use super::api::{DISK_REMEDY, ProblemDocument};
use super::pages::{self, Frame};
use super::password::{LONGEST_PASSWORD, check_password};
use super::{Caller, Gateway, origin};

/// Where the form is, and where it is sent to.
pub(super) const PATH: &str = "/password";
/// The same for programs.
pub(super) const API_PATH: &str = "/api/v1/password";
/// Where the wish to end all other sessions is sent to.
pub(super) const SESSIONS_PATH: &str = "/password/sessions";
/// Three passwords of four bytes a character, each byte written as `%XX`, and their names.
const LARGEST_FORM: usize = 3 * LONGEST_PASSWORD * 4 * 3 + 256;

/// The form, and what is done with it.
pub(super) fn routes() -> Router<Gateway> {
    Router::new()
        .route(PATH, get(by_choice).post(change))
        .route(SESSIONS_PATH, post(log_out_elsewhere))
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
}

/// What who knows the one-time password gets instead of everything else.
pub(super) fn demand(path: &str, caller: &Caller) -> Response {
    if path.starts_with("/api/") {
        let detail = format!(
            "The password in use may be used once only, to set another one. Do so in a browser, or send current \
             and new to PUT {API_PATH}; then log in with the new one and repeat the request."
        );
        return ProblemDocument::new(StatusCode::FORBIDDEN, "The password must be changed first", detail)
            .into_response();
    }
    Shown::new(Frame::bare(), Reason::OneTime, caller).page(StatusCode::FORBIDDEN, &Errors::default())
}

async fn by_choice(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    frame: Frame,
) -> Response {
    let sessions = gateway.access().sessions(&caller.user, &headers);
    let form = Shown { sessions, ..Shown::new(frame, Reason::Choice, &caller) };
    form.page(StatusCode::OK, &Errors::default())
}

async fn log_out_elsewhere(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Response {
    gateway.access().log_out_elsewhere(&caller, &headers);
    Redirect::to(PATH).into_response()
}

async fn change(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    reason: Option<Extension<Reason>>,
    headers: HeaderMap,
    frame: Frame,
    form: Result<Form<Fields>, FormRejection>,
) -> Response {
    let reason = reason.map_or(Reason::Choice, |Extension(reason)| reason);
    let shown = Shown::new(if reason == Reason::OneTime { Frame::bare() } else { frame }, reason, &caller);
    let refused = |errors: Errors| shown.clone().page(StatusCode::UNPROCESSABLE_ENTITY, &errors);
    if !origin::is_ours_or_unknown(&headers) {
        let error =
            format!("The form was sent by another page. Open https://this-appliance{PATH} and use it.");
        return shown.page(StatusCode::FORBIDDEN, &Errors::general(error));
    }
    let Ok(Form(fields)) = form else {
        let error =
            "The form could not be read: it is too large, or not a form. Fill it in again.".to_owned();
        return refused(Errors::general(error));
    };
    if let Err(errors) = fields.check() {
        return refused(errors);
    }
    match gateway.access().change_password(&caller, fields.current, fields.new).await {
        Ok(()) => {
            // All sessions have ended, this one too.
            let cookie = gateway.access().log_out(&headers, &caller.author());
            ([(SET_COOKIE, cookie)], pages::password_changed()).into_response()
        }
        Err(LogInRefusal::Wrong) => refused(Errors {
            current: Some(
                "This is not the present password; type in the one with which you logged in.".into(),
            ),
            ..Errors::default()
        }),
        Err(LogInRefusal::Wait(wait)) => {
            let seconds = wait.as_secs() + 1;
            let error = format!(
                "The password is not changed: too many wrong ones came from your address. Try again in {seconds} s."
            );
            shown.page(StatusCode::TOO_MANY_REQUESTS, &Errors::general(error))
        }
        Err(LogInRefusal::Busy) => {
            let error =
                "The password is not changed: several log-ins are under way. Try again in some seconds.";
            shown.page(StatusCode::TOO_MANY_REQUESTS, &Errors::general(error.into()))
        }
        Err(LogInRefusal::NoPassword) => pages::no_password(),
        Err(LogInRefusal::Failed(why)) => {
            let error = format!("The password is not changed: {why}. {DISK_REMEDY}");
            shown.page(StatusCode::INTERNAL_SERVER_ERROR, &Errors::general(error))
        }
    }
}

/// As sent. Passwords: neither shown nor logged.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Fields {
    current: String,
    new: String,
    again: String,
}

impl Fields {
    /// Everything that can be said without looking at the stored password.
    fn check(&self) -> Result<(), Errors> {
        let mut errors = Errors::default();
        if self.current.is_empty() {
            errors.current = Some("Type in the password with which you logged in.".into());
        }
        if let Err(fault) = check_password(&self.new) {
            let problem = fault.problem.strip_prefix("the ").unwrap_or(&fault.problem).to_owned();
            errors.new = Some(format!("The {problem}; {}.", fault.remedy));
        } else if self.new == self.current {
            errors.new = Some("This is the present password; choose another one.".into());
        } else if self.new != self.again {
            errors.again = Some("The two are not the same; type in the new password twice.".into());
        }
        if errors.is_none() { Ok(()) } else { Err(errors) }
    }
}

/// What is wrong, beside the field that it concerns.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Errors {
    general: Option<String>,
    current: Option<String>,
    new: Option<String>,
    again: Option<String>,
}

impl Errors {
    fn general(text: String) -> Self {
        Self { general: Some(text), ..Self::default() }
    }

    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Why the form is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// Nothing else is open.
    OneTime,
    /// Somebody wants another one.
    Choice,
}

#[derive(Template)]
#[template(path = "password.html")]
struct PasswordPage<'a> {
    frame: Frame,
    title: &'static str,
    text: String,
    user: &'a str,
    general: Option<&'a str>,
    fields: [Field<'a>; 3],
    /// Empty where they are not shown.
    sessions: Vec<SessionRow>,
}

/// Where the user is logged in.
struct SessionRow {
    from: String,
    logged_in: String,
    used: String,
    is_this: bool,
}

/// A line of the form.
struct Field<'a> {
    name: &'static str,
    label: &'static str,
    hint: &'static str,
    autocomplete: &'static str,
    error: Option<&'a str>,
}

/// The form as it is shown to somebody.
#[derive(Clone)]
struct Shown {
    frame: Frame,
    reason: Reason,
    user: String,
    sessions: Vec<SessionView>,
}

impl Shown {
    fn new(frame: Frame, reason: Reason, caller: &Caller) -> Self {
        Self { frame, reason, user: caller.user.clone(), sessions: Vec::new() }
    }

    fn page(self, status: StatusCode, errors: &Errors) -> Response {
        let Self { frame, reason, user, sessions } = self;
        let general = errors.general.as_deref();
        let (title, text) = reason.words(&user);
        let (user, fields) = (user.as_str(), fields(errors));
        let sessions = sessions.iter().map(SessionRow::from).collect();
        pages::page_of(status, &PasswordPage { frame, title, text, user, general, fields, sessions })
    }
}

fn fields(errors: &Errors) -> [Field<'_>; 3] {
    let field = |name, label, hint, autocomplete, error| Field { name, label, hint, autocomplete, error };
    let (current, new, again) = (errors.current.as_deref(), errors.new.as_deref(), errors.again.as_deref());
    [
        field("current", "Present password", "With which you logged in.", "current-password", current),
        field("new", "New password", "8 to 256 characters.", "new-password", new),
        field("again", "New password, again", "", "new-password", again),
    ]
}

impl Reason {
    fn words(self, user: &str) -> (&'static str, String) {
        match self {
            Self::OneTime => (
                "Choose a password of your own",
                format!(
                    "You logged in as {user} with a one-time password, which others may have read. It opens nothing but \
                     this page. WebUI and API open with the new one."
                ),
            ),
            Self::Choice => ("Change the password", format!("The password of the user {user}.")),
        }
    }
}

impl From<&SessionView> for SessionRow {
    fn from(session: &SessionView) -> Self {
        let SessionView { from, logged_in_seconds_ago, used_seconds_ago, is_this } = session;
        let ago = |seconds: u64| format!("{} ago", pages::duration(seconds.try_into().unwrap_or(i64::MAX)));
        Self {
            from: from.clone(),
            logged_in: ago(*logged_in_seconds_ago),
            used: ago(*used_seconds_ago),
            is_this: *is_this,
        }
    }
}
