//! The SNMP agent: how it stands, its secrets, a restart.

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{Method, StatusCode};
use axum::routing::{delete, get, post, put};
use schemars::JsonSchema;
use serde::Deserialize;

use super::resource::{Body, Named};
use super::{Least, Operation, ProblemDocument};
use crate::snmp::secret::NewPassphrases;
use crate::view::SnmpView;
use crate::web::{Caller, Gateway, Role};

const SNMP: &str = "/api/v1/snmp";
const RESTART: &str = "/api/v1/snmp/restart";
const COMMUNITY: &str = "/api/v1/snmp/community";
const PASSPHRASES: &str = "/api/v1/snmp/users/{user}/passphrases";

pub(super) fn operations() -> Vec<Operation> {
    let write = |method, path, summary, handler| {
        Operation::write(method, path, summary, handler).status(204).fails(&[507])
    };
    vec![
        Operation::read(SNMP, "How the SNMP agent stands, and what came to it", get(show))
            .gives::<SnmpView>(),
        Operation::new(
            Method::POST,
            RESTART,
            Least::Role(Role::Operator),
            "Start the SNMP agent anew",
            post(restart),
        )
        .status(204),
        write(
            Method::PUT,
            COMMUNITY,
            "Set the community of SNMP versions 1 and 2c; no answer ever shows it",
            put(set_community),
        )
        .takes::<CommunityDocument>(),
        write(
            Method::DELETE,
            COMMUNITY,
            "Forget the community: versions 1 and 2c are answered to nobody",
            delete(forget_community),
        ),
        write(
            Method::PUT,
            PASSPHRASES,
            "Set passphrases of a user of SNMP version 3; what is not given stays, no answer ever shows them",
            put(set_passphrases),
        )
        .takes::<PassphrasesDocument>(),
    ]
}

/// The community of versions 1 and 2c.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CommunityDocument {
    /// 1 to 64 letters, digits and signs of `[]#~_*!=$%?{}@:;^`.
    community: String,
}

/// Passphrases of a user, each of 8 to 64 of the same characters.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PassphrasesDocument {
    /// Proves messages.
    #[serde(default)]
    authentication: Option<String>,
    /// Encrypts them.
    #[serde(default)]
    privacy: Option<String>,
}

async fn show(State(gateway): State<Gateway>) -> Json<SnmpView> {
    Json(gateway.latest().view.snmp.clone())
}

async fn restart(State(gateway): State<Gateway>, Extension(caller): Extension<Caller>) -> StatusCode {
    gateway.restart_snmp(&caller).await;
    StatusCode::NO_CONTENT
}

async fn set_community(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Body(CommunityDocument { community }): Body<CommunityDocument>,
) -> Result<StatusCode, ProblemDocument> {
    gateway.set_snmp_community(&caller, Some(community)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn forget_community(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
) -> Result<StatusCode, ProblemDocument> {
    gateway.set_snmp_community(&caller, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn set_passphrases(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Named(user): Named<String>,
    Body(PassphrasesDocument { authentication, privacy }): Body<PassphrasesDocument>,
) -> Result<StatusCode, ProblemDocument> {
    gateway.set_snmp_passphrases(&caller, &user, NewPassphrases { authentication, privacy }).await?;
    Ok(StatusCode::NO_CONTENT)
}
