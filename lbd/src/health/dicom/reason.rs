//! What DICOM's reason codes mean, in the standard's own words, and what an administrator can do about them.
//!
//! The codes are kept as received: a reserved value is shown as such instead of being an error.

use std::borrow::Cow;
use std::fmt;

use crate::config::AeTitle;

const LOG: &str = "the server's log may say why";
const VENDOR: &str = "the server and the appliance do not speak the same DICOM: ask the server's vendor";

/// Why an association was rejected: the last three bytes of an A-ASSOCIATE-RJ (DICOM PS3.8, table 9-21).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rejection {
    /// Permanent or transient.
    pub result: u8,
    /// Who rejected.
    pub source: u8,
    /// Why; its meaning depends on the source.
    pub reason: u8,
}

impl Rejection {
    /// What to do about it, given the AE titles of the request.
    pub fn advice(self, calling: &AeTitle, called: &AeTitle) -> Cow<'static, str> {
        match (self.source, self.reason) {
            (1, 3) => format!(
                "the server does not know the calling AE title {calling}: add it to those that it allows"
            )
            .into(),
            (1, 7) => format!(
                "the server does not know the called AE title {called}: compare with its configuration"
            )
            .into(),
            (1 | 2, 2) => VENDOR.into(),
            (3, 1) => "the server is overloaded for the moment".into(),
            (3, 2) => "the server has as many associations as it allows: see its limit".into(),
            _ => LOG.into(),
        }
    }

    fn reason_words(self) -> Option<&'static str> {
        Some(match (self.source, self.reason) {
            (1 | 2, 1) => "no reason given",
            (1, 2) => "application context name not supported",
            (1, 3) => "calling AE title not recognised",
            (1, 7) => "called AE title not recognised",
            (2, 2) => "protocol version not supported",
            (3, 1) => "temporary congestion",
            (3, 2) => "local limit exceeded",
            _ => return None,
        })
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.result {
            1 => f.write_str("rejected (permanent)")?,
            2 => f.write_str("rejected (transient)")?,
            other => write!(f, "rejected (reserved result {other})")?,
        }
        match self.source {
            1 => f.write_str(" by the DICOM UL service-user")?,
            2 => f.write_str(" by the DICOM UL service-provider (ACSE related function)")?,
            3 => f.write_str(" by the DICOM UL service-provider (presentation related function)")?,
            other => write!(f, " by reserved source {other}")?,
        }
        match self.reason_words() {
            Some(words) => write!(f, ": {words}"),
            None => write!(f, ": reserved reason {}", self.reason),
        }
    }
}

/// Why an association was aborted: the last two bytes of an A-ABORT (DICOM PS3.8, table 9-26).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abort {
    /// Who aborted.
    pub source: u8,
    /// Why; without meaning unless the service-provider aborted.
    pub reason: u8,
}

impl Abort {
    fn reason_words(self) -> Option<&'static str> {
        Some(match self.reason {
            0 => "reason not specified",
            1 => "unrecognised PDU",
            2 => "unexpected PDU",
            4 => "unrecognised PDU parameter",
            5 => "unexpected PDU parameter",
            6 => "invalid PDU parameter value",
            _ => return None,
        })
    }
}

impl fmt::Display for Abort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.source, self.reason_words()) {
            (0, _) => f.write_str("by the DICOM UL service-user"),
            (2, Some(words)) => write!(f, "by the DICOM UL service-provider ({words})"),
            (2, None) => write!(f, "by the DICOM UL service-provider (reserved reason {})", self.reason),
            (other, _) => write!(f, "by reserved source {other}"),
        }
    }
}

/// What became of the presentation context: the result of an A-ASSOCIATE-AC (DICOM PS3.8, table 9-18).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContextResult(pub u8);

impl ContextResult {
    /// The context is accepted.
    pub const ACCEPTANCE: Self = Self(0);

    /// What to do about a refusal.
    pub fn advice(self) -> &'static str {
        match self.0 {
            3 => "the server does not offer Verification (C-ECHO): allow it there, or check by TCP",
            4 => "the server does not take Implicit VR Little Endian, which every DICOM server must",
            _ => LOG,
        }
    }
}

impl fmt::Display for ContextResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            0 => "acceptance",
            1 => "user rejection",
            2 => "no reason (provider rejection)",
            3 => "abstract syntax not supported (provider rejection)",
            4 => "transfer syntaxes not supported (provider rejection)",
            other => return write!(f, "reserved result {other}"),
        })
    }
}

/// The type of a PDU (DICOM PS3.8, section 9.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PduKind(pub u8);

impl PduKind {
    /// Asks for an association.
    pub const ASSOCIATE_RQ: Self = Self(1);
    /// Accepts one.
    pub const ASSOCIATE_AC: Self = Self(2);
    /// Rejects one.
    pub const ASSOCIATE_RJ: Self = Self(3);
    /// Carries a message.
    pub const P_DATA_TF: Self = Self(4);
    /// Asks for the release.
    pub const RELEASE_RQ: Self = Self(5);
    /// Grants it.
    pub const RELEASE_RP: Self = Self(6);
    /// Aborts.
    pub const ABORT: Self = Self(7);

    /// True for the seven types that DICOM knows.
    pub fn is_known(self) -> bool {
        (Self::ASSOCIATE_RQ.0..=Self::ABORT.0).contains(&self.0)
    }
}

impl fmt::Display for PduKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::ASSOCIATE_RQ => "an association request (A-ASSOCIATE-RQ)",
            Self::ASSOCIATE_AC => "an association acceptance (A-ASSOCIATE-AC)",
            Self::ASSOCIATE_RJ => "an association rejection (A-ASSOCIATE-RJ)",
            Self::P_DATA_TF => "data (P-DATA-TF)",
            Self::RELEASE_RQ => "a release request (A-RELEASE-RQ)",
            Self::RELEASE_RP => "a release reply (A-RELEASE-RP)",
            Self::ABORT => "an abort (A-ABORT)",
            Self(other) => return write!(f, "a PDU of the unknown type {other}"),
        })
    }
}

/// What the status of a C-ECHO answer means (DICOM PS3.7, section 9.1.5.1.4 and annex C).
pub fn status_words(status: u16) -> &'static str {
    match status {
        0x0000 => "success",
        0x0110 => "failure: processing failure",
        0x0122 => "refused: SOP class not supported",
        0x0124 => "refused: not authorised",
        0x0210 => "failure: duplicate invocation",
        0x0211 => "failure: unrecognised operation",
        0x0212 => "failure: mistyped argument",
        0x0213 => "failure: resource limitation",
        0x0001 | 0x0107 | 0x0116 | 0xB000..=0xBFFF => "a warning",
        0xA700..=0xA7FF => "refused: out of resources",
        0x0100..=0x02FF | 0xA000..=0xAFFF | 0xC000..=0xCFFF => "a failure",
        0xFE00 => "cancelled",
        0xFF00 | 0xFF01 => "pending",
        _ => "a value that DICOM does not define",
    }
}
