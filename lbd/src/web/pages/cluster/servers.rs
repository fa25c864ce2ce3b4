//! Layer 4 Real Servers: all of them by service, and what adds, changes and removes one.

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query};
use axum::response::Response;
use axum::routing::get;
use serde_json::json;

use super::ask::{Ask, Pairs, page_or_part, typed};
use super::change::{Edited, Told, as_value, basis, follow, make, write_entry};
use super::confirm::Removal;
use super::form::{About, FormPage};
use super::input::Source;
use super::new_service::blank_server;
use super::services::{badge_of, gone, page_path, position, view_of};
use super::tables::{SERVER, fields};
use super::typed::{Faults, Rejection, Typed};
use super::{for_administrators, missing};
use crate::config::Document;
use crate::config::document::{RealServerDocument, VirtualServiceDocument};
use crate::engine::Refusal;
use crate::view::ServiceView;
use crate::web::Gateway;
use crate::web::pages::frame::Frame;
use crate::web::pages::words::{Badge, CHECKING, grouped, server_badge};

const LIST: &str = "/cluster/servers";

/// The pages of real servers.
pub(super) fn routes() -> Router<Gateway> {
    Router::new()
        .route(LIST, get(list))
        .route("/cluster/servers/{service}/_new", get(ask_new).post(add))
        .route("/cluster/servers/{service}/{server}/edit", get(ask_edit).post(edit))
        .route("/cluster/servers/{service}/{server}/remove", get(ask_remove).post(remove))
}

#[derive(Template)]
#[template(path = "cluster/server_table.html")]
struct Table {
    service: String,
    may_change: bool,
    rows: Vec<Row>,
}

struct Row {
    label: String,
    badge: Badge,
    address: String,
    port: String,
    weight: String,
    reason: String,
}

impl Row {
    fn new(server: &RealServerDocument, view: Option<&ServiceView>) -> Self {
        let view = view.and_then(|view| view.real_servers.iter().find(|known| known.label == server.label));
        Self {
            label: server.label.clone(),
            badge: view.map_or(CHECKING, server_badge),
            address: server.address.clone(),
            port: server.port.map_or_else(|| "same port".to_owned(), |port| format!("port {port}")),
            weight: server.weight.unwrap_or(100).to_string(),
            reason: view.map(|view| view.reason.clone()).unwrap_or_default(),
        }
    }
}

/// The servers of a service as a table, in HTML.
pub(super) fn table(
    service: &VirtualServiceDocument,
    view: Option<&ServiceView>,
    may_change: bool,
) -> String {
    let rows = service.real_server.iter().map(|server| Row::new(server, view)).collect();
    let table = Table { service: service.label.clone(), may_change, rows };
    table.render().unwrap_or_default()
}

#[derive(Template)]
#[template(path = "cluster/servers.html")]
struct List {
    frame: Frame,
    notice: Option<String>,
    live: String,
}

/// What changes by itself.
#[derive(Template)]
#[template(path = "cluster/servers_live.html")]
struct LiveList {
    may_change: bool,
    services: Vec<Group>,
}

struct Group {
    label: String,
    badge: Badge,
    place: String,
    table: String,
}

async fn list(ask: Ask, Query(told): Query<Told>) -> Response {
    let published = ask.latest();
    let may_change = ask.may_change();
    let group = |service: &VirtualServiceDocument| {
        let view = view_of(&published.view, &service.label);
        Group {
            label: service.label.clone(),
            badge: badge_of(view),
            place: view.map(ServiceView::place).unwrap_or_default(),
            table: table(service, view, may_change),
        }
    };
    let services = published.document.virtual_service.iter().map(group).collect();
    let notice = told.notice(published.view.configuration_version);
    let live = LiveList { may_change, services };
    page_or_part(ask.wants_live_part, live, |live| List { frame: ask.frame, notice, live })
}

/// A server within its service, by their labels.
type Place = Path<(String, String)>;

/// The places of service and server in the document.
fn places(document: &Document, service: &str, server: &str) -> Option<(usize, usize)> {
    let service = position(document, service)?;
    let servers = &document.virtual_service[service].real_server;
    Some((service, servers.iter().position(|known| known.label == server)?))
}

async fn ask_new(ask: Ask, Path(service): Path<String>) -> Response {
    if !ask.may_change() {
        return for_administrators(ask.frame, &ask.caller);
    }
    form(ask, &service, None, None, None)
}

async fn add(ask: Ask, Path(service): Path<String>, pairs: Pairs) -> Response {
    let typed = typed(pairs);
    let why = format!("real server {} of {service} added", typed.text("label"));
    let edit = |document: &mut Document| {
        let index = position(document, &service).ok_or_else(|| gone(&service))?;
        let mut server = blank_server();
        let problems = write_entry(&mut server, fields(SERVER), &typed, "");
        let servers = &mut document.virtual_service[index].real_server;
        servers.push(server);
        let entry = format!("virtual_service[{index}].real_server[{}]", servers.len() - 1);
        Ok(Edited { entry, problems })
    };
    match make(&ask.gateway, &ask.caller, &typed, &why, edit).await {
        Ok(saved) => saved.then(&page_path(&service)),
        Err(rejection) => form(ask, &service, None, Some(&typed), Some(rejection)),
    }
}

async fn ask_edit(ask: Ask, Path((service, server)): Place) -> Response {
    if !ask.may_change() {
        return for_administrators(ask.frame, &ask.caller);
    }
    form(ask, &service, Some(&server), None, None)
}

async fn edit(ask: Ask, Path((service, server)): Place, pairs: Pairs) -> Response {
    let typed = typed(pairs);
    let why = format!("real server {server} of {service} changed");
    let edit = |document: &mut Document| {
        let (index, at) = places(document, &service, &server).ok_or_else(|| server_gone(&server))?;
        let entry = &mut document.virtual_service[index].real_server[at];
        let problems = write_entry(entry, fields(SERVER), &typed, "");
        Ok(Edited { entry: format!("virtual_service[{index}].real_server[{at}]"), problems })
    };
    match make(&ask.gateway, &ask.caller, &typed, &why, edit).await {
        Ok(saved) => saved.then(&page_path(&service)),
        Err(rejection) => {
            let basis = basis(&ask.gateway, &typed, &rejection).await;
            let typed = followed(basis, typed, &ask.latest().document, (&service, &server));
            form(ask, &service, Some(&server), Some(&typed), Some(rejection))
        }
    }
}

fn followed(
    basis: Option<Document>,
    typed: Typed,
    document: &Document,
    (service, server): (&str, &str),
) -> Typed {
    let entry = |document: &Document| {
        let (index, at) = places(document, service, server)?;
        Some(as_value(&document.virtual_service[index].real_server[at]))
    };
    match (basis.as_ref().and_then(entry), entry(document)) {
        (Some(before), Some(now)) => follow(fields(SERVER), typed, &before, &now),
        _ => typed,
    }
}

fn server_gone(label: &str) -> Refusal {
    Refusal::NoEntry(format!("real server {}", crate::config::values::quoted(label)))
}

/// Of a new server, or of the one with the label `server`.
fn form(
    ask: Ask,
    service: &str,
    server: Option<&str>,
    typed: Option<&Typed>,
    rejection: Option<Rejection>,
) -> Response {
    let published = ask.latest();
    let document = &published.document;
    let Some(index) = position(document, service) else {
        return missing(ask.frame, "virtual service", service);
    };
    let known = &document.virtual_service[index].real_server;
    let entry = match server {
        None => json!({}),
        Some(label) => match known.iter().find(|known| known.label == label) {
            Some(known) => as_value(known),
            None => return missing(ask.frame, "real server", label),
        },
    };
    let mut rejection = rejection;
    let outdated = server.is_some() && rejection.as_ref().is_some_and(Rejection::is_outdated);
    let mut none = Faults::default();
    let faults = rejection.as_mut().map_or(&mut none, |known| &mut known.faults);
    let source = Source { entry: &entry, typed, prefix: "", references: &[], outdated };
    let parts = SERVER.iter().map(|section| section.part(source, faults)).collect();
    FormPage::new(ask.frame, about(service, server), parts, typed, rejection)
        .answer(document, published.view.configuration_version)
}

fn about(service: &str, server: Option<&str>) -> About {
    let back = page_path(service);
    match server {
        None => About {
            title: format!("Add a real server to {service}"),
            lead: "It gets its first clients when it has passed its health check.".into(),
            action: format!("{LIST}/{service}/_new"),
            back,
            submit: "Add the server",
            ..About::default()
        },
        Some(server) => About {
            title: format!("Edit {server}"),
            lead: format!("A real server of {service}. The change takes effect at once."),
            action: format!("{LIST}/{service}/{server}/edit"),
            back,
            submit: "Save",
            ..About::default()
        },
    }
}

async fn ask_remove(ask: Ask, Path((service, server)): Place) -> Response {
    if !ask.may_change() {
        return for_administrators(ask.frame, &ask.caller);
    }
    remove_page(ask, &service, &server, None)
}

async fn remove(ask: Ask, Path((service, server)): Place, pairs: Pairs) -> Response {
    let typed = typed(pairs);
    let why = format!("real server {server} of {service} removed");
    let edit = |document: &mut Document| {
        let (index, at) = places(document, &service, &server).ok_or_else(|| server_gone(&server))?;
        document.virtual_service[index].real_server.remove(at);
        Ok(Edited::default())
    };
    match make(&ask.gateway, &ask.caller, &typed, &why, edit).await {
        Ok(saved) => saved.then(&page_path(&service)),
        Err(rejection) => remove_page(ask, &service, &server, Some((typed, rejection))),
    }
}

fn remove_page(ask: Ask, service: &str, server: &str, refused: Option<(Typed, Rejection)>) -> Response {
    let published = ask.latest();
    let Some((index, _)) = places(&published.document, service, server) else {
        return missing(ask.frame, "real server", server);
    };
    let left = published.document.virtual_service[index].real_server.len() - 1;
    let obstacle = match left {
        0 => format!(
            "It is the only server of {service}, and a service needs one. Add another server first, or remove or \
             disable the service."
        ),
        _ => String::new(),
    };
    let view = view_of(&published.view, service);
    let open = view.and_then(|view| view.real_servers.iter().find(|known| known.label == server));
    let open = open.and_then(|server| server.traffic.connections_now).unwrap_or(0);
    let losses = vec![
        format!("{server} gets no clients of {service} any more; {left} other server(s) carry it."),
        format!(
            "Its open connections end within a second: {} now. Drain it first to let them finish.",
            grouped(open)
        ),
    ];
    let removal = Removal {
        title: format!("Remove {server} from {service}?"),
        label: server.to_owned(),
        losses,
        obstacle,
        action: format!("{LIST}/{service}/{server}/remove"),
        back: page_path(service),
    };
    removal.page(ask.frame, &published, refused)
}
