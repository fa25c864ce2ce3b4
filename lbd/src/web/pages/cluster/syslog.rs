//! Syslog Servers: who gets the log, and whether they take it.

use askama::Template;
use axum::Router;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use jiff::Timestamp;

use super::ask::Ask;
use super::change::{Edited, Told, as_value, write_entry};
use super::entry::{EntryForm, place_in, remove_from};
use super::tables::{SYSLOG_SERVER, fields};
use crate::config::document::SyslogServerDocument;
use crate::view::{SyslogServerView, SyslogState};
use crate::web::Gateway;
use crate::web::pages::frame::Frame;
use crate::web::pages::page_of;
use crate::web::pages::words::{Badge, CHECKING, ago};

const LIST: &str = "/logs/servers";

const FORM: EntryForm = EntryForm {
    what: "syslog server",
    page: LIST,
    new: "/logs/servers/_new",
    place: |name, step| format!("/logs/servers/{name}/{step}"),
    key: "label",
    add: ("Add a syslog server", "Add the server"),
    lead: "It gets every new line of the log, from the moment at which it is saved.",
    sections: SYSLOG_SERVER,
    read: |document, name| document.syslog_server.iter().find(|server| is(server, name)).map(as_value),
    write: |document, name, typed| {
        let servers = &mut document.syslog_server;
        let index = place_in(servers, name, is)?;
        let problems = write_entry(&mut servers[index], fields(SYSLOG_SERVER), typed, "");
        Some(Edited { entry: format!("syslog_server[{index}]"), problems })
    },
    remove: |document, name| remove_from(&mut document.syslog_server, |server| is(server, name)),
    losses: |name| {
        vec![
            format!("{name} gets nothing of the log any more, nor what still waits for it."),
            "The log on the appliance itself stays as it is.".to_owned(),
        ]
    },
};

fn is(server: &SyslogServerDocument, name: &str) -> bool {
    server.label == name
}

pub(super) fn routes() -> Router<Gateway> {
    FORM.routes().route(LIST, get(list))
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
