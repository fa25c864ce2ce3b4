//! WebUI and REST API. Over the local socket for who may open it, over HTTPS for who knows the password.
//!
//! [`api`] and [`pages`] answer requests, [`auth`] stands before them, [`https`] and [`local`] listen. All read
//! the published picture and nothing else; a change goes through the [`Gateway`] as one request with one answer.
//! Every handler finds who asks in `Extension<Caller>`. The password alone is no part of either: [`password`]
//! keeps it.

pub mod api;
pub mod auth;
pub mod certificate;
pub mod https;
pub mod local;
pub mod pages;
pub mod password;
pub mod probe;

mod caller;
mod change_password;
mod connection;
mod connections;
mod gateway;

use axum::Router;

pub use caller::{Caller, Peer, Role};
pub use gateway::{Gateway, Published, Request, Wish};

/// Pages and API, without any check of who asks.
pub fn router(gateway: Gateway) -> Router {
    api::routes()
        .merge(pages::routes())
        .merge(probe::routes())
        .merge(connections::routes())
        .with_state(gateway)
}
