//! The System Overview: every service with its servers, in the colours, words and icons of their state.
//!
//! The whole choice (filter, order, which services are open) is in the address, so that it works without
//! JavaScript and can be bookmarked. With JavaScript the table alone is fetched anew when something changed.

mod selection;
mod sparkline;

use std::convert::Infallible;

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
use super::words::{Badge, ago, bit_rate, bytes, counted, grouped, server_badge, service_badge, time};
use crate::view::{ServerState, ServerView, ServiceState, ServiceView, TrafficView, View};
use crate::web::{Caller, Gateway, Role};

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
    /// As the button does.
    word: &'static str,
    /// What follows.
    effect: &'static str,
}

const ONLINE: Order =
    Order { state: "online", word: "Online", effect: "takes new connections while it passes its check" };
const DRAIN: Order =
    Order { state: "drain", word: "Drain", effect: "takes no new connections; established ones go on" };
const HALT: Order =
    Order { state: "halt", word: "Halt", effect: "takes no new connections; established ones end" };

impl<'a> Live<'a> {
    fn new(view: &'a View, selection: &'a Selection, role: Role) -> Self {
        Self { view, selection, rows: selection.rows(view), now: Timestamp::now(), role }
    }

    fn is_administrator(&self) -> bool {
        self.role >= Role::Administrator
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

    fn servers_in_words(&self, service: &ServiceView) -> String {
        let all = service.real_servers.len();
        let up = service.real_servers.iter().filter(|server| server.state == ServerState::Up).count();
        match (service.state, up) {
            (ServiceState::Off, _) => "switched off".into(),
            (_, 0) => format!("0 of {} up: {}", counted(all, "server"), service.without_server),
            _ => format!("{up} of {} up", counted(all, "server")),
        }
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

    /// Address and port where the servers are asked, `same port` where they have none of their own.
    fn place(&self, server: &ServerView) -> String {
        match server.port {
            Some(port) => format!("{}:{port}", server.address),
            None => server.address.to_string(),
        }
    }

    /// Only of a server that is up: an old figure beside a failure would mislead.
    fn check_time(&self, server: &ServerView) -> String {
        let time = server.check_milliseconds.filter(|_| server.state == ServerState::Up);
        time.map(|time| format!(", {time:.1} ms")).unwrap_or_default()
    }

    /// Proxied connections that it did not take, where there are any.
    fn not_taken(&self, server: &ServerView) -> String {
        match server.connections_not_taken {
            None | Some(0) => String::new(),
            Some(1) => "; 1 connection was not taken".into(),
            Some(count) => format!("; {} connections were not taken", grouped(count)),
        }
    }

    /// Open connections of all services; a dash while nobody has counted.
    fn connections(&self) -> String {
        let counts = self.view.virtual_services.iter().map(|service| service.traffic.connections_now);
        counts.sum::<Option<u64>>().map_or_else(|| "-".into(), grouped)
    }

    fn per_second(&self) -> String {
        let rates = self.view.virtual_services.iter().map(|service| service.traffic.connections_per_second);
        format!("{:.1}", rates.sum::<f64>())
    }

    /// Of all services.
    fn throughput(&self) -> String {
        let traffic = || self.view.virtual_services.iter().map(|service| &service.traffic);
        let inward = traffic().map(|traffic| traffic.bytes_in_per_second).sum();
        let outward = traffic().map(|traffic| traffic.bytes_out_per_second).sum();
        throughput_words(inward, outward)
    }

    fn throughput_of(&self, traffic: &TrafficView) -> String {
        throughput_words(traffic.bytes_in_per_second, traffic.bytes_out_per_second)
    }

    /// Open now, then new ones a second.
    fn connections_of(&self, traffic: &TrafficView) -> String {
        let now = traffic.connections_now.map_or_else(|| "-".into(), grouped);
        format!("{now} / {:.1}", traffic.connections_per_second)
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

fn throughput_words(inward: f64, outward: f64) -> String {
    match (bit_rate(inward), bit_rate(outward)) {
        (inward, outward) if inward == "0 bit/s" && outward == inward => "no traffic".into(),
        (inward, outward) => format!("{inward} in, {outward} out"),
    }
}

#[cfg(test)]
mod tests;
