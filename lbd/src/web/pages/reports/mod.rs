//! Reports: graphs, the availability of a month, and what is kept for both.

mod availability;
mod chart;
mod graphing;
mod graphs;

use axum::Router;
use axum::response::Redirect;
use axum::routing::get;

use crate::web::Gateway;

/// The graphs.
pub(in crate::web) const GRAPHS: &str = "/reports/graphs";
/// The availability report.
pub(in crate::web) const AVAILABILITY_PAGE: &str = "/reports/availability";
/// What is kept.
pub(in crate::web) const GRAPHING: &str = "/local/graphing";

pub(super) fn routes() -> Router<Gateway> {
    Router::new()
        .route("/reports", get(async || Redirect::to(GRAPHS)))
        .route(GRAPHS, get(graphs::page))
        .route(AVAILABILITY_PAGE, get(availability::page))
        .route(GRAPHING, get(graphing::page))
}
