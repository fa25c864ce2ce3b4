//! Health Check Scripts: the list of named checks, and each as the text in which administrators know it.

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use serde::Deserialize;

use super::ask::{Ask, Pairs, typed};
use super::change::{Edited, Told, basis, make};
use super::check_form::{LABEL, Shown, TEMPLATE, beginning, page, problems_of};
use super::check_test::Tested;
use super::confirm::Removal;
use super::typed::{Rejection, Typed};
use super::{for_administrators, missing};
use crate::config::document::HealthCheckDocument;
use crate::config::values::quoted;
use crate::config::{Document, Label, Problem, check_problems};
use crate::engine::Refusal;
use crate::health::template::{self, TEMPLATES};
use crate::web::Gateway;
use crate::web::pages::frame::Frame;
use crate::web::pages::page_of;

const LIST: &str = "/cluster/checks";
/// What operators may send too: it asks a server and changes nothing.
pub(in crate::web) const TEST_PATHS: [&str; 2] =
    ["/cluster/checks/{check}/test", "/cluster/checks/_new/test"];

/// The pages of health checks.
pub(super) fn routes() -> Router<Gateway> {
    let [test, test_new] = TEST_PATHS;
    Router::new()
        .route(LIST, get(list))
        .route("/cluster/checks/_new", get(ask_new).post(add))
        .route("/cluster/checks/{check}", get(show).post(edit))
        .route(test_new, get(async || Redirect::to("/cluster/checks/_new")).post(try_new))
        .route(test, get(back_to_check).post(try_known))
        .route("/cluster/checks/{check}/remove", get(ask_remove).post(remove))
}

fn page_path(label: &str) -> String {
    format!("{LIST}/{label}")
}

fn position(document: &Document, label: &str) -> Option<usize> {
    document.health_check.iter().position(|check| check.label == label)
}

fn users_of<'a>(document: &'a Document, check: &'a str) -> impl Iterator<Item = &'a str> {
    let services = document.virtual_service.iter().filter(move |service| service.health_check == check);
    services.map(|service| service.label.as_str())
}

#[derive(Template)]
#[template(path = "cluster/checks.html")]
struct List {
    frame: Frame,
    notice: Option<String>,
    may_change: bool,
    templates: Vec<(&'static str, &'static str)>,
    rows: Vec<Row>,
}

struct Row {
    label: String,
    template: String,
    asks: String,
    rhythm: String,
    services: Vec<String>,
}

impl Row {
    fn new(check: &HealthCheckDocument, document: &Document) -> Self {
        let known = TEMPLATES.iter().find(|(_, kind, _)| *kind == check.kind);
        let (asks, rhythm) = check_problems(check).map_or_else(
            |_| Default::default(),
            |made| {
                let asks = match made.port {
                    Some(port) => made.question.kind.describe(port),
                    // The port is the server's: it differs from server to server.
                    None => made.question.kind.describe(0).replace("port 0", "the server's port"),
                };
                let rhythm = format!(
                    "every {} s, at most {} s; back after {}, out after {}",
                    made.question.interval.as_secs(),
                    made.question.timeout.as_secs(),
                    made.thresholds.rise,
                    made.thresholds.fall
                );
                (asks, rhythm)
            },
        );
        Self {
            label: check.label.clone(),
            template: known.map_or(check.kind.as_str(), |(name, ..)| name).to_owned(),
            asks,
            rhythm,
            services: users_of(document, &check.label).map(str::to_owned).collect(),
        }
    }
}

async fn list(ask: Ask, Query(told): Query<Told>) -> Response {
    let published = ask.latest();
    let document = &published.document;
    let rows = document.health_check.iter().map(|check| Row::new(check, document)).collect();
    let page = List {
        notice: told.notice(published.view.configuration_version),
        may_change: ask.may_change(),
        templates: TEMPLATES.iter().map(|(name, _, does)| (*name, *does)).collect(),
        rows,
        frame: ask.frame,
    };
    page_of(StatusCode::OK, &page)
}

/// With which template somebody wants to begin.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Beginning {
    template: String,
}

async fn ask_new(ask: Ask, Query(wish): Query<Beginning>) -> Response {
    if !ask.may_change() {
        return for_administrators(ask.frame, &ask.caller);
    }
    let typed = Typed::default().with(TEMPLATE, beginning(&wish.template));
    page(ask, Shown { typed: Some(&typed), ..Shown::default() })
}

async fn show(ask: Ask, Path(label): Path<String>, Query(told): Query<Told>) -> Response {
    let published = ask.latest();
    let notice = told.notice(published.view.configuration_version);
    match position(&published.document, &label) {
        Some(_) => page(ask, Shown { label: Some(&label), notice, ..Shown::default() }),
        None => missing(ask.frame, "health check", &label),
    }
}

async fn back_to_check(Path(label): Path<String>) -> Response {
    match Label::try_from(label.as_str()) {
        Ok(label) => Redirect::to(&page_path(label.as_str())).into_response(),
        Err(_) => Redirect::to(LIST).into_response(),
    }
}

async fn add(ask: Ask, pairs: Pairs) -> Response {
    let typed = typed(pairs);
    let label = typed.text(LABEL).to_owned();
    let why = format!("health check {label} added");
    let edit = |document: &mut Document| {
        let entry = format!("health_check[{}]", document.health_check.len());
        let problems = match read(&typed) {
            Ok(check) => {
                document.health_check.push(check);
                Vec::new()
            }
            Err(problems) => problems,
        };
        Ok(Edited { entry, problems })
    };
    match make(&ask.gateway, &ask.caller, &typed, &why, edit).await {
        Ok(saved) => saved.then(&page_path(&label)),
        Err(rejection) => refused(ask, None, &typed, rejection),
    }
}

async fn edit(ask: Ask, Path(label): Path<String>, pairs: Pairs) -> Response {
    let typed = typed(pairs);
    let why = format!("health check {label} changed");
    let edit = |document: &mut Document| {
        let index = position(document, &label).ok_or_else(|| gone(&label))?;
        let entry = format!("health_check[{index}]");
        let problems = match read(&typed) {
            Ok(check) => {
                replace(document, index, check);
                Vec::new()
            }
            Err(problems) => problems,
        };
        Ok(Edited { entry, problems })
    };
    match make(&ask.gateway, &ask.caller, &typed, &why, edit).await {
        Ok(saved) => saved.then(&page_path(typed.text(LABEL))),
        Err(rejection) => {
            let basis = basis(&ask.gateway, &typed, &rejection).await;
            let typed = followed(basis, typed, &ask.latest().document, &label);
            refused(ask, Some(&label), &typed, rejection)
        }
    }
}

/// A text that was not touched follows what is in force.
fn followed(basis: Option<Document>, typed: Typed, document: &Document, label: &str) -> Typed {
    let text = |document: &Document| {
        let index = position(document, label)?;
        Some(template::render(&document.health_check[index]))
    };
    match (basis.as_ref().and_then(text), text(document)) {
        // Browsers send other line breaks than they were given.
        (Some(before), Some(now)) if before.lines().eq(typed.text(TEMPLATE).lines()) => {
            typed.with(TEMPLATE, now)
        }
        _ => typed,
    }
}

fn refused(ask: Ask, label: Option<&str>, typed: &Typed, rejection: Rejection) -> Response {
    page(ask, Shown { label, typed: Some(typed), rejection: Some(rejection), ..Shown::default() })
}

fn gone(label: &str) -> Refusal {
    Refusal::NoEntry(format!("health check {}", quoted(label)))
}

/// The services that use the check follow its new name.
fn replace(document: &mut Document, index: usize, check: HealthCheckDocument) {
    let before = std::mem::replace(&mut document.health_check[index], check);
    let label = &document.health_check[index].label;
    for service in document.virtual_service.iter_mut().filter(|service| service.health_check == before.label)
    {
        label.clone_into(&mut service.health_check);
    }
}

/// The check that was typed; what is wrong with its name and what with its text in one go.
fn read(typed: &Typed) -> Result<HealthCheckDocument, Vec<Problem>> {
    let label = Label::try_from(typed.text(LABEL)).map_err(|fault| Problem {
        field: LABEL.to_owned(),
        problem: fault.problem,
        remedy: fault.remedy,
    });
    match (label, template::parse(typed.text(TEMPLATE))) {
        (Ok(label), Ok(check)) => Ok(HealthCheckDocument { label: label.as_str().to_owned(), ..check }),
        (label, check) => {
            let faults = check.err().map(problems_of).unwrap_or_default();
            Err(label.err().into_iter().chain(faults).collect())
        }
    }
}

async fn try_new(ask: Ask, pairs: Pairs) -> Response {
    let typed = typed(pairs);
    test(ask, None, &typed).await
}

async fn try_known(ask: Ask, Path(label): Path<String>, pairs: Pairs) -> Response {
    let typed = typed(pairs);
    match position(&ask.latest().document, &label) {
        Some(_) => test(ask, Some(&label), &typed).await,
        None => missing(ask.frame, "health check", &label),
    }
}

/// What is in the form is tested, saved or not.
async fn test(ask: Ask, label: Option<&str>, typed: &Typed) -> Response {
    match Tested::run(&ask.gateway, label, typed).await {
        Ok(tested) => {
            page(ask, Shown { label, typed: Some(typed), tested: Some(tested), ..Shown::default() })
        }
        Err(problems) => refused(ask, label, typed, Rejection::invalid(problems)),
    }
}

async fn ask_remove(ask: Ask, Path(label): Path<String>) -> Response {
    if !ask.may_change() {
        return for_administrators(ask.frame, &ask.caller);
    }
    remove_page(ask, &label, None)
}

async fn remove(ask: Ask, Path(label): Path<String>, pairs: Pairs) -> Response {
    let typed = typed(pairs);
    let why = format!("health check {label} removed");
    let edit = |document: &mut Document| {
        let index = position(document, &label).ok_or_else(|| gone(&label))?;
        document.health_check.remove(index);
        Ok(Edited::default())
    };
    match make(&ask.gateway, &ask.caller, &typed, &why, edit).await {
        Ok(saved) => saved.then(LIST),
        Err(rejection) => remove_page(ask, &label, Some((typed, rejection))),
    }
}

fn remove_page(ask: Ask, label: &str, refused: Option<(Typed, Rejection)>) -> Response {
    let published = ask.latest();
    if position(&published.document, label).is_none() {
        return missing(ask.frame, "health check", label);
    }
    let users: Vec<_> = users_of(&published.document, label).collect();
    let obstacle = match users.is_empty() {
        true => String::new(),
        false => format!("{label} is used by {}. Give those services another check first.", users.join(", ")),
    };
    let removal = Removal {
        title: format!("Remove the health check {label}?"),
        label: label.to_owned(),
        losses: vec!["Its text. No service uses it: nothing that runs changes.".into()],
        obstacle,
        action: format!("{}/remove", page_path(label)),
        back: page_path(label),
    };
    removal.page(ask.frame, &published, refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Format, validate};

    const EXAMPLE: &str = include_str!("../../../../../examples/datalink.toml");

    #[test]
    fn services_follow_the_new_name_of_their_check() {
        let mut document = Document::parse(EXAMPLE, Format::Toml).unwrap();
        let check = HealthCheckDocument { label: "ECHO".into(), ..document.health_check[0].clone() };
        replace(&mut document, 0, check);
        assert_eq!(document.virtual_service[0].health_check, "ECHO");
        assert_eq!(document.virtual_service[1].health_check, "DICOM-C_Echo-Check-VIP2");
        validate(document).unwrap();
    }

    #[test]
    fn what_is_wrong_with_the_name_and_with_the_text_is_told_at_once() {
        let typed = Typed::new(&[(LABEL, "a b"), (TEMPLATE, "template=PING\naec=X\nnonsense")]);
        let problems = read(&typed).unwrap_err();
        let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(fields, [LABEL, TEMPLATE]);
        assert!(problems[1].problem.starts_with("line 3:"), "{problems:?}");
    }

    #[test]
    fn every_template_begins_with_a_check_that_can_be_saved() {
        for (name, kind, _) in TEMPLATES {
            let typed = Typed::new(&[(LABEL, "X"), (TEMPLATE, &beginning(name))]);
            assert_eq!(read(&typed).unwrap().kind, kind, "{name}");
        }
        assert!(beginning("").starts_with("template=DICOM-C-ECHO"));
    }
}
