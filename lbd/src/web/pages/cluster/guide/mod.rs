//! Set-up for DoseWatch: one page asks for the pools, the next shows what their servers answer and what will be
//! created, and all of it is created in one change. Plain forms, one after the other.

mod findings;
mod pools;

use askama::Template;
use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use serde_json::json;

use self::findings::{Found, explore};
use self::pools::{COMMON, POOLS, Pool, with_pools};
use super::ask::{Ask, Pairs, typed};
use super::change::{Edited, make};
use super::for_administrators;
use super::form::{About, FormPage, Part};
use super::input::Source;
use super::typed::{Faults, Rejection, Typed};
use crate::engine::Refusal;
use crate::web::pages::frame::Frame;
use crate::web::pages::page_of;
use crate::web::{Gateway, Published};

const PATH: &str = "/cluster/guide";
/// The button that goes back to the first step.
const CHANGE: &str = "change";
/// The button that takes the AE titles that really answer.
const USE: &str = "use";
/// Before the name of an input that such a title is for.
const PROPOSAL: &str = "proposal.";

/// Both steps.
pub(super) fn routes() -> Router<Gateway> {
    Router::new()
        .route(PATH, get(ask_pools).post(look))
        .route("/cluster/guide/create", get(async || Redirect::to(PATH)).post(create))
}

async fn ask_pools(ask: Ask) -> Response {
    if !ask.may_change() {
        return for_administrators(ask.frame, &ask.caller);
    }
    let published = ask.latest();
    first_step(ask.frame, &published, None, None)
}

/// The pools as a form.
fn first_step(
    frame: Frame,
    published: &Published,
    typed: Option<&Typed>,
    rejection: Option<Rejection>,
) -> Response {
    let mut rejection = rejection;
    let mut none = Faults::default();
    let faults = rejection.as_mut().map_or(&mut none, |known| &mut known.faults);
    let nothing = json!({});
    let source = Source { entry: &nothing, typed, prefix: "", references: &[], outdated: false };
    let mut parts: Vec<_> = POOLS
        .iter()
        .map(|pool| {
            let lead = pool.lead(&published.document);
            let source = Source { prefix: pool.prefix, ..source };
            let inputs = pool.fields.iter().map(|field| field.input(source, faults)).collect();
            Part { title: pool.title.to_owned(), lead, inputs, ..Part::default() }
        })
        .collect();
    let common = COMMON.iter().map(|field| field.input(source, faults)).collect();
    parts.push(Part { title: "For all pools".into(), inputs: common, ..Part::default() });
    let about = About {
        title: "Set-up for DoseWatch".into(),
        lead: "Give the pools that you have, one to three; leave the others blank. The next page shows whether the \
               servers answer, and what will be created. Nothing is changed before that."
            .into(),
        action: PATH.into(),
        back: "/cluster/services".into(),
        submit: "Ask the servers",
        without_comment: true,
        ..About::default()
    };
    FormPage::new(frame, about, parts, typed, rejection)
        .answer(&published.document, published.view.configuration_version)
}

#[derive(Template)]
#[template(path = "cluster/guide.html")]
struct Summary {
    frame: Frame,
    rejection: Option<Rejection>,
    pools: Vec<Found>,
    /// What will be different, in words.
    lines: Vec<String>,
    /// All that was typed, to be sent again.
    hidden: Vec<(String, String)>,
    based_on: u64,
}

impl Summary {
    fn proposals(&self) -> impl Iterator<Item = (String, &str)> {
        let found = self.pools.iter();
        found.filter_map(|pool| Some((format!("{PROPOSAL}{}", pool.title_input), pool.proposal.as_deref()?)))
    }

    fn answers(&self) -> bool {
        self.pools.iter().all(|pool| pool.servers.iter().all(|server| server.passed))
    }
}

async fn look(ask: Ask, pairs: Pairs) -> Response {
    let typed = typed(pairs);
    if typed.get(CHANGE).is_some() {
        return first_step(ask.frame, &ask.gateway.latest(), Some(&typed), None);
    }
    let typed = if typed.get(USE).is_some() { with_proposals(&typed) } else { typed };
    second_step(ask, &typed, None).await
}

/// The AE titles that answer, in place of those that were typed.
fn with_proposals(typed: &Typed) -> Typed {
    let proposals: Vec<_> = typed
        .pairs()
        .filter_map(|(name, title)| Some((name.strip_prefix(PROPOSAL)?.to_owned(), title.to_owned())))
        .collect();
    proposals.into_iter().fold(typed.clone(), |typed, (name, title)| typed.with(&name, title))
}

/// What the servers say, and what will be created.
async fn second_step(ask: Ask, typed: &Typed, rejection: Option<Rejection>) -> Response {
    let published = ask.latest();
    let document = &published.document;
    let planned = match with_pools(document, typed) {
        Ok(planned) => planned,
        Err(problems) => {
            return first_step(ask.frame, &published, Some(typed), Some(Rejection::invalid(problems)));
        }
    };
    let pools = explore(&ask.gateway, planned.pools).await;
    let hidden = typed.pairs().filter(|(name, _)| name.starts_with("pool") || *name == COMMON[0].path);
    let status = rejection.as_ref().map_or(StatusCode::OK, |known| known.status);
    let page = Summary {
        frame: ask.frame,
        rejection,
        pools,
        lines: planned.lines,
        hidden: hidden.map(|(name, text)| (name.to_owned(), text.to_owned())).collect(),
        based_on: published.view.configuration_version,
    };
    page_of(status, &page)
}

async fn create(ask: Ask, pairs: Pairs) -> Response {
    let typed = typed(pairs);
    let edit = |document: &mut crate::config::Document| {
        *document = with_pools(document, &typed).map_err(Refusal::Invalid)?.document;
        Ok(Edited::default())
    };
    match make(&ask.gateway, &ask.caller, &typed, "set-up for DoseWatch", edit).await {
        Ok(saved) => saved.then("/cluster/services"),
        Err(rejection) if rejection.faults == Faults::default() => {
            second_step(ask, &typed, Some(rejection)).await
        }
        Err(rejection) => {
            let published = ask.latest();
            first_step(ask.frame, &published, Some(&typed), Some(rejection)).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_that_answer_take_the_place_of_those_that_were_typed() {
        let typed =
            Typed::new(&[("pool2.aec", "DW_MPPS_SCP"), ("proposal.pool2.aec", "DW_RDSR_SCP"), ("use", "1")]);
        let typed = with_proposals(&typed);
        assert_eq!(typed.text("pool2.aec"), "DW_RDSR_SCP");
        assert_eq!(typed.get("pool2.aec"), typed.get("proposal.pool2.aec"));
    }
}
