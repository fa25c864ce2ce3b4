//! What is shown when a change that may cut the administrator off was accepted on trial: where to go on.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::frame::Frame;
use super::page_of;
use super::words::time;
use crate::config::document::ManagementDocument;
use crate::engine::Accepted;
use crate::web::Gateway;

/// The port where none is given.
const HTTPS_PORT: i64 = 9443;

#[derive(Template)]
#[template(path = "trial.html")]
struct OnTrial {
    frame: Frame,
    version: u64,
    until: String,
    address: String,
}

/// After a change: back to the page, or on trial to the address at which it is confirmed.
pub(super) fn after_change(frame: Frame, gateway: &Gateway, accepted: Accepted, page: &str) -> Response {
    let Some(until) = accepted.confirm_until else { return Redirect::to(page).into_response() };
    let address = format!("{}{page}", base(&gateway.latest().document.management));
    // The bar says the same, but its button leads to the address of before.
    let frame = Frame { trial: None, ..frame };
    let page = OnTrial { frame, version: accepted.version, until: time(until), address };
    page_of(StatusCode::OK, &page)
}

/// Where the WebUI is reached.
pub(super) fn base(management: &ManagementDocument) -> String {
    format!("https://{}:{}", management.address, port_of(management))
}

/// Its port.
pub(super) fn port_of(management: &ManagementDocument) -> i64 {
    management.https_port.unwrap_or(HTTPS_PORT)
}
