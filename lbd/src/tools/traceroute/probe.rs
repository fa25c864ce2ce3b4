//! One probe: a UDP datagram that may pass so many routers, from a socket of its own, by which its answer is known. The
//! kernel keeps what ICMP says of it for the socket (`IP_RECVERR` in ip(7)), so that no capability is needed, and passes
//! connection tracking as related to it.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc::{SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6, sock_extended_err, sockaddr_in6};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recv, recvmsg, setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::timeout;

use super::reply::{Icmp, Meaning, Reply, Sender};
use crate::sys;

/// A router that looks in vain for a host on its network says so after 3 s (`mcast_solicit` and `retrans_time_ms`,
/// Documentation/networking/ip-sysctl.rst).
const PATIENCE: Duration = Duration::from_millis(3500);
/// As much as others send, and nothing of ours.
const PAYLOAD: [u8; 32] = [0; 32];

/// An ICMP message, and who sent it.
type Message = (Icmp, IpAddr);

/// Sends it and waits for the answer; `None` where there is none in time. The error says why it could not be sent.
pub(super) async fn probe(destination: SocketAddr, hops: u8) -> io::Result<Option<Reply>> {
    let socket = open(destination, hops)?;
    let local = socket.local_addr()?.as_socket().map(|address| address.ip());
    let begin = Instant::now();
    socket.send(&PAYLOAD)?;
    let socket = sys::watch(socket.into())?;
    let Ok(answer) = timeout(PATIENCE, answer(&socket)).await else { return Ok(None) };
    let took = begin.elapsed();
    let (from, meaning) = match answer? {
        // Somebody listens on that port of all ports.
        None => (destination.ip(), Meaning::Arrived),
        Some((icmp, from)) => {
            let sender = match from {
                _ if from == destination.ip() => Sender::Destination,
                _ if Some(from) == local => Sender::Ourselves,
                _ => Sender::Other,
            };
            (from, icmp.meaning(sender))
        }
    };
    Ok(Some(Reply { from, took, meaning }))
}

fn open(destination: SocketAddr, hops: u8) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(destination), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    match destination {
        SocketAddr::V4(_) => {
            socket.set_ttl_v4(hops.into())?;
            setsockopt(&socket, sockopt::Ipv4RecvErr, &true)?;
        }
        SocketAddr::V6(_) => {
            socket.set_unicast_hops_v6(hops.into())?;
            setsockopt(&socket, sockopt::Ipv6RecvErr, &true)?;
        }
    }
    socket.connect(&destination.into())?;
    Ok(socket)
}

/// The ICMP message, or nothing where a datagram came back.
async fn answer(socket: &AsyncFd<OwnedFd>) -> io::Result<Option<Message>> {
    loop {
        let mut ready = socket.ready(Interest::READABLE.add(Interest::ERROR)).await?;
        if let Ok(answer) = ready.try_io(|socket| read(socket.get_ref())) {
            return answer;
        }
    }
}

fn read(socket: &OwnedFd) -> io::Result<Option<Message>> {
    if let Some(message) = queued(socket)? {
        return Ok(Some(message));
    }
    // The error of a message that has come only now is told here, and the message stays for the next look.
    match recv(socket.as_raw_fd(), &mut [0], MsgFlags::MSG_DONTWAIT) {
        Ok(_) => Ok(None),
        Err(Errno::EAGAIN) => Err(io::ErrorKind::WouldBlock.into()),
        Err(error) => queued(socket)?.map(Some).ok_or(error.into()),
    }
}

/// The next message of the socket's error queue.
fn queued(socket: &OwnedFd) -> io::Result<Option<Message>> {
    // Of the address the larger kind.
    let mut control = nix::cmsg_space!(sock_extended_err, sockaddr_in6);
    let mut returned = [0; PAYLOAD.len()];
    let mut buffers = [IoSliceMut::new(&mut returned)];
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let received = recvmsg::<()>(socket.as_raw_fd(), &mut buffers, Some(&mut control), flags);
    let received = match received {
        Ok(received) => received,
        Err(Errno::EAGAIN) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let (error, from) = (received.cmsgs()?)
        .find_map(|message| match message {
            ControlMessageOwned::Ipv4RecvErr(error, from) => {
                Some((error, from.map(|from| IpAddr::from(from.sin_addr.s_addr.to_ne_bytes()))))
            }
            ControlMessageOwned::Ipv6RecvErr(error, from) => {
                Some((error, from.map(|from| IpAddr::from(from.sin6_addr.s6_addr))))
            }
            _ => None,
        })
        .ok_or(io::ErrorKind::InvalidData)?;
    match (error.ee_origin, from) {
        (origin @ (SO_EE_ORIGIN_ICMP | SO_EE_ORIGIN_ICMP6), Some(from)) => {
            let icmp = Icmp { kind: error.ee_type, code: error.ee_code, is_v6: origin == SO_EE_ORIGIN_ICMP6 };
            Ok(Some((icmp, from)))
        }
        _ => Err(io::Error::from_raw_os_error(error.ee_errno.cast_signed())),
    }
}
