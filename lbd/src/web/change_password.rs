//! The form that changes the password: by choice, or at the first login with a one-time password.
//!
//! It works without JavaScript. The present password has to be typed in again: a page from elsewhere, which
//! could make a logged-in browser send the form, does not know it. Where the browser says that the form comes
//! from elsewhere, it is refused before that.

use askama::Template;
use axum::extract::rejection::FormRejection;
use axum::extract::{DefaultBodyLimit, Form, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use serde::Deserialize;

use super::api::ProblemDocument;
use super::auth::{Guard, Outcome, USER};
use super::pages::{self, Frame};
use super::password::{LONGEST_PASSWORD, check_password};

/// Where the form is, and where it is sent to.
pub(super) const PATH: &str = "/password";
/// Three passwords of four bytes a character, each byte written as `%XX`, and their names.
const LARGEST_FORM: usize = 3 * LONGEST_PASSWORD * 4 * 3 + 256;

/// The form, and what is done with it.
pub(super) fn routes() -> Router<Guard> {
    Router::new().route(PATH, get(by_choice).post(change)).layer(DefaultBodyLimit::max(LARGEST_FORM))
}

/// What who knows the one-time password gets instead of everything else.
pub(super) fn demand(path: &str) -> Response {
    if path.starts_with("/api/") {
        let detail = format!(
            "The password in use may be used once only, to set another one. Do so in a browser, or send a form \
             with the fields current, new and again to POST {PATH}; then repeat the request with the new one."
        );
        return ProblemDocument::new(StatusCode::FORBIDDEN, "The password must be changed first", detail)
            .into_response();
    }
    page(StatusCode::FORBIDDEN, &Errors::default(), Reason::OneTime)
}

async fn by_choice() -> Response {
    page(StatusCode::OK, &Errors::default(), Reason::Choice)
}

async fn change(
    State(guard): State<Guard>,
    reason: Option<Extension<Reason>>,
    headers: HeaderMap,
    form: Result<Form<Fields>, FormRejection>,
) -> Response {
    let reason = reason.map_or(Reason::Choice, |Extension(reason)| reason);
    let refused = |errors: Errors| page(StatusCode::UNPROCESSABLE_ENTITY, &errors, reason);
    if !comes_from_our_own_page(&headers) {
        let error =
            format!("The form was sent by another page. Open https://this-appliance{PATH} and use it.");
        return page(StatusCode::FORBIDDEN, &Errors::general(error), reason);
    }
    let Ok(Form(fields)) = form else {
        let error =
            "The form could not be read: it is too large, or not a form. Fill it in again.".to_owned();
        return refused(Errors::general(error));
    };
    if let Err(errors) = fields.check() {
        return refused(errors);
    }
    match guard.change(fields.current, fields.new).await {
        Outcome::Changed => {
            tracing::info!("the password of the WebUI was changed in the WebUI");
            pages::password_changed()
        }
        Outcome::WrongPassword => {
            refused(Errors { current: Some("This is not the present password.".into()), ..Errors::default() })
        }
        Outcome::Failed(why) => {
            let error = format!("The password is not changed: {why}.");
            page(StatusCode::INTERNAL_SERVER_ERROR, &Errors::general(error), reason)
        }
    }
}

/// `Sec-Fetch-Site` (W3C Fetch Metadata) is what browsers say of a request, `Origin` (RFC 6454 section 7) what
/// older ones say. Programs send neither; what protects from them is the password.
fn comes_from_our_own_page(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let site_is_ours = text("sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none"));
    let origin_is_ours = text(ORIGIN.as_str()).is_none_or(|origin| {
        let host = text(HOST.as_str()).filter(|host| !host.is_empty());
        host.is_some_and(|host| origin.strip_prefix("https://") == Some(host))
    });
    site_is_ours && origin_is_ours
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
    user: &'static str,
    general: Option<&'a str>,
    fields: [Field<'a>; 3],
}

/// A line of the form.
struct Field<'a> {
    name: &'static str,
    label: &'static str,
    hint: &'static str,
    autocomplete: &'static str,
    error: Option<&'a str>,
}

fn page(status: StatusCode, errors: &Errors, reason: Reason) -> Response {
    let field = |name, label, hint, autocomplete, error| Field { name, label, hint, autocomplete, error };
    let (current, new, again) = (errors.current.as_deref(), errors.new.as_deref(), errors.again.as_deref());
    let fields = [
        field("current", "Present password", "With which you logged in.", "current-password", current),
        field("new", "New password", "8 to 256 characters.", "new-password", new),
        field("again", "New password, again", "", "new-password", again),
    ];
    let (title, text) = match reason {
        Reason::OneTime => (
            "Choose a password of your own",
            format!(
                "You logged in as {USER} with a one-time password. It stays readable where the appliance was \
                 deployed, so it opens nothing but this page. WebUI and API open with the new one."
            ),
        ),
        Reason::Choice => ("Change the password", format!("The password of the user {USER}.")),
    };
    let general = errors.general.as_deref();
    pages::page_of(status, &PasswordPage { frame: Frame::bare(), title, text, user: USER, general, fields })
}

#[cfg(test)]
mod tests;
