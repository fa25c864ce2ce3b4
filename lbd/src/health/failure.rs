//! Why a check failed, in words for a tired administrator: what happened, and what to look at.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::config::AeTitle;
use crate::config::check_kind::{EscapedBytes, StatusRanges};

use super::dicom::reason::{Abort, ContextResult, PduKind, Rejection, status_words};
use super::tls::TlsFault;

/// What a check was doing when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// No TCP connection yet.
    Connecting,
    /// The TCP connection stands.
    TlsHandshake,
    /// The association request is out.
    AssociationAnswer,
    /// The association is established and the C-ECHO request is out.
    EchoAnswer,
    /// The HTTP request is out.
    HttpAnswer,
    /// The head of the HTTP answer has come.
    HttpBody,
    /// What is to be sent is out.
    ExpectedAnswer,
    /// The ICMP echo request is out.
    EchoReply,
}

/// Why a check failed. The text never quotes the server but for at most 16 bytes in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The server's kernel refused the connection.
    Refused {
        /// Where nothing listens.
        target: SocketAddr,
    },
    /// Nobody answers at that address in its own network, or a router says so.
    HostUnreachable {
        /// The silent host.
        host: IpAddr,
    },
    /// The appliance has no route.
    NetworkUnreachable {
        /// The host that cannot be reached.
        host: IpAddr,
    },
    /// The server reset the connection.
    Reset {
        /// When.
        step: Step,
    },
    /// The server closed the connection.
    Closed {
        /// When.
        step: Step,
    },
    /// The time allowed for the whole check ran out.
    TimedOut {
        /// At which step.
        step: Step,
        /// After which time.
        after: Duration,
    },
    /// Another error of the operating system.
    Other {
        /// When.
        step: Step,
        /// In the system's words.
        error: String,
    },
    /// The server refused the association.
    Rejected {
        /// The server's reason.
        rejection: Rejection,
        /// The AE title that we gave as ours.
        calling: AeTitle,
        /// The AE title that we asked for.
        called: AeTitle,
    },
    /// The server took the association, but not the Verification service in it.
    ContextRefused(ContextResult),
    /// The server answered the C-ECHO with something other than success.
    BadStatus(u16),
    /// The server aborted the association.
    Aborted {
        /// When.
        step: Step,
        /// The server's reason.
        abort: Abort,
    },
    /// The server sent a message of DICOM's that does not belong here.
    UnexpectedPdu {
        /// When.
        step: Step,
        /// Which.
        kind: PduKind,
    },
    /// The answer is DICOM, but breaks its rules.
    Malformed {
        /// When.
        step: Step,
        /// Which rule.
        what: &'static str,
    },
    /// The answer is not DICOM.
    NotDicom(FirstBytes),
    /// The answer is larger than any sensible one.
    TooLarge {
        /// When.
        step: Step,
        /// Bytes announced or received.
        size: u64,
        /// Bytes that are allowed.
        limit: usize,
    },
    /// The TLS handshake failed.
    Tls(TlsFault),
    /// The answer is not HTTP.
    NotHttp,
    /// The HTTP status is not one of those expected.
    HttpStatus {
        /// Which came.
        status: u16,
        /// Which pass.
        expected: StatusRanges,
    },
    /// The page does not hold the text.
    BodyLacks {
        /// The text.
        expected: EscapedBytes,
        /// Bytes that were looked at.
        length: usize,
    },
    /// The answer of a send-expect check does not hold the bytes.
    AnswerLacks {
        /// The bytes.
        expected: EscapedBytes,
        /// What came instead.
        first: FirstBytes,
        /// Bytes that were looked at.
        length: usize,
    },
    /// Nobody answered a ping.
    NoEchoReply {
        /// Who was asked.
        host: IpAddr,
        /// How long was waited.
        after: Duration,
    },
    /// The check says no by itself.
    AlwaysOff,
    /// Our own request cannot be written: an AE title that [`AeTitle`] should have refused.
    Unaskable,
}

/// The beginning of an answer that is not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstBytes {
    bytes: [u8; Self::MOST],
    length: usize,
}

impl FirstBytes {
    /// Enough to recognise a protocol, too few to smuggle anything into a log.
    const MOST: usize = 16;

    /// The first bytes of `answer`.
    pub fn of(answer: &[u8]) -> Self {
        let length = answer.len().min(Self::MOST);
        let mut bytes = [0; Self::MOST];
        bytes[..length].copy_from_slice(&answer[..length]);
        Self { bytes, length }
    }

    /// What usually begins like this.
    fn guess(&self) -> &'static str {
        match &self.bytes[..self.length] {
            // A TLS alert record (RFC 8446, section 5.1): what a TLS server answers to plain text.
            [0x15, 0x03, ..] => ", which looks like TLS: the port expects encrypted connections",
            [b'H', b'T', b'T', b'P', ..] => ", which looks like a web server",
            [b'S', b'S', b'H', ..] => ", which looks like an SSH server",
            _ => "",
        }
    }
}

impl fmt::Display for FirstBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.bytes[..self.length].iter().enumerate() {
            let gap = if index == 0 { "" } else { " " };
            write!(f, "{gap}{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connecting => "connecting",
            Self::TlsHandshake => "waiting for the answer to the TLS handshake",
            Self::HttpAnswer => "waiting for the answer to the HTTP request",
            Self::HttpBody => "reading the page",
            Self::ExpectedAnswer => "waiting for the expected bytes",
            Self::EchoReply => "waiting for the answer to the ping",
            Self::AssociationAnswer => "waiting for the answer to the association request",
            Self::EchoAnswer => "waiting for the C-ECHO answer",
        })
    }
}

impl Step {
    /// What to look at when the server is silent.
    fn advice_on_silence(self) -> &'static str {
        match self {
            Self::Connecting => {
                "the server does not answer at all: is it switched on, and does no firewall block the port?"
            }
            Self::AssociationAnswer => {
                "the port is open but its program is silent: is it a DICOM service, is it overloaded or stuck?"
            }
            Self::EchoAnswer => {
                "the DICOM service took the association and then fell silent: look at its log and load"
            }
            Self::TlsHandshake => {
                "the port is open but does not speak TLS: is it the encrypted port of the service?"
            }
            Self::HttpAnswer | Self::HttpBody => {
                "the port is open but the web server is slow or stuck: look at its log and load"
            }
            Self::ExpectedAnswer => {
                "the port is open but does not say what is expected: compare with the check's send and expect"
            }
            Self::EchoReply => "is the server switched on, and does no firewall block pings?",
        }
    }

    /// What to look at when the server hangs up.
    fn advice_on_end(self) -> &'static str {
        match self {
            Self::Connecting => "is there a firewall or another load balancer in front of the server?",
            Self::AssociationAnswer => {
                "is it a DICOM service, and does it allow connections from the appliance's address?"
            }
            Self::EchoAnswer => "look at the DICOM service's log",
            Self::TlsHandshake => "is it the encrypted port of the service? look at its log",
            Self::HttpAnswer | Self::HttpBody => "is it a web server? look at its log",
            Self::ExpectedAnswer => "look at the service's log",
            Self::EchoReply => "look at the network",
        }
    }
}

impl std::error::Error for Failure {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { target } => write!(
                f,
                "connection refused: nothing listens on {target}; \
                 check that the service runs there and that the port is right"
            ),
            Self::HostUnreachable { host } => write!(
                f,
                "no route to host: {host} does not answer on its network; \
                 check that the server is switched on, its cable and its address"
            ),
            Self::NetworkUnreachable { host } => write!(
                f,
                "network unreachable: the appliance has no route to {host}; \
                 check the appliance's addresses, routes and gateway"
            ),
            Self::Reset { step } => {
                write!(f, "connection reset by the server while {step}; {}", step.advice_on_end())
            }
            Self::Closed { step } => {
                write!(f, "connection closed by the server while {step}; {}", step.advice_on_end())
            }
            Self::TimedOut { step, after } => {
                write!(f, "time-out after {} s while {step}; {}", seconds(*after), step.advice_on_silence())
            }
            Self::Other { step, error } => write!(f, "system error while {step}: {error}"),
            Self::Rejected { rejection, calling, called } => {
                write!(f, "association {rejection}; {}", rejection.advice(calling, called))
            }
            Self::ContextRefused(result) => {
                write!(f, "no presentation context accepted: {result}; {}", result.advice())
            }
            Self::BadStatus(status) => write!(
                f,
                "C-ECHO answered with status 0x{status:04X} ({}); look at the DICOM service's log",
                status_words(*status)
            ),
            Self::Aborted { step, abort } => {
                write!(f, "association aborted {abort} while {step}; look at the DICOM service's log")
            }
            Self::Tls(fault) => fault.fmt(f),
            Self::NoEchoReply { host, after } => write!(
                f,
                "no answer to pings from {host} within {} s; {}",
                seconds(*after),
                Step::EchoReply.advice_on_silence()
            ),
            Self::AlwaysOff => f.write_str("switched off by its health check (always-off)"),
            _ => self.misunderstanding(f),
        }
    }
}

/// With one decimal at most.
fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 10.0).round() / 10.0
}

/// What was expected, short enough for one line.
fn shortened(expected: &EscapedBytes) -> String {
    const MOST: usize = 40;
    let text = expected.to_string();
    let shown: String = text.chars().take(MOST).collect();
    if shown.len() < text.len() { format!("\"{shown}...\"") } else { format!("\"{shown}\"") }
}

impl Failure {
    /// Whether the server said that it does not know the AE title that was called.
    pub fn is_unknown_called_title(&self) -> bool {
        matches!(self, Self::Rejected { rejection: Rejection { source: 1, reason: 7, .. }, .. })
    }

    /// The words for answers that are not what was expected.
    fn misunderstanding(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnexpectedPdu { step, kind } => {
                write!(f, "the server sent {kind} while {step}; is the port that of a DICOM server (SCP)?")
            }
            Self::Malformed { step, what } => {
                write!(
                    f,
                    "the answer breaks the rules of DICOM while {step}: {what}; ask the server's vendor"
                )
            }
            Self::NotDicom(first) => write!(
                f,
                "not DICOM: the answer begins with {first} (hexadecimal){}; check the port",
                first.guess()
            ),
            Self::TooLarge { step, size, limit } => write!(
                f,
                "answer too large while {step}: {size} bytes where {limit} are plenty; \
                 is the port that of a DICOM service?"
            ),
            Self::NotHttp => f.write_str("the answer is not HTTP; is the port that of a web server?"),
            Self::HttpStatus { status, expected } => write!(
                f,
                "HTTP status {status} where {expected} is expected; look at the web server's log, and at the check's \
                 path and host"
            ),
            Self::BodyLacks { expected, length } => write!(
                f,
                "the page lacks {} in its first {length} bytes; look at the page, or correct the check",
                shortened(expected)
            ),
            Self::AnswerLacks { expected, first, length } => write!(
                f,
                "the answer of {length} bytes lacks {}: it begins with {first} (hexadecimal){}; correct the check, or \
                 look at the service's log",
                shortened(expected),
                first.guess()
            ),
            _ => f.write_str("the AE titles of the check cannot be written as DICOM demands; change them"),
        }
    }
}

#[cfg(test)]
#[path = "failure_tests.rs"]
mod tests;
