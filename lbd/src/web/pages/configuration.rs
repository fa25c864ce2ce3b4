//! View Configuration: what is in force, what was before and by whom, what distinguishes any two versions, and the
//! way back to any.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Form, Path, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use serde::Deserialize;

use super::frame::Frame;
use super::trial::after_change;
use super::words::{Badge, sentence, time};
use super::{message, page_of};
use crate::engine::Refusal;
use crate::store::{Standing, VersionInfo};
use crate::view::View;
use crate::web::api::ProblemDocument;
use crate::web::{Caller, Gateway};

const PAGE: &str = "/configuration";
const BACK: &str = "/configuration/back/{version}";
/// Some 200 services; a longer configuration has a page of its own, so that this one opens at once.
const LONGEST_LISTING: usize = 64 << 10;

pub(super) fn routes() -> Router<Gateway> {
    Router::new()
        .route(PAGE, get(page))
        .route("/configuration/version/{version}", get(version))
        .route("/configuration/download/{version}", get(download))
        .route(BACK, get(ask).post(go_back))
}

/// What is compared; the latest change where nothing is said.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wish {
    from: Option<u64>,
    to: Option<u64>,
}

#[derive(Template)]
#[template(path = "configuration.html")]
struct Overview {
    frame: Frame,
    in_force: u64,
    rows: Vec<Row>,
    comparison: Option<Comparison>,
    from: u64,
    to: u64,
    listing: String,
    is_whole: bool,
}

/// A line of the history.
struct Row {
    version: u64,
    badge: Badge,
    /// `None` where the file is damaged.
    stamp: Option<Stamp>,
    is_in_force: bool,
}

struct Stamp {
    day: String,
    clock: String,
    user: String,
    from: String,
    comment: String,
}

/// What distinguishes two versions.
struct Comparison {
    from: u64,
    to: u64,
    /// In words, or why it cannot be said.
    lines: Result<Vec<String>, String>,
}

fn row(info: VersionInfo, view: &View) -> Row {
    let is_in_force = info.version == view.configuration_version;
    let on_trial = view.pending_confirmation.as_ref().is_some_and(|trial| trial.version == info.version);
    let (class, word) = match (info.standing, is_in_force) {
        _ if on_trial => ("degraded", "on trial"),
        (_, true) => ("up", "in force"),
        (Standing::Accepted, false) => ("off", "earlier"),
        (Standing::Unconfirmed, false) => ("down", "not confirmed"),
    };
    let stamp = info.stamp.map(|stamp| {
        let moment = time(stamp.time);
        let (day, clock) = moment.split_once(' ').unwrap_or((&moment, ""));
        Stamp {
            day: day.to_owned(),
            clock: clock.to_owned(),
            user: stamp.by.user,
            from: stamp.by.from,
            comment: stamp.comment,
        }
    });
    Row { version: info.version, badge: Badge { class, word }, stamp, is_in_force }
}

async fn page(
    State(gateway): State<Gateway>,
    frame: Frame,
    wish: Result<Query<Wish>, QueryRejection>,
) -> Response {
    let wish = wish.map(|Query(wish)| wish).unwrap_or_default();
    let latest = gateway.latest();
    let history = match gateway.history().await {
        Ok(history) => history,
        Err(refusal) => return message::refused(frame, &ProblemDocument::from(refusal)),
    };
    let rows: Vec<_> = history.into_iter().map(|info| row(info, &latest.view)).collect();
    let in_force = latest.view.configuration_version;
    let before = rows.iter().map(|row| row.version).find(|version| *version < in_force).unwrap_or(in_force);
    let (from, to) = (wish.from.unwrap_or(before), wish.to.unwrap_or(in_force));
    let comparison = match (wish.from, wish.to) {
        (None, None) => None,
        _ => Some(compare(&gateway, from, to).await),
    };
    let (listing, is_whole) = shortened(latest.document.to_toml());
    page_of(StatusCode::OK, &Overview { frame, in_force, rows, comparison, from, to, listing, is_whole })
}

async fn compare(gateway: &Gateway, from: u64, to: u64) -> Comparison {
    let lines = gateway.difference(Some(from), Some(to)).await;
    Comparison { from, to, lines: lines.map_err(|refusal| ProblemDocument::from(refusal).sentences()) }
}

/// As many whole lines as are shown at once, and whether that is all.
fn shortened(mut text: String) -> (String, bool) {
    if text.len() <= LONGEST_LISTING {
        return (text, true);
    }
    let end = text.as_bytes()[..LONGEST_LISTING].iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
    text.truncate(end);
    (text, false)
}

#[derive(Template)]
#[template(path = "configuration_version.html")]
struct Version {
    frame: Frame,
    row: Row,
    listing: String,
}

async fn version(State(gateway): State<Gateway>, frame: Frame, Path(number): Path<u64>) -> Response {
    match gateway.version(number).await {
        Ok(stored) => {
            let row = row(stored.info, &gateway.latest().view);
            page_of(StatusCode::OK, &Version { frame, row, listing: stored.document.to_toml() })
        }
        Err(refusal) => message::refused(frame, &ProblemDocument::from(refusal)),
    }
}

async fn download(State(gateway): State<Gateway>, frame: Frame, Path(number): Path<u64>) -> Response {
    let stored = match gateway.version(number).await {
        Ok(stored) => stored,
        Err(refusal) => return message::refused(frame, &ProblemDocument::from(refusal)),
    };
    // A host name has nothing that would need quoting.
    let name = format!("attachment; filename=\"evenkeel-{}-version-{number}.toml\"", frame.host_name);
    let name = HeaderValue::try_from(name).unwrap_or(HeaderValue::from_static("attachment"));
    let kind = HeaderValue::from_static("application/toml");
    ([(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, name)], stored.document.to_toml()).into_response()
}

/// What would change, asked before it does.
#[derive(Template)]
#[template(path = "configuration_back.html")]
struct Question {
    frame: Frame,
    row: Row,
    in_force: u64,
    lines: Vec<String>,
    comment: String,
    /// What is wrong with the comment.
    comment_error: String,
    /// Why it was not done.
    refused: String,
}

async fn ask(State(gateway): State<Gateway>, frame: Frame, Path(number): Path<u64>) -> Response {
    question(&gateway, frame, number, None).await
}

/// A wish that was refused: its comment and why.
struct Refused {
    comment: String,
    refusal: Refusal,
}

async fn question(gateway: &Gateway, frame: Frame, number: u64, refused: Option<Refused>) -> Response {
    let in_force = gateway.latest().view.configuration_version;
    let read = async {
        let row = row(gateway.version(number).await?.info, &gateway.latest().view);
        Ok::<_, Refusal>((row, gateway.difference(None, Some(number)).await?))
    };
    let (row, lines) = match read.await {
        Ok(read) => read,
        Err(refusal) => return message::refused(frame, &ProblemDocument::from(refusal)),
    };
    let mut page = Question {
        frame,
        row,
        in_force,
        lines,
        comment: String::new(),
        comment_error: String::new(),
        refused: String::new(),
    };
    let Some(Refused { comment, refusal }) = refused else { return page_of(StatusCode::OK, &page) };
    page.comment = comment;
    match refusal {
        Refusal::Invalid(problems) if problems.iter().all(|problem| problem.field == "comment") => {
            page.comment_error = problems.iter().map(sentence).collect();
            page_of(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        refusal => {
            let problem = ProblemDocument::from(refusal);
            let changed: String =
                problem.changed().iter().map(|line| format!(" Meanwhile: {line}.")).collect();
            page.refused = format!("{}. {}{changed}", problem.title(), problem.sentences());
            page_of(problem.status(), &page)
        }
    }
}

#[derive(Debug, Deserialize)]
struct Decision {
    /// The version that was in force when they read what would change.
    based_on: u64,
    #[serde(default)]
    comment: String,
}

async fn go_back(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    frame: Frame,
    Path(number): Path<u64>,
    Form(Decision { based_on, comment }): Form<Decision>,
) -> Response {
    let why = match comment.trim() {
        "" => format!("back to version {number}"),
        comment => comment.to_owned(),
    };
    match gateway.go_back(number, caller.author(), Some(why), Some(based_on)).await {
        Ok(accepted) => after_change(frame, &gateway, accepted, PAGE),
        Err(refusal) => question(&gateway, frame, number, Some(Refused { comment, refusal })).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_listing_ends_with_a_whole_line() {
        let (text, is_whole) = shortened("x = 1\n".repeat(20_000));
        assert!(!is_whole && text.len() <= LONGEST_LISTING && text.ends_with("x = 1"));
        assert_eq!(shortened("x = 1\n".into()), ("x = 1\n".into(), true));
    }
}
