//! The certificate of the WebUI: self-signed, made at first start and kept.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};

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

/// The TLS settings of the WebUI, with the stored certificate or, where there is none, a new one. Certificate
/// and key are one file, so that they cannot part.
pub fn tls(state_directory: &Path) -> Result<Arc<ServerConfig>, CertificateError> {
    let path = state_directory.join("secrets").join("webui.pem");
    let pem = match fs::read_to_string(&path) {
        Ok(pem) => pem,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let pem = make().map_err(|error| CertificateError::new("making a certificate", error))?;
            let writing = |error| CertificateError::new(format!("writing {}", path.display()), error);
            write(&path, &pem).map_err(writing)?;
            pem
        }
        Err(error) => return Err(CertificateError::new(format!("reading {}", path.display()), error)),
    };
    settings(&pem).map_err(|error| CertificateError::new(format!("using {}", path.display()), error))
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
    // A temporary file is readable by its owner alone.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(pem.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    fs::File::open(folder)?.sync_all()
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
