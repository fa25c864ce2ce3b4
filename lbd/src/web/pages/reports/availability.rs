//! The availability report of a month: to read, to print, and for a spreadsheet.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Deserialize;

use crate::clock::zone;
use crate::history::report::{Availability, AvailabilityReport, Month, Outage};
use crate::web::Gateway;
use crate::web::history::{month_of, report};
use crate::web::pages::frame::Frame;
use crate::web::pages::page_of;
use crate::web::pages::words::{counted, duration, time};

/// Months that can be chosen: a year back, and this one.
const MONTHS: usize = 13;
/// With more servers the page shows those of one service at a time.
const MOST_ROWS: usize = 200;
/// Outages that are shown, the latest of those that the spreadsheet has.
const MOST_OUTAGES: usize = 300;

/// What the reader chose.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wish {
    month: String,
    service: String,
}

/// A line of the table.
struct Row {
    service: String,
    /// Empty for the service as a whole.
    server: String,
    of: Availability,
}

#[derive(Template)]
#[template(path = "reports/availability.html")]
struct Page {
    frame: Frame,
    month: Month,
    months: Vec<Month>,
    report: AvailabilityReport,
    rows: Vec<Row>,
    /// The service whose servers are shown, where there are too many for all.
    service: String,
    has_all: bool,
    outages: Vec<(String, String, Outage)>,
    left_out: usize,
    trouble: Option<String>,
}

impl Page {
    fn time(&self, moment: &Timestamp) -> String {
        time(*moment)
    }

    fn duration(&self, seconds: &i64) -> String {
        duration(*seconds)
    }

    fn end(&self, outage: &Outage) -> String {
        outage.end.map_or_else(|| "goes on".to_owned(), time)
    }

    fn uptime(&self, of: &Availability) -> String {
        of.uptime_percent.map_or_else(|| "not known".to_owned(), percent_of)
    }

    /// Seconds without an outage are told as a dash: what is there stands out.
    fn lasted(&self, seconds: &i64) -> String {
        if *seconds == 0 { "-".to_owned() } else { duration(*seconds) }
    }

    fn counted(&self) -> String {
        counted(self.outages.len() + self.left_out, "outage")
    }
}

/// Never rounded up to a hundred: that would hide an outage.
fn percent_of(percent: f64) -> String {
    let shown = (percent * 1_000.0).floor() / 1_000.0;
    format!("{shown:.3} %")
}

pub(super) async fn page(
    State(gateway): State<Gateway>,
    frame: Frame,
    wish: Result<Query<Wish>, QueryRejection>,
) -> Response {
    let wish = wish.map(|Query(wish)| wish).unwrap_or_default();
    match shown(&gateway, frame, wish).await {
        Ok(page) => page_of(StatusCode::OK, &page),
        Err(problem) => problem,
    }
}

async fn shown(gateway: &Gateway, frame: Frame, wish: Wish) -> Result<Page, Response> {
    let now = Timestamp::now();
    let month = month_of(Some(&wish.month), now).map_err(IntoResponse::into_response)?;
    let report = report(gateway.past(), month, now).await.map_err(IntoResponse::into_response)?;
    let servers: usize = report.services.iter().map(|service| service.servers.len()).sum();
    let has_all = servers <= MOST_ROWS;
    let (rows, outages) = listed(&report, |service| has_all || service == wish.service);
    let all: usize = rows.iter().map(|row| row.of.outage_count).sum();
    let left_out = all.saturating_sub(MOST_OUTAGES.min(outages.len()));
    let months = Month::of(now, &zone::of_request()).back(MONTHS);
    let outages = outages.into_iter().take(MOST_OUTAGES).collect();
    let (service, trouble) = (wish.service, gateway.past().trouble());
    Ok(Page { frame, month, months, report, rows, service, has_all, outages, left_out, trouble })
}

/// The lines of the table, and the outages of what is in it, the latest first.
fn listed(
    report: &AvailabilityReport,
    with_servers: impl Fn(&str) -> bool,
) -> (Vec<Row>, Vec<(String, String, Outage)>) {
    let mut rows = Vec::new();
    for service in &report.services {
        let label = || service.label.clone();
        rows.push(Row { service: label(), server: String::new(), of: service.availability.clone() });
        let servers = service.servers.iter().filter(|_| with_servers(&service.label));
        rows.extend(servers.map(|server| Row {
            service: label(),
            server: server.label.clone(),
            of: server.availability.clone(),
        }));
    }
    let named = |row: &Row| {
        let name = (row.service.clone(), row.server.clone());
        row.of
            .outages
            .iter()
            .map(move |outage| (name.0.clone(), name.1.clone(), outage.clone()))
            .collect::<Vec<_>>()
    };
    let mut outages: Vec<_> = rows.iter().flat_map(named).collect();
    outages.sort_by_key(|(.., outage)| std::cmp::Reverse(outage.begin));
    (rows, outages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearly_all_the_time_is_not_all_the_time() {
        assert_eq!(percent_of(99.99999), "99.999 %");
        assert_eq!(percent_of(100.0), "100.000 %");
    }
}
