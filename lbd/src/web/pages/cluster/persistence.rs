//! The persistence entries of a service: which client is led to which server again, with a search, each to be cleared.

use askama::Template;
use axum::Router;
use axum::extract::{Form, Path, Query};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use serde::Deserialize;

use super::ask::Ask;
use super::missing;
use super::services::{page_path, position};
use crate::persistence::lookup::{EntryList, EntryView, Wanted};
use crate::web::pages::frame::Frame;
use crate::web::pages::words::{duration, grouped};
use crate::web::pages::{message, page_of};
use crate::web::{Gateway, Role, persistence};

/// What operators may send too.
pub(in crate::web) const PATH: &str = "/cluster/services/{service}/persistence";
/// More are for programs; who looks for one client searches.
const MOST: usize = 100;

/// The page.
pub(super) fn routes() -> Router<Gateway> {
    Router::new().route(PATH, get(show).post(clear))
}

#[derive(Template)]
#[template(path = "cluster/persistence.html")]
struct Page {
    frame: Frame,
    label: String,
    notice: Option<String>,
    may_clear: bool,
    client: String,
    fault: String,
    summary: String,
    rows: Vec<Row>,
}

struct Row {
    client: String,
    server: String,
    pinned: bool,
    left: String,
    timeout: String,
}

impl Row {
    fn new(entry: EntryView) -> Self {
        let words = |seconds: Option<u64>| {
            seconds.map(|seconds| duration(i64::try_from(seconds).unwrap_or(i64::MAX))).unwrap_or_default()
        };
        Self {
            left: words(entry.seconds_left),
            timeout: words(entry.timeout_seconds),
            client: entry.client,
            server: if entry.server.is_empty() { "(removed)".to_owned() } else { entry.server },
            pinned: entry.pinned,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
struct Search {
    #[serde(default)]
    client: String,
    /// Whose entry has just been cleared.
    #[serde(default)]
    cleared: String,
}

async fn show(ask: Ask, Path(label): Path<String>, Query(search): Query<Search>) -> Response {
    if position(&ask.latest().document, &label).is_none() {
        return missing(ask.frame, "virtual service", &label);
    }
    let typed = search.client.trim().to_owned();
    let client = if typed.is_empty() { Ok(None) } else { persistence::client(&typed).map(Some) };
    let listed = match client {
        Ok(client) => {
            let wanted = Wanted { service: Some(label.clone()), client, limit: MOST };
            persistence::entries(&ask.gateway, &wanted).await
        }
        Err(problem) => Err(problem),
    };
    let cleared = persistence::client(&search.cleared).is_ok();
    let notice = cleared.then(|| {
        let client = &search.cleared;
        format!(
            "{client} is forgotten: its next new connection may meet another server. Open connections go on."
        )
    });
    let (status, fault, list) = match listed {
        Ok(list) => (StatusCode::OK, String::new(), Some(list)),
        Err(problem) => (problem.status(), problem.sentences(), None),
    };
    let page = Page {
        may_clear: ask.caller.role >= Role::Operator,
        frame: ask.frame,
        label,
        notice,
        client: typed,
        fault,
        summary: list.as_ref().map(summary).unwrap_or_default(),
        rows: list.map(|list| list.entries.into_iter().map(Row::new).collect()).unwrap_or_default(),
    };
    page_of(status, &page)
}

fn summary(list: &EntryList) -> String {
    let total = grouped(list.total);
    match (list.is_complete, list.entries.len() as u64 == list.total) {
        (true, true) => format!("{total} in all."),
        (true, false) => {
            format!("{total} in all; the first {} are shown. Search for a client.", list.entries.len())
        }
        (false, _) => {
            format!("More than {total}, and there was no time to look at all: search for a client.")
        }
    }
}

#[derive(Debug, Deserialize)]
struct Wish {
    client: String,
    /// What was searched for.
    #[serde(default)]
    search: String,
}

async fn clear(ask: Ask, Path(label): Path<String>, Form(wish): Form<Wish>) -> Response {
    match persistence::clear(&ask.gateway, &ask.caller, &label, &wish.client).await {
        Ok(entry) => Redirect::to(&back(&label, &wish.search, &entry.client)).into_response(),
        Err(problem) => message::refused(ask.frame, &problem),
    }
}

fn back(label: &str, search: &str, cleared: &str) -> String {
    let search = persistence::client(search).map(|client| format!("client={client}&")).unwrap_or_default();
    format!("{}/persistence?{search}cleared={cleared}", page_path(label))
}
