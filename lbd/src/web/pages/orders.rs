//! What an operator orders from a page: servers drained, halted and taken online; a configuration on trial confirmed or
//! taken back. Plain forms, which work without JavaScript; each leads back to where it was sent from.

use axum::extract::{Form, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use axum::{Extension, Router};
use serde::Deserialize;

use super::frame::{Frame, local_path};
use super::message;
use crate::config::{Document, Problem};
use crate::engine::Refusal;
use crate::web::Gateway;
use crate::web::api::ProblemDocument;
use crate::web::caller::{Caller, Role};

/// `/order/server` and `/order/trial`
pub(super) fn routes() -> Router<Gateway> {
    Router::new().route("/order/server", post(order_server)).route("/order/trial", post(order_trial))
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
    headers: HeaderMap,
    frame: Frame,
    Form(order): Form<ServerOrder>,
) -> Response {
    if let Some(answer) = forbidden(&caller, Role::Operator, &headers, &frame) {
        return answer;
    }
    let comment = format!("{}: {} of {}", order.state, order.server, order.service);
    let edit = |document: &mut Document| set_state(document, &order);
    let back = local_path(&order.back).to_owned();
    answer(gateway.edit(caller.author(), comment, None, edit).await.map(|_| ()), &back, frame)
}

async fn order_trial(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    frame: Frame,
    Form(order): Form<TrialOrder>,
) -> Response {
    if let Some(answer) = forbidden(&caller, Role::Administrator, &headers, &frame) {
        return answer;
    }
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

/// Why the caller may not order this, if so. A form of another site is not the caller's own wish.
fn forbidden(caller: &Caller, least: Role, headers: &HeaderMap, frame: &Frame) -> Option<Response> {
    let why = if caller.role < least {
        format!("This needs the role {least}; {} is {}.", caller.user, caller.role)
    } else if !is_own_form(headers) {
        "The request came from a page of another site. Open the page on this appliance and repeat it there."
            .into()
    } else {
        return None;
    };
    let problem = ProblemDocument::new(StatusCode::FORBIDDEN, "Nothing was changed", why);
    Some(message::refused(frame.clone(), &problem))
}

/// Browsers say where a form comes from (`Sec-Fetch-Site`, Fetch Metadata; `Origin`, RFC 6454 section 7).
fn is_own_form(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin";
    }
    match (text(ORIGIN.as_str()), text(HOST.as_str())) {
        (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, place)| place == host),
        (Some(_), None) => false,
        // No browser leaves both out.
        (None, _) => true,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn only_forms_of_this_appliance_count() {
        let host = ("host", "lb1:9443");
        assert!(is_own_form(&headers(&[host, ("sec-fetch-site", "same-origin")])));
        assert!(!is_own_form(&headers(&[host, ("sec-fetch-site", "cross-site")])));
        assert!(!is_own_form(&headers(&[
            host,
            ("sec-fetch-site", "same-site"),
            ("origin", "https://lb1:9443")
        ])));
        assert!(is_own_form(&headers(&[host, ("origin", "https://lb1:9443")])));
        assert!(!is_own_form(&headers(&[host, ("origin", "https://evil.example")])));
        assert!(!is_own_form(&headers(&[host, ("origin", "null")])));
        assert!(is_own_form(&headers(&[host])));
    }
}
