//! Opens the connection to a server.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpSocket, TcpStream};

use super::choose::Target;

/// For a server to answer. A lost first packet is sent again after a second (RFC 6298 section 2.1), so that one lost packet
/// is no failure.
pub const CONNECT_TIMEOUT: Duration = Duration::from_millis(1_500);

/// A silent side is asked after a minute, and given up a minute later.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(60))
    .with_interval(Duration::from_secs(15))
    .with_retries(4);

/// Why a server has not taken a connection.
#[derive(Debug)]
pub enum NotTaken {
    /// It did not answer in time.
    Silent,
    /// It refused, or there is no way to it.
    Failed(io::Error),
}

impl fmt::Display for NotTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent => write!(f, "no answer within {:.1} s", CONNECT_TIMEOUT.as_secs_f32()),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

/// Connects; returns the connection and the address that the server sees.
pub async fn connect(target: &Target) -> Result<(TcpStream, SocketAddr), NotTaken> {
    let opened = tokio::time::timeout(CONNECT_TIMEOUT, open(target)).await;
    let stream = opened.map_err(|_| NotTaken::Silent)?.map_err(NotTaken::Failed)?;
    let source = stream.local_addr().map_err(NotTaken::Failed)?;
    set_up(&stream).map_err(NotTaken::Failed)?;
    Ok((stream, source))
}

async fn open(target: &Target) -> io::Result<TcpStream> {
    let socket = if target.place.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if let Some(source) = target.source {
        // The port is chosen with the destination known, so that each server has all of them (ip(7)).
        setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?;
        socket.bind((source, 0).into())?;
    }
    socket.connect(target.place).await
}

/// What both sides of a proxied connection have: bytes go on at once, and a side that has vanished is noticed.
/// A socket that listens hands it down to those that it accepts, which begin as its copies (`inet_csk_clone_lock`,
/// net/ipv4/inet_connection_sock.c).
pub fn set_up(socket: &impl AsFd) -> io::Result<()> {
    let socket = SockRef::from(socket);
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&KEEPALIVE)
}
