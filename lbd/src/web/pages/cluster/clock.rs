//! System Date & Time: how the clock stands, zone and NTP servers, setting it by hand.

use askama::Template;
use axum::Router;
use axum::extract::{Form, Query};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::ask::{Ask, Pairs};
use super::change::{Told, as_value, write_entry};
use super::input::Choosable;
use super::section::SectionForm;
use super::tables::{TIME, fields};
use crate::clock::standing::off_by;
use crate::clock::zone;
use crate::config::Problem;
use crate::view::{ClockState, ClockView, TimeServerView};
use crate::web::api::ProblemDocument;
use crate::web::pages::frame::Frame;
use crate::web::pages::words::{Badge, ago, sentence, time};
use crate::web::pages::{message, page_of};
use crate::web::{Gateway, Role};

const PAGE: &str = "/local/time";
const SET: &str = "/local/time/set";
/// What operators may send too.
pub(in crate::web) const ORDER_PATH: &str = "/local/time/synchronise";

const FORM: SectionForm = SectionForm {
    entry: "time",
    page: PAGE,
    edit: "/local/time/edit",
    title: "Edit date and time",
    lead: "The change takes effect at once; checks, sessions and connections do not depend on the clock.",
    why: "date and time settings changed",
    sections: TIME,
    read: |document| as_value(&document.time),
    write: |document, typed| write_entry(&mut document.time, fields(TIME), typed, ""),
    references: || {
        let zone = |name: String| Choosable { value: name.clone(), words: name, group: "" };
        zone::names().into_iter().map(zone).collect()
    },
};

pub(super) fn routes() -> Router<Gateway> {
    Router::new()
        .route(PAGE, get(show))
        .route(
            FORM.edit,
            get(async |ask: Ask| FORM.ask(ask))
                .post(async |ask: Ask, pairs: Pairs| FORM.send(ask, pairs).await),
        )
        .route(ORDER_PATH, post(synchronise))
        .route(SET, post(set))
}

#[derive(Template)]
#[template(path = "cluster/clock.html")]
struct Page {
    frame: Frame,
    notice: Option<String>,
    fault: Option<String>,
    badge: Badge,
    reason: String,
    facts: Vec<(&'static str, String)>,
    servers: Vec<Row>,
    settings: Vec<(&'static str, String)>,
    /// The clock can be set by hand, and what stands in the input.
    by_hand: Option<String>,
    zone: String,
    is_operator: bool,
    is_free: bool,
}

struct Row {
    class: &'static str,
    word: &'static str,
    server: String,
    /// Where it is known by name.
    address: Option<String>,
    offset: String,
    round_trip: String,
    stratum: String,
    reason: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Done {
    done: String,
}

impl Done {
    fn notice(&self) -> Option<String> {
        let words = match self.done.as_str() {
            "asked" => "The servers are being asked; load the page again in some seconds.",
            "set" => "The clock is set.",
            _ => return None,
        };
        Some(words.to_owned())
    }
}

async fn show(ask: Ask, Query(told): Query<Told>, Query(done): Query<Done>) -> Response {
    let notice = done.notice().or_else(|| told.notice(ask.latest().view.configuration_version));
    page(ask, notice, None)
}

fn page(ask: Ask, notice: Option<String>, typed: Option<(String, String)>) -> Response {
    let published = ask.latest();
    let clock = published.view.clock.clone();
    let now = Timestamp::now();
    let is_free = clock.state == ClockState::Free;
    let (fault, typed) = typed.unzip();
    let status = if fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let by_hand = (clock.may_set && is_free && ask.may_change()).then(|| {
        typed.unwrap_or_else(|| now.to_zoned(zone::of_request()).strftime("%Y-%m-%d %H:%M:%S").to_string())
    });
    let page = Page {
        notice,
        fault,
        badge: badge(clock.state),
        reason: clock.reason.clone(),
        facts: facts(&clock, now),
        servers: clock.servers.iter().map(row).collect(),
        settings: FORM.told(&published.document),
        by_hand,
        zone: clock.zone,
        is_operator: ask.caller.role >= Role::Operator,
        is_free,
        frame: ask.frame,
    };
    page_of(status, &page)
}

fn badge(state: ClockState) -> Badge {
    let (class, word) = match state {
        ClockState::Free => ("off", "not synchronised"),
        ClockState::Starting => ("checking", "starting"),
        ClockState::Synchronised => ("up", "synchronised"),
        ClockState::Measured => ("up", "measured"),
        ClockState::Unsynchronised => ("down", "not synchronised"),
    };
    Badge { class, word }
}

fn facts(clock: &ClockView, now: Timestamp) -> Vec<(&'static str, String)> {
    let mut facts = vec![("Present time", time(now))];
    if zone::of_request() != TimeZone::UTC {
        facts.push(("The same in UTC", zone::time(now, &TimeZone::UTC)));
    }
    if let (Some(offset), Some(source)) = (clock.offset_seconds, &clock.source) {
        facts.push(("The clock is", format!("{} by {source}", off_by(offset))));
    }
    if clock.state != ClockState::Free {
        facts.push(("Since", format!("{}, {} ago", time(clock.since), ago(clock.since, now))));
    }
    facts
}

fn row(server: &TimeServerView) -> Row {
    let (class, word) = match (server.answers, server.offset_seconds) {
        (true, _) => ("up", "answers"),
        (false, None) if server.reason == "is being asked" => ("checking", "being asked"),
        (false, _) => ("down", "no answer"),
    };
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".into());
    let address = server.address.map(|address| address.to_string());
    Row {
        class,
        word,
        server: server.server.clone(),
        address: address.filter(|address| *address != server.server),
        offset: or_none(server.offset_seconds.map(off_by)),
        round_trip: or_none(server.round_trip_seconds.map(|seconds| format!("{:.1}", seconds * 1e3))),
        stratum: or_none(server.stratum.map(|stratum| stratum.to_string())),
        reason: if server.answers { String::new() } else { server.reason.clone() },
    }
}

async fn synchronise(ask: Ask) -> Response {
    let result = ask.gateway.synchronise_clock(&ask.caller).await;
    back(ask.frame, result, "asked")
}

#[derive(Deserialize)]
struct Given {
    #[serde(default)]
    time: String,
}

async fn set(ask: Ask, Form(Given { time }): Form<Given>) -> Response {
    match read(&time, zone::of_request()) {
        Ok(time) => {
            let result = ask.gateway.set_clock(&ask.caller, time).await;
            back(ask.frame, result, "set")
        }
        Err(problem) => page(ask, None, Some((sentence(&problem), time))),
    }
}

/// Date and time as people write them, in their zone.
fn read(text: &str, zone: TimeZone) -> Result<Timestamp, Problem> {
    let wrong = |problem: String| Problem {
        field: "time".into(),
        problem,
        remedy: "write date and time as 2026-11-26 14:00:00".into(),
    };
    let shown = crate::config::values::quoted(text);
    let written: DateTime =
        text.trim().parse().map_err(|_| wrong(format!("{shown} is no date with a time")))?;
    let zoned = written.to_zoned(zone).map_err(|_| wrong(format!("{shown} is out of range")))?;
    Ok(zoned.timestamp())
}

fn back(frame: Frame, result: Result<(), ProblemDocument>, done: &str) -> Response {
    match result {
        Ok(()) => Redirect::to(&format!("{PAGE}?done={done}")).into_response(),
        Err(problem) => message::refused(frame, &problem),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_in_the_zone_of_the_page() {
        let berlin = zone::named("Europe/Berlin").unwrap();
        let read = |text: &str| read(text, berlin.clone()).map(|time| time.to_string());
        assert_eq!(read(" 2026-11-26 14:00:00 ").unwrap(), "2026-11-26T13:00:00Z");
        assert_eq!(read("2026-07-01T02:00").unwrap(), "2026-07-01T00:00:00Z");
        for wrong in ["", "now", "14:00", "2026-13-01 00:00:00", "26.11.2026 14:00"] {
            assert!(read(wrong).unwrap_err().problem.contains("is no date with a time"), "{wrong}");
        }
    }
}
