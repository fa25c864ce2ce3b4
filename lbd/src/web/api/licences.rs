//! The licences of what is shipped: the list, and each text.

use axum::Json;
use axum::extract::State;
use axum::routing::get;
use serde::Deserialize;

use super::resource::Asked;
use super::{Operation, ProblemDocument};
use crate::licences::Shipped;
use crate::web::Gateway;

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::read("/api/v1/licences", "Every component that is shipped, with its licence", get(list))
            .gives::<Shipped>()
            .fails(&[404]),
        Operation::read("/api/v1/licences/text", "A licence text", get(text))
            .query("file", false, "the text, as the list names its file")
            .gives_text("text/plain")
            .fails(&[404]),
    ]
}

async fn list(State(gateway): State<Gateway>) -> Result<Json<Shipped>, ProblemDocument> {
    gateway.shipped().await.map(Json)
}

/// Which text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    file: String,
}

async fn text(
    State(gateway): State<Gateway>,
    Asked(Wanted { file }): Asked<Wanted>,
) -> Result<String, ProblemDocument> {
    gateway.licence_text(file).await
}
