//! The page that asks before something is removed: what is lost, and how it comes back.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::input::Input;
use super::typed::{COMMENT, Rejection, Typed};
use crate::web::Published;
use crate::web::pages::frame::Frame;
use crate::web::pages::page_of;

/// What should be removed.
#[derive(Debug, Clone, Default)]
pub(super) struct Removal {
    /// For example `Remove the virtual service X?`
    pub(super) title: String,
    /// Its name.
    pub(super) label: String,
    /// Each in a sentence.
    pub(super) losses: Vec<String>,
    /// Why it cannot be removed; empty where it can.
    pub(super) obstacle: String,
    /// Where the answer is sent.
    pub(super) action: String,
    /// Where one goes who keeps it.
    pub(super) back: String,
}

#[derive(Template)]
#[template(path = "cluster/confirm.html")]
struct Confirm {
    frame: Frame,
    title: String,
    label: String,
    losses: Vec<String>,
    obstacle: String,
    action: String,
    back: String,
    rejection: Option<Rejection>,
    on_top: Vec<String>,
    based_on: u64,
    comment: Input,
}

impl Removal {
    /// The page; after a refusal with its reason.
    pub(super) fn page(
        self,
        frame: Frame,
        published: &Published,
        refused: Option<(Typed, Rejection)>,
    ) -> Response {
        let (typed, mut rejection) = refused.unzip();
        let mut faults =
            rejection.as_mut().map(|known| std::mem::take(&mut known.faults)).unwrap_or_default();
        let comment = Input::line(COMMENT, "Comment").example("why, for the history").filled(
            typed.as_ref(),
            "",
            &mut faults,
        );
        let status = rejection.as_ref().map_or(StatusCode::OK, |known| known.status);
        let Self { title, label, losses, obstacle, action, back } = self;
        let on_top = faults.rest(&published.document);
        let based_on = published.view.configuration_version;
        let page = Confirm {
            frame,
            title,
            label,
            losses,
            obstacle,
            action,
            back,
            rejection,
            on_top,
            based_on,
            comment,
        };
        page_of(status, &page)
    }
}
