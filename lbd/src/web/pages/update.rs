//! Software Update: which versions there are, here and on a server, an archive that is brought or downloaded and what is in it,
//! installing, going back.

use std::convert::Infallible;
use std::time::Duration;

use askama::Template;
use axum::extract::multipart::Field;
use axum::extract::{DefaultBodyLimit, Form, Multipart, Query, State};
use axum::http::StatusCode;
use axum::middleware::from_fn;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use evenkeel_update::hash::Sha;
use futures_util::stream;
use serde::Deserialize;

use super::frame::Frame;
use super::words::{Badge, bytes, time};
use super::{message, page_of};
use crate::update::staging::Upload;
use crate::web::api::ProblemDocument;
use crate::web::connection::patiently;
use crate::web::online::NewestVersion;
use crate::web::update::{OtherVersion, QUICK_ENDS, UpdateDocument, UpdateOrder, VersionStanding};
use crate::web::{Caller, Gateway};

/// Where it is.
pub(super) const PAGE: &str = "/maintenance/update";
/// The part of it that changes by itself.
const LIVE: &str = "/maintenance/update/live";
/// Says when it has changed.
const CHANGES: &str = "/maintenance/update/changes";
/// Each look asks init and reads files: a download is not to be busy with showing how far it is.
const LEAST_PAUSE: Duration = Duration::from_secs(1);
/// Takes an archive.
pub(in crate::web) const UPLOAD_PATH: &str = "/maintenance/update/upload";
/// Takes orders.
pub(in crate::web) const ORDER_PATH: &str = "/maintenance/update/order";

/// A checksum file has one line.
const LONGEST_SUM: usize = 4 << 10;

pub(super) fn routes() -> Router<Gateway> {
    // The archive is read piece by piece, and bounded where it is kept.
    let upload = post(bring).layer(DefaultBodyLimit::disable()).layer(from_fn(patiently));
    Router::new()
        .route(PAGE, get(page))
        .route(LIVE, get(live))
        .route(CHANGES, get(changes))
        .route(UPLOAD_PATH, upload)
        .route(ORDER_PATH, post(order).layer(from_fn(patiently)))
}

#[derive(Template)]
#[template(path = "update.html")]
struct Page {
    frame: Frame,
    notice: Option<&'static str>,
    /// Title and detail.
    fault: Option<(&'static str, String)>,
    running: Badge,
    other: Option<(OtherVersion, Badge, &'static str)>,
    /// When the other one ran for the last time.
    ran: String,
    /// The next restart starts the other version.
    starts_other: bool,
    /// That can start at once, without a restart.
    is_quick: bool,
    /// One can go back to the other version.
    returns: bool,
    told: UpdateDocument,
    live: Live,
}

/// The part that changes by itself.
#[derive(Template)]
#[template(path = "update_live.html")]
struct Live {
    told: UpdateDocument,
    is_administrator: bool,
}

impl Live {
    /// What every page tells of.
    fn news(&self) -> Option<&NewestVersion> {
        self.told.online.newest.as_ref().filter(|newest| newest.is_news)
    }

    /// What waits for its installation is not downloaded again.
    fn downloadable(&self) -> Option<&NewestVersion> {
        self.told.not_here().filter(|newest| newest.available)
    }

    /// What is new, where that does not stand beside what waits.
    fn noted(&self) -> Option<&NewestVersion> {
        self.told.not_here().filter(|newest| newest.available || newest.is_news)
    }

    fn looked(&self) -> String {
        self.told.online.looked.map_or_else(|| "not yet".into(), time)
    }

    fn next_look(&self) -> String {
        self.told.online.next_look.map_or_else(|| "not yet known".into(), time)
    }

    fn size(&self, count: &u64) -> String {
        bytes(*count)
    }
}

fn meaning(other: &OtherVersion) -> (Badge, &'static str) {
    let badge = |class, word| Badge { class, word };
    match other.standing {
        VersionStanding::Good => (badge("up", "good"), "It ran before, and you can go back to it."),
        VersionStanding::Installed if other.starts_without_restart => (
            badge("checking", "installed"),
            "It starts at once without a restart, when you say so, or at the next restart, and must prove itself then.",
        ),
        VersionStanding::Installed => {
            (badge("checking", "installed"), "It starts at the next restart, and must prove itself then.")
        }
        VersionStanding::Failed => {
            (badge("down", "failed"), "It was tried and never proved itself; it does not start again.")
        }
        VersionStanding::Left => (badge("off", "left"), "Somebody went back from it to what runs now."),
    }
}

async fn show(
    gateway: &Gateway,
    frame: Frame,
    notice: Option<&'static str>,
    problem: Option<ProblemDocument>,
) -> Response {
    let told = gateway.update_status().await;
    let status = problem.as_ref().map_or(StatusCode::OK, ProblemDocument::status);
    let running = match told.on_trial {
        true => Badge { class: "checking", word: "on trial" },
        false => Badge { class: "up", word: "good" },
    };
    let standing = told.other.as_ref().map(|other| other.standing);
    let is_quick = told.other.as_ref().is_some_and(|other| other.starts_without_restart);
    let other = told.other.clone().map(|other| {
        let (badge, meaning) = meaning(&other);
        (other, badge, meaning)
    });
    let left = told.other.as_ref().and_then(|other| other.left.as_ref());
    let page = Page {
        ran: left.map(|left| left.words(time(left.at))).unwrap_or_default(),
        notice,
        fault: problem.map(|problem| (problem.title(), problem.sentences())),
        running,
        other,
        starts_other: standing == Some(VersionStanding::Installed),
        is_quick,
        returns: matches!(standing, Some(VersionStanding::Good | VersionStanding::Left)),
        live: Live { told: told.clone(), is_administrator: frame.is_administrator() },
        told,
        frame,
    };
    page_of(status, &page)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Done {
    done: String,
    saved: Option<u64>,
}

async fn page(
    State(gateway): State<Gateway>,
    frame: Frame,
    Query(Done { done, saved }): Query<Done>,
) -> Response {
    let notice = match done.as_str() {
        "uploaded" => Some("The update is here and verified. Nothing is installed yet."),
        "installed" => Some("The update is installed."),
        "cancelled" => Some("The download is cancelled. Nothing of it was kept."),
        "discarded" => Some("What was uploaded is thrown away."),
        _ => saved.map(|_| "The settings are saved."),
    };
    show(&gateway, frame, notice, None).await
}

async fn live(State(gateway): State<Gateway>, frame: Frame) -> Response {
    let told = gateway.update_status().await;
    page_of(StatusCode::OK, &Live { told, is_administrator: frame.is_administrator() })
}

/// Says `changed` after every look, and while something is downloaded (server-sent events).
async fn changes(State(gateway): State<Gateway>) -> Response {
    let told = stream::unfold(gateway.updates().online().follow(), async |mut known| {
        known.changed().await.ok()?;
        tokio::time::sleep(LEAST_PAUSE).await;
        // What changed meanwhile is seen in the same look.
        known.mark_unchanged();
        Some((Ok::<_, Infallible>(Event::default().data("changed")), known))
    });
    Sse::new(told).keep_alive(KeepAlive::default()).into_response()
}

async fn bring(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    frame: Frame,
    multipart: Multipart,
) -> Response {
    match take(&gateway, &caller, multipart).await {
        Ok(()) => Redirect::to("/maintenance/update?done=uploaded").into_response(),
        Err(problem) => show(&gateway, frame, None, Some(problem)).await,
    }
}

/// The fields in whatever order they come. All are read to their end, for an answer before that is lost on the way.
async fn take(gateway: &Gateway, caller: &Caller, mut multipart: Multipart) -> Result<(), ProblemDocument> {
    let (mut upload, mut sum) = (None, None);
    while let Some(field) = multipart.next_field().await.map_err(broken)? {
        match field.name() {
            Some("archive") => upload = Some(archive(gateway, field).await?),
            Some("checksum") => sum = Some(checksum(field).await?),
            _ => pass(field).await?,
        }
    }
    let upload = upload.ok_or_else(|| missing("archive", "Choose the file whose name ends in .update"))??;
    let sum = sum.ok_or_else(|| missing("checksum", "Choose the file whose name ends in .update.sha256"))?;
    let sum = Sha::parse_sum_file(&sum).ok_or_else(|| {
        missing("SHA-256 in the checksum file", "Choose the file whose name ends in .update.sha256")
    })?;
    gateway.end_upload(caller, upload, Some(sum)).await
}

fn missing(what: &str, remedy: &str) -> ProblemDocument {
    let detail = format!("There is no {what}. {remedy}. Nothing was kept.");
    ProblemDocument::new(StatusCode::UNPROCESSABLE_ENTITY, "The update is refused", detail)
}

fn broken(error: axum::extract::multipart::MultipartError) -> ProblemDocument {
    let detail = format!("{}. Send it again.", error.body_text());
    ProblemDocument::new(StatusCode::BAD_REQUEST, "The upload broke off", detail)
}

/// The outer failure is the line's, the inner one the archive's.
async fn archive(
    gateway: &Gateway,
    mut field: Field<'_>,
) -> Result<Result<Upload, ProblemDocument>, ProblemDocument> {
    let mut upload = gateway.begin_upload(None).await;
    while let Some(chunk) = field.chunk().await.map_err(broken)? {
        if let Ok(taking) = &mut upload
            && let Err(refusal) = taking.push(&chunk).await
        {
            upload = Err(refusal.into());
        }
    }
    Ok(upload)
}

async fn checksum(mut field: Field<'_>) -> Result<String, ProblemDocument> {
    let mut text = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(broken)? {
        text.extend(chunk.iter().take(LONGEST_SUM.saturating_sub(text.len())));
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

async fn pass(mut field: Field<'_>) -> Result<(), ProblemDocument> {
    while field.chunk().await.map_err(broken)?.is_some() {}
    Ok(())
}

#[derive(Debug, Deserialize)]
struct Ordered {
    order: UpdateOrder,
}

async fn order(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    frame: Frame,
    Form(Ordered { order }): Form<Ordered>,
) -> Response {
    let restarting =
        |frame: Frame, text: &str| message::said(frame, StatusCode::ACCEPTED, "The appliance restarts", text);
    let later = "Load the page Software Update after half a minute: it says what runs, and whether it has proven itself. If it \
                 does not within three minutes, the version before it runs again, without a restart too.";
    let next = "New connections are taken again after about half a minute; then load the page Software Update, which \
                says what runs.";
    match gateway.order_update(&caller, order).await {
        Ok(_) if order == UpdateOrder::Install => {
            Redirect::to("/maintenance/update?done=installed").into_response()
        }
        Ok(version) if order == UpdateOrder::Activate => {
            let text = format!("lbd is replaced by that of version {version}; {QUICK_ENDS}. {later}");
            message::said(frame, StatusCode::ACCEPTED, "The update starts without a restart", &text)
        }
        Ok(_) if order == UpdateOrder::Discard => {
            Redirect::to("/maintenance/update?done=discarded").into_response()
        }
        Ok(_) if order == UpdateOrder::Cancel => {
            Redirect::to("/maintenance/update?done=cancelled").into_response()
        }
        // What comes of it stands on the page.
        Ok(_) if matches!(order, UpdateOrder::Look | UpdateOrder::Download) => {
            Redirect::to(PAGE).into_response()
        }
        Ok(version) if version.is_empty() => restarting(frame, next),
        Ok(version) => restarting(frame, &format!("Version {version} starts. {next}")),
        Err(problem) => show(&gateway, frame, None, Some(problem)).await,
    }
}
