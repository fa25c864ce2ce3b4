//! Whom the command line trusts at the other end of TLS.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use sha2::{Digest, Sha256};

use crate::config::check_kind::Verify;
use crate::health::tls::client_trusting;

/// Whom to trust.
#[derive(Debug, Clone)]
pub(super) enum Trust {
    /// Whoever has this certificate.
    Fingerprint(Fingerprint),
    /// Whoever has one of these, or one issued by them.
    Certificates(Verify),
    /// Whoever the usual certificate authorities vouch for.
    System,
}

impl Trust {
    /// Those of a PEM file.
    pub(super) fn certificates(pem: &str) -> Result<Self, String> {
        let verify = Verify::try_from(pem).map_err(|fault| format!("{}; {}", fault.problem, fault.remedy))?;
        match verify {
            Verify::Pinned(_) => Ok(Self::Certificates(verify)),
            _ => Err("it holds no certificate in PEM".into()),
        }
    }

    pub(super) fn client(&self) -> Result<ClientConfig, String> {
        let verify = match self {
            Self::Fingerprint(fingerprint) => {
                return by_fingerprint(*fingerprint).map_err(|error| error.to_string());
            }
            Self::Certificates(verify) => verify,
            Self::System => &Verify::System,
        };
        client_trusting(verify).map_err(|failure| failure.to_string())
    }
}

/// SHA-256 of a certificate in DER.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint([u8; 32]);

impl FromStr for Fingerprint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "give the 64 hexadecimal digits of SHA-256, with or without colons".to_owned();
        let digits: String = text.chars().filter(|c| !matches!(c, ':' | ' ')).collect();
        if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&digits[2 * index..2 * index + 2], 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<_> = self.0.iter().map(|byte| format!("{byte:02X}")).collect();
        f.write_str(&pairs.join(":"))
    }
}

fn by_fingerprint(wanted: Fingerprint) -> Result<ClientConfig, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    let verifier = Arc::new(ByFingerprint { wanted, provider });
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// The certificate is the one; what it says of names and times does not matter then.
#[derive(Debug)]
struct ByFingerprint {
    wanted: Fingerprint,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for ByFingerprint {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let found = Fingerprint(Sha256::digest(end_entity).into());
        if found == self.wanted {
            return Ok(ServerCertVerified::assertion());
        }
        Err(Error::General(format!(
            "its certificate has the fingerprint {found}, not the one of --fingerprint"
        )))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_people_copy_it() {
        let shown = Fingerprint([0xAB; 32]).to_string();
        assert!(shown.starts_with("AB:AB:") && shown.len() == 95);
        for text in [shown.clone(), shown.replace(':', ""), shown.to_lowercase(), shown.replace(':', " ")] {
            assert_eq!(text.parse(), Ok(Fingerprint([0xAB; 32])), "{text}");
        }
        for wrong in ["", "AB", &shown[..93], &shown.replace('A', "G"), &"é".repeat(32)] {
            assert!(wrong.parse::<Fingerprint>().is_err(), "{wrong}");
        }
    }
}
