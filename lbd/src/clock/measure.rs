//! Asks an NTP server once.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::UdpSocket;
use tokio::time::Instant;

use super::packet::{self, Answer, Fault};
use crate::config::NtpServer;
use crate::mail::exchange::Finder;
use crate::web::secret::random_bytes;

/// RFC 5905 section 7.2.
pub const PORT: u16 = 123;
/// Round the world and back takes 0.4 s.
const PATIENCE: Duration = Duration::from_secs(2);

/// What came of asking a server.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// Where it is, as far as that is known.
    pub address: Option<IpAddr>,
    /// What it says, or why it says nothing, for people.
    pub result: Result<Answer, String>,
}

/// Asks `server`. Its name is looked up unless its address is `known`.
pub async fn ask(server: NtpServer, known: Option<IpAddr>, dns_servers: Vec<Ipv4Addr>) -> Asked {
    let address = match (&server, known) {
        (_, Some(address)) => address,
        (NtpServer::Address(address), None) => *address,
        (NtpServer::Name(name), None) => {
            let finder = Finder::new(&dns_servers);
            let found = match finder {
                Ok(finder) => finder.of_host("NTP server", name.as_str()).await,
                Err(why) => Err(why),
            };
            match found.map(|servers| servers.into_iter().next()) {
                Ok(Some(server)) => server.address,
                Ok(None) => return Asked { address: None, result: Err("it has no address".into()) },
                Err(why) => return Asked { address: None, result: Err(why) },
            }
        }
    };
    let result = match tokio::time::timeout(PATIENCE, exchange(SocketAddr::new(address, PORT))).await {
        Ok(result) => result,
        Err(_) => Err(format!("no answer from {address} within {} s", PATIENCE.as_secs())),
    };
    Asked { address: Some(address), result }
}

async fn exchange(server: SocketAddr) -> Result<Answer, String> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            format!("refused by {}: no NTP server listens there", server.ip())
        }
        _ => format!("asking {}: {error}", server.ip()),
    };
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await.map_err(failed)?;
    // Connected: answers of others are dropped by the kernel, and refusals are told.
    socket.connect(server).await.map_err(failed)?;
    let number = random_bytes()?.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    let (sent, started) = (Timestamp::now(), Instant::now());
    socket.send(&packet::question(number)).await.map_err(failed)?;
    // What is longer than a header is extensions, which say nothing to us.
    let mut buffer = [0; packet::LENGTH];
    loop {
        let length = socket.recv(&mut buffer).await.map_err(failed)?;
        match packet::read(&buffer[..length], number, sent, started.elapsed()) {
            Err(Fault::Foreign) => {}
            other => return other.map_err(|fault| fault.to_string()),
        }
    }
}
