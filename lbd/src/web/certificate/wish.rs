//! What somebody wants of the certificate, with its line in the audit log.

use std::time::Instant;

use axum::http::StatusCode;
use jiff::Timestamp;

use super::keeper::CertificateRefusal;
use crate::store::Author;
use crate::web::Gateway;
use crate::web::api::ProblemDocument;

impl Gateway {
    /// Puts a certificate on trial. Returns when it is taken back by itself.
    pub(in crate::web) fn try_certificate(
        &self,
        certificate: &str,
        key: &str,
        by: Author,
    ) -> Result<Timestamp, CertificateRefusal> {
        let until = self.certificates().try_out(certificate, key, by.clone())?;
        let subject =
            self.certificates().status().map(|status| status.certificate.subject).unwrap_or_default();
        self.access().audit().change(&by, &[format!("certificate of {subject} on trial")]);
        let gateway = self.clone();
        tokio::spawn(async move {
            gateway.certificates().wait_trial().await;
            if let Some(by) = gateway.certificates().expire(Instant::now()) {
                let what = format!("certificate of {by} was not confirmed; the one before it is shown again");
                gateway.access().audit().change(&Author::lbd(), &[what]);
            }
        });
        Ok(until)
    }

    /// Keeps the certificate on trial; with the fingerprint of the one that was `seen`, no other.
    pub(in crate::web) async fn confirm_certificate(
        &self,
        by: &Author,
        seen: Option<String>,
    ) -> Result<(), CertificateRefusal> {
        let certificates = self.certificates().clone();
        let confirmed = tokio::task::spawn_blocking(move || certificates.confirm(seen.as_deref())).await;
        confirmed.unwrap_or_else(|error| Err(CertificateRefusal::NotStored(error.to_string())))?;
        self.access().audit().change(by, &["certificate confirmed".into()]);
        Ok(())
    }

    /// Takes the certificate on trial back now; with the fingerprint of the one that was `seen`, no other.
    pub(in crate::web) fn revert_certificate(
        &self,
        by: &Author,
        seen: Option<&str>,
    ) -> Result<(), CertificateRefusal> {
        self.certificates().take_back(seen)?;
        self.access()
            .audit()
            .change(by, &["trial of a certificate ended: the one before it is shown again".into()]);
        Ok(())
    }
}

impl From<CertificateRefusal> for ProblemDocument {
    fn from(refusal: CertificateRefusal) -> Self {
        match refusal {
            CertificateRefusal::Invalid(problems) => Self::invalid(problems),
            CertificateRefusal::OnTrial(until) => Self::new(
                StatusCode::CONFLICT,
                "A certificate is on trial",
                format!(
                    "Nothing was changed. Confirm it or take it back; else it is taken back at {until:.0}."
                ),
            ),
            CertificateRefusal::NothingOnTrial => Self::new(
                StatusCode::CONFLICT,
                "No certificate is on trial",
                "It was confirmed or taken back already. Look at the certificate in use; if it is not the right one, bring it again.",
            ),
            CertificateRefusal::Another(fingerprint) => Self::new(
                StatusCode::PRECONDITION_FAILED,
                "Another certificate is on trial",
                format!(
                    "Nothing was decided: meanwhile the certificate with the fingerprint {fingerprint} is on trial. Look \
                     at it, then decide about that one."
                ),
            ),
            CertificateRefusal::NotReady => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "There is no certificate yet",
                "The management port is not open yet. Try again in some seconds.",
            ),
            CertificateRefusal::NotStored(why) => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "The certificate could not be stored",
                format!(
                    "{why}. It is still on trial: confirm it again before its time is up. If that fails too, the disk is full \
                     or damaged; the System Overview says more of it."
                ),
            ),
        }
    }
}
