//! What every handler of these pages needs to know of a request.

use std::sync::Arc;

use axum::extract::{Extension, FromRequestParts};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use super::typed::Typed;
use crate::web::pages::frame::Frame;
use crate::web::{Caller, Gateway, Published, Role};

/// Who asks for which page.
pub(super) struct Ask {
    /// The way to the engine.
    pub(super) gateway: Gateway,
    /// Who asks.
    pub(super) caller: Caller,
    /// What is around the answer.
    pub(super) frame: Frame,
}

impl Ask {
    /// Whether the configuration may be changed; who may not is not offered to.
    pub(super) fn may_change(&self) -> bool {
        self.caller.role >= Role::Administrator
    }

    /// The state and the configuration in force.
    pub(super) fn latest(&self) -> Arc<Published> {
        self.gateway.latest()
    }
}

impl FromRequestParts<Gateway> for Ask {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Response> {
        let caller = Extension::<Caller>::from_request_parts(parts, gateway).await;
        let Extension(caller) = caller.map_err(IntoResponse::into_response)?;
        let Ok(frame) = Frame::from_request_parts(parts, gateway).await;
        Ok(Self { gateway: gateway.clone(), caller, frame })
    }
}

/// The pairs of a form.
pub(super) type Pairs = axum::extract::Form<Vec<(String, String)>>;

/// As it was typed.
pub(super) fn typed(axum::extract::Form(pairs): Pairs) -> Typed {
    Typed::from(pairs)
}
