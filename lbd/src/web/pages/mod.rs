//! The pages: rendered on the server, usable without JavaScript, nothing loaded from elsewhere.
//!
//! [`frame`] is around every page, [`menu`] lists them, [`assets`] are their style and scripts; each further
//! file is a page.

pub(super) mod assets;
mod audit;
mod backup;
mod cluster;
mod configuration;
mod factory_reset;
mod faults;
pub(super) mod frame;
mod licences;
mod logs;
pub(super) mod menu;
mod message;
mod orders;
mod overview;
mod reports;
mod support;
mod theme;
mod tokens;
mod trial;
mod update;
mod users;
mod webui;
mod words;

use askama::Template;
use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

pub(super) use assets::is_asset;
pub(super) use cluster::{
    CLOCK_ORDER_PATH, MAIL_ORDER_PATH, PERSISTENCE_PATH, RESTART_PATH, SNMP_ORDER_PATH, TEST_PATHS,
    TOOLS_PATH,
};
pub(super) use frame::Frame;
pub(super) use message::{no_password, password_changed, refused_outside};
pub(super) use orders::SERVER_ORDER_PATH;
pub(super) use theme::THEME_PATH;
pub(super) use update::{ORDER_PATH as UPDATE_ORDER_PATH, UPLOAD_PATH as UPDATE_UPLOAD_PATH};
pub(super) use webui::listen_at;
pub use words::ago;
pub(crate) use words::duration;

use super::Gateway;

/// Pages that viewers and operators may not even read, as they are registered.
pub(super) const ADMINISTRATORS_PAGES: &[&str] =
    &[users::PAGE, tokens::PAGE, audit::PAGE, logs::PAGE, logs::LIVE, logs::CHANGES];

/// Every page of the menu, and what belongs to them.
pub(super) fn routes() -> Router<Gateway> {
    let planned = menu::items()
        .filter(|item| !item.planned.is_empty())
        .fold(Router::new(), |router, item| router.route(item.path, get(message::planned)));
    planned
        .merge(overview::routes())
        .merge(configuration::routes())
        .merge(users::routes())
        .merge(tokens::routes())
        .merge(audit::routes())
        .merge(logs::routes())
        .merge(licences::routes())
        .merge(factory_reset::routes())
        .merge(reports::routes())
        .merge(webui::routes())
        .merge(update::routes())
        .merge(backup::routes())
        .merge(support::routes())
        .merge(orders::routes())
        .merge(cluster::routes())
        .merge(theme::routes())
        .merge(assets::routes())
        .fallback(async || message::not_found())
}

/// Scripts and styles are our own files, never part of a page; nothing from elsewhere, no framing.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The policy, no guessing of types, no copies in caches, no word to other sites of where one was.
fn page_headers() -> [(HeaderName, HeaderValue); 4] {
    [
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    ]
}

/// A rendered page.
pub(super) fn page_of(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => (status, page_headers(), Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "cannot render a page");
            (StatusCode::INTERNAL_SERVER_ERROR, "The page cannot be shown; see the log.").into_response()
        }
    }
}
