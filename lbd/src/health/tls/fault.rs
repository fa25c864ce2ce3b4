//! What can go wrong in a TLS handshake, in an administrator's words.

use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rustls::{AlertDescription, CertificateError, Error};

use crate::health::certificate::Certificate;

/// Why a handshake failed. What is quoted of a certificate is bounded and without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsFault {
    /// The certificate's time is over.
    Expired {
        /// When it ended.
        ended: Option<Timestamp>,
    },
    /// The certificate's time has not come.
    NotYetValid {
        /// When it begins.
        begins: Option<Timestamp>,
    },
    /// The certificate's issuer is not trusted.
    UnknownIssuer {
        /// Who it is.
        issuer: Option<String>,
    },
    /// The certificate was issued for other names.
    NameMismatch {
        /// What was asked for.
        expected: String,
        /// For whom it was issued.
        subject: Option<String>,
    },
    /// Something else is wrong with the certificate.
    BadCertificate(String),
    /// The server ended the handshake.
    Alert(AlertDescription),
    /// No version or cipher suite in common.
    NothingInCommon(String),
    /// The answer is not TLS.
    NotTls,
    /// The file of certificate authorities is missing or empty.
    NoAuthorities {
        /// Its path.
        file: &'static str,
    },
    /// Anything else, in the words of the library.
    Other(String),
}

impl TlsFault {
    /// What an error of the library means.
    pub fn of(error: &Error) -> Self {
        match error {
            Error::InvalidCertificate(error) => Self::of_certificate(error),
            Error::AlertReceived(alert) => Self::Alert(*alert),
            Error::PeerIncompatible(why) => Self::NothingInCommon(bounded(&format!("{why:?}"))),
            Error::InvalidMessage(_) => Self::NotTls,
            other => Self::Other(bounded(&other.to_string())),
        }
    }

    fn of_certificate(error: &CertificateError) -> Self {
        match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                Self::Expired { ended: None }
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::NotYetValid { begins: None }
            }
            CertificateError::UnknownIssuer => Self::UnknownIssuer { issuer: None },
            CertificateError::NotValidForName => {
                Self::NameMismatch { expected: "its address".into(), subject: None }
            }
            CertificateError::NotValidForNameContext { expected, .. } => {
                Self::NameMismatch { expected: bounded(&expected.to_str()), subject: None }
            }
            other => Self::BadCertificate(bounded(&other.to_string())),
        }
    }

    /// The same, with what is known of the certificate.
    pub fn about(self, certificate: Option<&Certificate>) -> Self {
        let Some(certificate) = certificate else { return self };
        match self {
            Self::Expired { .. } => Self::Expired { ended: Some(certificate.ends) },
            Self::NotYetValid { .. } => Self::NotYetValid { begins: Some(certificate.begins) },
            Self::UnknownIssuer { .. } => Self::UnknownIssuer { issuer: Some(certificate.issuer.clone()) },
            Self::NameMismatch { expected, .. } => {
                Self::NameMismatch { expected, subject: Some(certificate.subject.clone()) }
            }
            other => other,
        }
    }
}

/// The day of an instant, in UTC.
pub fn day(instant: Timestamp) -> String {
    instant.to_zoned(TimeZone::UTC).date().to_string()
}

fn bounded(text: &str) -> String {
    const MOST: usize = 100;
    text.chars().filter(|c| !c.is_control()).take(MOST).collect()
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on = |day: &Option<Timestamp>, word: &str| {
            day.map(|d| format!("{word} {}", self::day(d))).unwrap_or_default()
        };
        let named =
            |name: &Option<String>| name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        f.write_str("TLS handshake failed: ")?;
        match self {
            Self::Expired { ended } => {
                write!(f, "the server's certificate has expired{}; renew it on the server", on(ended, " on"))
            }
            Self::NotYetValid { begins } => write!(
                f,
                "the server's certificate counts only{}; compare the clocks of server and appliance",
                on(begins, " from")
            ),
            Self::UnknownIssuer { issuer } => write!(
                f,
                "the issuer of the server's certificate is not trusted{}; give the issuer's certificate as \
                 tls_verify, or tls_verify = \"none\"",
                named(issuer)
            ),
            Self::NameMismatch { expected, subject } => write!(
                f,
                "the server's certificate{} does not hold the name {expected}; give its name as tls_server_name",
                named(subject)
            ),
            Self::BadCertificate(why) => {
                write!(f, "the server's certificate is not usable: {why}; look at the server's certificate")
            }
            Self::Alert(alert) => {
                write!(f, "the server refused with the alert {alert:?}; {}", advice(*alert))
            }
            Self::NothingInCommon(why) => write!(
                f,
                "the server offers no version or cipher suite that is safe ({why}); allow TLS 1.2 or 1.3 with \
                 forward secrecy there"
            ),
            Self::NotTls => f.write_str("the answer is not TLS; does the port speak plain text?"),
            Self::NoAuthorities { file } => {
                write!(f, "no certificate authorities in {file}; give the issuer's certificate as tls_verify")
            }
            Self::Other(why) => write!(f, "{why}; look at the server's log"),
        }
    }
}

fn advice(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::HandshakeFailure | AlertDescription::ProtocolVersion => {
            "it may allow only old versions or ciphers, or demand a certificate from the appliance"
        }
        AlertDescription::CertificateRequired | AlertDescription::BadCertificate => {
            "it demands a certificate from the appliance, which checks have not"
        }
        AlertDescription::UnrecognisedName => "it does not know that name: see tls_server_name",
        _ => "look at the server's log",
    }
}
