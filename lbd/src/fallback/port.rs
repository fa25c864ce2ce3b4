//! The port to which the kernel redirects connections: over both families, with a bound on how many there are.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::socket::{getsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

/// Connections at the same time, some kilobytes each: far more than a hospital has modalities. Further ones wait in
/// the kernel's queue.
pub(super) const CONNECTIONS: usize = 2048;
/// For connections that arrive in one burst.
const BACKLOG: i32 = 1024;
/// After a failure to listen or accept, for example for want of file descriptors.
const RETRY: Duration = Duration::from_secs(1);

/// Hands connections at the port that is wanted now to `answer`; it is opened anew when that changes, or `restarts` does. Ends
/// with those who say.
pub(super) async fn follow<F: Future<Output = ()> + Send + 'static>(
    mut port: watch::Receiver<u16>,
    mut restarts: watch::Receiver<u64>,
    answer: impl Fn(TcpStream) -> F,
) {
    loop {
        let wanted = *port.borrow_and_update();
        let news = tokio::select! {
            () = serve(wanted, &answer) => Ok(()),
            changed = port.changed() => changed,
            restarted = restarts.changed() => restarted,
        };
        if news.is_err() {
            return;
        }
    }
}

/// Hands every connection to `answer`, for ever; a port that cannot be had is tried again.
async fn serve<F: Future<Output = ()> + Send + 'static>(port: u16, answer: &impl Fn(TcpStream) -> F) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let family = async |address: IpAddr| {
        loop {
            match listen((address, port).into()) {
                Ok(listener) => accept(&listener, &room, answer).await,
                // A kernel without IPv6 has nobody to answer over it.
                Err(error) if error.raw_os_error() == Some(nix::libc::EAFNOSUPPORT) => return,
                Err(error) => {
                    tracing::warn!(%error, %address, port, "cannot listen for the fallback answers")
                }
            }
            tokio::time::sleep(RETRY).await;
        }
    };
    tokio::join!(family(Ipv4Addr::UNSPECIFIED.into()), family(Ipv6Addr::UNSPECIFIED.into()));
}

/// Where the client meant to go, before the kernel redirected it.
pub(super) fn place_before_redirection(stream: &TcpStream) -> Option<SocketAddr> {
    if stream.local_addr().ok()?.is_ipv4() {
        let place = getsockopt(stream, sockopt::OriginalDst).ok()?;
        let address = Ipv4Addr::from_bits(u32::from_be(place.sin_addr.s_addr));
        return Some((address, u16::from_be(place.sin_port)).into());
    }
    let place = getsockopt(stream, sockopt::Ip6tOriginalDst).ok()?;
    Some((Ipv6Addr::from(place.sin6_addr.s6_addr), u16::from_be(place.sin6_port)).into())
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Ends when the listener fails.
async fn accept<F: Future<Output = ()> + Send + 'static>(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
    answer: &impl Fn(TcpStream) -> F,
) {
    loop {
        let Ok(place) = room.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let answering = answer(stream);
                tokio::spawn(async move {
                    let _place = place;
                    answering.await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections for the fallback answers");
                return;
            }
        }
    }
}
