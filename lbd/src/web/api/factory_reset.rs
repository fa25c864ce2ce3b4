//! The factory reset.

use axum::extract::{Extension, State};
use axum::http::{Method, StatusCode};
use axum::routing::post;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::resource::Body;
use super::{Operation, ProblemDocument};
use crate::web::factory_reset::Confirmation;
use crate::web::{Caller, Gateway};

pub(super) fn operations() -> Vec<Operation> {
    let summary = "Erase everything but the installed versions, and restart";
    vec![
        Operation::write(Method::POST, "/api/v1/factory-reset", summary, post(reset))
            .takes::<FactoryReset>()
            .status(202)
            .fails(&[409, 429]),
    ]
}

/// What confirms a factory reset.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FactoryReset {
    /// Whose password it is: for programs, which have none of their own, an administrator. A user leaves it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Your own password, as at the log-in.
    pub password: String,
    /// The host name of the appliance that is to forget everything.
    pub host_name: String,
}

async fn reset(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Body(FactoryReset { user, password, host_name }): Body<FactoryReset>,
) -> Result<StatusCode, ProblemDocument> {
    gateway.reset_to_factory(&caller, Confirmation { user, password, host_name }).await?;
    Ok(StatusCode::ACCEPTED)
}
