//! WebUI & Certificate: which certificate is shown and until when, another one, and where the WebUI answers.

use std::net::IpAddr;

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
use crate::config::values::quoted;
use crate::config::{Document, Problem, address_with_prefix};
use crate::engine::Refusal;
use crate::network::topology::Network;
use crate::web::api::ProblemDocument;
use crate::web::certificate::SOON_DAYS;
use crate::web::certificate::about::CertificateView;
use crate::web::certificate::keeper::{CertificateRefusal, CertificateStatus};
use crate::web::{Caller, Gateway};

/// Where it is.
pub(super) const PAGE: &str = "/local/webui";

pub(super) fn routes() -> Router<Gateway> {
    Router::new()
        .route(PAGE, get(page))
        .route("/local/webui/certificate.pem", get(download))
        .route("/local/webui/certificate", post(bring))
        .route("/local/webui/verdict", post(judge))
        .route("/local/webui/listener", post(move_listener))
        .route("/local/webui/address", post(take_out))
}

#[derive(Template)]
#[template(path = "webui.html")]
struct WebUi {
    frame: Frame,
    shown: Option<Shown>,
    /// As typed, but never the key.
    certificate: String,
    listener: Listener,
    /// Addresses of the same network that the interface has besides, as the configuration writes them.
    others: Vec<String>,
    based_on: u64,
    faults: Faults,
}

impl WebUi {
    /// Name, label, text and hint of the inputs that say where.
    fn place(&self) -> [(&'static str, &'static str, &str, &'static str); 2] {
        let Listener { interface, address, .. } = &self.listener;
        let address_hint = "An IPv4 address of that interface. Where the configuration sets the interface's addresses, \
                            another one of the same network is added to them; the present one stays until you take it \
                            out below.";
        [
            ("interface", "Interface", interface, "Over which administrators come, for example eth0."),
            ("address", "Address", address, address_hint),
        ]
    }
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
    listener: Option<Listener>,
    faults: Faults,
}

fn show(gateway: &Gateway, frame: Frame, status: StatusCode, typed: Typed) -> Response {
    let latest = gateway.latest();
    let page = WebUi {
        frame: Frame { certificate_trial: None, ..frame },
        shown: gateway.certificates().status().map(|status| shown(status, Timestamp::now())),
        certificate: typed.certificate,
        listener: typed.listener.unwrap_or_else(|| Listener::of(&latest.document)),
        others: others(&latest.document),
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
    /// Of the certificate that the page showed.
    fingerprint: String,
}

async fn judge(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    frame: Frame,
    Form(Verdict { verdict, fingerprint }): Form<Verdict>,
) -> Response {
    let result = match verdict.as_str() {
        "confirm" => gateway.confirm_certificate(&caller.author(), Some(fingerprint)).await,
        _ => gateway.revert_certificate(&caller.author(), Some(&fingerprint)),
    };
    match result {
        Ok(()) => Redirect::to(PAGE).into_response(),
        Err(refusal) => message::refused(frame, &refusal.into()),
    }
}

/// As sent.
#[derive(Deserialize, Default, Clone)]
struct Listener {
    interface: String,
    address: String,
    port: String,
    based_on: u64,
}

impl Listener {
    fn of(document: &Document) -> Self {
        let management = &document.management;
        let (interface, address) = (management.interface.clone(), management.address.clone());
        Self { interface, address, port: port_of(management).to_string(), based_on: 0 }
    }
}

async fn move_listener(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    frame: Frame,
    Form(listener): Form<Listener>,
) -> Response {
    let refused = |frame: Frame, faults: Faults| {
        let typed = Typed { listener: Some(listener.clone()), faults, ..Typed::default() };
        show(&gateway, frame, StatusCode::UNPROCESSABLE_ENTITY, typed)
    };
    let Ok(port) = listener.port.trim().parse::<i64>() else {
        return refused(frame, Faults::beside("port", "This is no number; give a port from 1 to 65535."));
    };
    let (interface, address) = (listener.interface.trim(), listener.address.trim());
    let edit = |document: &mut Document| {
        listen_at(document, interface, address, port);
        Ok(())
    };
    let comment = format!("WebUI at {address}:{port} on {interface}");
    match gateway.edit(caller.author(), comment, Some(listener.based_on), edit).await {
        Ok(accepted) => after_change(frame, &gateway, accepted, PAGE),
        Err(Refusal::Invalid(problems)) => {
            refused(frame, Faults::of_problems(&named_by_input(problems, &gateway.latest().document)))
        }
        Err(refusal) => message::refused(frame, &ProblemDocument::from(refusal)),
    }
}

/// Addresses that a move of the WebUI may have left: those of the interface's network but the one where it answers.
fn others(document: &Document) -> Vec<String> {
    let management = &document.management;
    let interfaces = document.network.iter().flat_map(|network| &network.interface);
    let own = interfaces.into_iter().find(|known| known.name == management.interface);
    let addresses = own.map(|own| own.addresses.as_slice()).unwrap_or_default();
    let known = addresses.iter().filter_map(|text| Some((text, address_with_prefix(text).ok()?)));
    let known: Vec<_> = known.collect();
    let Ok(present) = management.address.parse::<IpAddr>() else { return Vec::new() };
    let Some((_, home)) = known.iter().find(|(_, network)| network.address == present) else {
        return Vec::new();
    };
    let is_near = |network: &Network| home.contains(network.address) && network.address != present;
    known.iter().filter(|(_, network)| is_near(network)).map(|(text, _)| (*text).clone()).collect()
}

#[derive(Deserialize)]
struct Outgoing {
    address: String,
    based_on: u64,
}

/// Takes an address out that the WebUI does not need any more. A page of its own for it, as who has moved the WebUI looks
/// here for what is left of the move, and would otherwise have to edit the whole document; on trial like every change of
/// addresses.
async fn take_out(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    frame: Frame,
    Form(Outgoing { address, based_on }): Form<Outgoing>,
) -> Response {
    let edit = |document: &mut Document| {
        let is_offered = others(document).contains(&address);
        let name = document.management.interface.clone();
        let mut interfaces = document.network.iter_mut().flat_map(|network| &mut network.interface);
        let own = interfaces.find(|known| known.name == name).filter(|_| is_offered);
        let missing = || Refusal::NoEntry(format!("address {} of {name} to take out", quoted(&address)));
        own.ok_or_else(missing)?.addresses.retain(|known| *known != address);
        Ok(())
    };
    let comment = format!("{} taken out", address.chars().take(50).collect::<String>());
    match gateway.edit(caller.author(), comment, Some(based_on), edit).await {
        Ok(accepted) => after_change(frame, &gateway, accepted, PAGE),
        Err(refusal) => message::refused(frame, &ProblemDocument::from(refusal)),
    }
}

/// Writes where WebUI and API are to answer. Where lbd sets the interface's addresses, another one of the same network comes
/// beside the present one, which must stay: the answer to this very request leaves from there.
pub(in crate::web) fn listen_at(document: &mut Document, interface: &str, address: &str, port: i64) {
    let before = document.management.clone();
    let management = &mut document.management;
    (management.interface, management.address) = (interface.to_owned(), address.to_owned());
    if port != port_of(&before) {
        management.https_port = Some(port);
    }
    let mut interfaces = document.network.iter_mut().flat_map(|network| &mut network.interface);
    let own = interfaces.find(|known| known.name == interface);
    let (Some(own), Ok(new)) = (own, address.parse::<IpAddr>()) else { return };
    let known: Vec<_> = own.addresses.iter().filter_map(|text| address_with_prefix(text).ok()).collect();
    let is_before = |network: &&Network| network.address.to_string() == before.address;
    if let Some(network) = known.iter().find(is_before)
        && network.contains(new)
        && !known.iter().any(|network| network.address == new)
    {
        own.addresses.push(format!("{new}/{}", network.prefix));
    }
}

/// Beside the inputs of the listener; what is wrong elsewhere stands above them.
fn named_by_input(problems: Vec<Problem>, document: &Document) -> Vec<Problem> {
    let named = |problem: Problem| {
        let place = problem.field.as_str();
        if let Some(owner) = owner(place, document) {
            let text = format!("{owner} has this address already");
            return Problem {
                field: "address".into(),
                problem: text,
                remedy: "give one of the appliance's own".into(),
            };
        }
        let field = match place {
            "management.interface" => "interface",
            "management.address" => "address",
            "management.https_port" => "port",
            _ => return Problem { field: "listener".into(), ..problem },
        };
        Problem { field: field.into(), ..problem }
    };
    problems.into_iter().map(named).collect()
}

/// The service of a place such as `virtual_service[1].addresses[0]`.
fn owner<'a>(place: &str, document: &'a Document) -> Option<&'a str> {
    let (index, _) = place.strip_prefix("virtual_service[")?.split_once(']')?;
    document.virtual_service.get(index.parse::<usize>().ok()?).map(|service| service.label.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Format;

    const EXAMPLE: &str = include_str!("../../../../examples/datalink.toml");

    fn moved(network: &str, interface: &str, address: &str) -> Document {
        let text = format!("{EXAMPLE}\n{network}");
        let mut document = Document::parse(&text, Format::Toml).unwrap();
        listen_at(&mut document, interface, address, 9443);
        document
    }

    const NETWORK: &str = "[network]\n[[network.interface]]\nname = \"eth0\"\naddresses = [\"10.0.0.1/8\", \"192.168.10.10/24\"]\n";

    #[test]
    fn where_lbd_sets_the_addresses_the_new_one_comes_beside_the_old_one() {
        let addresses =
            |document: &Document| document.network.clone().unwrap().interface[0].addresses.clone();
        let near = moved(NETWORK, "eth0", "192.168.10.11");
        assert_eq!(addresses(&near), ["10.0.0.1/8", "192.168.10.10/24", "192.168.10.11/24"]);
        assert_eq!(near.management.address, "192.168.10.11");
        for there_or_far in ["10.0.0.1", "172.16.0.1", "nonsense"] {
            let document = moved(NETWORK, "eth0", there_or_far);
            assert_eq!(addresses(&document), ["10.0.0.1/8", "192.168.10.10/24"], "{there_or_far}");
        }
        assert_eq!(moved("", "eth0", "192.168.10.11").network, None);
    }

    #[test]
    fn what_a_move_has_left_can_be_taken_out() {
        let near = moved(NETWORK, "eth0", "192.168.10.11");
        assert_eq!(others(&near), ["192.168.10.10/24"], "what lies in another network serves something else");
        assert_eq!(others(&moved("", "eth0", "192.168.10.11")), [""; 0]);
        assert_eq!(others(&moved(NETWORK, "eth1", "192.168.10.11")), [""; 0]);
    }

    #[test]
    fn what_is_not_changed_is_not_written() {
        let before = Document::parse(EXAMPLE, Format::Toml).unwrap();
        let management = before.management.clone();
        assert_eq!(moved("", &management.interface, &management.address), before);
    }
}
