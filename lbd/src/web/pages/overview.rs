//! The System Overview: every service with its servers, in the colours, words and icons of their state.
//!
//! The whole choice (filter, order, which services are open) is in the address, so that it works without
//! JavaScript and can be bookmarked. With JavaScript the table alone is fetched anew when something changed.

mod selection;
mod sparkline;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderName, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Extension, Router};
use futures_util::stream;
use jiff::Timestamp;

use self::selection::{Row, Selection, Show, Sort, Wish};
use self::sparkline::Sparkline;
use super::frame::{self, Frame, Trial};
use super::page_of;
use super::words::{
    Badge, ago, bit_rate, bytes, counted, fallback_badge, grouped, server_badge, service_badge, time,
};
use crate::view::{
    FallbackServerView, ServerState, ServerView, ServiceState, ServiceView, TrafficView, View,
};
use crate::web::{Caller, Gateway, Role};

/// What cannot be counted now; the problems on top say why.
const UNKNOWN: &str = "unknown";

/// Without JavaScript the page asks for itself anew this often.
const REFRESH_SECONDS: u32 = 5;

/// `/`, also as `/lbadmin/`, and its table alone.
pub(super) fn routes() -> Router<Gateway> {
    Router::new()
        .route("/", get(page))
        .route("/lbadmin/", get(page))
        .route("/overview/live", get(live))
        .route("/overview/changes", get(changes))
}

/// Says `changed` whenever another picture is published (server-sent events); the page then fetches its table.
async fn changes(State(gateway): State<Gateway>) -> Response {
    let told = stream::unfold(gateway.watch(), async |mut published| {
        published.changed().await.ok()?;
        Some((Ok::<_, Infallible>(Event::default().data("changed")), published))
    });
    Sse::new(told).keep_alive(KeepAlive::default()).into_response()
}

async fn page(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    frame: Frame,
    Query(wish): Query<Wish>,
) -> Response {
    let is_button = wish.is_button();
    let selection = Selection::from(wish);
    if is_button {
        return Redirect::to(&selection.address()).into_response();
    }
    let published = gateway.latest();
    let live = Live::new(&published.view, &selection, caller.role);
    page_of(StatusCode::OK, &Overview { frame, refresh: REFRESH_SECONDS, selection: &selection, live })
}

/// The address of the page that shows the same, for the browser's history.
async fn live(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Query(wish): Query<Wish>,
) -> Response {
    let published = gateway.latest();
    let selection = Selection::from(wish);
    let answer = page_of(StatusCode::OK, &Live::new(&published.view, &selection, caller.role));
    ([(HeaderName::from_static("hx-replace-url"), selection.address())], answer).into_response()
}

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview<'a> {
    frame: Frame,
    refresh: u32,
    selection: &'a Selection,
    live: Live<'a>,
}

/// What changes by itself.
#[derive(Template)]
#[template(path = "overview_live.html")]
struct Live<'a> {
    view: &'a View,
    selection: &'a Selection,
    rows: Vec<Row<'a>>,
    now: Timestamp,
    /// Of who looks: what they may not order is not offered.
    role: Role,
}

/// A button of a server.
struct Order {
    /// As the configuration names it.
    state: &'static str,
    /// As the button does. What follows stands below the table.
    word: &'static str,
}

const ONLINE: Order = Order { state: "online", word: "Online" };
const DRAIN: Order = Order { state: "drain", word: "Drain" };
const HALT: Order = Order { state: "halt", word: "Halt" };

impl<'a> Live<'a> {
    fn new(view: &'a View, selection: &'a Selection, role: Role) -> Self {
        Self { view, selection, rows: selection.rows(view), now: Timestamp::now(), role }
    }

    fn is_administrator(&self) -> bool {
        self.role >= Role::Administrator
    }

    fn may_order(&self) -> bool {
        self.role >= Role::Operator
    }

    fn overall(&self) -> Badge {
        service_badge(self.view.state)
    }

    fn service_badge(&self, service: &ServiceView) -> Badge {
        service_badge(service.state)
    }

    fn grouped(&self, count: &u64) -> String {
        grouped(*count)
    }

    fn ago(&self, since: &Timestamp) -> String {
        ago(*since, self.now)
    }

    fn time(&self, instant: &Timestamp) -> String {
        time(*instant)
    }

    fn count(&self, state: ServiceState) -> usize {
        self.view.virtual_services.iter().filter(|service| service.state == state).count()
    }

    /// The answer within three seconds: is all well, and if not, how much is not.
    fn summary(&self) -> String {
        let all = self.view.virtual_services.len() - self.count(ServiceState::Off);
        let parts: Vec<_> = [
            (ServiceState::Down, "down"),
            (ServiceState::Degraded, "degraded"),
            (ServiceState::Checking, "being checked"),
        ]
        .into_iter()
        .map(|(state, word)| (self.count(state), word))
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
        match (parts.is_empty(), all) {
            (true, 0) => "No virtual service is configured".into(),
            (true, 1) => "The virtual service is up".into(),
            (true, _) => format!("All {all} virtual services are up"),
            (false, _) => format!("{} of {}", parts.join(", "), counted(all, "virtual service")),
        }
    }

    /// How many servers work; where they are not shown, also in a few words why the others do not.
    fn servers_in_words(&self, row: &Row<'_>) -> String {
        let service = row.service;
        let all = service.real_servers.len();
        let up = service.real_servers.iter().filter(|server| server.state == ServerState::Up).count();
        if service.state == ServiceState::Off {
            return "switched off".into();
        }
        let count = format!("{up} of {} up", counted(all, "server"));
        let why = if row.is_open { None } else { brief_reason(service) };
        let count = why.map_or_else(|| count.clone(), |why| format!("{count} ({why})"));
        if up == 0 { format!("{count}: {}", service.without_server) } else { count }
    }

    /// What who looks may order of a server that is where it is.
    fn orders(&self, server: &ServerView) -> &'static [Order] {
        match server.state {
            _ if self.role < Role::Operator => &[],
            // It comes back by itself.
            _ if server.full => &[DRAIN, HALT],
            ServerState::Halted => &[ONLINE, DRAIN],
            // One of weight 0 is brought back by its weight.
            ServerState::Drained if server.weight > 0 => &[ONLINE, HALT],
            _ => &[DRAIN, HALT],
        }
    }

    fn badge_of(&self, server: &ServerView) -> Badge {
        server_badge(server)
    }

    fn fallback_badge(&self, server: &FallbackServerView) -> Badge {
        fallback_badge(server)
    }

    /// Address and port where a server is reached, without port where it is the one that clients ask for.
    fn place(&self, address: &IpAddr, port: &Option<u16>) -> String {
        port.map_or_else(|| address.to_string(), |port| SocketAddr::new(*address, port).to_string())
    }

    /// Only of a server that is up: an old figure beside a failure would mislead.
    fn check_time(&self, server: &ServerView) -> String {
        let time = server.check_milliseconds.filter(|_| server.state == ServerState::Up);
        time.map(|time| format!(", {time:.1} ms")).unwrap_or_default()
    }

    /// Connections that it did not take, where there are any.
    fn not_taken(&self, server: &ServerView) -> String {
        match server.connections_not_taken {
            0 => String::new(),
            1 => "; 1 connection was not taken".into(),
            count => format!("; {} connections were not taken", grouped(count)),
        }
    }

    fn traffic(&self) -> impl Iterator<Item = &TrafficView> {
        self.view.virtual_services.iter().map(|service| &service.traffic)
    }

    /// Open connections of all services.
    fn connections(&self) -> String {
        let count: Option<u64> = self.traffic().map(|traffic| traffic.connections_now).sum();
        count.map_or_else(|| UNKNOWN.into(), grouped)
    }

    fn per_second(&self) -> String {
        let rate: Option<f64> = self.traffic().map(|traffic| traffic.connections_per_second).sum();
        rate.map_or_else(|| UNKNOWN.into(), |rate| format!("{rate:.1}"))
    }

    /// Of all services.
    fn throughput(&self) -> String {
        let inward = self.traffic().map(|traffic| traffic.bytes_in_per_second).sum();
        let outward = self.traffic().map(|traffic| traffic.bytes_out_per_second).sum();
        throughput_words(inward, outward)
    }

    fn throughput_of(&self, traffic: &TrafficView) -> String {
        throughput_words(traffic.bytes_in_per_second, traffic.bytes_out_per_second)
    }

    /// Open now, then new ones a second.
    fn connections_of(&self, traffic: &TrafficView) -> String {
        let now = traffic.connections_now.map(grouped);
        let rate = traffic.connections_per_second.map(|rate| format!("{rate:.1}"));
        match (now, rate) {
            (None, None) => UNKNOWN.into(),
            (now, rate) => [now, rate].map(|part| part.unwrap_or_else(|| UNKNOWN.into())).join(" / "),
        }
    }

    fn sparkline(&self, service: &ServiceView) -> Option<Sparkline> {
        Sparkline::of(service)
    }

    fn bytes(&self, traffic: &TrafficView) -> String {
        format!("{} in, {} out", bytes(traffic.bytes_in), bytes(traffic.bytes_out))
    }

    fn trial(&self) -> Option<Trial> {
        frame::trial(self.view)
    }
}

/// What most of the failing servers of a service fail at, without its details.
fn brief_reason(service: &ServiceView) -> Option<&str> {
    let failing = service.real_servers.iter().filter(|server| server.state == ServerState::Down);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for server in failing {
        *counts.entry(brief(&server.reason)).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(reason, _)| reason)
}

/// A reason begins with what happened; where and what to do about it comes after a colon or a semicolon.
fn brief(reason: &str) -> &str {
    reason.split([':', ';']).next().unwrap_or(reason)
}

fn throughput_words(inward: Option<f64>, outward: Option<f64>) -> String {
    let Some((inward, outward)) = inward.zip(outward) else { return UNKNOWN.into() };
    match (bit_rate(inward), bit_rate(outward)) {
        (inward, outward) if inward == "0 bit/s" && outward == inward => "no traffic".into(),
        (inward, outward) => format!("{inward} in, {outward} out"),
    }
}

#[cfg(test)]
mod tests;
