//! The log: what lbd, init and the kernel have to say. It follows by itself where scripts run.

use std::convert::Infallible;
use std::time::Duration;

use askama::Template;
use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;

use super::frame::Frame;
use super::page_of;
use super::words::time;
use crate::log::entry::{Entry, Severity, Source};
use crate::log::wanted::Wanted;
use crate::web::Gateway;
use crate::web::log::{LogList, lines};

/// Where it is, for administrators.
pub(in crate::web) const PAGE: &str = "/logs";
/// Its lines alone.
pub(in crate::web) const LIVE: &str = "/logs/live";
/// Says when there are more.
pub(in crate::web) const CHANGES: &str = "/logs/changes";
/// What fits a page that opens at once; the API gives more.
const SHOWN: usize = 200;
/// Each look reads files: a talkative appliance is not to be busy with showing it.
const LEAST_PAUSE: Duration = Duration::from_secs(2);

pub(super) fn routes() -> Router<Gateway> {
    Router::new().route(PAGE, get(page)).route(LIVE, get(live)).route(CHANGES, get(changes))
}

/// What the reader chose; what is not understood is as if it were not there.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wish {
    q: String,
    severity: String,
    source: String,
}

impl Wish {
    fn severity(&self) -> Severity {
        self.severity.parse().unwrap_or(Severity::Info)
    }

    fn source(&self) -> Option<Source> {
        self.source.parse().ok()
    }

    fn wanted(&self) -> Wanted {
        let text = self.q.trim().to_owned();
        Wanted { severity: self.severity(), source: self.source(), text, most: SHOWN, ..Wanted::default() }
    }

    fn is_usual(&self) -> bool {
        self.wanted() == Self::default().wanted()
    }
}

#[derive(Template)]
#[template(path = "logs.html")]
struct Logs {
    frame: Frame,
    wish: Wish,
    live: Live,
}

#[derive(Template)]
#[template(path = "logs_live.html")]
struct Live {
    list: LogList,
    is_usual: bool,
}

impl Live {
    fn time(&self, entry: &Entry) -> String {
        time(entry.time)
    }

    /// Of the style sheet: colour and icon. The course of things has none.
    fn class(&self, entry: &Entry) -> Option<&'static str> {
        match entry.severity {
            Severity::Emergency | Severity::Alert | Severity::Critical | Severity::Error => Some("down"),
            Severity::Warning => Some("degraded"),
            Severity::Notice => Some("drained"),
            Severity::Info | Severity::Debug => None,
        }
    }
}

async fn page(
    State(gateway): State<Gateway>,
    frame: Frame,
    wish: Result<Query<Wish>, QueryRejection>,
) -> Response {
    let wish = wish.map(|Query(wish)| wish).unwrap_or_default();
    match shown(&gateway, &wish).await {
        Ok(live) => page_of(StatusCode::OK, &Logs { frame, wish, live }),
        Err(problem) => problem,
    }
}

async fn live(State(gateway): State<Gateway>, wish: Result<Query<Wish>, QueryRejection>) -> Response {
    let wish = wish.map(|Query(wish)| wish).unwrap_or_default();
    match shown(&gateway, &wish).await {
        Ok(live) => page_of(StatusCode::OK, &live),
        Err(problem) => problem,
    }
}

async fn shown(gateway: &Gateway, wish: &Wish) -> Result<Live, Response> {
    let list = lines(gateway.journal(), wish.wanted()).await.map_err(IntoResponse::into_response)?;
    Ok(Live { list, is_usual: wish.is_usual() })
}

/// Says `changed` after every line or several (server-sent events); the page then fetches its lines.
async fn changes(State(gateway): State<Gateway>) -> Response {
    let told = stream::unfold(gateway.journal().follow(), async |mut entries| {
        if entries.recv().await == Err(RecvError::Closed) {
            return None;
        }
        tokio::time::sleep(LEAST_PAUSE).await;
        // Those that came meanwhile are seen in the same look.
        let entries = entries.resubscribe();
        Some((Ok::<_, Infallible>(Event::default().data("changed")), entries))
    });
    Sse::new(told).keep_alive(KeepAlive::default()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_is_as_if_it_were_not_there() {
        let wish = |severity: &str, source: &str| Wish {
            q: " disk ".into(),
            severity: severity.into(),
            source: source.into(),
        };
        let wanted = wish("error", "kernel").wanted();
        assert_eq!(
            (wanted.severity, wanted.source, wanted.text.as_str()),
            (Severity::Error, Some(Source::Kernel), "disk")
        );
        let wanted = wish("loud", "").wanted();
        assert_eq!((wanted.severity, wanted.source), (Severity::Info, None));
        assert!(Wish::default().is_usual() && !wish("", "").is_usual());
    }
}
