//! WebUI & Certificate: which certificate is shown and until when, another one, and the port of the WebUI.

use askama::Template;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use jiff::Timestamp;
use serde::Deserialize;

use super::faults::Faults;
use super::frame::Frame;
use super::trial::{after_change, port_of};
use super::words::{Badge, counted, time};
use super::{message, page_of};
use crate::config::Document;
use crate::engine::Refusal;
use crate::web::api::ProblemDocument;
use crate::web::certificate::SOON_DAYS;
use crate::web::certificate::about::CertificateView;
use crate::web::certificate::keeper::{CertificateRefusal, CertificateStatus};
use crate::web::{Caller, Gateway};

/// Where it is.
pub(super) const PAGE: &str = "/local/webui";
/// The field of the port.
const PORT: &str = "port";

pub(super) fn routes() -> Router<Gateway> {
    Router::new()
        .route(PAGE, get(page))
        .route("/local/webui/certificate.pem", get(download))
        .route("/local/webui/certificate", post(bring))
        .route("/local/webui/verdict", post(judge))
        .route("/local/webui/port", post(move_port))
}

#[derive(Template)]
#[template(path = "webui.html")]
struct WebUi {
    frame: Frame,
    shown: Option<Shown>,
    /// As typed, but never the key.
    certificate: String,
    port: String,
    based_on: u64,
    faults: Faults,
}

/// The certificate in use.
struct Shown {
    view: CertificateView,
    begins: String,
    ends: String,
    badge: Badge,
    left: String,
    /// Until when it is on trial, and whose.
    trial: Option<(String, String)>,
}

fn shown(status: CertificateStatus, now: Timestamp) -> Shown {
    let CertificateStatus { certificate, confirm_until, on_trial_by } = status;
    let days = certificate.days_left(now);
    let (class, word) = match days {
        ..0 => ("down", "ended"),
        0..SOON_DAYS => ("degraded", "ends soon"),
        _ => ("up", "valid"),
    };
    let left = match usize::try_from(days) {
        Ok(days) => format!("{} left", counted(days, "day")),
        Err(_) => "have it renewed and replace it below".into(),
    };
    Shown {
        begins: time(certificate.begins),
        ends: time(certificate.ends),
        badge: Badge { class, word },
        left,
        trial: confirm_until.zip(on_trial_by).map(|(until, by)| (time(until), by)),
        view: certificate,
    }
}

/// What was typed, and what is wrong with it.
#[derive(Default)]
struct Typed {
    certificate: String,
    port: Option<String>,
    faults: Faults,
}

fn show(gateway: &Gateway, frame: Frame, status: StatusCode, typed: Typed) -> Response {
    let latest = gateway.latest();
    let page = WebUi {
        frame: Frame { certificate_trial: None, ..frame },
        shown: gateway.certificates().status().map(|status| shown(status, Timestamp::now())),
        certificate: typed.certificate,
        port: typed.port.unwrap_or_else(|| port_of(&latest.document.management).to_string()),
        based_on: latest.view.configuration_version,
        faults: typed.faults,
    };
    page_of(status, &page)
}

async fn page(State(gateway): State<Gateway>, frame: Frame) -> Response {
    show(&gateway, frame, StatusCode::OK, Typed::default())
}

/// For clients that are to trust it; without the key.
async fn download(State(gateway): State<Gateway>, frame: Frame) -> Response {
    match gateway.certificates().public_pem() {
        Some(pem) => {
            let headers = [
                (CONTENT_TYPE, "application/x-pem-file"),
                (CONTENT_DISPOSITION, "attachment; filename=\"evenkeel-webui.pem\""),
            ];
            (headers, pem).into_response()
        }
        None => message::refused(frame, &CertificateRefusal::NotReady.into()),
    }
}

/// The key: neither shown again nor logged.
#[derive(Deserialize)]
struct Brought {
    certificate: String,
    #[serde(default)]
    private_key: String,
}

async fn bring(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    frame: Frame,
    Form(Brought { certificate, private_key }): Form<Brought>,
) -> Response {
    match gateway.try_certificate(&certificate, &private_key, caller.author()) {
        Ok(_) => Redirect::to(PAGE).into_response(),
        Err(CertificateRefusal::Invalid(problems)) => {
            // The key may have been pasted into the wrong field.
            let certificate = if certificate.contains("PRIVATE KEY") { String::new() } else { certificate };
            let typed = Typed { certificate, faults: Faults::of_problems(&problems), ..Typed::default() };
            show(&gateway, frame, StatusCode::UNPROCESSABLE_ENTITY, typed)
        }
        Err(refusal) => message::refused(frame, &refusal.into()),
    }
}

#[derive(Deserialize)]
struct Verdict {
    /// `confirm` or `revert`.
    verdict: String,
}

async fn judge(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    frame: Frame,
    Form(Verdict { verdict }): Form<Verdict>,
) -> Response {
    let result = match verdict.as_str() {
        "confirm" => gateway.confirm_certificate(&caller.author()).await,
        _ => gateway.revert_certificate(&caller.author()),
    };
    match result {
        Ok(()) => Redirect::to(PAGE).into_response(),
        Err(refusal) => message::refused(frame, &refusal.into()),
    }
}

#[derive(Deserialize)]
struct Moved {
    port: String,
    based_on: u64,
}

async fn move_port(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    frame: Frame,
    Form(Moved { port, based_on }): Form<Moved>,
) -> Response {
    let refused = |frame: Frame, faults: Faults| {
        let typed = Typed { port: Some(port.clone()), faults, ..Typed::default() };
        show(&gateway, frame, StatusCode::UNPROCESSABLE_ENTITY, typed)
    };
    let Ok(number) = port.trim().parse::<i64>() else {
        return refused(frame, Faults::beside(PORT, "This is no number; give a port from 1 to 65535."));
    };
    let edit = |document: &mut Document| {
        document.management.https_port = Some(number);
        Ok(())
    };
    let comment = format!("WebUI on port {number}");
    match gateway.edit(caller.author(), comment, Some(based_on), edit).await {
        Ok(accepted) => after_change(frame, &gateway, accepted, PAGE),
        Err(Refusal::Invalid(problems)) => refused(frame, Faults::all_beside(PORT, &problems)),
        Err(refusal) => message::refused(frame, &ProblemDocument::from(refusal)),
    }
}
