//! What a certificate says of itself. Takes any bytes.

use std::net::IpAddr;

use jiff::{Timestamp, Unit};
use rustls::pki_types::CertificateDer;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::health::certificate;

/// Names that are shown; more say no more.
const MOST_NAMES: usize = 20;

/// A certificate, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CertificateView {
    /// SHA-256 of the whole in DER, as browsers show it: `AB:CD:...`.
    pub fingerprint: String,
    /// For whom it was issued.
    pub subject: String,
    /// By whom.
    pub issuer: String,
    /// Issued by itself: browsers trust it by its fingerprint only.
    pub is_self_signed: bool,
    /// Names and addresses for which browsers accept it.
    pub names: Vec<String>,
    /// From when it counts.
    pub begins: Timestamp,
    /// Until when it counts.
    pub ends: Timestamp,
}

impl CertificateView {
    /// Whole days until it ends; negative where it has.
    pub fn days_left(&self, now: Timestamp) -> i64 {
        self.ends.since((Unit::Second, now)).map_or(0, |left| left.get_seconds().div_euclid(86_400))
    }
}

/// Reads a certificate; `None` where it is none.
pub fn about(der: &CertificateDer<'_>) -> Option<CertificateView> {
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    let read = certificate::read(der)?;
    let digits: Vec<_> = Sha256::digest(der).iter().map(|byte| format!("{byte:02X}")).collect();
    Some(CertificateView {
        fingerprint: digits.join(":"),
        is_self_signed: parsed.subject() == parsed.issuer(),
        names: names(&parsed),
        subject: read.subject,
        issuer: read.issuer,
        begins: read.begins,
        ends: read.ends,
    })
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let extension = certificate.subject_alternative_name().ok().flatten();
    let names = extension.iter().flat_map(|extension| &extension.value.general_names);
    names.filter_map(name).take(MOST_NAMES).collect()
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(name.chars().filter(|c| !c.is_control()).take(253).collect()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => Some(IpAddr::from(<[u8; 4]>::try_from(*bytes).ok()?).to_string()),
            16 => Some(IpAddr::from(<[u8; 16]>::try_from(*bytes).ok()?).to_string()),
            _ => None,
        },
        _ => None,
    }
}
