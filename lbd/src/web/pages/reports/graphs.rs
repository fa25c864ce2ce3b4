//! Graphs of the appliance, an interface, a service or a server, over a minute to 30 days.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Deserialize;

use super::chart::Chart;
use crate::clock::zone;
use crate::history::lookup::Range;
use crate::history::subject::{self, Figure, Kind};
use crate::history::system;
use crate::view::View;
use crate::web::Gateway;
use crate::web::history::course;
use crate::web::pages::frame::Frame;
use crate::web::pages::page_of;
use crate::web::pages::words::duration;

/// Name, words and seconds of each time that can be looked at.
const RANGES: [(&str, &str, i64); 7] = [
    ("1min", "last minute", 60),
    ("10min", "last 10 minutes", 600),
    ("1h", "last hour", 3_600),
    ("6h", "last 6 hours", 21_600),
    ("1d", "last day", 86_400),
    ("7d", "last 7 days", 604_800),
    ("30d", "last 30 days", 2_592_000),
];
const USUAL: usize = 2;

/// Title of a chart, and the places of its figures.
type Plan = (&'static str, &'static [usize]);

/// The charts of a kind of thing; figures of one chart have one unit.
fn plans(kind: Kind) -> &'static [Plan] {
    match kind {
        Kind::Appliance => &[
            ("Processors, memory and disk in use", &[0, 1, 2]),
            ("Open connections", &[5]),
            ("New connections", &[6]),
            ("Load", &[3]),
            ("Memory of the daemon (lbd)", &[4]),
        ],
        Kind::Interface => {
            &[("Throughput", &[0, 1]), ("Packets", &[2, 3]), ("Packets damaged or dropped", &[4])]
        }
        Kind::Service => &[
            ("Open connections", &[0]),
            ("New connections", &[1]),
            ("Throughput", &[2, 3]),
            ("Availability", &[5]),
            ("Servers that take new connections", &[4]),
            ("SNAT ports in use, where they are scarcest", &[6]),
        ],
        Kind::Server => &[
            ("Open connections", &[0]),
            ("New connections", &[1]),
            ("Throughput", &[2, 3]),
            ("Duration of the health check", &[4]),
            ("Availability", &[5]),
            ("SNAT ports in use", &[6]),
        ],
    }
}

/// What the reader chose; what is not understood is as if it were not there.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wish {
    of: String,
    range: String,
}

impl Wish {
    fn key(&self) -> &str {
        if Kind::of(&self.of).is_some() { &self.of } else { subject::APPLIANCE }
    }

    fn range(&self) -> (&'static str, &'static str, i64) {
        RANGES.into_iter().find(|(name, ..)| *name == self.range).unwrap_or(RANGES[USUAL])
    }
}

/// A thing that can be looked at.
struct Choice {
    key: String,
    words: String,
    is_chosen: bool,
}

#[derive(Template)]
#[template(path = "reports/graphs.html")]
struct Graphs {
    frame: Frame,
    title: String,
    range: (&'static str, &'static str, i64),
    /// In which times are told.
    zone: String,
    appliance: Vec<Choice>,
    services: Vec<Choice>,
    /// The servers of the service that is chosen.
    servers: Vec<Choice>,
    charts: Vec<Chart>,
    trouble: Option<String>,
}

impl Graphs {
    fn is_range(&self, name: &str) -> bool {
        self.range.0 == name
    }

    fn step(&self, chart: &Chart) -> String {
        duration(chart.step)
    }
}

pub(super) async fn page(
    State(gateway): State<Gateway>,
    frame: Frame,
    wish: Result<Query<Wish>, QueryRejection>,
) -> Response {
    let wish = wish.map(|Query(wish)| wish).unwrap_or_default();
    match shown(&gateway, frame, &wish).await {
        Ok(page) => page_of(StatusCode::OK, &page),
        Err(problem) => problem,
    }
}

async fn shown(gateway: &Gateway, frame: Frame, wish: &Wish) -> Result<Graphs, Response> {
    let (key, range) = (wish.key(), wish.range());
    let kind = Kind::of(key).unwrap_or(Kind::Appliance);
    let named = |figure: &Figure| (format!("{key}/{}", figure.name), *figure);
    let wanted: Vec<_> = kind.figures().iter().map(named).collect();
    let now = Timestamp::now();
    let time = Range { from: now.as_second() - range.2, to: now.as_second() };
    let course = course(gateway.past(), wanted, time, now).await.map_err(IntoResponse::into_response)?;
    let zone = zone::of_request();
    let chart = |(title, places): &Plan| {
        let series: Vec<_> = places.iter().filter_map(|at| course.series.get(*at)).collect();
        Chart::new(title, kind.figures()[places[0]].unit, &course, &series).in_zone(&zone)
    };
    let view = &gateway.latest().view;
    let choice = |key_of: String, words: String| Choice { is_chosen: key_of == key, key: key_of, words };
    let interfaces = system::interface_names();
    let interfaces =
        interfaces.into_iter().map(|name| choice(subject::interface(&name), format!("interface {name}")));
    let services = view.virtual_services.iter();
    let services = services.map(|service| choice(subject::service(&service.label), service.label.clone()));
    Ok(Graphs {
        title: words(key),
        range,
        zone: zone::name(&zone).to_owned(),
        appliance: std::iter::once(choice(subject::APPLIANCE.into(), "the appliance".into()))
            .chain(interfaces)
            .collect(),
        services: services.collect(),
        servers: servers(view, key).into_iter().map(|(key, label)| choice(key, label)).collect(),
        charts: plans(kind).iter().map(chart).collect(),
        trouble: gateway.past().trouble(),
        frame,
    })
}

/// Keys and labels of the servers of the service that is looked at, or whose server is.
fn servers(view: &View, key: &str) -> Vec<(String, String)> {
    let Some(label) = key.split('/').nth(1) else { return Vec::new() };
    let service = view.virtual_services.iter().find(|service| service.label == label);
    let servers = service.into_iter().flat_map(|service| &service.real_servers);
    servers.map(|server| (subject::server(label, &server.label), server.label.clone())).collect()
}

fn words(key: &str) -> String {
    match key.split('/').collect::<Vec<_>>().as_slice() {
        ["interface", name] => format!("Interface {name}"),
        ["service", label] => format!("Service {label}"),
        ["server", service, label] => format!("Server {label} of {service}"),
        _ => "The appliance".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_is_in_a_chart_whose_figures_have_one_unit() {
        for kind in [Kind::Appliance, Kind::Interface, Kind::Service, Kind::Server] {
            let figures = kind.figures();
            for (at, figure) in figures.iter().enumerate() {
                assert!(plans(kind).iter().any(|(_, places)| places.contains(&at)), "{}", figure.name);
            }
            for (title, places) in plans(kind) {
                assert!(places.iter().all(|at| figures[*at].unit == figures[places[0]].unit), "{title}");
            }
        }
    }

    #[test]
    fn what_is_not_understood_is_as_if_it_were_not_there() {
        let wish = Wish { of: "../etc".into(), range: "10y".into() };
        assert_eq!((wish.key(), wish.range().0), ("appliance", "1h"));
        let wish = Wish { of: "server/POOL/NODE1".into(), range: "30d".into() };
        assert_eq!((words(wish.key()).as_str(), wish.range().2), ("Server NODE1 of POOL", 2_592_000));
    }
}
