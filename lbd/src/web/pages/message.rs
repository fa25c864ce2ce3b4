//! Pages that say one thing.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::frame::Frame;
use super::{menu, page_of};
use crate::web::api::ProblemDocument;

#[derive(Template)]
#[template(path = "message.html")]
struct Message<'a> {
    frame: Frame,
    title: &'a str,
    text: &'a str,
    /// To be run on a machine of one's own.
    command: &'a str,
    /// What others did meanwhile.
    changes: &'a [String],
}

impl<'a> Message<'a> {
    fn new(frame: Frame, title: &'a str, text: &'a str) -> Self {
        Self { frame, title, text, command: "", changes: &[] }
    }
}

/// A page of the menu that does not do its work yet.
pub(super) async fn planned(frame: Frame) -> Response {
    let Some(item) = menu::items().find(|item| item.path == frame.path) else { return not_found() };
    page_of(StatusCode::OK, &Message::new(frame, item.title, item.planned))
}

/// For an address that leads nowhere.
pub(super) fn not_found() -> Response {
    let text = "The address may be misspelt. The System Overview shows everything there is.";
    page_of(StatusCode::NOT_FOUND, &Message::new(Frame::bare(), "There is no such page", text))
}

/// Why a form's wish was not carried out, each field in a sentence.
pub(super) fn refused(frame: Frame, problem: &ProblemDocument) -> Response {
    let (text, changes) = (problem.sentences(), problem.changed());
    page_of(problem.status(), &Message { changes, ..Message::new(frame, problem.title(), &text) })
}

/// Anything else, in a sentence or two.
pub(super) fn said(frame: Frame, status: StatusCode, title: &str, text: &str) -> Response {
    page_of(status, &Message::new(frame, title, text))
}

/// The same for who may not see the menu's page.
pub(in crate::web) fn refused_outside(problem: &ProblemDocument) -> Response {
    refused(Frame::bare(), problem)
}

/// What everybody sees until a password is set.
pub(in crate::web) fn no_password() -> Response {
    let text = "The WebUI and the API open when a password has been set. Log in at the appliance's console as setup, with \
                the password setup, or deploy it with the property one_time_password or password_hash; where lbd runs on \
                a Linux of your own, run:";
    let message = Message {
        command: "lbd set-password --state-directory DIRECTORY",
        ..Message::new(Frame::bare(), "No password is set yet", text)
    };
    page_of(StatusCode::SERVICE_UNAVAILABLE, &message)
}

/// The last page that the old password opens: what is asked for next, needs the new one.
pub(in crate::web) fn password_changed() -> Response {
    let text = "The new password is in force. Log in with it to go on.";
    page_of(StatusCode::OK, &Message::new(Frame::bare(), "The password is changed", text))
}
