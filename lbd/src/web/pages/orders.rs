//! What an operator orders from a page: servers drained, halted and taken online; a configuration on trial confirmed or
//! taken back. Plain forms, which work without JavaScript; each leads back to where it was sent from.

use axum::extract::{Form, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use axum::{Extension, Router};
use serde::Deserialize;

use super::frame::{Frame, local_path};
use super::message;
use crate::config::{Document, Problem};
use crate::engine::Refusal;
use crate::web::api::ProblemDocument;
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
    /// `online`, `drain` or `halt`.
    state: String,
    #[serde(default)]
    back: String,
}

#[derive(Debug, Deserialize)]
struct TrialOrder {
    /// `confirm` or `revert`.
    verdict: String,
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
    let edit = |document: &mut Document| set_state(document, &order);
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
        "confirm" => gateway.confirm(&caller.author()).await,
        _ => gateway.revert(&caller.author()).await,
    };
    answer(result.map(|_| ()), local_path(&order.back), frame)
}

fn answer(result: Result<(), Refusal>, back: &str, frame: Frame) -> Response {
    match result {
        Ok(()) => Redirect::to(back).into_response(),
        Err(refusal) => message::refused(frame, &ProblemDocument::from(refusal)),
    }
}

fn set_state(document: &mut Document, order: &ServerOrder) -> Result<(), Refusal> {
    let services = document.virtual_service.iter_mut().filter(|service| service.label == order.service);
    let mut servers = services.flat_map(|service| &mut service.real_server);
    let Some(server) = servers.find(|server| server.label == order.server) else {
        return Err(Refusal::Invalid(vec![Problem {
            field: "server".into(),
            problem: format!("there is no server {:?} in {:?} any more", order.server, order.service),
            remedy: "look at the System Overview again".into(),
        }]));
    };
    // Online is what a server is where nothing is said.
    server.state = Some(order.state.clone()).filter(|state| state != "online");
    Ok(())
}
