//! Backup & Restore: a file that is downloaded, one that is brought, what it would change, and restoring it.

use askama::Template;
use axum::extract::multipart::MultipartError;
use axum::extract::{DefaultBodyLimit, Form, Multipart, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde::Deserialize;

use super::frame::Frame;
use super::page_of;
use super::trial::after_change;
use super::words::time;
use crate::backup::LARGEST;
use crate::backup::kept::KeptBackup;
use crate::config::values::quoted;
use crate::web::api::{ProblemDocument, download};
use crate::web::backup::{BackupFile, Restoration, RestoreReview};
use crate::web::{Caller, Gateway};

const PAGE: &str = "/maintenance/backup";
const REVIEW: &str = "/maintenance/backup/review";
const CONFIGURATION: &str = "/configuration";
/// What a form has beside the file.
const ROOM: usize = 16 << 10;

pub(super) fn routes() -> Router<Gateway> {
    Router::new()
        .route(PAGE, get(page))
        .route("/maintenance/backup/make", post(make))
        .route(REVIEW, post(review).layer(DefaultBodyLimit::max(LARGEST + ROOM)))
        .route("/maintenance/backup/kept", post(review_kept))
        .route("/maintenance/backup/restore", post(restore))
}

#[derive(Template)]
#[template(path = "backup.html")]
struct Page {
    frame: Frame,
    /// When each was made, and the rest.
    kept: Vec<(String, KeptBackup)>,
    /// Title and detail.
    fault: Option<(&'static str, String)>,
}

async fn shown(gateway: &Gateway, frame: Frame, problem: Option<ProblemDocument>) -> Response {
    let (kept, unreadable) = match gateway.kept_backups().await {
        Ok(kept) => (kept, None),
        Err(problem) => (Vec::new(), Some(problem)),
    };
    let problem = problem.or(unreadable);
    let status = problem.as_ref().map_or(StatusCode::OK, ProblemDocument::status);
    let kept = kept.into_iter().map(|kept| (time(kept.about.time), kept)).collect();
    page_of(
        status,
        &Page { frame, kept, fault: problem.map(|problem| (problem.title(), problem.sentences())) },
    )
}

async fn page(State(gateway): State<Gateway>, frame: Frame) -> Response {
    shown(&gateway, frame, None).await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wish {
    passphrase: String,
    again: String,
}

async fn make(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    frame: Frame,
    Form(Wish { passphrase, again }): Form<Wish>,
) -> Response {
    if passphrase != again {
        let detail = "No backup was made. Type the same passphrase twice.";
        let title = "The passphrases differ";
        let problem = ProblemDocument::new(StatusCode::UNPROCESSABLE_ENTITY, title, detail);
        return shown(&gateway, frame, Some(problem)).await;
    }
    match gateway.make_backup(&caller, Some(passphrase).filter(|passphrase| !passphrase.is_empty())).await {
        Ok(file) => download(file),
        Err(problem) => shown(&gateway, frame, Some(problem)).await,
    }
}

/// What somebody brings.
#[derive(Default)]
struct Brought {
    file: Vec<u8>,
    passphrase: Option<String>,
    keep_own: bool,
}

/// The fields in whatever order they come.
async fn take(mut multipart: Multipart) -> Result<Brought, ProblemDocument> {
    let mut brought = Brought::default();
    while let Some(field) = multipart.next_field().await.map_err(broken)? {
        match field.name() {
            Some("file") => brought.file = field.bytes().await.map_err(broken)?.into(),
            Some("passphrase") => brought.passphrase = Some(field.text().await.map_err(broken)?),
            Some("keep_own") => brought.keep_own = true,
            other => {
                let detail = format!(
                    "The field {} is not known. Load the page anew.",
                    quoted(other.unwrap_or_default())
                );
                return Err(ProblemDocument::new(
                    StatusCode::BAD_REQUEST,
                    "The form is not understood",
                    detail,
                ));
            }
        }
    }
    Ok(brought)
}

fn broken(error: MultipartError) -> ProblemDocument {
    ProblemDocument::new(
        error.status(),
        "The upload broke off",
        format!("{}. Send it again.", error.body_text()),
    )
}

/// What would change, asked before it does.
#[derive(Template)]
#[template(path = "backup_review.html")]
struct Question {
    frame: Frame,
    told: RestoreReview,
    made: String,
    id: String,
    comment: String,
    /// Why it was not done.
    refused: String,
}

async fn review(State(gateway): State<Gateway>, frame: Frame, multipart: Multipart) -> Response {
    let read = async {
        let Brought { file, passphrase, keep_own } = take(multipart).await?;
        gateway.read_backup(file, passphrase, keep_own).await
    };
    match read.await {
        Ok(restoration) => question(&gateway, frame, restoration, None).await,
        Err(problem) => shown(&gateway, frame, Some(problem)).await,
    }
}

#[derive(Debug, Deserialize)]
struct Choice {
    name: String,
}

/// It was made here: network and identity in it are those of this appliance.
async fn review_kept(
    State(gateway): State<Gateway>,
    frame: Frame,
    Form(Choice { name }): Form<Choice>,
) -> Response {
    let read = async {
        let BackupFile { text, .. } = gateway.kept_backup(name).await?;
        gateway.read_backup(text.into_bytes(), None, false).await
    };
    match read.await {
        Ok(restoration) => question(&gateway, frame, restoration, None).await,
        Err(problem) => shown(&gateway, frame, Some(problem)).await,
    }
}

/// After a refusal with its comment and its reason.
async fn question(
    gateway: &Gateway,
    frame: Frame,
    restoration: Restoration,
    refused: Option<(String, ProblemDocument)>,
) -> Response {
    let told = match gateway.review(&restoration).await {
        Ok(told) => told,
        Err(problem) => return shown(gateway, frame, Some(problem)).await,
    };
    let id = match gateway.keep_for_review(restoration) {
        Ok(id) => id,
        Err(problem) => return shown(gateway, frame, Some(problem)).await,
    };
    let made = time(told.about.time);
    let (comment, problem) = refused.unzip();
    let status = problem.as_ref().map_or(StatusCode::OK, ProblemDocument::status);
    let refused = problem.map(|problem| format!("{}. {}", problem.title(), problem.sentences()));
    let (comment, refused) = (comment.unwrap_or_default(), refused.unwrap_or_default());
    page_of(status, &Question { frame, told, made, id, comment, refused })
}

#[derive(Debug, Deserialize)]
struct Decision {
    id: String,
    /// The version that was in force when they read what would change.
    based_on: u64,
    #[serde(default)]
    comment: String,
}

async fn restore(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    frame: Frame,
    Form(Decision { id, based_on, comment }): Form<Decision>,
) -> Response {
    let restoration = match gateway.reviewed(&id) {
        Ok(restoration) => restoration,
        Err(problem) => return shown(&gateway, frame, Some(problem)).await,
    };
    let why = Some(comment.trim().to_owned());
    match gateway.restore(&caller, restoration.clone(), why, Some(based_on)).await {
        Ok(accepted) => after_change(frame, &gateway, accepted, CONFIGURATION),
        Err(problem) => question(&gateway, frame, restoration, Some((comment, problem))).await,
    }
}
