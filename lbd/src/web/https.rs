//! The management port: HTTPS on the management address, which follows the configuration.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;

use super::certificate::Certificates;
use super::guard::guarded;
use super::room::{Activity, Room};
use super::{Gateway, Peer, connection, router};
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
    report: mpsc::Sender<Event>,
) -> String {
    let access = gateway.access().clone();
    let mut restarts = gateway.restarts().web();
    let certificates = gateway.certificates().clone();
    let router = guarded(router(gateway), access);
    let room = Room::default();
    loop {
        let wanted = *address.borrow_and_update();
        let Some(wanted) = wanted else {
            if address.changed().await.is_err() {
                return "nobody asks for the management port any more".into();
            }
            continue;
        };
        let opened = open(wanted, &certificates);
        let listening = opened.as_ref().map(|_| ()).map_err(Clone::clone);
        let told = report.send(Event::Listening(listening)).await.is_ok();
        let changed = match opened {
            Ok(listener) => {
                tokio::select! {
                    changed = address.changed() => changed.is_ok(),
                    restarted = restarts.changed() => restarted.is_ok(),
                    () = accept(listener, &certificates, &router, &room) => true,
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

/// A disk that fails later must not end the WebUI, which tells of it: the certificate in use stays in use.
fn open(address: SocketAddr, certificates: &Certificates) -> Result<TcpListener, String> {
    let missing = |why: &dyn std::fmt::Display| format!("The WebUI is not available: {why}.");
    match certificates.read_stored() {
        Err(error) if certificates.tls().is_none() => return Err(missing(&error)),
        Err(error) => tracing::warn!(%error, "the certificate in use stays in use"),
        Ok(()) => {}
    }
    listen(address).map_err(|error| {
        missing(&format_args!(
            "cannot listen on {address}: {error}. It is tried again by itself; if it stays so, give [management] another \
             address or port with `lbd config apply`"
        ))
    })
}

/// `IP_FREEBIND` (ip(7)): the address may come later than lbd.
pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
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
async fn accept(listener: TcpListener, certificates: &Certificates, router: &Router, room: &Room) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let place = room.take(peer.ip());
                let peer = Peer::Network(peer.ip());
                let serving = serve_one(stream, peer, certificates.clone(), router.clone(), place.activity());
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

/// With the certificate of this moment; when there is another one, the connection ends after the request under way, so
/// that whatever is asked next shows that the asker takes the new one.
async fn serve_one(
    stream: TcpStream,
    peer: Peer,
    certificates: Certificates,
    router: Router,
    activity: Activity,
) {
    let Some(tls) = certificates.tls() else { return };
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, TlsAcceptor::from(tls.clone()).accept(stream)).await {
        Ok(Ok(stream)) => {
            connection::serve(stream, router, peer, activity, certificates.replaced(&tls)).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}
