//! What a check needs to know of a server's certificate. Takes any bytes.

use jiff::Timestamp;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The part of a certificate that a check reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// From when it counts.
    pub begins: Timestamp,
    /// Until when it counts.
    pub ends: Timestamp,
    /// For whom it was issued, in one short line without control characters.
    pub subject: String,
    /// By whom, likewise.
    pub issuer: String,
}

/// Reads an X.509 certificate in DER; `None` when it is none.
pub fn read(der: &[u8]) -> Option<Certificate> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let validity = certificate.validity();
    Some(Certificate {
        begins: Timestamp::from_second(validity.not_before.timestamp()).ok()?,
        ends: Timestamp::from_second(validity.not_after.timestamp()).ok()?,
        subject: shown(&certificate.subject().to_string()),
        issuer: shown(&certificate.issuer().to_string()),
    })
}

/// Names come from the server: they are shortened, and hold nothing that could disturb a log.
fn shown(name: &str) -> String {
    const MOST: usize = 80;
    name.chars().filter(|c| !c.is_control()).take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_certificate_tells_its_time_and_names() {
        let mut wanted = rcgen::CertificateParams::new(["pacs.example".to_owned()]).unwrap();
        wanted.not_before = rcgen::date_time_ymd(2026, 1, 2);
        wanted.not_after = rcgen::date_time_ymd(2027, 3, 4);
        wanted.distinguished_name.push(rcgen::DnType::CommonName, format!("pacs\n{}", "x".repeat(200)));
        let made = wanted.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let read = read(made.der()).unwrap();
        assert_eq!(read.begins, "2026-01-02T00:00:00Z".parse().unwrap());
        assert_eq!(read.ends, "2027-03-04T00:00:00Z".parse().unwrap());
        assert!(read.subject.contains("pacs") && read.subject.len() <= 80, "{}", read.subject);
        assert!(!read.subject.contains('\n'));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_certificate_or_not(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes);
        }
    }
}
