//! The TCP connect test: one connection to one port, closed in order at once.

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Finding;
use crate::health::close_in_order;

/// A host in a hospital's network answers within milliseconds; the kernel repeats its SYN after 1 and 3 seconds.
const PATIENCE: Duration = Duration::from_secs(5);
/// For taking leave of a server that talks on.
const FAREWELL: Duration = Duration::from_millis(500);

pub(super) async fn connect(address: SocketAddr) -> Finding {
    let begin = Instant::now();
    let answer = timeout(PATIENCE, TcpStream::connect(address)).await;
    let took = begin.elapsed();
    let outcome = match answer {
        Ok(Ok(stream)) => {
            let _ = timeout(FAREWELL, close_in_order(stream)).await;
            Ok(())
        }
        Ok(Err(error)) => Err(error),
        Err(_) => Err(ErrorKind::TimedOut.into()),
    };
    told(address, took, &outcome)
}

/// The finding in words, with what to do next. Pure.
fn told(address: SocketAddr, took: Duration, outcome: &Result<(), Error>) -> Finding {
    let port = address.port();
    let (word, next) = match outcome {
        Ok(()) => ("connected", "Something listens there. Whether it is the right service a health check says.".to_owned()),
        Err(error) => match error.kind() {
            ErrorKind::ConnectionRefused => (
                "refused",
                format!("The host is there, and nothing listens on port {port}, or a firewall refuses. Start the service there, or correct the port."),
            ),
            ErrorKind::TimedOut => (
                "no answer",
                "The host is off, or a firewall drops what is sent to this port. Ping the host, then ask who runs the firewall.".to_owned(),
            ),
            ErrorKind::HostUnreachable => (
                "host unreachable",
                "Nobody on its network answers for this address. Is it switched on, is the address right?".to_owned(),
            ),
            ErrorKind::NetworkUnreachable => (
                "network unreachable",
                "No route leads there. Add one on the page Routing, or correct the default gateway.".to_owned(),
            ),
            _ => ("failed", format!("{error}.")),
        },
    };
    let time = format!("{:.2}", took.as_secs_f64() * 1e3);
    let row = [address.to_string(), word.to_owned(), time];
    Finding::new(
        outcome.is_ok(),
        format!("{address}: {word}. {next}"),
        ["Address and port", "Outcome", "Took (ms)"],
        vec![row],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_is_told_with_what_to_do() {
        let address = "192.0.2.1:104".parse().unwrap();
        let of = |kind: ErrorKind| told(address, Duration::from_millis(3), &Err(kind.into())).outcome;
        assert!(told(address, Duration::from_millis(3), &Ok(())).succeeded);
        assert!(of(ErrorKind::ConnectionRefused).contains("nothing listens on port 104"));
        assert!(of(ErrorKind::TimedOut).contains("a firewall drops"));
        assert!(of(ErrorKind::NetworkUnreachable).contains("page Routing"));
        assert!(of(ErrorKind::HostUnreachable).contains("Is it switched on"));
    }
}
