//! Updates: which versions there are, here and on a server, taking an archive, installing it, going back; restarting.

use axum::Json;
use axum::extract::{Extension, Request, State};
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use axum::middleware::from_fn;
use axum::routing::{get, post, put};
use evenkeel_update::hash::Sha;
use futures_util::StreamExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::resource::Asked;
use super::{Operation, ProblemDocument};
use crate::web::connection::patiently;
use crate::web::update::{ACTIVATE, ARCHIVE, INSTALL, LOOK, UpdateDocument, UpdateOrder};
use crate::web::{Caller, Gateway};

const UPDATE: &str = "/api/v1/update";
/// An archive; not JSON.
const MEDIA: &str = "application/octet-stream";

pub(super) fn operations() -> Vec<Operation> {
    let order = |path, summary, handler| Operation::write(Method::POST, path, summary, handler).fails(&[409]);
    vec![
        Operation::read(UPDATE, "The versions on this appliance, and the update that waits", get(show))
            .gives::<UpdateDocument>(),
        Operation::write(
            Method::PUT,
            ARCHIVE,
            "Upload an update archive; it is verified while it comes, and installed by another order",
            put(take).layer(from_fn(patiently)),
        )
        .takes_text(MEDIA)
        .gives::<UpdateDocument>()
        .query("sha256", false, "its SHA-256 as the checksum file has it, 64 hexadecimal digits")
        .fails(&[400, 409, 422]),
        Operation::write(
            Method::DELETE,
            ARCHIVE,
            "Throw away what was uploaded",
            axum::routing::delete(discard),
        )
        .status(204)
        .fails(&[409]),
        order(
            INSTALL,
            "Install what was uploaded, beside the version that runs",
            post(install).layer(from_fn(patiently)),
        )
        .gives::<Ordered>(),
        order(
            LOOK,
            "Look for a newer version on the server of the settings; what came of it is in the answer",
            post(look).layer(from_fn(patiently)),
        )
        .gives::<UpdateDocument>(),
        order(
            "/api/v1/update/download",
            "Download what the last look found; it goes on by itself, is verified while it comes, and then waits as an upload does",
            post(download),
        )
        .status(202)
        .gives::<Ordered>(),
        order("/api/v1/update/download/cancel", "End the download under way", post(cancel)).status(204),
        order(
            ACTIVATE,
            "Start a quick update that was installed, without a restart: lbd alone is replaced",
            post(activate).layer(from_fn(patiently)),
        )
        .status(202)
        .gives::<Ordered>(),
        order("/api/v1/update/rollback", "Restart into the other version, on trial", post(go_back))
            .status(202)
            .gives::<Ordered>(),
        order("/api/v1/restart", "Restart the appliance", post(restart)).status(202).gives::<Ordered>(),
    ]
}

/// What was ordered.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Ordered {
    /// The version that it is about; empty where it is about none.
    pub version: String,
}

async fn show(State(gateway): State<Gateway>) -> Json<UpdateDocument> {
    Json(gateway.update_status().await)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sum {
    #[serde(default)]
    sha256: Option<String>,
}

async fn take(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Asked(Sum { sha256 }): Asked<Sum>,
    request: Request,
) -> Result<Json<UpdateDocument>, ProblemDocument> {
    let taken = take_body(&gateway, &caller, sha256, request).await;
    taken?;
    Ok(Json(gateway.update_status().await))
}

async fn take_body(
    gateway: &Gateway,
    caller: &Caller,
    sha256: Option<String>,
    request: Request,
) -> Result<(), ProblemDocument> {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let mut chunks = request.into_body().into_data_stream();
    let sum = sha256.map(|text| {
        let wrong = || ProblemDocument::field("sha256", "it is no SHA-256", "give the 64 hexadecimal digits");
        Sha::parse_sum_file(&text).ok_or_else(wrong)
    });
    let mut upload = match sum.transpose() {
        Ok(sum) => gateway.begin_upload(length).await.map(|upload| (upload, sum)),
        Err(problem) => Err(problem),
    };
    // Whoever is refused is told when everything has come: an answer before the end is lost on the way.
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| {
            let detail = format!("The upload broke off: {error}. Send it again.");
            ProblemDocument::new(StatusCode::BAD_REQUEST, "The body cannot be read", detail)
        })?;
        if let Ok((taking, _)) = &mut upload
            && let Err(refusal) = taking.push(&chunk).await
        {
            upload = Err(refusal.into());
        }
    }
    let (upload, sum) = upload?;
    gateway.end_upload(caller, upload, sum).await
}

async fn discard(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
) -> Result<StatusCode, ProblemDocument> {
    gateway.order_update(&caller, UpdateOrder::Discard).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn install(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Ordered>, ProblemDocument> {
    let version = gateway.order_update(&caller, UpdateOrder::Install).await?;
    Ok(Json(Ordered { version }))
}

async fn look(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<UpdateDocument>, ProblemDocument> {
    gateway.order_update(&caller, UpdateOrder::Look).await?;
    Ok(Json(gateway.update_status().await))
}

async fn download(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
) -> Result<(StatusCode, Json<Ordered>), ProblemDocument> {
    let version = gateway.order_update(&caller, UpdateOrder::Download).await?;
    Ok((StatusCode::ACCEPTED, Json(Ordered { version })))
}

async fn cancel(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
) -> Result<StatusCode, ProblemDocument> {
    gateway.order_update(&caller, UpdateOrder::Cancel).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn activate(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
) -> Result<(StatusCode, Json<Ordered>), ProblemDocument> {
    let version = gateway.order_update(&caller, UpdateOrder::Activate).await?;
    Ok((StatusCode::ACCEPTED, Json(Ordered { version })))
}

async fn go_back(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
) -> Result<(StatusCode, Json<Ordered>), ProblemDocument> {
    let version = gateway.order_update(&caller, UpdateOrder::Rollback).await?;
    Ok((StatusCode::ACCEPTED, Json(Ordered { version })))
}

async fn restart(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
) -> Result<(StatusCode, Json<Ordered>), ProblemDocument> {
    let version = gateway.order_update(&caller, UpdateOrder::Restart).await?;
    Ok((StatusCode::ACCEPTED, Json(Ordered { version })))
}
