//! Asks lbd for its status over its control socket, without ever waiting: the loop waits.

use crate::failure::{Doing, Failure};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// An lbd that is alive answers in milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

const REQUEST: &[u8] = b"GET /api/v1/status HTTP/1.0\r\n\r\n";

/// The first line of an answer is shorter; of the rest nothing is read.
const HEAD: usize = 64;

/// One question.
#[derive(Debug)]
pub struct Question {
    stream: UnixStream,
    answer: Vec<u8>,
    deadline: Duration,
}

impl Question {
    /// Asks. Fails at once when nobody listens.
    pub fn ask(socket: &Path, now: Duration) -> Result<Self, Failure> {
        let doing = || format!("asking lbd over {}", socket.display());
        // This waits only when the socket's queue is full; a hung lbd is killed long before.
        let mut stream = UnixStream::connect(socket).doing(doing)?;
        stream.set_nonblocking(true).doing(doing)?;
        stream.write_all(REQUEST).doing(doing)?;
        Ok(Self { stream, answer: Vec::new(), deadline: now + PATIENCE })
    }

    /// When to look again, if nothing arrives.
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Takes what has arrived; none while it is too early to tell.
    pub fn outcome(&mut self, now: Duration) -> Option<Result<(), Failure>> {
        let failed = |why: &str| Some(Err(Failure::new("asking lbd for its status", why)));
        let mut buffer = [0; HEAD];
        match self.stream.read(&mut buffer) {
            Ok(0) => return failed("it closed the connection without an answer"),
            Ok(length) => self.answer.extend(&buffer[..length]),
            Err(error) if error.kind() == ErrorKind::WouldBlock || error.kind() == ErrorKind::Interrupted => {
            }
            Err(error) => return failed(&error.to_string()),
        }
        match verdict(&self.answer) {
            Some(true) => Some(Ok(())),
            Some(false) => failed(&String::from_utf8_lossy(&self.answer)),
            None if now >= self.deadline => failed("no answer in time"),
            None => None,
        }
    }
}

impl AsFd for Question {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// True for `HTTP/1.x 200` (RFC 9112 section 4); none while it is too short to tell.
fn verdict(answer: &[u8]) -> Option<bool> {
    const PATTERN: &[u8] = b"HTTP/1.? 200";
    let fits = PATTERN.iter().zip(answer).all(|(wanted, byte)| *wanted == b'?' || wanted == byte);
    match fits {
        false => Some(false),
        true => (answer.len() >= PATTERN.len()).then_some(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn first_lines() {
        let table: [(&[u8], Option<bool>); 6] = [
            (b"HTTP/1.0 200 OK\r\n", Some(true)),
            (b"HTTP/1.1 200", Some(true)),
            (b"HTTP/1.1 20", None),
            (b"", None),
            (b"HTTP/1.1 500 No", Some(false)),
            (b"SSH-2.0", Some(false)),
        ];
        for (line, expected) in table {
            assert_eq!(verdict(line), expected, "{line:?}");
        }
    }

    #[test]
    fn silence_is_a_failure_only_at_the_deadline() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lbd.sock");
        assert!(Question::ask(&path, Duration::ZERO).is_err());
        let listener = UnixListener::bind(&path).unwrap();
        let mut question = Question::ask(&path, Duration::ZERO).unwrap();
        assert_eq!(question.outcome(PATIENCE - Duration::from_millis(1)), None);
        assert!(question.outcome(PATIENCE).unwrap().is_err());
        let (mut peer, _) = listener.accept().unwrap();
        peer.write_all(b"HTTP/1.0 200 OK\r\n\r\n{}").unwrap();
        assert_eq!(question.outcome(PATIENCE), Some(Ok(())));
    }

    proptest! {
        #[test]
        fn any_answer(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            verdict(&bytes);
        }
    }
}
