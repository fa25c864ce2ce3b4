//! REST API, version 1. Every operation stands in one table ([`operations`]), from which come the routes, what each
//! role may do, and the OpenAPI document, so that none of the three can forget one.

mod alerts;
mod appliance;
mod backup;
mod certificate;
mod clock;
mod config;
mod factory_reset;
mod licences;
mod live;
mod openapi;
mod operation;
mod people;
mod problem;
mod recovery;
mod resource;
mod security;
mod services;
mod snmp;
mod syslog;
mod tools;
mod update;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, StatusCode};

use super::Gateway;
use crate::config::document::LARGEST_DOCUMENT;
pub use alerts::Tested;
pub use appliance::ApplianceDocument;
pub(super) use backup::download;
pub use factory_reset::FactoryReset;
pub use operation::{Least, Operation};
pub use problem::ProblemDocument;
pub(super) use problem::{DISK_REMEDY, capitalised};
pub use recovery::RecoveryStep;
pub(super) use resource::Named;
pub use update::Ordered;

/// A little more than the parser takes, so that the parser's error is the one that is read.
pub(super) const LARGEST_BODY: usize = LARGEST_DOCUMENT + 1024;

/// `/api/v1/...`, `/metrics` and what describes them.
pub(super) fn routes() -> Router<Gateway> {
    let router = operations()
        .into_iter()
        .fold(Router::new(), |router, operation| router.route(operation.path, operation.handler));
    router
        .method_not_allowed_fallback(async || {
            ProblemDocument::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "This resource does not take that method",
                "See /api/v1/openapi.json for what it takes.",
            )
        })
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
}

/// Everything there is.
pub fn operations() -> Vec<Operation> {
    [
        live::operations(),
        config::operations(),
        backup::operations(),
        services::operations(),
        people::operations(),
        certificate::operations(),
        alerts::operations(),
        appliance::operations(),
        recovery::operations(),
        factory_reset::operations(),
        licences::operations(),
        clock::operations(),
        super::probe::operations(),
        tools::operations(),
        super::connections::operations(),
        super::persistence::operations(),
        super::log::operations(),
        super::history::operations(),
        syslog::operations(),
        snmp::operations(),
        security::operations(),
        update::operations(),
        super::support::operations(),
        openapi::operations_of(),
    ]
    .concat()
}

/// Who may use a route at least; `None` for what is no route of the API.
pub(super) fn least(method: &Method, path: &str) -> Option<Least> {
    static TABLE: std::sync::LazyLock<Vec<(Method, &'static str, Least)>> = std::sync::LazyLock::new(|| {
        operations()
            .into_iter()
            .map(|operation| (operation.method, operation.path, operation.least))
            .collect()
    });
    let method = if method == Method::HEAD { &Method::GET } else { method };
    TABLE.iter().find(|(known, at, _)| known == method && *at == path).map(|(.., least)| *least)
}
