//! The sockets at which clients of proxied services arrive, one for each address and port.
//!
//! One that is not wanted any more stays for a second: what has begun to connect before the kernel's rules led elsewhere
//! arrives. What waits then to be accepted is accepted before it closes.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::Proxy;
use super::connect::set_up;

/// For connections that arrive in one burst; the kernel's own bound (`somaxconn`).
const BACKLOG: i32 = 4096;
/// From the moment when the rules lead elsewhere: a client that is slow repeats its first packet after a second.
const FAREWELL: Duration = Duration::from_millis(1_100);
/// After a failure to accept, for example for want of files.
const RETRY: Duration = Duration::from_millis(100);

/// All sockets.
#[derive(Debug, Default)]
pub struct Listeners(BTreeMap<SocketAddr, Listener>);

#[derive(Debug)]
struct Listener {
    close: oneshot::Sender<()>,
    task: JoinHandle<()>,
    leaves_at: Option<Instant>,
}

impl Listeners {
    /// Listens there too; says where that was not possible. What was about to close stays.
    pub fn open(&mut self, proxy: &Proxy, wanted: &BTreeSet<SocketAddr>) -> Vec<String> {
        let mut failures = Vec::new();
        for place in wanted {
            if let Some(known) = self.0.get_mut(place) {
                known.leaves_at = None;
                continue;
            }
            match listen(*place) {
                Ok(listener) => {
                    let (close, closing) = oneshot::channel();
                    let task = tokio::spawn(accept(listener, proxy.clone(), *place, closing));
                    self.0.insert(*place, Listener { close, task, leaves_at: None });
                }
                Err(error) => failures.push(format!(
                    "listening to {place} for a proxied service: {error}; use another port, or forwarding_method = \
                     \"snat\""
                )),
            }
        }
        failures
    }

    /// From now on only these are wanted.
    pub fn keep(&mut self, wanted: &BTreeSet<SocketAddr>) {
        for (_, known) in self.0.iter_mut().filter(|(place, _)| !wanted.contains(*place)) {
            known.leaves_at.get_or_insert(Instant::now() + FAREWELL);
        }
    }

    /// Closes those whose time has come.
    pub async fn close_due(&mut self) {
        let now = Instant::now();
        let is_due = |_: &SocketAddr, known: &mut Listener| known.leaves_at.is_some_and(|at| at <= now);
        let due: Vec<_> = self.0.extract_if(.., is_due).collect();
        for (_, Listener { close, task, .. }) in due {
            let _ = close.send(());
            // It ends at once; then its port is free.
            let _ = task.await;
        }
    }
}

/// The address may be about to arrive here, or to leave: that is no reason not to listen (`IP_FREEBIND`, ip(7)).
fn listen(place: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(place), Type::STREAM, Some(Protocol::TCP))?;
    match place {
        SocketAddr::V4(_) => socket.set_freebind_v4(true)?,
        SocketAddr::V6(_) => {
            socket.set_only_v6(true)?;
            socket.set_freebind_v6(true)?;
        }
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    set_up(&socket)?;
    socket.bind(&place.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

async fn accept(listener: TcpListener, proxy: Proxy, place: SocketAddr, mut closing: oneshot::Receiver<()>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut closing => break,
        };
        if let Some(error) = taken(&proxy, place, accepted) {
            tracing::warn!(%place, %error, "cannot accept connections to a proxied service");
            tokio::time::sleep(RETRY).await;
        }
    }
    while let Ok(Ok(waiting)) = tokio::time::timeout(Duration::ZERO, listener.accept()).await {
        taken(&proxy, place, Ok(waiting));
    }
}

/// Hands an accepted connection on. A client that has gone already is nobody's failure.
fn taken(
    proxy: &Proxy,
    place: SocketAddr,
    accepted: io::Result<(TcpStream, SocketAddr)>,
) -> Option<io::Error> {
    match accepted {
        Ok((stream, client)) => proxy.take(stream, client, place),
        Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
        Err(error) => return Some(error),
    }
    None
}
