//! Why a server of updates gave nothing, in words for people who may have to ask others: network, proxy, or who runs the
//! server.

use std::fmt;
use std::io;
use std::time::Duration;

use evenkeel_update::fault::Fault as UpdateFault;
use hyper::StatusCode;

use crate::health::tls::TlsFault;
use crate::log::forward::words;

/// Who was spoken to when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// The server that the URL names, or that it led to.
    Server,
    /// The proxy of the settings.
    Proxy,
}

/// Why nothing came of it. Places are host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// There is no such name, or nobody says.
    Name(String),
    /// There is no connection.
    Unreached {
        /// To whom.
        party: Party,
        /// Where.
        place: String,
        /// In the system's words.
        why: String,
    },
    /// Nobody answered in time.
    Silent {
        /// Who.
        party: Party,
        /// Where.
        place: String,
        /// What was waited for.
        step: &'static str,
        /// How long.
        after: Duration,
    },
    /// The proxy does not connect.
    NoTunnel {
        /// Where the proxy is.
        proxy: String,
        /// Where it should connect to.
        place: String,
        /// What it says.
        status: StatusCode,
    },
    /// What answers does not speak HTTP, or breaks off.
    BrokeOff {
        /// Who.
        party: Party,
        /// Where.
        place: String,
        /// In the library's words.
        why: String,
    },
    /// The server is not trusted.
    Tls {
        /// Where.
        place: String,
        /// Why.
        fault: TlsFault,
    },
    /// The server has no such file, or does not give it.
    Status {
        /// What was asked for.
        url: String,
        /// What it says.
        status: StatusCode,
    },
    /// It leads elsewhere, too often or where nobody goes.
    LedAstray {
        /// What was asked for.
        url: String,
        /// What is wrong with that.
        why: &'static str,
    },
    /// It sends more than such a file has.
    TooLarge {
        /// What was asked for.
        url: String,
        /// How much there may be.
        limit: u64,
    },
    /// It sends less than the index says.
    TooSmall {
        /// What was asked for.
        url: String,
        /// How much there should be.
        size: u64,
        /// How much came.
        received: u64,
    },
    /// All of it took too long.
    TooSlow(Duration),
    /// What came is not by whom it should be.
    Untrusted(String),
}

/// However the library puts it.
const TOO_EARLY: &str = "the connection ended too early";

impl Fault {
    /// What the library says of a connection that broke off: the words of its deepest cause.
    pub(super) fn broke_off(party: Party, place: &str, error: &hyper::Error) -> Self {
        let first: &dyn std::error::Error = error;
        let deepest = std::iter::successors(Some(first), |error| error.source()).last().unwrap_or(first);
        let why = match deepest.downcast_ref::<io::Error>() {
            Some(error) if error.kind() == io::ErrorKind::UnexpectedEof => TOO_EARLY.to_owned(),
            Some(error) => words(error),
            None if error.is_incomplete_message() => TOO_EARLY.to_owned(),
            None => deepest.to_string(),
        };
        Self::BrokeOff { party, place: place.to_owned(), why }
    }
}

impl From<UpdateFault> for Fault {
    fn from(fault: UpdateFault) -> Self {
        Self::Untrusted(fault.to_string())
    }
}

impl Party {
    fn setting(self) -> &'static str {
        match self {
            Self::Server => "the URL",
            Self::Proxy => "the proxy in the settings",
        }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server => "update server",
            Self::Proxy => "proxy",
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(why) => write!(f, "{why}; check the settings, and the DNS servers of the appliance"),
            Self::Unreached { party, place, why } => write!(
                f,
                "the {party} {place} cannot be reached: {why}; check {}, and whether a firewall is between",
                party.setting()
            ),
            Self::Silent { party, place, step, after } => write!(
                f,
                "the {party} {place} gave no answer within {} s while {step}; check {}, and whether a firewall is between",
                after.as_secs(),
                party.setting()
            ),
            Self::NoTunnel { proxy, place, status } => no_tunnel(f, proxy, place, *status),
            Self::BrokeOff { party, place, why } => {
                write!(f, "the {party} {place} broke off: {why}; try again, and check {}", party.setting())
            }
            Self::Tls { place, fault } => untrusted(f, place, fault),
            Self::Status { url, status } => {
                write!(
                    f,
                    "the update server answered {status} for {url}; check the URL, or ask who runs the server"
                )
            }
            Self::LedAstray { url, why } => write!(f, "the address {url} leads {why}; correct the URL"),
            Self::TooLarge { url, limit } => {
                write!(
                    f,
                    "the file {url} has more than the {limit} bytes that it may have; ask who runs the server"
                )
            }
            Self::TooSmall { url, size, received } => write!(
                f,
                "the file {url} ended after {received} of {size} bytes; download it again, or ask who runs the server"
            ),
            Self::TooSlow(after) => {
                write!(
                    f,
                    "it did not end within {} s; try again, or look for what is slow on the way",
                    after.as_secs()
                )
            }
            Self::Untrusted(why) => f.write_str(why),
        }
    }
}

fn no_tunnel(f: &mut fmt::Formatter<'_>, proxy: &str, place: &str, status: StatusCode) -> fmt::Result {
    let remedy = match status {
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            "it wants a user, which the appliance has not: let it take the appliance by its address"
        }
        StatusCode::FORBIDDEN => "ask who runs the proxy to allow it",
        _ => "check the URL, or ask who runs the proxy",
    };
    write!(f, "the proxy {proxy} does not connect to {place} ({status}); {remedy}")
}

/// In the words of these settings, which are others than those of health checks.
fn untrusted(f: &mut fmt::Formatter<'_>, place: &str, fault: &TlsFault) -> fmt::Result {
    let of = |name: &Option<String>| name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    match fault {
        TlsFault::UnknownIssuer { issuer } => write!(
            f,
            "the certificate of the update server {place} is not trusted: its issuer{} is not known; where a proxy opens \
             HTTPS, or the server has an authority of its own, give that certificate in the settings",
            of(issuer)
        ),
        TlsFault::NameMismatch { expected, subject } => write!(
            f,
            "the certificate of the update server {place}{} does not hold the name {expected}; correct the URL, or ask who \
             runs the server",
            of(subject)
        ),
        TlsFault::NoAuthorities { file } => {
            write!(f, "no certificate authorities in {file}; give the issuer's certificate in the settings")
        }
        TlsFault::Expired { .. } => write!(
            f,
            "the certificate of the update server {place} has expired; look at the appliance's clock, or ask who runs the \
             server"
        ),
        TlsFault::NotYetValid { .. } => write!(
            f,
            "the certificate of the update server {place} is not valid yet; look at the appliance's clock, or ask who runs \
             the server"
        ),
        TlsFault::Alert(alert) => write!(
            f,
            "the update server {place} ended the TLS handshake ({alert:?}); check the URL, or ask who runs the server"
        ),
        other => write!(f, "the update server {place}: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use rustls::AlertDescription;

    use super::*;

    #[test]
    fn every_fault_is_told_in_these_words() {
        let (place, url) = ("updates.example:443".to_owned(), "https://updates.example/i.json".to_owned());
        let (proxy, why) = ("proxy:3128".to_owned(), "connection refused".to_owned());
        let after = Duration::from_secs(20);
        let tls = |fault: TlsFault| Fault::Tls { place: place.clone(), fault };
        let issuer = Some("CN=Hospital".to_owned());
        let tunnel = |status| Fault::NoTunnel { proxy: proxy.clone(), place: place.clone(), status };
        let faults = [
            Fault::Name("the update server updates.example has no address, say the DNS servers".into()),
            Fault::Unreached { party: Party::Server, place: place.clone(), why: why.clone() },
            Fault::Unreached { party: Party::Proxy, place: proxy.clone(), why },
            Fault::Silent { party: Party::Server, place: place.clone(), step: "connecting", after },
            tunnel(StatusCode::FORBIDDEN),
            tunnel(StatusCode::PROXY_AUTHENTICATION_REQUIRED),
            tunnel(StatusCode::BAD_GATEWAY),
            Fault::BrokeOff { party: Party::Proxy, place: proxy.clone(), why: "invalid HTTP version".into() },
            tls(TlsFault::UnknownIssuer { issuer }),
            tls(TlsFault::NameMismatch { expected: "updates.example".into(), subject: None }),
            tls(TlsFault::NoAuthorities { file: "/etc/ssl/certs/ca-certificates.crt" }),
            tls(TlsFault::Expired { ended: None }),
            tls(TlsFault::NotYetValid { begins: None }),
            tls(TlsFault::Alert(AlertDescription::UnrecognisedName)),
            Fault::Status { url: url.clone(), status: StatusCode::NOT_FOUND },
            Fault::LedAstray { url: url.clone(), why: "to more than 3 places one after the other" },
            Fault::TooLarge { url: url.clone(), limit: 65_536 },
            Fault::TooSmall { url, size: 10, received: 5 },
            Fault::TooSlow(after),
            UpdateFault::IndexForged.into(),
            UpdateFault::IndexOfOtherKey.into(),
        ];
        let told = faults.iter().map(|fault| format!("{fault}\n")).collect::<String>();
        insta::assert_snapshot!(told);
    }
}
