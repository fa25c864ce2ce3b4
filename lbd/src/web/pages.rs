//! The pages: rendered on the server, usable without JavaScript, nothing loaded from elsewhere.

use std::sync::LazyLock;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{Timestamp, Unit};
use sha2::{Digest, Sha256};

use super::Gateway;
use crate::view::{ServerState, ServerView, ServiceState, ServiceView, View};

/// The page asks for itself anew this often.
const REFRESH_SECONDS: u32 = 5;
const STYLE: &str = include_str!("../../templates/style.css");
/// Where the pages find their style.
pub(super) const STYLE_PATH: &str = "/style.css";

/// `/`, also as `/lbadmin/`, and what belongs to it.
pub(super) fn routes() -> Router<Gateway> {
    Router::new()
        .route("/", get(overview))
        .route("/lbadmin/", get(overview))
        .route(STYLE_PATH, get(style))
        .fallback(not_found)
}

async fn style() -> Response {
    (page_headers(), [(CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

async fn overview(State(gateway): State<Gateway>) -> Response {
    let published = gateway.latest();
    let page = Overview { view: &published.view, now: Timestamp::now(), refresh: REFRESH_SECONDS };
    page_of(StatusCode::OK, &page)
}

async fn not_found() -> Response {
    let message = Message {
        title: "There is no such page",
        text: "The address may be misspelt. The System Overview shows everything there is.",
        command: "",
        style: STYLE,
    };
    page_of(StatusCode::NOT_FOUND, &message)
}

/// What everybody sees until a password is set.
pub(super) fn no_password() -> Response {
    let message = Message {
        title: "No password is set yet",
        text: "The WebUI and the API open when a password has been set. On the appliance, run:",
        command: "lbd set-password --state-directory DIRECTORY",
        style: STYLE,
    };
    page_of(StatusCode::SERVICE_UNAVAILABLE, &message)
}

/// The last page that the old password opens: what is asked for next, needs the new one.
pub(super) fn password_changed() -> Response {
    let message = Message {
        title: "The password is changed",
        text: "The new password is in force. The browser asks for it as soon as you go on.",
        command: "",
        style: STYLE,
    };
    page_of(StatusCode::OK, &message)
}

/// No script, nothing from elsewhere, no framing. A style within a page is ours or none (CSP level 3 section
/// 2.3.1, hash-source).
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'self' 'sha256-{style}'; img-src 'self' data:; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).expect("Base64 is ASCII, as is the rest")
});

/// The policy, no guessing of types, no copies in caches.
fn page_headers() -> [(HeaderName, HeaderValue); 3] {
    [
        (CONTENT_SECURITY_POLICY, POLICY.clone()),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ]
}

/// A rendered page.
pub(super) fn page_of(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => (status, page_headers(), Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "cannot render a page");
            (StatusCode::INTERNAL_SERVER_ERROR, "The page cannot be shown; see the log.").into_response()
        }
    }
}

#[derive(Template)]
#[template(path = "message.html")]
struct Message<'a> {
    title: &'a str,
    text: &'a str,
    command: &'a str,
    /// In the page itself: who sees it may have no password that opens anything else.
    style: &'a str,
}

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview<'a> {
    view: &'a View,
    now: Timestamp,
    refresh: u32,
}

/// How a state is shown: never by colour alone.
struct Badge {
    class: &'static str,
    icon: &'static str,
    word: &'static str,
}

impl Overview<'_> {
    fn service_badge(&self, service: &ServiceView) -> Badge {
        service_badge(service.state)
    }

    fn server_badge(&self, server: &ServerView) -> Badge {
        match server.state {
            ServerState::Up => Badge { class: "up", icon: "✔", word: "up" },
            ServerState::Checking => Badge { class: "checking", icon: "…", word: "checking" },
            ServerState::Down => Badge { class: "down", icon: "✖", word: "down" },
            ServerState::Drained => Badge { class: "drained", icon: "▾", word: "drained" },
            ServerState::Halted => Badge { class: "off", icon: "■", word: "halted" },
            ServerState::Off => Badge { class: "off", icon: "○", word: "off" },
        }
    }

    fn summary(&self) -> String {
        let count =
            |state| self.view.virtual_services.iter().filter(|service| service.state == state).count();
        let all = self.view.virtual_services.len() - count(ServiceState::Off);
        match (count(ServiceState::Down), count(ServiceState::Degraded), count(ServiceState::Checking)) {
            (0, 0, 0) => format!("All {all} virtual services are up."),
            (down, degraded, checking) => {
                [(down, "down"), (degraded, "degraded"), (checking, "being checked")]
                    .into_iter()
                    .filter(|(count, _)| *count > 0)
                    .map(|(count, word)| format!("{count} {word}"))
                    .collect::<Vec<_>>()
                    .join(", ")
                    + &format!(", of {all} virtual services.")
            }
        }
    }

    fn overall(&self) -> Badge {
        service_badge(self.view.state)
    }

    fn port_of(&self, server: &ServerView) -> String {
        server.port.map_or_else(|| "same port".to_owned(), |port| format!("port {port}"))
    }

    /// Only of a server that is up: an old figure beside a failure would mislead.
    fn check_time(&self, server: &ServerView) -> String {
        let time = server.check_milliseconds.filter(|_| server.state == ServerState::Up);
        time.map(|time| format!(", answered in {time:.1} ms")).unwrap_or_default()
    }

    fn ago(&self, since: &Timestamp) -> String {
        ago(*since, self.now)
    }

    fn time(&self, instant: &Timestamp) -> String {
        time(*instant)
    }
}

fn service_badge(state: ServiceState) -> Badge {
    match state {
        ServiceState::Up => Badge { class: "up", icon: "✔", word: "up" },
        ServiceState::Checking => Badge { class: "checking", icon: "…", word: "checking" },
        ServiceState::Degraded => Badge { class: "degraded", icon: "!", word: "degraded" },
        ServiceState::Down => Badge { class: "down", icon: "✖", word: "down" },
        ServiceState::Off => Badge { class: "off", icon: "○", word: "off" },
    }
}

/// Date and time in UTC, to the second.
pub fn time(instant: Timestamp) -> String {
    format!("{} UTC", instant.strftime("%Y-%m-%d %H:%M:%S"))
}

/// A length of time as people say it: its two largest units.
pub fn ago(since: Timestamp, now: Timestamp) -> String {
    let seconds = now.since((Unit::Second, since)).map_or(0, |span| span.get_seconds()).max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_told_in_two_units() {
        let start = Timestamp::UNIX_EPOCH;
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (61, "1 min 1 s"),
            (3_660, "1 h 1 min"),
            (90_000, "1 d 1 h"),
            (-5, "0 s"),
        ] {
            assert_eq!(ago(start, Timestamp::from_second(seconds).unwrap()), text);
        }
    }
}
