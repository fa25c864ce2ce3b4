//! The ping check: an ICMP echo request (RFC 792, RFC 4443 section 4), repeated each second until an answer comes.
//!
//! The socket is connected, so that the kernel passes on what that one host sends and nothing else: a thousand
//! pings do not hear each other's answers.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::attempt::Attempt;
use super::failure::{Failure, Step};

/// One may get lost.
const REPEAT: Duration = Duration::from_secs(1);
/// Type, code, checksum, identifier, sequence number.
const HEADER: usize = 8;
/// What comes back unchanged, and tells whose answer it is.
const NONCE: usize = 16;

/// An echo request, and what its answer must hold.
#[derive(Debug, Clone)]
pub struct Echo {
    nonce: [u8; NONCE],
    is_ipv6: bool,
}

impl Echo {
    /// For a host of this kind of address; `nonce` tells it from all others.
    pub fn new(nonce: [u8; NONCE], is_ipv6: bool) -> Self {
        Self { nonce, is_ipv6 }
    }

    fn random(is_ipv6: bool) -> Self {
        let mut nonce = [0; NONCE];
        for part in nonce.chunks_exact_mut(8) {
            part.copy_from_slice(&RandomState::new().build_hasher().finish().to_ne_bytes());
        }
        Self::new(nonce, is_ipv6)
    }

    /// The message, with the checksum that IPv4 wants; for IPv6 the kernel computes it.
    pub fn request(&self, sequence: u16) -> Vec<u8> {
        let kind = if self.is_ipv6 { 128 } else { 8 };
        let mut message = vec![kind, 0, 0, 0, self.nonce[0], self.nonce[1]];
        message.extend(sequence.to_be_bytes());
        message.extend(self.nonce);
        if !self.is_ipv6 {
            let sum = checksum(&message);
            message[2..4].copy_from_slice(&sum.to_be_bytes());
        }
        message
    }

    /// Whether a received message, or datagram with its IPv4 header, is the answer.
    pub fn is_answered_by(&self, received: &[u8]) -> bool {
        let message = match received {
            // A raw socket gives the IPv4 header too; an ICMP message never begins with 4.
            [first, ..] if !self.is_ipv6 && first >> 4 == 4 => {
                received.get(usize::from(first & 0x0f) * 4..).unwrap_or_default()
            }
            _ => received,
        };
        let reply = if self.is_ipv6 { 129 } else { 0 };
        message.first() == Some(&reply) && message.get(HEADER..HEADER + NONCE) == Some(&self.nonce[..])
    }
}

/// The Internet checksum (RFC 1071) of an even number of bytes.
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 =
        bytes.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Sends echo requests until one is answered.
pub(super) async fn probe(attempt: &mut Attempt) -> Result<Duration, Failure> {
    let host = attempt.target().ip();
    let echo = Echo::random(host.is_ipv6());
    let outcome = attempt.step(Step::EchoReply, exchange(host, &echo)).await;
    match outcome {
        Ok(()) => {}
        Err(Failure::TimedOut { after, .. }) => return Err(Failure::NoEchoReply { host, after }),
        Err(failure) => return Err(failure),
    }
    let took = attempt.elapsed();
    attempt.note(|| format!("{host} answers"));
    Ok(took)
}

/// Sends one echo request to `host` and waits for its answer, for as long as it is let.
pub async fn echo_once(host: IpAddr) -> io::Result<()> {
    let echo = Echo::random(host.is_ipv6());
    let socket = UdpSocket::from_std(open(host)?.into())?;
    socket.send(&echo.request(1)).await?;
    answer(&socket, &echo).await
}

async fn exchange(host: IpAddr, echo: &Echo) -> io::Result<()> {
    // Sending and receiving are the same for every datagram socket, whatever its protocol.
    let socket = UdpSocket::from_std(open(host)?.into())?;
    for sequence in 1.. {
        // A full buffer, or an error of an earlier request that is told only now: the next one may get through.
        match socket.send(&echo.request(sequence)).await {
            Err(error) if sequence == 1 => return Err(error),
            _ => {}
        }
        if let Ok(answered) = timeout(REPEAT, answer(&socket, echo)).await {
            return answered;
        }
    }
    Ok(())
}

async fn answer(socket: &UdpSocket, echo: &Echo) -> io::Result<()> {
    let mut buffer = [0; 256];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if echo.is_answered_by(&buffer[..length]) {
            return Ok(());
        }
    }
}

/// A raw socket, which lbd's capability NET_RAW allows, or one that the kernel opens to everybody where
/// `ping_group_range` says so.
fn open(host: IpAddr) -> io::Result<Socket> {
    let (domain, protocol) = match host {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
    };
    let of_type = |kind| Socket::new(domain, kind, Some(protocol));
    let socket = of_type(Type::RAW).or_else(|_| of_type(Type::DGRAM))?;
    socket.set_nonblocking(true)?;
    socket.connect(&SocketAddr::new(host, 0).into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_answer_is_known_by_what_came_back() {
        let echo = Echo::new(*b"0123456789abcdef", false);
        let mut reply = echo.request(1);
        assert_eq!(checksum(&reply), 0, "a message with its checksum adds up to nothing");
        assert!(!echo.is_answered_by(&reply), "our own request");
        reply[0] = 0;
        assert!(echo.is_answered_by(&reply));
        let with_header = [&[0x45][..], &[0; 19], &reply].concat();
        assert!(echo.is_answered_by(&with_header));
        assert!(!Echo::new([0; NONCE], false).is_answered_by(&with_header), "somebody else's");
        let six = Echo::new(*b"0123456789abcdef", true);
        let mut reply = six.request(1);
        reply[0] = 129;
        assert!(six.is_answered_by(&reply));
    }

    proptest! {
        #[test]
        fn any_datagram_is_the_answer_or_not(bytes in prop::collection::vec(any::<u8>(), 0..80), is_ipv6: bool) {
            prop_assert!(!Echo::random(is_ipv6).is_answered_by(&bytes));
        }
    }
}
