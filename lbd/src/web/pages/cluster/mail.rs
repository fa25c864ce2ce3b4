//! Physical - Advanced: how mail gets to its destination, what waits, and a test.

use askama::Template;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use jiff::Timestamp;
use serde::Deserialize;

use super::ask::{Ask, Pairs};
use super::change::{Told, as_value, write_entry};
use super::section::SectionForm;
use super::tables::{MAIL, fields};
use crate::mail::password;
use crate::view::{FinishedMail, MailView, WaitingMail};
use crate::web::api::ProblemDocument;
use crate::web::pages::frame::Frame;
use crate::web::pages::words::{ago, counted, sentence, time};
use crate::web::pages::{message, page_of};
use crate::web::{Caller, Gateway, Role};

const PAGE: &str = "/local/physical";
const EDIT: &str = "/local/physical/mail/edit";
const PASSWORD: &str = "/local/physical/mail/password";
const DROP: &str = "/local/physical/mail/drop";
/// What operators may send too: a test, and another attempt.
pub(in crate::web) const ORDER_PATH: &str = "/local/physical/mail/order";

const FORM: SectionForm = SectionForm {
    entry: "mail",
    page: PAGE,
    edit: EDIT,
    title: "Edit how mail is sent",
    lead: "Who gets mail is set with the alerts; here stands how it gets there.",
    why: "mail settings changed",
    sections: MAIL,
    read: |document| as_value(&document.mail),
    write: |document, typed| write_entry(&mut document.mail, fields(MAIL), typed, ""),
    references: Vec::new,
};

pub(super) fn routes() -> Router<Gateway> {
    Router::new()
        .route(PAGE, get(show))
        .route(
            EDIT,
            get(async |ask: Ask| FORM.ask(ask))
                .post(async |ask: Ask, pairs: Pairs| FORM.send(ask, pairs).await),
        )
        .route(PASSWORD, post(set_password))
        .route(ORDER_PATH, post(order))
        .route(DROP, post(throw_away))
}

#[derive(Template)]
#[template(path = "cluster/mail.html")]
struct Page {
    frame: Frame,
    notice: Option<String>,
    fault: Option<String>,
    settings: Vec<(&'static str, String)>,
    mail: MailView,
    summary: String,
    waiting: Vec<WaitingRow>,
    finished: Vec<FinishedRow>,
    services: Vec<String>,
    is_operator: bool,
}

struct WaitingRow {
    id: String,
    to: String,
    subject: String,
    since: String,
    attempts: u32,
    next: String,
    last_error: String,
}

struct FinishedRow {
    class: &'static str,
    word: &'static str,
    at: String,
    to: String,
    subject: String,
    words: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Done {
    done: String,
}

impl Done {
    fn notice(&self) -> Option<String> {
        let words = match self.done.as_str() {
            "test" => "A test mail is under way: its end shows below, with the server's own answer.",
            "retry" => "All mails that wait are tried now.",
            "password" => "The password is set.",
            "forgotten" => "The password is removed.",
            "dropped" => "The mail is thrown away.",
            _ => return None,
        };
        Some(words.to_owned())
    }
}

async fn show(ask: Ask, Query(told): Query<Told>, Query(done): Query<Done>) -> Response {
    let notice = done.notice().or_else(|| told.notice(ask.latest().view.configuration_version));
    page(ask, notice, None)
}

fn page(ask: Ask, notice: Option<String>, fault: Option<String>) -> Response {
    let published = ask.latest();
    let now = Timestamp::now();
    let mail = published.view.mail.clone();
    let status = if fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let page = Page {
        notice,
        fault,
        settings: FORM.told(&published.document),
        summary: summary(&mail),
        waiting: mail.waiting.iter().map(|waiting| waiting_row(waiting, now)).collect(),
        finished: mail.finished.iter().map(finished_row).collect(),
        services: published.view.virtual_services.iter().map(|service| service.label.clone()).collect(),
        is_operator: ask.caller.role >= Role::Operator,
        frame: ask.frame,
        mail,
    };
    page_of(status, &page)
}

fn summary(mail: &MailView) -> String {
    let waiting = match mail.waiting_count {
        0 => "No mail waits".to_owned(),
        count => format!("{} waiting to be delivered", counted(count, "mail")),
    };
    match (mail.configured, &mail.last_error) {
        (false, _) => format!("Nobody is to get mail yet. {waiting}."),
        (true, Some(error)) => format!("{waiting}. The last attempt failed: {error}."),
        (true, None) => format!("{waiting}."),
    }
}

fn waiting_row(waiting: &WaitingMail, now: Timestamp) -> WaitingRow {
    let WaitingMail { id, to, subject, since, attempts, next_attempt, last_error } = waiting.clone();
    WaitingRow {
        id,
        to,
        subject,
        since: format!("{}, {} ago", time(since), ago(since, now)),
        attempts,
        next: next_attempt.map_or_else(|| "now".to_owned(), time),
        last_error,
    }
}

fn finished_row(finished: &FinishedMail) -> FinishedRow {
    let FinishedMail { to, subject, at, delivered, words, .. } = finished.clone();
    let (class, word) = if delivered { ("up", "delivered") } else { ("down", "not delivered") };
    FinishedRow { class, word, at: time(at), to, subject, words }
}

/// Never shown again, nor logged.
#[derive(Deserialize)]
struct Given {
    #[serde(default)]
    password: String,
    /// `set` or `forget`.
    to: String,
}

async fn set_password(ask: Ask, Form(Given { password, to }): Form<Given>) -> Response {
    let is_set = to != "forget";
    if is_set && let Err(fault) = password::check(&password) {
        let problem =
            crate::config::Problem { field: "password".into(), problem: fault.problem, remedy: fault.remedy };
        return page(ask, None, Some(sentence(&problem)));
    }
    let result = ask.gateway.set_mail_password(&ask.caller, is_set.then_some(password)).await;
    back(ask.frame, result, if is_set { "password" } else { "forgotten" })
}

#[derive(Deserialize)]
struct Order {
    /// `test` or `retry`.
    order: String,
    #[serde(default)]
    service: String,
}

async fn order(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    frame: Frame,
    Form(Order { order, service }): Form<Order>,
) -> Response {
    if order == "retry" {
        gateway.retry_mail(&caller).await;
        return back(frame, Ok(()), "retry");
    }
    let service = Some(service).filter(|label| !label.is_empty());
    back(frame, gateway.test_alert(&caller, service).await.map(drop), "test")
}

#[derive(Deserialize)]
struct Drop {
    id: String,
}

async fn throw_away(ask: Ask, Form(Drop { id }): Form<Drop>) -> Response {
    let result = ask.gateway.throw_mail_away(&ask.caller, &id).await;
    back(ask.frame, result, "dropped")
}

fn back(frame: Frame, result: Result<(), ProblemDocument>, done: &str) -> Response {
    match result {
        Ok(()) => Redirect::to(&format!("{PAGE}?done={done}")).into_response(),
        Err(problem) => message::refused(frame, &problem),
    }
}
