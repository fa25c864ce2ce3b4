//! The answer of a service without a server: a DICOM rejection that makes modalities queue and try again.
//!
//! The kernel redirects connections of such a service to [`PORT`]; [`rejection`] is the protocol without I/O,
//! [`serve`] moves the bytes. What lbd answers ends with lbd: then the kernel refuses these connections.

pub mod rejection;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use rejection::{Next, REJECTION, Request};

/// Where redirected connections arrive. Nothing else reaches it: the input chain lets in what was redirected only.
pub const PORT: u16 = 7104;

/// Connections at the same time, a few kilobytes each: far more than a hospital has modalities. Further ones wait in
/// the kernel's queue.
const CONNECTIONS: usize = 1024;
/// For connections that arrive in one burst.
const BACKLOG: i32 = 1024;
/// For the whole request; a modality sends it at once.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// For the other side to close (PS3.8 section 9.1.5, the ARTIM timer), so that the answer is not lost by a reset.
const FAREWELL: Duration = Duration::from_secs(2);
/// After a failure to listen or accept, for example for want of file descriptors.
const RETRY: Duration = Duration::from_secs(1);
const CHUNK: usize = 1024;

/// Answers for ever, over both families; a port that cannot be had is tried again.
pub async fn serve() -> String {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    tokio::join!(
        serve_family(Ipv4Addr::UNSPECIFIED.into(), &room),
        serve_family(Ipv6Addr::UNSPECIFIED.into(), &room)
    );
    "the port of the DICOM rejection is closed".into()
}

async fn serve_family(address: IpAddr, room: &Arc<Semaphore>) {
    loop {
        match listen((address, PORT).into()) {
            Ok(listener) => accept(&listener, room).await,
            // A kernel without IPv6 has nobody to answer over it.
            Err(error) if error.raw_os_error() == Some(nix::libc::EAFNOSUPPORT) => return,
            Err(error) => tracing::warn!(%error, %address, PORT, "cannot listen for the DICOM rejection"),
        }
        tokio::time::sleep(RETRY).await;
    }
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
async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) {
    loop {
        let Ok(place) = room.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(reject(stream, place));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections for the DICOM rejection");
                return;
            }
        }
    }
}

/// Whoever does not speak DICOM, or not in time, meets a closed connection.
async fn reject(mut stream: TcpStream, _place: OwnedSemaphorePermit) {
    if let Ok(Ok(true)) = timeout(REQUEST_TIMEOUT, read_request(&mut stream)).await {
        let _ = timeout(FAREWELL, say_no(&mut stream)).await;
    }
}

/// Whether an association was asked for.
async fn read_request(stream: &mut TcpStream) -> io::Result<bool> {
    let mut request = Request::default();
    let mut chunk = [0; CHUNK];
    loop {
        let count = stream.read(&mut chunk).await?;
        match request.add(chunk.get(..count).unwrap_or_default()) {
            _ if count == 0 => return Ok(false),
            Next::Receive => {}
            Next::Reject => return Ok(true),
            Next::Close => return Ok(false),
        }
    }
}

async fn say_no(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(&REJECTION).await?;
    stream.shutdown().await?;
    let mut chunk = [0; CHUNK];
    while stream.read(&mut chunk).await? > 0 {}
    Ok(())
}
