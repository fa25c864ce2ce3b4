//! The history over the API: the course of figures.

use std::sync::LazyLock;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::Gateway;
use super::api::{Operation, ProblemDocument};
use super::question::{MOMENTS, moment, shortened};
use crate::clock::zone;
use crate::history::lookup::{self, Course, Range};
use crate::history::recorder::History;
use crate::history::report::{AvailabilityReport, Month};
use crate::history::subject::{self, Figure};

/// Questions that look through the files at the same time: each may take a tenth of a second of a disk.
const READS: usize = 2;
/// Series of one question: what a chart can show, and an answer of some tens of kilobytes.
const MOST_SERIES: usize = 8;
/// Where nobody says since when.
const USUAL: SignedDuration = SignedDuration::from_hours(1);

/// Where the course of figures is.
pub(crate) const HISTORY: &str = "/api/v1/history";
/// Where the availability report is.
pub(crate) const AVAILABILITY: &str = "/api/v1/reports/availability";

/// `/api/v1/history` and `/api/v1/reports/...`.
pub(super) fn operations() -> Vec<Operation> {
    let history = Operation::read(
        HISTORY,
        "The course of figures over up to 31 days, at most 401 points of each",
        get(show),
    );
    let availability = Operation::read(
        AVAILABILITY,
        "How available services and servers were in a month, with every outage and its reason",
        get(availability),
    );
    vec![
        availability
            .gives::<AvailabilityReport>()
            .gives_text("text/csv")
            .query("month", false, "such as 2026-11, in the zone of the configuration; usually this month")
            .query("format", false, "json (usually) or csv")
            .fails(&[503]),
        history
            .gives::<Course>()
            .query("series", false, "up to 8, with commas between: appliance/cpu, interface/eth0/bytes_in, service/POOL/connections, server/POOL/NODE1/check and others")
            .query("from", false, "not before this moment (RFC 3339), or so long ago, such as 2h; usually 1h")
            .query("to", false, "before this moment (RFC 3339), or so long ago; usually now")
            .fails(&[503]),
    ]
}

/// What the question says; everything in it is text, so that each mistake can be named.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    series: Option<String>,
    from: Option<String>,
    to: Option<String>,
}

impl Question {
    fn series(&self) -> Result<Vec<(String, Figure)>, ProblemDocument> {
        let names: Vec<_> = self.series.iter().flat_map(|text| text.split(',')).map(str::trim).collect();
        if names.is_empty() || names.len() > MOST_SERIES {
            let count = names.len();
            return Err(wrong(format!("series names {count}: give 1 to {MOST_SERIES}, with commas between")));
        }
        let named = |name: &&str| match subject::series(name) {
            Some((.., figure)) => Ok(((*name).to_owned(), figure)),
            None => Err(wrong(format!(
                "series={} is not known: give for example appliance/cpu, interface/eth0/bytes_in, \
                 service/POOL/connections or server/POOL/NODE1/check",
                shortened(name)
            ))),
        };
        names.iter().map(named).collect()
    }

    fn range(&self, now: Timestamp) -> Result<Range, ProblemDocument> {
        let at = |name: &str, text: &Option<String>, usual: Timestamp| match text.as_deref() {
            None | Some("") => Ok(usual.as_second()),
            Some(text) => moment(text, now).map(|moment| moment.as_second()).ok_or_else(|| {
                wrong(format!("{name}={} is not understood: give {MOMENTS}", shortened(text)))
            }),
        };
        let to = at("to", &self.to, now)?;
        let an_hour_ago = now.checked_sub(USUAL).unwrap_or(now);
        let from = at("from", &self.from, an_hour_ago)?;
        if from >= to {
            return Err(wrong("from is not before to: give an earlier from, or a later to"));
        }
        Ok(Range { from, to })
    }
}

async fn show(
    State(gateway): State<Gateway>,
    question: Result<Query<Question>, QueryRejection>,
) -> Result<Json<Course>, ProblemDocument> {
    let Query(question) =
        question.map_err(|rejection| wrong(format!("{}; use series, from and to", rejection.body_text())))?;
    let now = Timestamp::now();
    course(gateway.past(), question.series()?, question.range(now)?, now).await.map(Json)
}

/// The course of figures, for API and pages alike.
pub(super) async fn course(
    history: &History,
    wanted: Vec<(String, Figure)>,
    range: Range,
    now: Timestamp,
) -> Result<Course, ProblemDocument> {
    let folder = history.folder();
    read(move || lookup::course(&folder, &wanted, range, now.as_second())).await
}

/// Which report.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    month: Option<String>,
    format: Option<String>,
}

/// The month that is asked for; this one where none is.
pub(super) fn month_of(text: Option<&str>, now: Timestamp) -> Result<Month, ProblemDocument> {
    let zone = zone::of_request();
    let this = Month::of(now, &zone);
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(this) };
    let month = Month::parse(text).ok_or_else(|| {
        wrong(format!("month={} is not understood: give a month such as {}", shortened(text), this.name()))
    })?;
    if month.bounds(&zone).0 > now.as_second() {
        return Err(wrong(format!("month={text} has not begun: give {} or an earlier one", this.name())));
    }
    Ok(month)
}

async fn availability(
    State(gateway): State<Gateway>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, ProblemDocument> {
    let Query(wanted) =
        wanted.map_err(|rejection| wrong(format!("{}; use month and format", rejection.body_text())))?;
    let now = Timestamp::now();
    let month = month_of(wanted.month.as_deref(), now)?;
    let is_csv = match wanted.format.as_deref() {
        None | Some("" | "json") => false,
        Some("csv") => true,
        Some(other) => {
            return Err(wrong(format!("format={} is not known: give json or csv", shortened(other))));
        }
    };
    let report = report(gateway.past(), month, now).await?;
    if !is_csv {
        return Ok(Json(report).into_response());
    }
    let name = format!("attachment; filename=\"availability-{}.csv\"", report.month);
    let headers = [(CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (CONTENT_DISPOSITION, name)];
    Ok((headers, report.csv()).into_response())
}

/// The report of a month, for API and pages alike.
pub(super) async fn report(
    history: &History,
    month: Month,
    now: Timestamp,
) -> Result<AvailabilityReport, ProblemDocument> {
    let (folder, zone) = (history.folder(), zone::of_request());
    read(move || lookup::report(&folder, month, &zone, now.as_second())).await
}

/// Asks the disk, not too often at once.
pub(super) async fn read<T: Send + 'static>(
    question: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, ProblemDocument> {
    static ROOM: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(READS));
    let place = ROOM.acquire().await.map_err(unread)?;
    let read = tokio::task::spawn_blocking(question).await;
    drop(place);
    read.map_err(std::io::Error::other).flatten().map_err(unread)
}

fn unread(why: impl std::fmt::Display) -> ProblemDocument {
    ProblemDocument::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "The history cannot be read now",
        format!(
            "{why}. Traffic is not concerned; look at the datastore of the virtual machine, and try again."
        ),
    )
    .retry_after(10)
}

fn wrong(detail: impl Into<String>) -> ProblemDocument {
    ProblemDocument::new(StatusCode::BAD_REQUEST, "The question about the history is not understood", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mistake_in_a_question_is_named() {
        let now: Timestamp = "2026-11-26T12:00:00Z".parse().unwrap();
        let question = |series: &str, from: &str, to: &str| Question {
            series: Some(series.into()),
            from: Some(from.into()),
            to: Some(to.into()),
        };
        let good = question("appliance/cpu, service/A/connections", "2h", "");
        assert_eq!(good.series().unwrap().len(), 2);
        let range = good.range(now).unwrap();
        assert_eq!((range.to - range.from, range.to), (7_200, now.as_second()));
        for (wrong, named) in [
            (question("cpu", "", ""), "series=cpu"),
            (question("", "", ""), "series= "),
            (question("a,b,c,d,e,f,g,h,i", "", ""), "1 to 8"),
        ] {
            let problem = format!("{:?}", wrong.series().unwrap_err());
            assert!(problem.contains(named), "{problem}");
        }
        for (wrong, named) in [
            (question("", "yesterday", ""), "from=yesterday"),
            (question("", "1h", "2h"), "from is not before"),
        ] {
            let problem = format!("{:?}", wrong.range(now).unwrap_err());
            assert!(problem.contains(named), "{problem}");
        }
    }
}
