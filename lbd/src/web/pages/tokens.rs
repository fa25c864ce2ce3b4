//! API tokens: for programs, with a role and an end; each is shown once, when it is made.

use askama::Template;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use jiff::Timestamp;
use serde::Deserialize;

use super::faults::Faults;
use super::frame::Frame;
use super::users::{ROLES, Secret, unreadable};
use super::words::{ago, time};
use super::{message, page_of};
use crate::web::api::ProblemDocument;
use crate::web::people::NewToken;
use crate::web::tokens::Token;
use crate::web::{Caller, Gateway, Role};

/// Where they are, for administrators.
pub(in crate::web) const PAGE: &str = "/password/tokens";
/// A year: long enough for a script to be forgotten, short enough to be remembered once a year.
const USUAL_DAYS: &str = "365";

pub(super) fn routes() -> Router<Gateway> {
    Router::new().route(PAGE, get(page).post(create)).route("/password/tokens/{token}/revoke", post(revoke))
}

#[derive(Template)]
#[template(path = "tokens.html")]
struct Tokens {
    frame: Frame,
    rows: Vec<Row>,
    typed: Typed,
    faults: Faults,
}

struct Row {
    name: String,
    role: Role,
    created: String,
    created_by: String,
    expires: String,
    /// How long it still opens; empty where it opens nothing any more.
    left: String,
}

fn row(token: &Token, now: Timestamp) -> Row {
    Row {
        name: token.name.clone(),
        role: token.role,
        created: time(token.created),
        created_by: token.created_by.clone(),
        expires: time(token.expires),
        left: if token.expires > now { ago(now, token.expires) } else { String::new() },
    }
}

/// As typed into the form.
#[derive(Debug, Deserialize)]
struct Typed {
    name: String,
    role: Role,
    days: String,
}

async fn page(State(gateway): State<Gateway>, frame: Frame) -> Response {
    let typed = Typed { name: String::new(), role: Role::Viewer, days: USUAL_DAYS.into() };
    list(&gateway, frame, StatusCode::OK, typed, Faults::default()).await
}

async fn list(gateway: &Gateway, frame: Frame, status: StatusCode, typed: Typed, faults: Faults) -> Response {
    let tokens = match gateway.access().tokens().await {
        Ok(tokens) => tokens,
        Err(why) => return unreadable(frame, &why),
    };
    let now = Timestamp::now();
    let rows = tokens.iter().map(|token| row(token, now)).collect();
    page_of(status, &Tokens { frame, rows, typed, faults })
}

async fn create(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    frame: Frame,
    Form(typed): Form<Typed>,
) -> Response {
    let Ok(days) = typed.days.trim().parse() else {
        let faults = Faults::beside("days", "This is no number of days; give 1 to 1826.");
        return list(&gateway, frame, StatusCode::UNPROCESSABLE_ENTITY, typed, faults).await;
    };
    let new = NewToken { name: typed.name.trim().to_owned(), role: typed.role, days };
    match gateway.access().create_token(&caller.author(), new).await {
        Ok((token, secret)) => {
            let title = format!("Token {}", token.name);
            let text = format!(
                "It opens what a {} may do, until {}. Programs send it as \"Authorization: Bearer ...\"; lbd reads it \
                 from a file with --token-file.",
                token.role,
                time(token.expires)
            );
            page_of(StatusCode::OK, &Secret { frame, title, secret, text, back: PAGE })
        }
        Err(why) => list(&gateway, frame, why.status(), typed, why.into()).await,
    }
}

async fn revoke(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    frame: Frame,
    Path(token): Path<String>,
) -> Response {
    match gateway.access().revoke_token(&caller.author(), token).await {
        Ok(()) => Redirect::to(PAGE).into_response(),
        Err(why) => message::refused(frame, &ProblemDocument::from(why)),
    }
}
