//! The management port: HTTPS on the management address, which follows the configuration.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Router;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;

use super::guard::guarded;
use super::room::{Activity, Room};
use super::{Gateway, Peer, certificate, connection, router};
use crate::engine::Event;

/// For the TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// The kernel's queue of connections that wait to be accepted.
const BACKLOG: i32 = 128;
/// Pause before another attempt to listen.
const RETRY: Duration = Duration::from_secs(2);

/// Serves for ever and reports whether it listens; returns when nobody is interested any more.
pub async fn serve(
    gateway: Gateway,
    mut address: watch::Receiver<Option<SocketAddr>>,
    state_directory: PathBuf,
    report: mpsc::Sender<Event>,
) -> String {
    let access = gateway.access().clone();
    let router = guarded(router(gateway), access);
    let room = Room::default();
    // The certificate in use: a disk that fails later must not end the WebUI, which tells of it.
    let mut certificate = None;
    loop {
        let wanted = *address.borrow_and_update();
        let Some(wanted) = wanted else {
            if address.changed().await.is_err() {
                return "nobody asks for the management port any more".into();
            }
            continue;
        };
        let opened = open(wanted, &state_directory, &mut certificate);
        let listening = opened.as_ref().map(|_| ()).map_err(Clone::clone);
        let told = report.send(Event::Listening(listening)).await.is_ok();
        let changed = match opened {
            Ok((listener, tls)) => {
                tokio::select! {
                    changed = address.changed() => changed.is_ok(),
                    () = accept(listener, tls, &router, &room) => true,
                }
            }
            Err(_) => tokio::select! {
                changed = address.changed() => changed.is_ok(),
                () = tokio::time::sleep(RETRY) => true,
            },
        };
        if !(told && changed) {
            return "nobody asks for the management port any more".into();
        }
    }
}

fn open(
    address: SocketAddr,
    state_directory: &Path,
    certificate: &mut Option<TlsAcceptor>,
) -> Result<(TcpListener, TlsAcceptor), String> {
    let missing = |why: &dyn std::fmt::Display| format!("The WebUI is not available: {why}.");
    match (certificate::tls(state_directory), &certificate) {
        (Ok(tls), _) => *certificate = Some(TlsAcceptor::from(tls)),
        (Err(error), Some(_)) => tracing::warn!(%error, "the certificate in use stays in use"),
        (Err(error), None) => return Err(missing(&error)),
    }
    let listener =
        listen(address).map_err(|error| missing(&format_args!("cannot listen on {address}: {error}")))?;
    let tls = certificate.clone().ok_or_else(|| missing(&"there is no certificate"))?;
    Ok((listener, tls))
}

/// `IP_FREEBIND` (ip(7)): the address may come later than lbd.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_freebind_v4(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Ends when the listener fails, which is then opened anew. Whoever comes is let in; where there are too many, the
/// idlest of those with the most connections goes.
async fn accept(listener: TcpListener, tls: TlsAcceptor, router: &Router, room: &Room) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let place = room.take(peer.ip());
                let peer = Peer::Network(peer.ip());
                let serving = serve_one(stream, peer, tls.clone(), router.clone(), place.activity());
                place.fill(tokio::spawn(serving).abort_handle());
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept management connections");
                tokio::time::sleep(RETRY).await;
                return;
            }
        }
    }
}

async fn serve_one(stream: TcpStream, peer: Peer, tls: TlsAcceptor, router: Router, activity: Activity) {
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
        Ok(Ok(stream)) => connection::serve(stream, router, peer, activity).await,
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}
