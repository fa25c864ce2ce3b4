//! SNMP Configuration: who may ask, their secrets, how the agent stands, what came.

use askama::Template;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use jiff::Timestamp;
use serde::Deserialize;

use super::ask::{Ask, Pairs};
use super::change::{Told, as_value, write_entry};
use super::section::SectionForm;
use super::tables::{SNMP, fields};
use crate::config::document::{SnmpTrapDocument, SnmpUserDocument};
use crate::snmp::MODULE;
use crate::snmp::secret::NewPassphrases;
use crate::view::{SnmpTrapView, SnmpUserView, SnmpView};
use crate::web::api::ProblemDocument;
use crate::web::pages::frame::Frame;
use crate::web::pages::words::{ago, grouped};
use crate::web::pages::{message, page_of};
use crate::web::{Caller, Gateway, Role};

pub(super) const PAGE: &str = "/local/snmp";
const EDIT: &str = "/local/snmp/edit";
/// What operators may send too: a restart.
pub(in crate::web) const ORDER_PATH: &str = "/local/snmp/order";

const FORM: SectionForm = SectionForm {
    entry: "snmp",
    page: PAGE,
    edit: EDIT,
    title: "Edit the SNMP agent",
    lead: "Community, users and passphrases are set on the page before this one.",
    why: "SNMP settings changed",
    sections: SNMP,
    references: Vec::new,
    read: |document| as_value(&document.snmp),
    write: |document, typed| write_entry(&mut document.snmp, fields(SNMP), typed, ""),
};

pub(super) fn routes() -> Router<Gateway> {
    Router::new()
        .route(PAGE, get(show))
        .route(
            EDIT,
            get(async |ask: Ask| FORM.ask(ask))
                .post(async |ask: Ask, pairs: Pairs| FORM.send(ask, pairs).await),
        )
        .route("/local/snmp/community", post(set_community))
        .route("/local/snmp/passphrases", post(set_passphrases))
        .route("/local/snmp/EVENKEEL-MIB.txt", get(download))
        .route(ORDER_PATH, post(order))
}

#[derive(Template)]
#[template(path = "cluster/snmp.html")]
struct Page {
    frame: Frame,
    notice: Option<String>,
    settings: Vec<(&'static str, String)>,
    snmp: SnmpView,
    users: Vec<SnmpUserView>,
    traps: Vec<TrapRow>,
    state: (&'static str, &'static str),
    since: String,
    counted: Vec<(&'static str, String)>,
    is_operator: bool,
}

struct TrapRow {
    trap: SnmpTrapView,
    class: &'static str,
    word: &'static str,
    last_sent: String,
}

impl TrapRow {
    fn new(trap: &SnmpTrapView, now: Timestamp) -> Self {
        let (class, word) = match (&trap.last_error, trap.last_sent) {
            (Some(_), _) => ("down", "not told"),
            (None, Some(_)) => ("up", "told"),
            (None, None) => ("checking", "nothing to tell yet"),
        };
        let last_sent = trap.last_sent.map(|at| format!("{} ago", ago(at, now))).unwrap_or_default();
        Self { trap: trap.clone(), class, word, last_sent }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Done {
    done: String,
}

impl Done {
    fn notice(&self) -> Option<String> {
        let words = match self.done.as_str() {
            "test" => "A test alert is under way to everybody who is told of alerts, by mail too.",
            "restart" => "The SNMP agent was started anew.",
            "community" => "The community is set.",
            "forgotten" => "The community is removed.",
            "passphrases" => "What was typed is set; passphrases that were left blank are as they were.",
            _ => return None,
        };
        Some(words.to_owned())
    }
}

async fn show(ask: Ask, Query(told): Query<Told>, Query(done): Query<Done>) -> Response {
    let published = ask.latest();
    let snmp = published.view.snmp.clone();
    let counted = snmp.counters.told().map(|(what, count)| (what, grouped(count)));
    let page = Page {
        notice: done.notice().or_else(|| told.notice(published.view.configuration_version)),
        settings: FORM.told(&published.document),
        users: users(&ask, &snmp),
        traps: traps(&ask, &snmp),
        state: state(&snmp),
        since: snmp.since.map(|since| ago(since, Timestamp::now())).unwrap_or_default(),
        counted: counted.into(),
        is_operator: ask.caller.role >= Role::Operator,
        snmp,
        frame: ask.frame,
    };
    page_of(StatusCode::OK, &page)
}

/// Those of the configuration: the agent tells of them a moment later, and of none while nobody is answered.
fn users(ask: &Ask, snmp: &SnmpView) -> Vec<SnmpUserView> {
    let document = ask.latest().document.clone();
    let users = document.snmp.iter().flat_map(|snmp| &snmp.user);
    let usual = |word: &Option<String>, usual: &str| word.clone().unwrap_or_else(|| usual.to_owned());
    let configured = |user: &SnmpUserDocument| SnmpUserView {
        name: user.name.clone(),
        authentication: usual(&user.authentication, "sha256"),
        privacy: usual(&user.privacy, "aes128"),
        ..SnmpUserView::default()
    };
    let told = |user: &SnmpUserDocument| snmp.users.iter().find(|told| told.name == user.name).cloned();
    users.map(|user| told(user).unwrap_or_else(|| configured(user))).collect()
}

/// The same for who is told of alerts.
fn traps(ask: &Ask, snmp: &SnmpView) -> Vec<TrapRow> {
    let document = ask.latest().document.clone();
    let traps = document.snmp.iter().flat_map(|snmp| &snmp.trap);
    let configured = |trap: &SnmpTrapDocument| SnmpTrapView {
        label: trap.label.clone(),
        place: trap.address.clone(),
        version: trap.version.clone().unwrap_or_else(|| "v2c".to_owned()),
        user: trap.user.clone().unwrap_or_default(),
        inform: trap.inform.unwrap_or_default(),
        ..SnmpTrapView::default()
    };
    // Right after a change the agent may tell of the address before it.
    let is_of = |told: &SnmpTrapView, trap: &SnmpTrapDocument| {
        told.label == trap.label && told.place.contains(trap.address.as_str())
    };
    let told = |trap: &SnmpTrapDocument| snmp.traps.iter().find(|told| is_of(told, trap)).cloned();
    let now = Timestamp::now();
    traps.map(|trap| TrapRow::new(&told(trap).unwrap_or_else(|| configured(trap)), now)).collect()
}

fn state(snmp: &SnmpView) -> (&'static str, &'static str) {
    match (snmp.configured, snmp.listening, snmp.problems.is_empty()) {
        (false, ..) => ("off", "off"),
        (true, true, true) => ("up", "answers"),
        (true, true, false) => ("degraded", "answers in part"),
        (true, false, _) => ("down", "does not answer"),
    }
}

/// Never shown again, nor logged.
#[derive(Deserialize)]
struct Community {
    #[serde(default)]
    community: String,
    /// `set` or `forget`.
    to: String,
}

async fn set_community(ask: Ask, Form(Community { community, to }): Form<Community>) -> Response {
    let is_set = to != "forget";
    let result = ask.gateway.set_snmp_community(&ask.caller, is_set.then_some(community)).await;
    back(ask.frame, result, if is_set { "community" } else { "forgotten" })
}

/// Never shown again, nor logged.
#[derive(Deserialize)]
struct Passphrases {
    user: String,
    #[serde(default)]
    authentication: String,
    #[serde(default)]
    privacy: String,
}

async fn set_passphrases(
    ask: Ask,
    Form(Passphrases { user, authentication, privacy }): Form<Passphrases>,
) -> Response {
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    let new = NewPassphrases { authentication: given(authentication), privacy: given(privacy) };
    let result = ask.gateway.set_snmp_passphrases(&ask.caller, &user, new).await;
    back(ask.frame, result, "passphrases")
}

#[derive(Deserialize)]
struct Order {
    /// `restart` or `test`.
    order: String,
}

async fn order(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    frame: Frame,
    Form(Order { order }): Form<Order>,
) -> Response {
    if order == "test" {
        return back(frame, gateway.test_alert(&caller, None).await.map(drop), "test");
    }
    gateway.restart_snmp(&caller).await;
    back(frame, Ok(()), "restart")
}

fn back(frame: Frame, result: Result<(), ProblemDocument>, done: &str) -> Response {
    match result {
        Ok(()) => Redirect::to(&format!("{PAGE}?done={done}")).into_response(),
        Err(problem) => message::refused(frame, &problem),
    }
}

async fn download() -> Response {
    let headers = [
        (CONTENT_TYPE, "text/plain; charset=us-ascii"),
        (CONTENT_DISPOSITION, "attachment; filename=\"EVENKEEL-MIB.txt\""),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, MODULE).into_response()
}
