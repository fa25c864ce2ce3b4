//! Gets a file over HTTPS, within bounds: of time, of bytes, of how often it is led elsewhere.

use std::time::Duration;

use evenkeel_update::index::{Index, LARGEST_INDEX, LARGEST_SIGNATURE, SIGNATURE_SUFFIX};
use evenkeel_update::signature::Key;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue, LOCATION, USER_AGENT};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;
use url::{Position, Url};

use super::fault::{Fault, Party};
use super::reach::{LARGEST_HEAD, Place, reach, within};
use crate::config::online::OnlineUpdates;

/// For the head of an answer.
const HEAD: Duration = Duration::from_secs(20);
/// For the next bytes of a file.
const SILENCE: Duration = Duration::from_secs(30);
/// From one place to the next.
const MOST_REDIRECTS: usize = 3;
/// Nobody needs to know which version asks.
const AGENT: &str = "Evenkeel";

/// A file that comes.
#[derive(Debug)]
pub(super) struct Coming {
    url: String,
    place: String,
    limit: u64,
    received: u64,
    body: Incoming,
    /// The connection lives as long as this.
    _connections: JoinSet<()>,
}

/// What the server says of the newest version, if this key has signed it.
pub(super) async fn index(source: &OnlineUpdates, key: &Key) -> Result<Index, Fault> {
    let url = &source.url;
    let text = get(source, url, LARGEST_INDEX as u64).await?.whole().await?;
    let signature = get(source, &signature_of(url), LARGEST_SIGNATURE as u64).await?.whole().await?;
    Ok(Index::verified(&text, &signature, key)?)
}

/// Where the signature of what is here is.
fn signature_of(url: &Url) -> Url {
    let mut beside = url.clone();
    beside.set_path(&format!("{}{SIGNATURE_SUFFIX}", url.path()));
    beside
}

/// A file that may have so many bytes.
pub(super) async fn get(source: &OnlineUpdates, url: &Url, limit: u64) -> Result<Coming, Fault> {
    let mut here = url.clone();
    for _ in 0..=MOST_REDIRECTS {
        let (answer, place, connections) = ask(source, &here).await?;
        let status = answer.status();
        if status.is_redirection() {
            let astray = |why| Fault::LedAstray { url: here.to_string(), why };
            here = elsewhere(&here, answer.headers().get(LOCATION)).map_err(astray)?;
            continue;
        }
        if status != hyper::StatusCode::OK {
            return Err(Fault::Status { url: here.to_string(), status });
        }
        let (url, body) = (here.to_string(), answer.into_body());
        if body.size_hint().lower() > limit {
            return Err(Fault::TooLarge { url, limit });
        }
        let place = place.shown().to_owned();
        return Ok(Coming { url, place, limit, received: 0, body, _connections: connections });
    }
    Err(Fault::LedAstray { url: url.to_string(), why: "to more than 3 places one after the other" })
}

/// Where an answer leads.
fn elsewhere(here: &Url, location: Option<&HeaderValue>) -> Result<Url, &'static str> {
    let location =
        location.and_then(|value| value.to_str().ok()).ok_or("nowhere: it does not say where to")?;
    let next = here.join(location).map_err(|_| "to what is no URL")?;
    if next.scheme() != "https" {
        return Err("to a place without https");
    }
    if !next.username().is_empty() || next.password().is_some() {
        return Err("to a URL with user and password");
    }
    Ok(next)
}

async fn ask(source: &OnlineUpdates, url: &Url) -> Result<(Response<Incoming>, Place, JoinSet<()>), Fault> {
    let place = Place::of(url)?;
    let mut beside = JoinSet::new();
    let stream = reach(source, &place, &mut beside).await?;
    let broken = |why: String| Fault::BrokeOff { party: Party::Server, place: place.shown().to_owned(), why };
    let broke = |error: hyper::Error| Fault::broke_off(Party::Server, place.shown(), &error);
    let mut client = http1::Builder::new();
    client.max_buf_size(LARGEST_HEAD);
    let (mut sender, connection) =
        client.handshake::<_, Empty<Bytes>>(TokioIo::new(stream)).await.map_err(broke)?;
    beside.spawn(async move {
        // How it ended is told by what is read.
        let _ = connection.await;
    });
    let host = &url[Position::BeforeHost..Position::AfterPort];
    let target = &url[Position::BeforePath..Position::AfterQuery];
    let request = Request::get(target).header(HOST, host).header(USER_AGENT, AGENT).body(Empty::new());
    let request = request.map_err(|error| broken(error.to_string()))?;
    let answer = async { sender.send_request(request).await.map_err(broke) };
    let answer = within(HEAD, (Party::Server, place.shown(), "asked for a file"), answer).await?;
    Ok((answer, place, beside))
}

impl Coming {
    /// The next bytes; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        loop {
            let named = (Party::Server, self.place.as_str(), "sending a file");
            let frame = within(SILENCE, named, async { Ok(self.body.frame().await) }).await?;
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|error| Fault::broke_off(Party::Server, &self.place, &error))?;
            // Trailers say nothing that counts.
            let Ok(bytes) = frame.into_data() else { continue };
            self.received = self.received.saturating_add(bytes.len() as u64);
            if self.received > self.limit {
                return Err(Fault::TooLarge { url: self.url.clone(), limit: self.limit });
            }
            return Ok(Some(bytes));
        }
    }

    /// Of a small file.
    async fn whole(mut self) -> Result<Vec<u8>, Fault> {
        let mut whole = Vec::new();
        while let Some(bytes) = self.next().await? {
            whole.extend_from_slice(&bytes);
        }
        Ok(whole)
    }

    /// That all has come which the index promised.
    pub(super) fn expect_whole(&self) -> Result<(), Fault> {
        let (size, received) = (self.limit, self.received);
        if received < size {
            return Err(Fault::TooSmall { url: self.url.clone(), size, received });
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
