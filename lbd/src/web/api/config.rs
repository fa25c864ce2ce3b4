//! The configuration as a whole, its versions, and the one on trial.

use axum::Json;
use axum::extract::{Extension, Request, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use serde::Deserialize;

use super::resource::{Asked, Basis, Named, TOML, accepted, based_on, named, tagged, text_of};
use super::{Operation, ProblemDocument};
use crate::config::{Document, Format};
use crate::engine::{Accepted, Proposal};
use crate::store::VersionInfo;
use crate::web::{Caller, Gateway};

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::read("/api/v1/config", "The configuration in force", get(config))
            .gives::<Document>()
            .gives_text(TOML),
        Operation::write(Method::PUT, "/api/v1/config", "Replace the configuration", put(change_config))
            .takes::<Document>()
            .takes_text(TOML)
            .gives::<Accepted>()
            .changes(),
        Operation::write(
            Method::POST,
            "/api/v1/config/confirm",
            "Keep the configuration on trial",
            post(confirm),
        )
        .gives::<Accepted>()
        .if_match()
        .fails(&[409, 507]),
        Operation::write(
            Method::POST,
            "/api/v1/config/revert",
            "Take the configuration on trial back now",
            post(revert),
        )
        .gives::<Accepted>()
        .if_match()
        .fails(&[409]),
        Operation::read(
            "/api/v1/config/versions",
            "All stored versions, the newest first: who, when, why",
            get(history),
        )
        .gives::<Vec<VersionInfo>>()
        .fails(&[404]),
        Operation::read("/api/v1/config/versions/{version}", "A stored version", get(version))
            .gives::<Document>()
            .gives_text(TOML),
        Operation::write(
            Method::POST,
            "/api/v1/config/versions/{version}/restore",
            "Make a stored version the configuration in force again, as a new version",
            post(go_back),
        )
        .gives::<Accepted>()
        .changes(),
        Operation::read(
            "/api/v1/config/difference",
            "What distinguishes two versions, in words; the one in force where none is given",
            get(difference),
        )
        .query("from", true, "the older version")
        .query("to", true, "the newer version")
        .gives::<Vec<String>>()
        .fails(&[404]),
    ]
}

async fn config(State(gateway): State<Gateway>, headers: HeaderMap) -> Response {
    let latest = gateway.latest();
    let version = latest.view.configuration_version;
    if named(&headers, ACCEPT.as_str()) == Some(Format::Toml) {
        return tagged(version, ([(CONTENT_TYPE, TOML)], latest.document.to_toml()));
    }
    tagged(version, Json(latest.document.as_ref()))
}

async fn change_config(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Basis { based_on, comment }: Basis,
    request: Request,
) -> Result<Response, ProblemDocument> {
    let format = named(request.headers(), CONTENT_TYPE.as_str()).ok_or_else(|| {
        ProblemDocument::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "The format of the configuration is not known",
            "Send it with Content-Type: application/toml or application/json.",
        )
    })?;
    let text = text_of(request, &()).await?;
    let document = Document::parse(&text, format).map_err(ProblemDocument::invalid)?;
    let comment = comment.unwrap_or_default();
    let proposal = Proposal { document, by: caller.author(), comment, based_on };
    Ok(accepted(gateway.change(proposal).await?))
}

async fn confirm(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Result<Response, ProblemDocument> {
    Ok(accepted(gateway.confirm(&caller.author(), based_on(&headers)?).await?))
}

async fn revert(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Result<Response, ProblemDocument> {
    Ok(accepted(gateway.revert(&caller.author(), based_on(&headers)?).await?))
}

async fn history(State(gateway): State<Gateway>) -> Result<Json<Vec<VersionInfo>>, ProblemDocument> {
    Ok(Json(gateway.history().await?))
}

async fn version(
    State(gateway): State<Gateway>,
    Named(version): Named<u64>,
    headers: HeaderMap,
) -> Result<Response, ProblemDocument> {
    let stored = gateway.version(version).await?;
    if named(&headers, ACCEPT.as_str()) == Some(Format::Toml) {
        return Ok(([(CONTENT_TYPE, TOML)], stored.document.to_toml()).into_response());
    }
    Ok(Json(stored.document).into_response())
}

async fn go_back(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Named(version): Named<u64>,
    Basis { based_on, comment }: Basis,
) -> Result<Response, ProblemDocument> {
    Ok(accepted(gateway.go_back(version, caller.author(), comment, based_on).await?))
}

/// Two versions; the one in force where none is given.
#[derive(Debug, Deserialize)]
struct Versions {
    from: Option<u64>,
    to: Option<u64>,
}

async fn difference(
    State(gateway): State<Gateway>,
    Asked(Versions { from, to }): Asked<Versions>,
) -> Result<Json<Vec<String>>, ProblemDocument> {
    Ok(Json(gateway.difference(from, to).await?))
}
