//! What every handler of these pages needs to know of a request.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Extension, FromRequestParts};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use super::typed::Typed;
use crate::web::pages::frame::Frame;
use crate::web::pages::page_of;
use crate::web::{Caller, Gateway, Published, Role};

/// Who asks for which page.
pub(super) struct Ask {
    /// The way to the engine.
    pub(super) gateway: Gateway,
    /// Who asks.
    pub(super) caller: Caller,
    /// What is around the answer.
    pub(super) frame: Frame,
    /// The page is there already and asks for the part of it that changes by itself.
    pub(super) wants_live_part: bool,
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
        // The page's script says so, see `evenkeel.js`.
        let wants_live_part = parts.headers.contains_key("hx-request");
        Ok(Self { gateway: gateway.clone(), caller, frame, wants_live_part })
    }
}

/// A page with a part that changes by itself, or that part alone.
pub(super) fn page_or_part<P: Template>(
    wants_part: bool,
    live: impl Template,
    page: impl FnOnce(String) -> P,
) -> Response {
    match wants_part {
        true => page_of(StatusCode::OK, &live),
        false => page_of(StatusCode::OK, &page(live.render().unwrap_or_default())),
    }
}

/// The pairs of a form.
pub(super) type Pairs = axum::extract::Form<Vec<(String, String)>>;

/// As it was typed.
pub(super) fn typed(axum::extract::Form(pairs): Pairs) -> Typed {
    Typed::from(pairs)
}
