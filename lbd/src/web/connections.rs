//! Connections over the API: those that are open, and those that were.

use std::net::IpAddr;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use jiff::Timestamp;
use serde::Deserialize;

use super::Gateway;
use super::api::{Operation, ProblemDocument};
use super::question::{MOMENTS, moment, shortened};
use crate::conntrack::list::{self, ConnectionList, LONGEST};
use crate::conntrack::lookup::ClosedList;
use crate::conntrack::ring;

/// `/api/v1/connections` and `/api/v1/closed-connections`.
pub(super) fn operations() -> Vec<Operation> {
    let operation = |path, summary, handler| {
        Operation::read(path, summary, handler).gives_text("application/json").fails(&[400])
    };
    vec![
        operation("/api/v1/connections", "Open connections", get(open_connections)),
        operation("/api/v1/closed-connections", "Closed connections", get(closed_connections)),
    ]
}

/// What the question says; everything in it is text, so that each mistake can be named.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    client: Option<String>,
    service: Option<String>,
    server: Option<String>,
    port: Option<String>,
    since: Option<String>,
    until: Option<String>,
    limit: Option<String>,
}

async fn open_connections(
    State(gateway): State<Gateway>,
    question: Result<Query<Question>, QueryRejection>,
) -> Result<Json<ConnectionList>, ProblemDocument> {
    let question = understood(question)?;
    if question.since.is_some() || question.until.is_some() {
        return Err(wrong("since and until are for closed connections: ask /api/v1/closed-connections"));
    }
    let wanted = list::Wanted {
        client: question.client()?,
        port: question.port()?,
        limit: question.limit()?,
        service: question.service,
        server: question.server,
    };
    gateway.connections().open(&wanted).await.map(Json).map_err(unanswered)
}

async fn closed_connections(
    State(gateway): State<Gateway>,
    question: Result<Query<Question>, QueryRejection>,
) -> Result<Json<ClosedList>, ProblemDocument> {
    let question = understood(question)?;
    let now = Timestamp::now();
    let wanted = ring::Wanted {
        client: question.client()?,
        port: question.port()?,
        since: question.since.as_deref().map(|text| instant("since", text, now)).transpose()?,
        until: question.until.as_deref().map(|text| instant("until", text, now)).transpose()?,
        limit: question.limit()?,
        service: question.service,
        server: question.server,
    };
    gateway.connections().closed(wanted).await.map(Json).map_err(unanswered)
}

fn understood(question: Result<Query<Question>, QueryRejection>) -> Result<Question, ProblemDocument> {
    question.map(|Query(question)| question).map_err(|rejection| {
        wrong(format!(
            "{}; use client, service, server, port, limit, and for closed connections since and until",
            rejection.body_text()
        ))
    })
}

impl Question {
    fn client(&self) -> Result<Option<IpAddr>, ProblemDocument> {
        parsed("client", self.client.as_deref(), "an IP address, for example 192.168.10.50")
    }

    fn port(&self) -> Result<Option<u16>, ProblemDocument> {
        parsed("port", self.port.as_deref(), "a number from 0 to 65535")
    }

    fn limit(&self) -> Result<usize, ProblemDocument> {
        let remedy = format!("a number from 1 to {LONGEST}");
        let limit = parsed("limit", self.limit.as_deref(), &remedy)?.unwrap_or(LONGEST);
        match limit {
            1..=LONGEST => Ok(limit),
            _ => Err(wrong(format!("limit={limit} is out of range: give {remedy}"))),
        }
    }
}

fn parsed<T: std::str::FromStr>(
    name: &str,
    text: Option<&str>,
    remedy: &str,
) -> Result<Option<T>, ProblemDocument> {
    let parse = |text: &str| {
        text.parse()
            .map_err(|_| wrong(format!("{name}={} is not understood: give {remedy}", shortened(text))))
    };
    text.map(parse).transpose()
}

/// A moment, or how long ago it was; nanoseconds since 1970.
fn instant(name: &str, text: &str, now: Timestamp) -> Result<u64, ProblemDocument> {
    let nanoseconds = moment(text, now).and_then(|moment| u64::try_from(moment.as_nanosecond()).ok());
    nanoseconds.ok_or_else(|| wrong(format!("{name}={} is not understood: give {MOMENTS}", shortened(text))))
}

fn wrong(detail: impl Into<String>) -> ProblemDocument {
    ProblemDocument::new(StatusCode::BAD_REQUEST, "The question about connections is not understood", detail)
}

fn unanswered(why: String) -> ProblemDocument {
    ProblemDocument::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "Connections cannot be listed now",
        format!("{why}. Traffic is not concerned; try again in some seconds."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_how_long_ago_it_was() {
        let now: Timestamp = "2026-11-25T10:00:00Z".parse().unwrap();
        let at = |text: &str| instant("since", text, now).map(|at| at / 1_000_000_000).ok();
        let seconds = u64::try_from(now.as_second()).unwrap();
        assert_eq!(at("2026-11-25T08:30:00Z"), Some(seconds - 5_400));
        assert_eq!((at("90m"), at("1h 30m")), (Some(seconds - 5_400), Some(seconds - 5_400)));
        assert_eq!([at("yesterday"), at(""), at("900000h")], [None; 3]);
    }

    #[test]
    fn a_wrong_limit_or_address_is_refused() {
        let limit = |text: &str| Question { limit: Some(text.into()), ..Question::default() }.limit().ok();
        assert_eq!(
            [limit("1"), limit("1000"), limit("1001"), limit("x")],
            [Some(1), Some(1_000), None, None]
        );
        let client = |text: &str| Question { client: Some(text.into()), ..Question::default() }.client().ok();
        assert_eq!(client("192.0.2.1"), Some(Some([192, 0, 2, 1].into())));
        assert_eq!(client("ct-scanner"), None);
    }
}
