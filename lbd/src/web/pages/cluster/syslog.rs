//! Syslog Servers: who gets the log, and whether they take it.

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use jiff::Timestamp;
use serde_json::json;

use super::ask::{Ask, Pairs, typed};
use super::change::{Edited, Told, as_value, basis, follow, make, write_entry};
use super::confirm::Removal;
use super::form::{About, FormPage};
use super::input::Source;
use super::tables::{SYSLOG_SERVER, fields};
use super::typed::{Faults, Rejection, Typed};
use super::{for_administrators, missing};
use crate::config::Document;
use crate::config::document::SyslogServerDocument;
use crate::config::values::quoted;
use crate::engine::Refusal;
use crate::view::{SyslogServerView, SyslogState};
use crate::web::Gateway;
use crate::web::pages::frame::Frame;
use crate::web::pages::page_of;
use crate::web::pages::words::{Badge, CHECKING, ago};

const LIST: &str = "/logs/servers";
const NEW: &str = "/logs/servers/_new";

pub(super) fn routes() -> Router<Gateway> {
    Router::new()
        .route(LIST, get(list))
        .route(NEW, get(ask_new).post(add))
        .route("/logs/servers/{server}/edit", get(ask_edit).post(edit))
        .route("/logs/servers/{server}/remove", get(ask_remove).post(remove))
}

#[derive(Template)]
#[template(path = "cluster/syslog.html")]
struct List {
    frame: Frame,
    notice: Option<String>,
    may_change: bool,
    rows: Vec<Row>,
}

struct Row {
    server: SyslogServerView,
    badge: Badge,
    since: String,
}

impl Row {
    fn new(server: &SyslogServerView, now: Timestamp) -> Self {
        let badge = match server.state {
            SyslogState::Connecting => CHECKING,
            SyslogState::Up => Badge { class: "up", word: "taken" },
            SyslogState::Down => Badge { class: "down", word: "not taken" },
        };
        Self { server: server.clone(), badge, since: ago(server.since, now) }
    }
}

async fn list(ask: Ask, Query(told): Query<Told>) -> Response {
    let published = ask.latest();
    let now = Timestamp::now();
    let page = List {
        notice: told.notice(published.view.configuration_version),
        may_change: ask.may_change(),
        rows: published.view.syslog_servers.iter().map(|server| Row::new(server, now)).collect(),
        frame: ask.frame,
    };
    page_of(StatusCode::OK, &page)
}

fn position(document: &Document, label: &str) -> Option<usize> {
    document.syslog_server.iter().position(|server| server.label == label)
}

fn gone(label: &str) -> Refusal {
    Refusal::NoEntry(format!("syslog server {}", quoted(label)))
}

async fn ask_new(ask: Ask) -> Response {
    if !ask.may_change() {
        return for_administrators(ask.frame, &ask.caller);
    }
    form(ask, None, None, None)
}

async fn add(ask: Ask, pairs: Pairs) -> Response {
    let typed = typed(pairs);
    let why = format!("syslog server {} added", typed.text("label"));
    let edit = |document: &mut Document| {
        let mut server = SyslogServerDocument::default();
        let problems = write_entry(&mut server, fields(SYSLOG_SERVER), &typed, "");
        document.syslog_server.push(server);
        Ok(Edited { entry: format!("syslog_server[{}]", document.syslog_server.len() - 1), problems })
    };
    match make(&ask.gateway, &ask.caller, &typed, &why, edit).await {
        Ok(saved) => saved.then(LIST),
        Err(rejection) => form(ask, None, Some(&typed), Some(rejection)),
    }
}

async fn ask_edit(ask: Ask, Path(label): Path<String>) -> Response {
    if !ask.may_change() {
        return for_administrators(ask.frame, &ask.caller);
    }
    form(ask, Some(&label), None, None)
}

async fn edit(ask: Ask, Path(label): Path<String>, pairs: Pairs) -> Response {
    let typed = typed(pairs);
    let why = format!("syslog server {label} changed");
    let edit = |document: &mut Document| {
        let index = position(document, &label).ok_or_else(|| gone(&label))?;
        let problems = write_entry(&mut document.syslog_server[index], fields(SYSLOG_SERVER), &typed, "");
        Ok(Edited { entry: format!("syslog_server[{index}]"), problems })
    };
    match make(&ask.gateway, &ask.caller, &typed, &why, edit).await {
        Ok(saved) => saved.then(LIST),
        Err(rejection) => {
            let before = basis(&ask.gateway, &typed, &rejection).await;
            let typed = followed(before, typed, &ask.latest().document, &label);
            form(ask, Some(&label), Some(&typed), Some(rejection))
        }
    }
}

fn followed(before: Option<Document>, typed: Typed, document: &Document, label: &str) -> Typed {
    let entry = |document: &Document| Some(as_value(&document.syslog_server[position(document, label)?]));
    match (before.as_ref().and_then(entry), entry(document)) {
        (Some(before), Some(now)) => follow(fields(SYSLOG_SERVER), typed, &before, &now),
        _ => typed,
    }
}

/// Of a new server, or of the one with this label.
fn form(ask: Ask, label: Option<&str>, typed: Option<&Typed>, mut rejection: Option<Rejection>) -> Response {
    let published = ask.latest();
    let document = &published.document;
    let entry = match label.map(|label| (label, position(document, label))) {
        None => json!({}),
        Some((_, Some(index))) => as_value(&document.syslog_server[index]),
        Some((label, None)) => return missing(ask.frame, "syslog server", label),
    };
    let outdated = label.is_some() && rejection.as_ref().is_some_and(Rejection::is_outdated);
    let mut none = Faults::default();
    let faults = rejection.as_mut().map_or(&mut none, |known| &mut known.faults);
    let source = Source { entry: &entry, typed, prefix: "", references: &[], outdated };
    let parts = SYSLOG_SERVER.iter().map(|section| section.part(source, faults)).collect();
    FormPage::new(ask.frame, about(label), parts, typed, rejection)
        .answer(document, published.view.configuration_version)
}

fn about(label: Option<&str>) -> About {
    let known = About {
        lead: "It gets every new line of the log, from the moment at which it is saved.".into(),
        back: LIST.into(),
        ..About::default()
    };
    match label {
        None => About {
            title: "Add a syslog server".into(),
            action: NEW.into(),
            submit: "Add the server",
            ..known
        },
        Some(label) => About {
            title: format!("Edit {label}"),
            action: format!("{LIST}/{label}/edit"),
            submit: "Save",
            ..known
        },
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
    let why = format!("syslog server {label} removed");
    let edit = |document: &mut Document| {
        let index = position(document, &label).ok_or_else(|| gone(&label))?;
        document.syslog_server.remove(index);
        Ok(Edited::default())
    };
    match make(&ask.gateway, &ask.caller, &typed, &why, edit).await {
        Ok(saved) => saved.then(LIST),
        Err(rejection) => remove_page(ask, &label, Some((typed, rejection))),
    }
}

fn remove_page(ask: Ask, label: &str, refused: Option<(Typed, Rejection)>) -> Response {
    let published = ask.latest();
    if position(&published.document, label).is_none() {
        return missing(ask.frame, "syslog server", label);
    }
    let losses = vec![
        format!("{label} gets nothing of the log any more, nor what still waits for it."),
        "The log on the appliance itself stays as it is.".to_owned(),
    ];
    let removal = Removal {
        title: format!("Remove the syslog server {label}?"),
        label: label.to_owned(),
        losses,
        action: format!("{LIST}/{label}/remove"),
        back: LIST.into(),
        ..Removal::default()
    };
    removal.page(ask.frame, &published, refused)
}
