//! One attempt at a server: its deadline, and what an I/O error means to the administrator.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::failure::{Failure, Step};

/// How long a finished check may wait for the server's goodbye. Servers answer a release within
/// milliseconds; one that does not must not hold the result back.
const FAREWELL: Duration = Duration::from_millis(500);

/// A check under way.
#[derive(Debug)]
pub(super) struct Attempt {
    target: SocketAddr,
    started: Instant,
    allowed: Duration,
}

impl Attempt {
    /// The clock runs from here.
    pub(super) fn start(target: SocketAddr, allowed: Duration) -> Self {
        Self { target, started: Instant::now(), allowed }
    }

    /// Time since the start.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Connects, without the delay that small writes suffer otherwise (TCP_NODELAY).
    pub(super) async fn connect(&self) -> Result<TcpStream, Failure> {
        self.step(Step::Connecting, async {
            let stream = TcpStream::connect(self.target).await?;
            stream.set_nodelay(true)?;
            Ok(stream)
        })
        .await
    }

    /// Does `work` within what is left of the allowed time; a failure names `step`.
    pub(super) async fn step<T>(
        &self,
        step: Step,
        work: impl Future<Output = io::Result<T>>,
    ) -> Result<T, Failure> {
        match timeout_at(self.started + self.allowed, work).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.explain(step, &error)),
            Err(_) => Err(Failure::TimedOut { step, after: self.allowed }),
        }
    }

    /// Does `work` for as long as politeness demands and the deadline allows. Its outcome is of no interest.
    pub(super) async fn farewell<T>(&self, work: impl Future<Output = T>) {
        let until = (self.started + self.allowed).min(Instant::now() + FAREWELL);
        let _ = timeout_at(until, work).await;
    }

    fn explain(&self, step: Step, error: &io::Error) -> Failure {
        use io::ErrorKind as Kind;
        match error.kind() {
            Kind::ConnectionRefused => Failure::Refused { target: self.target },
            Kind::HostUnreachable => Failure::HostUnreachable { host: self.target.ip() },
            Kind::NetworkUnreachable => Failure::NetworkUnreachable { host: self.target.ip() },
            Kind::ConnectionReset | Kind::ConnectionAborted => Failure::Reset { step },
            Kind::BrokenPipe | Kind::UnexpectedEof | Kind::NotConnected => Failure::Closed { step },
            Kind::TimedOut => Failure::TimedOut { step, after: self.elapsed() },
            _ => Failure::Other { step, error: error.to_string() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_error_of_the_kernel_has_its_words() {
        let target = "198.51.100.2:11112".parse().unwrap();
        let attempt = Attempt::start(target, Duration::from_secs(3));
        let step = Step::AssociationAnswer;
        let explained = |kind: io::ErrorKind| attempt.explain(step, &kind.into());
        let host = target.ip();
        assert_eq!(explained(io::ErrorKind::ConnectionRefused), Failure::Refused { target });
        assert_eq!(explained(io::ErrorKind::HostUnreachable), Failure::HostUnreachable { host });
        assert_eq!(explained(io::ErrorKind::NetworkUnreachable), Failure::NetworkUnreachable { host });
        assert_eq!(explained(io::ErrorKind::ConnectionReset), Failure::Reset { step });
        assert_eq!(explained(io::ErrorKind::BrokenPipe), Failure::Closed { step });
        assert!(matches!(explained(io::ErrorKind::TimedOut), Failure::TimedOut { .. }));
    }

    #[tokio::test]
    async fn an_unusual_error_keeps_the_words_of_the_system() {
        let target = "198.51.100.2:11112".parse().unwrap();
        let attempt = Attempt::start(target, Duration::from_secs(3));
        let too_many_open_files = io::Error::from_raw_os_error(24);
        let failure = attempt.explain(Step::Connecting, &too_many_open_files);
        assert!(failure.to_string().contains("Too many open files"), "{failure}");
    }
}
