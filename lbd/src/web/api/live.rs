//! The state: as one document, as a stream of events, and as metrics.

use std::convert::Infallible;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;

use super::{Operation, ProblemDocument};
use crate::view::{ServerState, ServiceState, ServiceView, TrafficView, View};
use crate::web::{Gateway, Published};

/// Streams at the same time: each browser window has one.
const STREAMS: usize = 64;
/// The fastest that a window is told.
const EVENT_INTERVAL: Duration = Duration::from_millis(500);
/// Proxies and browsers give up on a stream that is silent for long.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Then the client asks anew, by itself: with a session that has ended meanwhile it gets no further.
const LONGEST_STREAM: Duration = Duration::from_secs(100);

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::read("/api/v1/status", "The state of everything", get(status)).gives::<View>(),
        Operation::read(
            "/api/v1/events",
            "The state of everything, again whenever it changes, as server-sent events named \"view\"",
            get(events),
        )
        .gives_text("text/event-stream")
        .fails(&[503]),
        Operation::read("/metrics", "The state for Prometheus", get(metrics)).gives_text("text/plain"),
    ]
}

async fn status(State(gateway): State<Gateway>) -> Response {
    Json(&gateway.latest().view).into_response()
}

/// A stream that is under way.
struct Listener {
    pictures: watch::Receiver<Arc<Published>>,
    until: Instant,
    next: Instant,
    _place: OwnedSemaphorePermit,
}

async fn events(State(gateway): State<Gateway>) -> Result<Response, ProblemDocument> {
    static ROOM: std::sync::LazyLock<Arc<Semaphore>> =
        std::sync::LazyLock::new(|| Arc::new(Semaphore::new(STREAMS)));
    let place = Arc::clone(&ROOM).try_acquire_owned().map_err(|_| {
        let detail = format!("{STREAMS} windows are told already. Close some, or ask for /api/v1/status.");
        ProblemDocument::new(StatusCode::SERVICE_UNAVAILABLE, "Too many streams at once", detail)
            .retry_after(10)
    })?;
    let mut pictures = gateway.watch();
    // The first picture is told at once.
    pictures.mark_changed();
    let now = Instant::now();
    let listener = Listener { pictures, until: now + LONGEST_STREAM, next: now, _place: place };
    let events = stream::unfold(listener, next_event);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response())
}

/// `None` ends the stream.
async fn next_event(mut listener: Listener) -> Option<(Result<Event, Infallible>, Listener)> {
    let picture = async {
        tokio::time::sleep_until(listener.next).await;
        listener.pictures.changed().await.ok()?;
        Some(listener.pictures.borrow_and_update().clone())
    };
    let picture = tokio::time::timeout_at(listener.until, picture).await.ok()??;
    listener.next = Instant::now() + EVENT_INTERVAL;
    let event = Event::default().event("view").json_data(&picture.view).ok()?;
    Some((Ok(event), listener))
}

/// The text format of Prometheus, version 0.0.4.
async fn metrics(State(gateway): State<Gateway>) -> Response {
    let text = metrics_of(&gateway.latest().view);
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// Writing to a String cannot fail.
fn metrics_of(view: &View) -> String {
    let mut text = String::new();
    let mut metric = |name: &str, kind: &str, help: &str, samples: Vec<(String, f64)>| {
        let _ = writeln!(text, "# HELP evenkeel_{name} {help}\n# TYPE evenkeel_{name} {kind}");
        for (labels, value) in samples {
            let _ = writeln!(text, "evenkeel_{name}{labels} {value}");
        }
    };
    metric("info", "gauge", "Always 1.", vec![(labels(&[("version", &view.version)]), 1.0)]);
    metric(
        "configuration_version",
        "gauge",
        "Stored version of the configuration in force.",
        vec![(String::new(), view.configuration_version as f64)],
    );
    metric(
        "problems",
        "gauge",
        "What is wrong with the appliance itself; the status says what.",
        vec![(String::new(), view.problems.len() as f64)],
    );
    let services = || view.virtual_services.iter();
    metric(
        "service_state",
        "gauge",
        "0 down, 1 degraded, 2 checking, 3 up, 4 switched off.",
        services()
            .map(|service| (labels(&[("service", &service.label)]), service_value(service.state)))
            .collect(),
    );
    metric(
        "service_connections_opened_total",
        "counter",
        "Connections opened by clients.",
        services()
            .map(|service| (labels(&[("service", &service.label)]), service.connections_opened as f64))
            .collect(),
    );
    metric(
        "service_connections_open",
        "gauge",
        "Open connections; missing while they have not been counted.",
        services()
            .filter_map(|service| {
                Some((labels(&[("service", &service.label)]), service.traffic.connections_now? as f64))
            })
            .collect(),
    );
    let directions = |service: &ServiceView| {
        let TrafficView { bytes_in, bytes_out, .. } = service.traffic;
        [("in", bytes_in), ("out", bytes_out)].map(|(direction, bytes)| {
            (labels(&[("service", &service.label), ("direction", direction)]), bytes as f64)
        })
    };
    metric(
        "service_bytes_total",
        "counter",
        "Bytes from clients (in) and to them (out).",
        services().flat_map(directions).collect(),
    );
    metric(
        "service_fallback_serving",
        "gauge",
        "1 while the fallback server gets new connections; missing where there is none.",
        services()
            .filter_map(|service| {
                let serving = service.fallback_server.as_ref()?.serving;
                Some((labels(&[("service", &service.label)]), f64::from(serving)))
            })
            .collect(),
    );
    let servers = || {
        services().flat_map(|service| {
            service.real_servers.iter().map(move |server| {
                let address = server.address.to_string();
                (
                    labels(&[("service", &service.label), ("server", &server.label), ("address", &address)]),
                    server,
                )
            })
        })
    };
    metric(
        "server_up",
        "gauge",
        "1 where the server takes new connections.",
        servers().map(|(labels, server)| (labels, f64::from(server.state == ServerState::Up))).collect(),
    );
    metric(
        "server_connections_opened_total",
        "counter",
        "Connections opened to the server.",
        servers().map(|(labels, server)| (labels, server.connections_opened as f64)).collect(),
    );
    metric(
        "server_connections_not_taken_total",
        "counter",
        "TCP connections that the server refused or never answered.",
        servers().map(|(labels, server)| (labels, server.connections_not_taken as f64)).collect(),
    );
    metric(
        "server_check_seconds",
        "gauge",
        "How long the last passed check took.",
        servers().filter_map(|(labels, server)| Some((labels, server.check_milliseconds? / 1e3))).collect(),
    );
    text
}

fn service_value(state: ServiceState) -> f64 {
    match state {
        ServiceState::Down => 0.0,
        ServiceState::Degraded => 1.0,
        ServiceState::Checking => 2.0,
        ServiceState::Up => 3.0,
        ServiceState::Off => 4.0,
    }
}

fn labels(pairs: &[(&str, &str)]) -> String {
    let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    format!("{{{}}}", pairs.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_values_are_escaped() {
        assert_eq!(labels(&[("a", "x\"y\\z\n"), ("b", "")]), r#"{a="x\"y\\z\n",b=""}"#);
    }
}
