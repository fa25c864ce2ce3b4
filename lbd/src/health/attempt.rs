//! One attempt at a server: its deadline, its steps, and what an I/O error means to the administrator.

use std::borrow::Cow;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::failure::{Failure, Step};
use super::{Connection, Passed, tls};
use crate::config::check_kind::Tls;

/// How long a finished check may wait for the server's goodbye. Servers answer a release within
/// milliseconds; one that does not must not hold the result back.
const FAREWELL: Duration = Duration::from_millis(500);

/// A check under way.
#[derive(Debug)]
pub(super) struct Attempt {
    target: SocketAddr,
    started: Instant,
    allowed: Duration,
    certificate_ends: Option<Timestamp>,
    /// `None` where nobody wants to know.
    milestones: Option<Vec<Milestone>>,
}

/// Something that a check has reached.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Milestone {
    /// When, since the start of the check.
    pub at_milliseconds: f64,
    /// What, in words.
    pub what: String,
}

/// A check, step by step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// Whether the check has passed.
    pub passed: bool,
    /// How long the server took to answer, or why the check failed.
    pub outcome: String,
    /// In the order in which they were reached; the last one is the failure, if there is one.
    pub steps: Vec<Milestone>,
    /// The server speaks DICOM and refused the association: perhaps for a wrong AE title.
    #[serde(skip)]
    pub association_rejected: bool,
}

/// A check takes about seven steps; one that answers in countless pieces must not fill the memory.
const MOST_MILESTONES: usize = 32;

impl Attempt {
    /// The clock runs from here.
    pub(super) fn start(target: SocketAddr, allowed: Duration) -> Self {
        Self { target, started: Instant::now(), allowed, certificate_ends: None, milestones: None }
    }

    /// The same, with every step noted.
    pub(super) fn traced(target: SocketAddr, allowed: Duration) -> Self {
        Self { milestones: Some(Vec::new()), ..Self::start(target, allowed) }
    }

    /// Notes what has been reached, where somebody wants to know.
    pub(super) fn note<W: Into<Cow<'static, str>>>(&mut self, what: impl FnOnce() -> W) {
        let at_milliseconds = self.elapsed().as_secs_f64() * 1e3;
        let milestones = self.milestones.as_mut().filter(|known| known.len() < MOST_MILESTONES);
        if let Some(milestones) = milestones {
            milestones.push(Milestone { at_milliseconds, what: what().into().into_owned() });
        }
    }

    /// All that was noted, and how it ended.
    pub(super) fn into_trace(mut self, outcome: Result<Passed, Failure>) -> Trace {
        let passed = outcome.is_ok();
        let association_rejected = matches!(outcome, Err(Failure::Rejected { .. }));
        let outcome = match outcome {
            Ok(passed) => format!("passed in {:.1} ms", passed.took.as_secs_f64() * 1e3),
            Err(failure) => {
                let words = failure.to_string();
                self.note(|| format!("failed: {words}"));
                words
            }
        };
        Trace { passed, outcome, steps: self.milestones.unwrap_or_default(), association_rejected }
    }

    /// Where the server is.
    pub(super) fn target(&self) -> SocketAddr {
        self.target
    }

    /// Time since the start.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Until when the server's certificate counts, as far as one has been seen.
    pub(super) fn certificate_ends(&self) -> Option<Timestamp> {
        self.certificate_ends
    }

    /// The server has shown a certificate that counts until then.
    pub(super) fn saw_certificate(&mut self, ends: Timestamp) {
        self.certificate_ends = Some(ends);
    }

    /// Connects, without the delay that small writes suffer otherwise (TCP_NODELAY).
    pub(super) async fn connect(&mut self) -> Result<TcpStream, Failure> {
        let target = self.target;
        let stream = self
            .step(Step::Connecting, async {
                let stream = TcpStream::connect(target).await?;
                stream.set_nodelay(true)?;
                Ok(stream)
            })
            .await?;
        self.note(|| format!("connected to {target}"));
        Ok(stream)
    }

    /// Connects, and speaks TLS where `tls` asks for it.
    pub(super) async fn open(&mut self, tls: Option<&Tls>) -> Result<Connection, Failure> {
        let stream = self.connect().await?;
        match tls {
            Some(tls) => Ok(Connection::Secure(Box::new(tls::handshake(stream, tls, self).await?))),
            None => Ok(Connection::Plain(stream)),
        }
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

    /// What an error of the operating system, or of TLS, means.
    pub(super) fn explain(&self, step: Step, error: &io::Error) -> Failure {
        use io::ErrorKind as Kind;
        if let Some(fault) = tls::fault_in(error) {
            return Failure::Tls(fault);
        }
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
