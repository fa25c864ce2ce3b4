//! The certificate of the WebUI: which one is shown, and another one, on trial at first.

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::Method;
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

fn status(gateway: &Gateway) -> Result<Json<CertificateStatus>, ProblemDocument> {
    Ok(Json(gateway.certificates().status().ok_or(CertificateRefusal::NotReady)?))
}

async fn show(State(gateway): State<Gateway>) -> Result<Json<CertificateStatus>, ProblemDocument> {
    status(&gateway)
}

async fn try_out(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Body(NewCertificate { certificate, private_key }): Body<NewCertificate>,
) -> Result<Json<CertificateStatus>, ProblemDocument> {
    gateway.try_certificate(&certificate, &private_key.unwrap_or_default(), caller.author())?;
    status(&gateway)
}

async fn confirm(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<CertificateStatus>, ProblemDocument> {
    gateway.confirm_certificate(&caller.author()).await?;
    status(&gateway)
}

async fn revert(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<CertificateStatus>, ProblemDocument> {
    gateway.revert_certificate(&caller.author())?;
    status(&gateway)
}
