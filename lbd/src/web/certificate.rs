//! The certificate of the WebUI: self-signed, made at first start and kept, until somebody brings another one.
//!
//! [`offer`] says what is wrong with one that somebody brings, [`about`] what one says of itself, [`keeper`] which one is
//! in use, on trial at first.

pub mod about;
pub mod keeper;
pub mod offer;

mod wish;

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};

use crate::durable;

pub use keeper::Certificates;

/// Where it is, below the state directory.
const FOLDER: &str = "secrets";
const FILE: &str = "webui.pem";

/// Why there is no certificate.
#[derive(Debug)]
pub struct CertificateError(String);

impl CertificateError {
    fn new(doing: impl fmt::Display, error: impl fmt::Display) -> Self {
        Self(format!("{doing}: {error}"))
    }
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CertificateError {}

/// Where it is kept with its key: in one file, so that they cannot part. Every method waits for the disk.
#[derive(Debug, Clone)]
pub(crate) struct CertificateFile(PathBuf);

impl CertificateFile {
    /// Below the state directory.
    pub(crate) fn below(state_directory: &Path) -> Self {
        Self(state_directory.join(FOLDER).join(FILE))
    }

    /// In PEM; `None` while there is none.
    pub(crate) fn load(&self) -> io::Result<Option<String>> {
        match fs::read_to_string(&self.0) {
            Ok(pem) => Ok(Some(pem)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Durably; what is shown follows by [`Certificates::read_stored`].
    pub(crate) fn store(&self, pem: &str) -> io::Result<()> {
        write(&self.0, pem)
    }

    fn failed(&self, doing: &str, error: impl fmt::Display) -> CertificateError {
        CertificateError::new(format!("{doing} {}", self.0.display()), error)
    }
}

/// From when on the end of a certificate is pressing: a hospital's authority takes its time.
pub(in crate::web) const SOON_DAYS: i64 = 30;

/// Whether the stored certificate has ended or ends soon, in a sentence for people. Waits for the disk.
pub fn fault(state_directory: &Path, now: Timestamp) -> Option<String> {
    // One that is not there yet, or cannot be read, is told by whoever opens the port.
    let pem = fs::read(state_directory.join(FOLDER).join(FILE)).ok()?;
    let view = about::about(&CertificateDer::from_pem_slice(&pem).ok()?)?;
    let until = view.ends.strftime("%Y-%m-%d");
    let what = match view.days_left(now) {
        SOON_DAYS.. => return None,
        ..0 => format!("ended on {until}"),
        days => format!("ends on {until}, in {days} days"),
    };
    Some(format!(
        "The certificate of the WebUI {what}. Replace it under Local Configuration, WebUI & Certificate; balancing does not \
         depend on it."
    ))
}

/// With no end in sight: an appliance runs for years, and a self-signed certificate is trusted by its
/// fingerprint. A certificate of the hospital's own takes its place when it matters.
fn make() -> Result<String, rcgen::Error> {
    let mut params = CertificateParams::new(vec!["lbmaster".to_owned()])?;
    params.distinguished_name.push(DnType::CommonName, "Evenkeel");
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2060, 1, 1);
    let key = KeyPair::generate()?;
    Ok(params.self_signed(&key)?.pem() + &key.serialize_pem())
}

fn write(path: &Path, pem: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    durable::replace(path, pem.as_bytes())
}

fn settings(pem: &str) -> Result<Arc<ServerConfig>, Box<dyn std::error::Error>> {
    let chain = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_certificate_is_told_a_month_before() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(fault(folder.path(), Timestamp::UNIX_EPOCH), None, "none yet");
        CertificateFile::below(folder.path()).store(&make().unwrap()).unwrap();
        let told = |day: &str| fault(folder.path(), format!("{day}T00:00:00Z").parse().unwrap());
        assert_eq!(told("2059-12-02"), None);
        assert!(told("2059-12-03").unwrap().contains("ends on 2060-01-01, in 29 days"));
        assert!(told("2060-01-02").unwrap().contains("ended on 2060-01-01"));
    }
}
