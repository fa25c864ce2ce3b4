//! Factory Reset: what is lost, what stays, and the form that orders it.

use askama::Template;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use serde::Deserialize;

use super::faults::Faults;
use super::frame::Frame;
use super::{message, page_of};
use crate::web::api::ProblemDocument;
use crate::web::factory_reset::Confirmation;
use crate::web::{Caller, Gateway};

const PAGE: &str = "/maintenance/factory-reset";

pub(super) fn routes() -> Router<Gateway> {
    Router::new().route(PAGE, get(page).post(order))
}

const LOST: [&str; 6] = [
    "The configuration with all of its versions: virtual services, real servers, health checks, network, alerts, SNMP",
    "Users, their passwords, and API tokens; the passwords for mail and SNMP",
    "The certificate of the WebUI with its key",
    "Logs, the audit log, the record of connections, graphs and the availability report",
    "Backups that were kept before updates, and an update that was uploaded and not installed",
    "The copy of the configuration on the rescue partition",
];

const STAYS: [&str; 3] = [
    "The version of the software that runs, and the other one",
    "What the hypervisor hands over (OVF properties): it counts again as at the first boot",
    "The virtual machine itself: processors, memory, disk and network adapters",
];

#[derive(Template)]
#[template(path = "factory_reset.html")]
struct Page {
    frame: Frame,
    /// Why it cannot be ordered here.
    obstacle: String,
    /// What is wrong beyond the fields: title and detail.
    fault: Option<(&'static str, String)>,
    faults: Faults,
    user: String,
    /// As typed.
    host_name: String,
}

fn shown(gateway: &Gateway, frame: Frame, host_name: String, problem: Option<ProblemDocument>) -> Response {
    let status = problem.as_ref().map_or(StatusCode::OK, ProblemDocument::status);
    let faults =
        problem.as_ref().map_or_else(Faults::default, |problem| Faults::of_problems(problem.problems()));
    let fault = problem
        .filter(|problem| problem.problems().is_empty())
        .map(|problem| (problem.title(), problem.sentences()));
    let obstacle = gateway.can_reset_to_factory().err().map_or_else(String::new, |why| why.sentences());
    let user = frame.caller.as_ref().map(|caller| caller.user.clone()).unwrap_or_default();
    page_of(status, &Page { frame, obstacle, fault, faults, user, host_name })
}

async fn page(State(gateway): State<Gateway>, frame: Frame) -> Response {
    shown(&gateway, frame, String::new(), None)
}

#[derive(Deserialize)]
struct Typed {
    #[serde(default)]
    password: String,
    #[serde(default)]
    host_name: String,
}

async fn order(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    frame: Frame,
    Form(Typed { password, host_name }): Form<Typed>,
) -> Response {
    let confirmation = Confirmation { user: None, password, host_name: host_name.clone() };
    match gateway.reset_to_factory(&caller, confirmation).await {
        Ok(()) => {
            let next = "The appliance restarts, and knows nobody any more. After about a minute it answers at \
                        https://192.168.2.21:9443/, or where its OVF properties say. Log in at its console as setup, with the \
                        password setup, to set it up again.";
            message::said(frame, StatusCode::ACCEPTED, "Everything is erased now", next)
        }
        Err(problem) => shown(&gateway, frame, host_name, Some(problem)),
    }
}
