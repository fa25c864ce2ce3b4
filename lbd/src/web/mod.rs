//! WebUI and REST API. Over the local socket for who may open it, over HTTPS for who knows the password.
//!
//! [`api`] and [`pages`] answer requests, [`auth`] stands before them, [`https`] and [`local`] listen. All read
//! the published picture and nothing else; a change goes to the engine as one request with one answer. The
//! password alone is no part of either: [`password`] keeps it.

pub mod api;
pub mod auth;
pub mod certificate;
pub mod https;
pub mod local;
pub mod pages;
pub mod password;

mod change_password;
mod connection;

use std::sync::Arc;

use axum::Router;
use tokio::sync::{mpsc, oneshot, watch};

use crate::config::Document;
use crate::engine::Refusal;
use crate::view::View;

/// What the engine publishes.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// The state, for everybody.
    pub view: View,
    /// The configuration in force.
    pub document: Arc<Document>,
}

/// Somebody wants another configuration.
#[derive(Debug)]
pub struct ChangeRequest {
    /// The whole document.
    pub document: Document,
    /// The new version, or why there is none.
    pub answer: oneshot::Sender<Result<u64, Refusal>>,
}

/// The way from web and command line to the engine.
#[derive(Debug, Clone)]
pub struct Gateway {
    /// Always the latest picture.
    pub published: watch::Receiver<Arc<Published>>,
    /// Bounded; who sends waits for room.
    pub changes: mpsc::Sender<ChangeRequest>,
}

impl Gateway {
    fn latest(&self) -> Arc<Published> {
        self.published.borrow().clone()
    }
}

/// Pages and API, without any check of who asks.
pub fn router(gateway: Gateway) -> Router {
    api::routes().merge(pages::routes()).with_state(gateway)
}
