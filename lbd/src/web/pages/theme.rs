//! The choice of colours: a cookie, so that it works without JavaScript and a page never flashes.

use axum::Router;
use axum::extract::Form;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use serde::Deserialize;

use super::frame::{THEME_COOKIE, Theme, local_path};
use crate::web::Gateway;

/// Where the choice is sent to.
pub(in crate::web) const THEME_PATH: &str = "/theme";

/// The choice.
pub(super) fn routes() -> Router<Gateway> {
    Router::new().route(THEME_PATH, post(choose))
}

#[derive(Debug, Deserialize)]
struct Choice {
    theme: String,
    #[serde(default)]
    back: String,
}

/// Keeps the choice for a year.
async fn choose(Form(choice): Form<Choice>) -> Response {
    let theme = Theme::named(&choice.theme).name();
    let cookie =
        format!("{THEME_COOKIE}={theme}; Path=/; Max-Age=31536000; Secure; HttpOnly; SameSite=Strict");
    ([(SET_COOKIE, cookie)], Redirect::to(local_path(&choice.back))).into_response()
}
