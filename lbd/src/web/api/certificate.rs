//! The certificate of the WebUI: which one is shown, and another one, on trial at first.

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::header::{ETAG, IF_MATCH};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use schemars::JsonSchema;
use serde::Deserialize;

use super::resource::Body;
use super::{Operation, ProblemDocument};
use crate::web::certificate::keeper::{CertificateRefusal, CertificateStatus};
use crate::web::{Caller, Gateway};

const PATH: &str = "/api/v1/certificate";

pub(super) fn operations() -> Vec<Operation> {
    let verdict = |path, summary, handler| {
        Operation::write(Method::POST, path, summary, handler)
            .gives::<CertificateStatus>()
            .if_match()
            .fails(&[409, 503, 507])
    };
    vec![
        Operation::read(PATH, "The certificate of the WebUI", get(show))
            .gives::<CertificateStatus>()
            .fails(&[503]),
        Operation::write(
            Method::PUT,
            PATH,
            "Show another certificate, on trial for two minutes",
            put(try_out),
        )
        .takes::<NewCertificate>()
        .gives::<CertificateStatus>()
        .fails(&[409, 503]),
        verdict("/api/v1/certificate/confirm", "Keep the certificate on trial", post(confirm)),
        verdict("/api/v1/certificate/revert", "Take the certificate on trial back now", post(revert)),
    ]
}

/// A certificate that is to be shown.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewCertificate {
    /// In PEM: the server's own, then the intermediate ones.
    certificate: String,
    /// In PEM; the present one where it is omitted.
    #[serde(default)]
    private_key: Option<String>,
}

/// Its fingerprint is its tag, by which a verdict is bound to the one that was seen.
fn status(gateway: &Gateway) -> Result<Response, ProblemDocument> {
    let status = gateway.certificates().status().ok_or(CertificateRefusal::NotReady)?;
    let tag = format!("\"{}\"", status.certificate.fingerprint);
    Ok(([(ETAG, tag)], Json(status)).into_response())
}

/// The fingerprint that `If-Match` names; `None` where any will do.
fn seen(headers: &HeaderMap) -> Result<Option<String>, ProblemDocument> {
    let Some(value) = headers.get(IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let tag = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let tag = tag.filter(|tag| !tag.is_empty() && !tag.contains('"'));
    tag.map(|tag| Some(tag.to_owned())).ok_or_else(|| {
        let detail =
            "Give If-Match the ETag that you were given with the certificate: its fingerprint in quotes.";
        ProblemDocument::new(StatusCode::BAD_REQUEST, "If-Match is not understood", detail)
    })
}

async fn show(State(gateway): State<Gateway>) -> Result<Response, ProblemDocument> {
    status(&gateway)
}

async fn try_out(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Body(NewCertificate { certificate, private_key }): Body<NewCertificate>,
) -> Result<Response, ProblemDocument> {
    gateway.try_certificate(&certificate, &private_key.unwrap_or_default(), caller.author())?;
    status(&gateway)
}

async fn confirm(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Result<Response, ProblemDocument> {
    gateway.confirm_certificate(&caller.author(), seen(&headers)?).await?;
    status(&gateway)
}

async fn revert(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Result<Response, ProblemDocument> {
    gateway.revert_certificate(&caller.author(), seen(&headers)?.as_deref())?;
    status(&gateway)
}
