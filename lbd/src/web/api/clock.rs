//! The clock: how it stands, and setting it.

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{Method, StatusCode};
use axum::routing::{get, post, put};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::resource::Body;
use super::{Least, Operation, ProblemDocument};
use crate::view::ClockView;
use crate::web::{Caller, Gateway, Role};

const CLOCK: &str = "/api/v1/clock";
const SYNCHRONISE: &str = "/api/v1/clock/synchronise";

pub(super) fn operations() -> Vec<Operation> {
    let least = Least::Role(Role::Operator);
    let summary = "Start the time daemon anew, so that it sets the clock at once";
    vec![
        Operation::read(CLOCK, "How the clock stands", get(show)).gives::<ClockView>(),
        Operation::write(Method::PUT, CLOCK, "Set the clock by hand, where there is no NTP server", put(set))
            .takes::<ClockDocument>()
            .status(204)
            .fails(&[409]),
        Operation::new(Method::POST, SYNCHRONISE, least, summary, post(synchronise))
            .status(204)
            .fails(&[409]),
    ]
}

/// What time it is.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ClockDocument {
    /// For example `2026-11-26T13:00:00Z`.
    time: Timestamp,
}

async fn show(State(gateway): State<Gateway>) -> Json<ClockView> {
    Json(gateway.latest().view.clock.clone())
}

async fn set(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Body(ClockDocument { time }): Body<ClockDocument>,
) -> Result<StatusCode, ProblemDocument> {
    gateway.set_clock(&caller, time).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn synchronise(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
) -> Result<StatusCode, ProblemDocument> {
    gateway.synchronise_clock(&caller).await?;
    Ok(StatusCode::NO_CONTENT)
}
