//! Decides about a server's certificate, and remembers it: a failure is told with its dates and names.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::TlsFault;
use crate::config::check_kind::Verify;
use crate::health::Failure;
use crate::health::certificate::{self, Certificate};

/// Where Debian, and so the appliance, keeps the certificate authorities that everybody trusts.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The judge of one handshake.
pub(super) struct Judge {
    provider: Arc<CryptoProvider>,
    rule: Rule,
    seen: Mutex<Option<Certificate>>,
}

enum Rule {
    All,
    IssuedBy(Arc<WebPkiServerVerifier>),
    /// One of these itself, or issued by one of them; the latter is impossible where none can issue.
    Pinned(Vec<CertificateDer<'static>>, Option<Arc<WebPkiServerVerifier>>),
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Judge").finish_non_exhaustive()
    }
}

impl Judge {
    /// Of certificates that must be trusted in this way.
    pub(super) fn new(verify: &Verify, provider: &Arc<CryptoProvider>) -> Result<Self, Failure> {
        let rule = match verify {
            Verify::Nothing => Rule::All,
            Verify::System => Rule::IssuedBy(system(provider).map_err(Failure::Tls)?),
            Verify::Pinned(certificates) => {
                Rule::Pinned(certificates.clone(), issued_by(certificates.iter().cloned(), provider))
            }
        };
        Ok(Self { provider: provider.clone(), rule, seen: Mutex::default() })
    }

    /// The certificate that the server has shown.
    pub(super) fn seen(&self) -> Option<Certificate> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, certificate: Option<Certificate>) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = certificate;
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let seen = certificate::read(end_entity);
        self.note(seen.clone());
        let verifier = match &self.rule {
            Rule::All => return Ok(ServerCertVerified::assertion()),
            Rule::Pinned(pinned, _) if pinned.iter().any(|known| known == end_entity) => {
                return still_counts(seen.as_ref(), now);
            }
            Rule::IssuedBy(verifier) | Rule::Pinned(_, Some(verifier)) => verifier,
            Rule::Pinned(_, None) => return Err(CertificateError::UnknownIssuer.into()),
        };
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// A pinned certificate is trusted whatever its names, but not beyond its time.
fn still_counts(certificate: Option<&Certificate>, now: UnixTime) -> Result<ServerCertVerified, Error> {
    let second = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    match certificate {
        Some(certificate) if second > certificate.ends.as_second() => Err(CertificateError::Expired.into()),
        Some(certificate) if second < certificate.begins.as_second() => {
            Err(CertificateError::NotValidYet.into())
        }
        Some(_) => Ok(ServerCertVerified::assertion()),
        None => Err(CertificateError::BadEncoding.into()),
    }
}

/// `None` where none of the certificates can stand as an authority.
fn issued_by<'a>(
    authorities: impl Iterator<Item = CertificateDer<'a>>,
    provider: &Arc<CryptoProvider>,
) -> Option<Arc<WebPkiServerVerifier>> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authorities.map(CertificateDer::into_owned));
    WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone()).build().ok()
}

/// Read once: an update of the appliance, which brings other ones, restarts lbd.
fn system(provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, TlsFault> {
    static SYSTEM: OnceLock<Option<Arc<WebPkiServerVerifier>>> = OnceLock::new();
    let read = || {
        let certificates = CertificateDer::pem_file_iter(SYSTEM_ROOTS).ok()?;
        issued_by(certificates.filter_map(Result::ok), provider)
    };
    SYSTEM.get_or_init(read).clone().ok_or(TlsFault::NoAuthorities { file: SYSTEM_ROOTS })
}
