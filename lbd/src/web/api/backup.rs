//! Backups: making one, what restoring one would change, restoring it.

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, Method};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use schemars::JsonSchema;
use serde::Deserialize;

use super::resource::{Basis, Body, Named, accepted};
use super::{Operation, ProblemDocument};
use crate::backup::kept::KeptBackup;
use crate::engine::Accepted;
use crate::web::backup::{BackupFile, Restoration, RestoreReview};
use crate::web::{Caller, Gateway};

const BACKUP: &str = "/api/v1/backup";
const KEPT: &str = "/api/v1/backups";
const RESTORE: &str = "/api/v1/restore";
/// Comments and TOML, or the same encrypted.
const MEDIA: &str = "text/plain; charset=utf-8";

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::read(BACKUP, "A backup without any secret: the configuration, as text", get(plain))
            .gives_text(MEDIA)
            .fails(&[409, 503]),
        Operation::write(
            Method::POST,
            BACKUP,
            "A backup with users, tokens, certificate and passwords, encrypted with a passphrase (age)",
            post(encrypted),
        )
        .takes::<BackupOrder>()
        .gives_text(MEDIA)
        .fails(&[409, 503]),
        Operation::read(KEPT, "The backups that were kept before updates, newest first", get(kept))
            .gives::<Vec<KeptBackup>>()
            .fails(&[409, 500, 503]),
        Operation::read("/api/v1/backups/{name}", "One of them, as text; it has no secret", get(one_kept))
            .gives_text(MEDIA)
            .fails(&[409, 500, 503]),
        Operation::write(
            Method::POST,
            "/api/v1/restore/review",
            "What restoring a backup would change; nothing is changed by this",
            post(review),
        )
        .takes::<RestoreOrder>()
        .gives::<RestoreReview>()
        .fails(&[409, 503]),
        Operation::write(Method::POST, RESTORE, "Restore a backup, as a new version", post(restore))
            .takes::<RestoreOrder>()
            .gives::<Accepted>()
            .changes(),
    ]
}

/// How a backup is to be made.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct BackupOrder {
    /// 12 to 256 characters. Without it nobody can read the backup.
    passphrase: String,
}

/// A backup that is brought.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RestoreOrder {
    /// The text of the file.
    backup: String,
    /// With which it was made, where it is encrypted.
    #[serde(default)]
    passphrase: Option<String>,
    /// True, also where nothing is given: this appliance keeps its network, host name, management address and certificate.
    #[serde(default)]
    keep_own: Option<bool>,
}

/// A file to be saved under its name.
pub(in crate::web) fn download(BackupFile { name, text }: BackupFile) -> Response {
    // A host name has nothing that would need quoting.
    let name = HeaderValue::try_from(format!("attachment; filename=\"{name}\""));
    let name = name.unwrap_or(HeaderValue::from_static("attachment"));
    ([(CONTENT_TYPE, HeaderValue::from_static(MEDIA)), (CONTENT_DISPOSITION, name)], text).into_response()
}

async fn plain(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, ProblemDocument> {
    Ok(download(gateway.make_backup(&caller, None).await?))
}

async fn kept(State(gateway): State<Gateway>) -> Result<Json<Vec<KeptBackup>>, ProblemDocument> {
    Ok(Json(gateway.kept_backups().await?))
}

async fn one_kept(
    State(gateway): State<Gateway>,
    Named(name): Named<String>,
) -> Result<Response, ProblemDocument> {
    Ok(download(gateway.kept_backup(name).await?))
}

async fn encrypted(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Body(BackupOrder { passphrase }): Body<BackupOrder>,
) -> Result<Response, ProblemDocument> {
    Ok(download(gateway.make_backup(&caller, Some(passphrase)).await?))
}

async fn read(gateway: &Gateway, order: RestoreOrder) -> Result<Restoration, ProblemDocument> {
    let RestoreOrder { backup, passphrase, keep_own } = order;
    gateway.read_backup(backup.into_bytes(), passphrase, keep_own.unwrap_or(true)).await
}

async fn review(
    State(gateway): State<Gateway>,
    Body(order): Body<RestoreOrder>,
) -> Result<Json<RestoreReview>, ProblemDocument> {
    let restoration = read(&gateway, order).await?;
    Ok(Json(gateway.review(&restoration).await?))
}

async fn restore(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Basis { based_on, comment }: Basis,
    Body(order): Body<RestoreOrder>,
) -> Result<Response, ProblemDocument> {
    let restoration = read(&gateway, order).await?;
    Ok(accepted(gateway.restore(&caller, restoration, comment, based_on).await?))
}
