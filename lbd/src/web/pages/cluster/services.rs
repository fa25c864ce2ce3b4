//! Layer 4 Virtual Services: the list, each service with its servers, and what adds, changes and removes them.

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;

use super::ask::{Ask, Pairs, page_or_part, typed};
use super::change::{Edited, Told, as_value, basis, follow, make, write_entry};
use super::confirm::Removal;
use super::form::{About, FormPage};
use super::input::Source;
use super::new_service::{self, MORE};
use super::servers::table;
use super::tables::{SERVICE, fields};
use super::typed::{Rejection, Typed};
use super::{for_administrators, missing, new_check};
use crate::config::document::VirtualServiceDocument;
use crate::config::{Document, Label};
use crate::engine::Refusal;
use crate::view::{ServerState, ServiceState, ServiceView, View};
use crate::web::pages::frame::Frame;
use crate::web::pages::words::{Badge, counted, grouped, service_badge};
use crate::web::{Gateway, Published};

const LIST: &str = "/cluster/services";

/// The pages of virtual services.
pub(super) fn routes() -> Router<Gateway> {
    Router::new()
        .route(LIST, get(list))
        .route("/cluster/services/_new", get(ask_new).post(add))
        .route("/cluster/services/{service}", get(show))
        .route("/cluster/services/{service}/edit", get(ask_edit).post(edit))
        .route("/cluster/services/{service}/switch", get(back_to_service).post(switch))
        .route("/cluster/services/{service}/remove", get(ask_remove).post(remove))
}

/// Where a service is shown.
pub(super) fn page_path(label: &str) -> String {
    format!("{LIST}/{label}")
}

/// The place of a service in the document.
pub(super) fn position(document: &Document, label: &str) -> Option<usize> {
    document.virtual_service.iter().position(|service| service.label == label)
}

/// The state of a service; there is none for an instant after it was added.
pub(super) fn view_of<'a>(view: &'a View, label: &str) -> Option<&'a ServiceView> {
    view.virtual_services.iter().find(|service| service.label == label)
}

pub(super) fn badge_of(view: Option<&ServiceView>) -> Badge {
    service_badge(view.map_or(ServiceState::Checking, |view| view.state))
}

#[derive(Template)]
#[template(path = "cluster/services.html")]
struct List {
    frame: Frame,
    notice: Option<String>,
    live: String,
}

/// What changes by itself.
#[derive(Template)]
#[template(path = "cluster/services_live.html")]
struct LiveList {
    may_change: bool,
    version: u64,
    rows: Vec<Row>,
}

struct Row {
    label: String,
    badge: Badge,
    place: String,
    scheduler: String,
    persistence: String,
    check: String,
    servers: String,
    enabled: bool,
}

impl Row {
    fn new(service: &VirtualServiceDocument, view: Option<&ServiceView>) -> Self {
        let value = as_value(service);
        let told = |path: &str| {
            let field = fields(SERVICE).find(|field| field.path == path);
            field.map(|field| field.told(&value)).unwrap_or_default()
        };
        let scheduler = told("scheduler");
        let short = scheduler.split([':', '(']).next().unwrap_or_default().trim_end().to_owned();
        let persistence = match told("persistence.enabled").as_str() {
            "on" => format!("persistence {}", told("persistence.timeout_seconds")),
            _ => "no persistence".to_owned(),
        };
        Self {
            label: service.label.clone(),
            badge: badge_of(view),
            place: view.map(ServiceView::place).unwrap_or_default(),
            scheduler: short,
            persistence,
            check: service.health_check.clone(),
            servers: servers_in_words(service, view),
            enabled: service.enabled != Some(false),
        }
    }
}

fn servers_in_words(service: &VirtualServiceDocument, view: Option<&ServiceView>) -> String {
    let all = counted(service.real_server.len(), "server");
    match view {
        Some(view) if view.state != ServiceState::Off => {
            let up = view.real_servers.iter().filter(|server| server.state == ServerState::Up).count();
            format!("{up} of {all} up")
        }
        _ => all,
    }
}

async fn list(ask: Ask, Query(told): Query<Told>) -> Response {
    let published = ask.latest();
    let view = &published.view;
    let services = &published.document.virtual_service;
    let rows = services.iter().map(|service| Row::new(service, view_of(view, &service.label))).collect();
    let version = view.configuration_version;
    let live = LiveList { may_change: ask.may_change(), version, rows };
    let notice = told.notice(version);
    page_or_part(ask.wants_live_part, live, |live| List { frame: ask.frame, notice, live })
}

#[derive(Template)]
#[template(path = "cluster/service.html")]
struct Show {
    frame: Frame,
    notice: Option<String>,
    label: String,
    live: String,
}

/// What changes by itself.
#[derive(Template)]
#[template(path = "cluster/service_live.html")]
struct LiveService {
    may_change: bool,
    version: u64,
    label: String,
    badge: Badge,
    problem: Option<String>,
    enabled: bool,
    facts: Vec<(&'static str, String)>,
    /// Clients are remembered, or pinned.
    persists: bool,
    servers: String,
}

async fn show(ask: Ask, Path(label): Path<String>, Query(told): Query<Told>) -> Response {
    let published = ask.latest();
    let Some(index) = position(&published.document, &label) else {
        return missing(ask.frame, "virtual service", &label);
    };
    let service = &published.document.virtual_service[index];
    let value = as_value(service);
    let facts = fields(SERVICE).skip(1).map(|field| (field.label, field.told(&value)));
    let view = view_of(&published.view, &label);
    let version = published.view.configuration_version;
    let live = LiveService {
        may_change: ask.may_change(),
        version,
        badge: badge_of(view),
        problem: view.and_then(|view| view.problem.clone()),
        enabled: service.enabled != Some(false),
        facts: facts.filter(|(_, told)| !told.is_empty()).collect(),
        persists: view.is_some_and(|view| view.persistence_seconds.is_some()) || !service.pin.is_empty(),
        servers: table(service, view, ask.may_change()),
        label: label.clone(),
    };
    let notice = told.notice(version);
    page_or_part(ask.wants_live_part, live, |live| Show { frame: ask.frame, notice, label, live })
}

async fn ask_new(ask: Ask) -> Response {
    if !ask.may_change() {
        return for_administrators(ask.frame, &ask.caller);
    }
    new_service::page(ask.frame, &ask.gateway.latest(), None, None)
}

async fn add(ask: Ask, pairs: Pairs) -> Response {
    let typed = new_service::compacted(&typed(pairs));
    if typed.get(MORE).is_some() {
        return new_service::page(ask.frame, &ask.gateway.latest(), Some(&typed), None);
    }
    let label = typed.text("label").to_owned();
    let why = format!("virtual service {label} added");
    let edit = |document: &mut Document| Ok(new_service::add(document, &typed));
    match make(&ask.gateway, &ask.caller, &typed, &why, edit).await {
        Ok(saved) => saved.then(&page_path(&label)),
        Err(rejection) => {
            let published = ask.latest();
            new_service::page(ask.frame, &published, Some(&typed), Some(rejection))
        }
    }
}

async fn ask_edit(ask: Ask, Path(label): Path<String>) -> Response {
    if !ask.may_change() {
        return for_administrators(ask.frame, &ask.caller);
    }
    edit_page(ask, &label, None, None)
}

async fn edit(ask: Ask, Path(label): Path<String>, pairs: Pairs) -> Response {
    let typed = typed(pairs);
    let why = format!("virtual service {label} changed");
    let edit = |document: &mut Document| {
        let index = position(document, &label).ok_or_else(|| gone(&label))?;
        let name = if typed.text("label").is_empty() { &label } else { typed.text("label") };
        let typed = new_check::add_if_wanted(document, typed.clone(), name);
        let service = &mut document.virtual_service[index];
        let problems = write_entry(service, fields(SERVICE), &typed, "");
        Ok(Edited { entry: format!("virtual_service[{index}]"), problems })
    };
    match make(&ask.gateway, &ask.caller, &typed, &why, edit).await {
        Ok(saved) => saved.then(&page_path(typed.get("label").unwrap_or(&label))),
        Err(rejection) => {
            let basis = basis(&ask.gateway, &typed, &rejection).await;
            let typed = followed(basis, typed, &ask.latest().document, &label);
            edit_page(ask, &label, Some(&typed), Some(rejection))
        }
    }
}

fn followed(basis: Option<Document>, typed: Typed, document: &Document, label: &str) -> Typed {
    let entry = |document: &Document| {
        let index = position(document, label)?;
        Some(as_value(&document.virtual_service[index]))
    };
    match (basis.as_ref().and_then(entry), entry(document)) {
        (Some(before), Some(now)) => follow(fields(SERVICE), typed, &before, &now),
        _ => typed,
    }
}

/// For what an edit does not find any more.
pub(super) fn gone(label: &str) -> Refusal {
    Refusal::NoEntry(format!("virtual service {}", crate::config::values::quoted(label)))
}

fn edit_page(ask: Ask, label: &str, typed: Option<&Typed>, rejection: Option<Rejection>) -> Response {
    let published = ask.latest();
    let Some(index) = position(&published.document, label) else {
        return missing(ask.frame, "virtual service", label);
    };
    let mut rejection = rejection.map(|known| new_check::named_by_input(known, &published.document));
    let source = Source {
        entry: &as_value(&published.document.virtual_service[index]),
        typed,
        prefix: "",
        references: &new_check::choices(&published.document, false),
        outdated: rejection.as_ref().is_some_and(Rejection::is_outdated),
    };
    let parts = new_check::service_parts(source, &mut rejection);
    let about = About {
        title: format!("Edit {label}"),
        lead: "The change takes effect at once; connections that it does not concern go on.".into(),
        action: format!("{}/edit", page_path(label)),
        back: page_path(label),
        submit: "Save",
        ..About::default()
    };
    FormPage::new(ask.frame, about, parts, typed, rejection)
        .answer(&published.document, published.view.configuration_version)
}

/// Who reloads the page that a refused switch has led to.
async fn back_to_service(Path(label): Path<String>) -> Response {
    let known = Label::try_from(label.as_str()).map(|label| page_path(label.as_str()));
    Redirect::to(&known.unwrap_or_else(|_| LIST.to_owned())).into_response()
}

async fn switch(ask: Ask, Path(label): Path<String>, pairs: Pairs) -> Response {
    let typed = typed(pairs);
    let on = typed.text("to") == "on";
    let why = format!("virtual service {label} {}", if on { "enabled" } else { "disabled" });
    let edit = |document: &mut Document| {
        let index = position(document, &label).ok_or_else(|| gone(&label))?;
        document.virtual_service[index].enabled = (!on).then_some(false);
        Ok(Edited { entry: format!("virtual_service[{index}]"), problems: Vec::new() })
    };
    match make(&ask.gateway, &ask.caller, &typed, &why, edit).await {
        Ok(saved) => saved.then(&page_path(&label)),
        Err(rejection) => edit_page(ask, &label, None, Some(rejection)),
    }
}

async fn ask_remove(ask: Ask, Path(label): Path<String>) -> Response {
    if !ask.may_change() {
        return for_administrators(ask.frame, &ask.caller);
    }
    remove_page(ask, &label, None)
}

async fn remove(ask: Ask, Path(label): Path<String>, pairs: Pairs) -> Response {
    let typed = typed(pairs);
    let why = format!("virtual service {label} removed");
    let edit = |document: &mut Document| {
        let index = position(document, &label).ok_or_else(|| gone(&label))?;
        document.virtual_service.remove(index);
        Ok(Edited::default())
    };
    match make(&ask.gateway, &ask.caller, &typed, &why, edit).await {
        Ok(saved) => saved.then(LIST),
        Err(rejection) => remove_page(ask, &label, Some((typed, rejection))),
    }
}

fn remove_page(ask: Ask, label: &str, refused: Option<(Typed, Rejection)>) -> Response {
    let published = ask.latest();
    let Some(index) = position(&published.document, label) else {
        return missing(ask.frame, "virtual service", label);
    };
    let removal = Removal {
        title: format!("Remove the virtual service {label}?"),
        label: label.to_owned(),
        losses: losses(&published, &published.document.virtual_service[index]),
        obstacle: String::new(),
        action: format!("{}/remove", page_path(label)),
        back: page_path(label),
    };
    removal.page(ask.frame, &published, refused)
}

/// What goes with a service.
fn losses(published: &Published, service: &VirtualServiceDocument) -> Vec<String> {
    let servers: Vec<_> = service.real_server.iter().map(|server| server.label.as_str()).collect();
    let others = published.document.virtual_service.iter().filter(|other| other.label != service.label);
    let check = &service.health_check;
    let check_is_free = !others.clone().any(|other| other.health_check == *check);
    let addresses: Vec<_> = service
        .addresses
        .iter()
        .filter(|address| !others.clone().any(|other| other.addresses.contains(address)))
        .map(String::as_str)
        .collect();
    let open = view_of(&published.view, &service.label).and_then(|view| view.traffic.connections_now);
    let mut losses =
        vec![format!("Clients no longer reach {}:{}.", service.addresses.join(", "), service.ports)];
    if !addresses.is_empty() {
        losses.push(format!("The appliance gives up {}.", addresses.join(", ")));
    }
    if let Some(open) = open.filter(|open| *open > 0) {
        losses.push(format!("Open connections end: {} now.", grouped(open)));
    }
    losses.push(format!("Its real servers leave with it: {}.", servers.join(", ")));
    if check_is_free {
        losses.push(format!("The health check {check} stays, but no service uses it any more."));
    }
    losses
}
