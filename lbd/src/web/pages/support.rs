//! Support: the file for whoever supports the appliance, and what crashed.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde::Deserialize;

use super::frame::Frame;
use super::page_of;
use super::words::{duration, time};
use crate::crash::account::Crash;
use crate::web::api::ProblemDocument;
use crate::web::{Caller, Gateway};

const PAGE: &str = "/support";

pub(super) fn routes() -> Router<Gateway> {
    Router::new().route(PAGE, get(page)).route("/support/file", post(file))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wish {
    /// The crash whose last words are shown.
    crash: String,
}

#[derive(Template)]
#[template(path = "support.html")]
struct Page {
    frame: Frame,
    version: String,
    rows: Vec<Row>,
    /// Of the crash that was chosen.
    words: Option<(String, String)>,
    /// Title and detail.
    fault: Option<(&'static str, String)>,
}

struct Row {
    name: String,
    time: String,
    whose: &'static str,
    how: String,
    life: String,
    version: String,
}

impl From<&Crash> for Row {
    fn from(crash: &Crash) -> Self {
        let unknown = || "not known".to_owned();
        Self {
            name: crash.name.clone(),
            time: time(crash.time),
            whose: crash.whose.name(),
            how: crash.how.clone(),
            life: crash
                .life_seconds
                .map_or_else(unknown, |seconds| duration(i64::try_from(seconds).unwrap_or(i64::MAX))),
            version: crash.version.clone().unwrap_or_else(unknown),
        }
    }
}

async fn page(
    State(gateway): State<Gateway>,
    frame: Frame,
    wish: Result<Query<Wish>, QueryRejection>,
) -> Response {
    let Wish { crash } = wish.map(|Query(wish)| wish).unwrap_or_default();
    shown(&gateway, frame, Some(crash).filter(|name| !name.is_empty()), None).await
}

/// Crashes are for administrators, as they may hold anything that was in memory.
async fn shown(
    gateway: &Gateway,
    frame: Frame,
    chosen: Option<String>,
    mut problem: Option<ProblemDocument>,
) -> Response {
    let (mut rows, mut words) = (Vec::new(), None);
    if frame.is_administrator() {
        match gateway.crash_list().await {
            Ok(crashes) => rows = crashes.iter().map(Row::from).collect(),
            Err(why) => problem = Some(why),
        }
        if let Some(name) = chosen {
            match gateway.last_words(name.clone()).await {
                Ok(text) => words = Some((name, text)),
                Err(why) => problem = Some(why),
            }
        }
    }
    let status = problem.as_ref().map_or(StatusCode::OK, ProblemDocument::status);
    let fault = problem.map(|problem| (problem.title(), problem.sentences()));
    let version = gateway.latest().view.version.clone();
    page_of(status, &Page { frame, version, rows, words, fault })
}

async fn file(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    frame: Frame,
) -> Response {
    match gateway.support_file(&caller).await {
        Ok(file) => file.into_response(),
        Err(problem) => shown(&gateway, frame, None, Some(problem)).await,
    }
}
