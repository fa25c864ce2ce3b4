//! What an operator orders from a page: servers drained, halted and taken online; a configuration on trial confirmed or
//! taken back. Plain forms, which work without JavaScript; each leads back to where it was sent from.

use axum::extract::{Form, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use axum::{Extension, Router};
use serde::Deserialize;

use super::frame::{Frame, local_path};
use super::message;
use crate::config::Document;
use crate::engine::Refusal;
use crate::web::api::ProblemDocument;
use crate::web::server_state::{Wanted, of_server};
use crate::web::{Caller, Gateway};

/// What operators may send too.
pub(in crate::web) const SERVER_ORDER_PATH: &str = "/order/server";

/// Both orders.
pub(super) fn routes() -> Router<Gateway> {
    Router::new().route(SERVER_ORDER_PATH, post(order_server)).route("/order/trial", post(order_trial))
}

#[derive(Debug, Deserialize)]
struct ServerOrder {
    service: String,
    server: String,
    state: Wanted,
    #[serde(default)]
    back: String,
}

#[derive(Debug, Deserialize)]
struct TrialOrder {
    /// `confirm` or `revert`.
    verdict: String,
    /// The version that the page showed.
    version: u64,
    #[serde(default)]
    back: String,
}

async fn order_server(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    frame: Frame,
    Form(order): Form<ServerOrder>,
) -> Response {
    let comment = format!("{}: {} of {}", order.state, order.server, order.service);
    let edit =
        |document: &mut Document| of_server(document, &order.service, &order.server, order.state).map(|_| ());
    let back = local_path(&order.back).to_owned();
    answer(gateway.edit(caller.author(), comment, None, edit).await.map(|_| ()), &back, frame)
}

async fn order_trial(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    frame: Frame,
    Form(order): Form<TrialOrder>,
) -> Response {
    let result = match order.verdict.as_str() {
        "confirm" => gateway.confirm(&caller.author(), Some(order.version)).await,
        _ => gateway.revert(&caller.author(), Some(order.version)).await,
    };
    answer(result.map(|_| ()), local_path(&order.back), frame)
}

fn answer(result: Result<(), Refusal>, back: &str, frame: Frame) -> Response {
    match result {
        Ok(()) => Redirect::to(back).into_response(),
        Err(refusal) => message::refused(frame, &ProblemDocument::from(refusal)),
    }
}
