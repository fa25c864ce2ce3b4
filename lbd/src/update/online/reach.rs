//! The way to a server of updates: DNS, TCP, the proxy where there is one, TLS. Each step has a deadline.

use std::net::IpAddr;
use std::time::Duration;

use http_body_util::Empty;
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::client::TlsStream;
use url::{Host, Url};

use super::fault::{Fault, Party};
use crate::config::HostName;
use crate::config::online::{HttpProxy, OnlineUpdates};
use crate::health::tls;
use crate::log::forward::words;
use crate::mail::exchange::Finder;

/// For one address: of a name some are often of a family that leads nowhere here, and a look waits for each.
const CONNECT: Duration = Duration::from_secs(4);
/// For a proxy to connect, and for a handshake.
const HANDSHAKE: Duration = Duration::from_secs(15);
/// Of one name; nobody's servers are silent one after the other.
const MOST_ADDRESSES: usize = 4;
/// For the head of an answer: cookies of a proxy among it.
pub(super) const LARGEST_HEAD: usize = 32 << 10;

/// What one speaks TLS over.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Host and port of a server.
#[derive(Debug, Clone)]
pub(super) struct Place {
    host: String,
    port: u16,
    shown: String,
}

impl Place {
    /// Of a URL that passed the rules.
    pub(super) fn of(url: &Url) -> Result<Self, Fault> {
        let nowhere = || Fault::Name(format!("{url} names no server"));
        let (host, written) = match url.host().ok_or_else(nowhere)? {
            Host::Ipv6(address) => (address.to_string(), format!("[{address}]")),
            other => (other.to_string(), other.to_string()),
        };
        let port = url.port_or_known_default().ok_or_else(nowhere)?;
        Ok(Self { host, port, shown: format!("{written}:{port}") })
    }

    /// For people, and for a proxy.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }
}

/// Awaits `work`, but not for ever.
pub(super) async fn within<T>(
    after: Duration,
    (party, place, step): (Party, &str, &'static str),
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let late = |_| Err(Fault::Silent { party, place: place.to_owned(), step, after });
    tokio::time::timeout(after, work).await.unwrap_or_else(late)
}

/// A server that has proven who it is. What goes on beside it ends with `beside`.
pub(super) async fn reach(
    source: &OnlineUpdates,
    place: &Place,
    beside: &mut JoinSet<()>,
) -> Result<TlsStream<Box<dyn Stream>>, Fault> {
    let stream: Box<dyn Stream> = match &source.proxy {
        None => Box::new(connect(source, Party::Server, &place.host, place.port).await?),
        Some(proxy) => {
            let stream = connect(source, Party::Proxy, &proxy.host.to_string(), proxy.port).await?;
            let shown = proxy.to_string();
            let named = (Party::Proxy, shown.as_str(), "connecting to the update server");
            Box::new(within(HANDSHAKE, named, tunnel(stream, proxy, place, beside)).await?)
        }
    };
    let failed = |fault| Fault::Tls { place: place.shown.clone(), fault };
    let name = ServerName::try_from(place.host.clone())
        .map_err(|error| failed(tls::TlsFault::Other(error.to_string())))?;
    let handshake = async { tls::connect(stream, name, &source.verify).await.map_err(failed) };
    within(HANDSHAKE, (Party::Server, &place.shown, "beginning to encrypt (TLS)"), handshake).await
}

/// The first of its addresses that answers.
async fn connect(source: &OnlineUpdates, party: Party, host: &str, port: u16) -> Result<TcpStream, Fault> {
    let addresses = addresses(source, party, host).await.map_err(Fault::Name)?;
    let place = format!("{host}:{port}");
    let mut last = Fault::Name(format!("the {party} {host} has no address"));
    for address in addresses.into_iter().take(MOST_ADDRESSES) {
        let connecting = async {
            TcpStream::connect((address, port)).await.map_err(|error| Fault::Unreached {
                party,
                place: place.clone(),
                why: words(&error),
            })
        };
        match within(CONNECT, (party, &place, "connecting"), connecting).await {
            Ok(stream) => return Ok(stream),
            Err(fault) => last = fault,
        }
    }
    Err(last)
}

/// Of a host, as the name servers say; none is asked for what is an address. The error is for people.
async fn addresses(source: &OnlineUpdates, party: Party, host: &str) -> Result<Vec<IpAddr>, String> {
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    let full = HostName::try_from(host).map(|name| name.within(source.search_domain.as_ref()));
    let full = full.map_or_else(|_| host.to_owned(), |name| name.to_string());
    let servers = Finder::new(&source.dns_servers)?.of_host(&party.to_string(), &full).await?;
    Ok(by_turns(servers.into_iter().map(|server| server.address)))
}

/// One of IPv4, one of IPv6 and so on: hospitals often have only one family, and large servers many addresses of each.
fn by_turns(addresses: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let (four, six): (Vec<_>, Vec<_>) = addresses.partition(IpAddr::is_ipv4);
    let length = four.len().max(six.len());
    (0..length).flat_map(|turn| [four.get(turn), six.get(turn)]).flatten().copied().collect()
}

/// Has the proxy connect (RFC 9110 section 9.3.6).
async fn tunnel(
    stream: TcpStream,
    proxy: &HttpProxy,
    place: &Place,
    beside: &mut JoinSet<()>,
) -> Result<TokioIo<Upgraded>, Fault> {
    let broken = |why: String| Fault::BrokeOff { party: Party::Proxy, place: proxy.to_string(), why };
    let broke = |error: hyper::Error| Fault::broke_off(Party::Proxy, &proxy.to_string(), &error);
    let mut client = http1::Builder::new();
    client.max_buf_size(LARGEST_HEAD);
    let (mut sender, connection) =
        client.handshake::<_, Empty<Bytes>>(TokioIo::new(stream)).await.map_err(broke)?;
    beside.spawn(async move {
        // How it ended is told by the answer, or by what is read next.
        let _ = connection.with_upgrades().await;
    });
    let request = Request::connect(place.shown()).header(HOST, place.shown()).body(Empty::new());
    let answer =
        sender.send_request(request.map_err(|error| broken(error.to_string()))?).await.map_err(broke)?;
    let status = answer.status();
    if !status.is_success() {
        return Err(Fault::NoTunnel { proxy: proxy.to_string(), place: place.shown.clone(), status });
    }
    hyper::upgrade::on(answer).await.map(TokioIo::new).map_err(broke)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_are_tried_however_many_addresses_one_has() {
        let addresses =
            |text: &str| text.split(' ').map(|address| address.parse().unwrap()).collect::<Vec<IpAddr>>();
        for (told, tried) in [
            (
                "fd00::1 fd00::2 fd00::3 fd00::4 10.0.0.1 10.0.0.2",
                "10.0.0.1 fd00::1 10.0.0.2 fd00::2 fd00::3 fd00::4",
            ),
            ("fd00::1 10.0.0.1 10.0.0.2 10.0.0.3", "10.0.0.1 fd00::1 10.0.0.2 10.0.0.3"),
            ("fd00::2 fd00::1", "fd00::2 fd00::1"),
        ] {
            assert_eq!(by_turns(addresses(told).into_iter()), addresses(tried), "{told}");
        }
    }
}
