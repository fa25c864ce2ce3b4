//! The WebUI over HTTP, where an administrator has switched it on: the same pages behind the same guard, by a way on which
//! everybody reads along.
//!
//! What differs is done at the edge, so that nothing behind it has two ways: the session's cookie has another name and goes
//! without `Secure`, a page's origin is one of HTTP, HSTS is left away, and tokens are refused.

use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, COOKIE, ORIGIN, SET_COOKIE, STRICT_TRANSPORT_SECURITY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use super::access::COOKIE_NAME;
use super::api::ProblemDocument;
use super::guard::guarded;
use super::https::listen;
use super::room::Room;
use super::{Gateway, Peer, connection, router};
use crate::engine::Event;

/// The session's cookie: one with the prefix `__Host-` is taken over TLS only.
const CLEAR_COOKIE_NAME: &str = "evenkeel-in-clear";
/// Pause before another attempt to listen.
const RETRY: Duration = Duration::from_secs(2);

/// Serves where it is wanted, for ever, and reports whether it listens; returns when nobody is interested any more.
pub async fn serve(
    gateway: Gateway,
    mut address: watch::Receiver<Option<SocketAddr>>,
    report: mpsc::Sender<Event>,
) -> String {
    let access = gateway.access().clone();
    let mut restarts = gateway.restarts().web();
    let router = guarded(router(gateway), access).layer(from_fn(in_clear));
    let room = Room::default();
    loop {
        let wanted = *address.borrow_and_update();
        let opened = wanted.map(listen).transpose();
        let listening = opened.as_ref().map(drop).map_err(|error| {
            let place = wanted.map(|place| place.to_string()).unwrap_or_default();
            format!(
                "The WebUI is not available over HTTP: cannot listen on {place}: {error}. It is tried again by itself; \
                 if it stays so, give it another port on the page Service Socket Addresses."
            )
        });
        let told = report.send(Event::ListeningInClear(listening)).await.is_ok();
        let retry = opened.is_err();
        let serving = async {
            match opened {
                Ok(Some(listener)) => accept(&listener, &router, &room).await,
                Ok(None) => pending().await,
                Err(_) => {}
            }
            if retry {
                tokio::time::sleep(RETRY).await;
            }
        };
        let news = tokio::select! {
            changed = address.changed() => changed.is_ok(),
            restarted = restarts.changed() => restarted.is_ok(),
            () = serving => true,
        };
        if !(told && news) {
            return "nobody asks for the WebUI over HTTP any more".into();
        }
    }
}

/// Ends when the listener fails, which is then opened anew.
async fn accept(listener: &TcpListener, router: &Router, room: &Room) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let place = room.take(peer.ip());
                let (router, activity) = (router.clone(), place.activity());
                let serving = async move {
                    connection::serve(stream, router, Peer::Network(peer.ip()), activity, pending()).await;
                };
                place.fill(tokio::spawn(serving).abort_handle());
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept management connections over HTTP");
                tokio::time::sleep(RETRY).await;
                return;
            }
        }
    }
}

/// Middleware.
async fn in_clear(mut request: Request, next: Next) -> Response {
    if request.headers().contains_key(AUTHORIZATION) {
        let detail = "It was sent in clear, where everybody on the way reads it: revoke it, and use a new one over HTTPS.";
        let title = "Tokens do not count over HTTP";
        return ProblemDocument::new(StatusCode::FORBIDDEN, title, detail).into_response();
    }
    as_over_tls(request.headers_mut());
    let mut answer = next.run(request).await;
    as_in_clear(answer.headers_mut());
    answer
}

/// What came, as what is behind the edge knows it.
fn as_over_tls(headers: &mut HeaderMap) {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let known: Vec<_> = pairs
        .filter(|(name, _)| *name != COOKIE_NAME)
        .map(|(name, value)| {
            let name = if name == CLEAR_COOKIE_NAME { COOKIE_NAME } else { name };
            format!("{name}={value}")
        })
        .collect();
    headers.remove(COOKIE);
    if let Ok(value) = HeaderValue::try_from(known.join("; "))
        && !known.is_empty()
    {
        headers.insert(COOKIE, value);
    }
    let origin = headers.get(ORIGIN).map(|value| value.to_str().unwrap_or_default().to_owned());
    if let Some(origin) = origin {
        // What came over TLS is no page of this port.
        let told = origin.strip_prefix("http://").map(|host| format!("https://{host}"));
        let told = told.and_then(|told| HeaderValue::try_from(told).ok());
        headers.insert(ORIGIN, told.unwrap_or(HeaderValue::from_static("null")));
    }
}

/// What is answered, as browsers take it over HTTP.
fn as_in_clear(headers: &mut HeaderMap) {
    headers.remove(STRICT_TRANSPORT_SECURITY);
    let cookies: Vec<_> = headers.get_all(SET_COOKIE).iter().cloned().collect();
    headers.remove(SET_COOKIE);
    for cookie in cookies {
        let told = cookie.to_str().ok().map(|text| {
            let text = text.replace("; Secure", "");
            text.strip_prefix(COOKIE_NAME).map_or(text.clone(), |rest| format!("{CLEAR_COOKIE_NAME}{rest}"))
        });
        headers.append(SET_COOKIE, told.and_then(|told| HeaderValue::try_from(told).ok()).unwrap_or(cookie));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn the_sessions_cookie_has_another_name_and_others_keep_theirs() {
        let mut asked = headers(&[("cookie", "theme=dark; evenkeel-in-clear=abc; __Host-evenkeel=forged")]);
        as_over_tls(&mut asked);
        assert_eq!(asked["cookie"], "theme=dark; __Host-evenkeel=abc");
        let mut answered = headers(&[
            ("set-cookie", "__Host-evenkeel=abc; Path=/; Secure; HttpOnly; SameSite=Strict"),
            ("strict-transport-security", "max-age=1"),
        ]);
        as_in_clear(&mut answered);
        assert_eq!(answered["set-cookie"], "evenkeel-in-clear=abc; Path=/; HttpOnly; SameSite=Strict");
        assert!(!answered.contains_key("strict-transport-security"));
    }

    #[test]
    fn an_origin_is_ours_only_over_http() {
        for (came, known) in [
            ("http://192.0.2.1:9080", "https://192.0.2.1:9080"),
            ("https://192.0.2.1:9080", "null"),
            ("null", "null"),
        ] {
            let mut asked = headers(&[("origin", came)]);
            as_over_tls(&mut asked);
            assert_eq!(asked["origin"], known);
        }
        let mut nothing = headers(&[]);
        as_over_tls(&mut nothing);
        assert!(nothing.is_empty());
    }
}
