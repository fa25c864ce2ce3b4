//! WebUI and REST API. Over the local socket for who may open it, over HTTPS for who shows who they are.
//!
//! [`api`] and [`pages`] answer requests, [`guard`] stands before them, [`access`] knows users, tokens and sessions,
//! [`https`] and [`local`] listen. All read the published picture and nothing else; a change goes through the
//! [`Gateway`] as one request with one answer. Every handler finds who asks in `Extension<Caller>`.

pub mod access;
pub mod api;
pub mod certificate;
pub mod guard;
pub mod http;
pub mod https;
pub mod local;
pub mod pages;
pub mod password;
pub mod probe;
pub mod tokens;
pub mod users;

mod attempts;
mod backup;
mod body;
mod caller;
mod carried;
mod change_password;
mod clock;
mod connection;
mod connections;
mod factory_reset;
mod gateway;
mod history;
mod kept_backups;
mod licences;
mod log;
mod login;
mod mail;
pub(crate) mod online;
mod origin;
mod people;
mod persistence;
mod question;
mod queue;
mod restarts;
mod room;
pub(crate) mod secret;
mod server_state;
mod sessions;
mod snmp;
mod sockets;
mod support;
mod tools;
pub(crate) mod update;

use axum::Router;
use axum::extract::{self, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;

use crate::clock::zone;
pub use backup::RestoreReview;
pub use caller::{Caller, Peer, Role};
pub use gateway::{Gateway, Helpers, Published, Request, Wish};
pub(crate) use history::{AVAILABILITY, HISTORY};
pub use log::LogList;
pub use restarts::Restartable;
pub use server_state::Wanted;
pub use sockets::Sockets;

/// Pages and API, without any check of who asks.
pub fn router(gateway: Gateway) -> Router {
    api::routes()
        .merge(login::routes())
        .merge(change_password::routes())
        .merge(pages::routes())
        .layer(from_fn_with_state(gateway.clone(), in_zone))
        .with_state(gateway)
}

/// Middleware: pages tell times in the zone of the configuration.
async fn in_zone(State(gateway): State<Gateway>, request: extract::Request, next: Next) -> Response {
    let zone = gateway.latest().alerting.zone.clone();
    zone::within(zone, next.run(request)).await
}
