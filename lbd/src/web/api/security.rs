//! Who may manage the appliance, where its own services answer, and how these are started anew.

use axum::extract::{Extension, State};
use axum::http::{Method, StatusCode};
use axum::routing::{get, post, put};

use super::resource::{Basis, Body, Named, accepted};
use super::services::{Answer, change, shown_of};
use super::{Least, Operation, ProblemDocument};
use crate::config::Document;
use crate::config::document::SecurityDocument;
use crate::config::values::quoted;
use crate::engine::Accepted;
use crate::web::sockets::Sockets;
use crate::web::{Caller, Gateway, Restartable, Role};

const SECURITY: &str = "/api/v1/security";
const SOCKETS: &str = "/api/v1/sockets";
const RESTART: &str = "/api/v1/sockets/{service}/restart";

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::read(SECURITY, "Which ways to manage the appliance are open, and to whom", get(security))
            .gives::<SecurityDocument>(),
        Operation::write(Method::PUT, SECURITY, "Open or close ways to manage the appliance", put(secure))
            .takes::<SecurityDocument>()
            .gives::<Accepted>()
            .changes(),
        Operation::read(SOCKETS, "Where the appliance's own services answer", get(sockets))
            .gives::<Sockets>(),
        Operation::write(
            Method::PUT,
            SOCKETS,
            "Let the appliance's own services answer elsewhere",
            put(move_sockets),
        )
        .takes::<Sockets>()
        .gives::<Accepted>()
        .changes(),
        Operation::new(
            Method::POST,
            RESTART,
            Least::Role(Role::Operator),
            "Start a service of the appliance anew: webui, snmp or fallback-page",
            post(restart),
        )
        .status(204),
    ]
}

async fn security(State(gateway): State<Gateway>) -> Answer {
    shown_of(&gateway, |document| Ok(document.security.clone().unwrap_or_default()))
}

async fn secure(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    basis: Basis,
    Body(wanted): Body<SecurityDocument>,
) -> Answer {
    let edit = |document: &mut Document| {
        // An empty section says what none says.
        document.security = (wanted != SecurityDocument::default()).then_some(wanted);
        Ok("security".to_owned())
    };
    Ok(accepted(change(&gateway, &caller, basis, edit).await?))
}

async fn sockets(State(gateway): State<Gateway>) -> Answer {
    shown_of(&gateway, |document| Ok(Sockets::of(document)))
}

async fn move_sockets(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    basis: Basis,
    Body(wanted): Body<Sockets>,
) -> Answer {
    let edit = |document: &mut Document| {
        wanted.write(document);
        Ok(String::new())
    };
    Ok(accepted(change(&gateway, &caller, basis, edit).await?))
}

async fn restart(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Named(service): Named<String>,
) -> Result<StatusCode, ProblemDocument> {
    let known = Restartable::named(&service).ok_or_else(|| {
        let words = Restartable::ALL.map(Restartable::word).join(", ");
        ProblemDocument::missing(format!(
            "There is no service {} to restart; there are {words}.",
            quoted(&service)
        ))
    })?;
    gateway.restart(known, &caller).await;
    Ok(StatusCode::NO_CONTENT)
}
