//! What an operator orders from a page: servers drained, halted and taken online; a configuration on trial confirmed or
//! taken back. Plain forms, which work without JavaScript; each leads back to where it was sent from.

use axum::extract::{Form, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use axum::{Extension, Router};
use serde::Deserialize;
use serde::de::IntoDeserializer;

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

/// A button's order: what to do, with which server of which service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct Order {
    wanted: Wanted,
    service: String,
    server: String,
}

/// `drain SERVICE/SERVER`; labels have neither blank nor slash.
impl TryFrom<String> for Order {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parts = text.split_once(' ').and_then(|(wanted, place)| Some((wanted, place.split_once('/')?)));
        let (wanted, (service, server)) = parts.ok_or("an order is a state, a service and a server")?;
        let wanted = Wanted::deserialize(wanted.into_deserializer())
            .map_err(|error: serde::de::value::Error| error.to_string())?;
        Ok(Self { wanted, service: service.to_owned(), server: server.to_owned() })
    }
}

#[derive(Debug, Deserialize)]
struct ServerOrder {
    order: Order,
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
    Form(ServerOrder { order: Order { wanted, service, server }, back }): Form<ServerOrder>,
) -> Response {
    let comment = format!("{wanted}: {server} of {service}");
    let edit = |document: &mut Document| of_server(document, &service, &server, wanted).map(|_| ());
    // To the row of the server: the page begins there for the eye, and for the next press of Tab.
    let back = format!("{}#s-{service}/{server}", local_path(&back));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_button_names_what_to_do_with_which_server_of_which_service() {
        let order = |text: &str| Order::try_from(text.to_owned());
        let drain = Order { wanted: Wanted::Drain, service: "POOL".into(), server: "NODE1".into() };
        assert_eq!(order("drain POOL/NODE1"), Ok(drain));
        for broken in ["", "drain", "drain POOL", "stop POOL/NODE1", "POOL/NODE1"] {
            assert!(order(broken).is_err(), "{broken}");
        }
    }
}
