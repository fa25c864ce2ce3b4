//! Which certificate the WebUI shows: the stored one, or one on trial, which is stored only once somebody has confirmed
//! it over a connection that was made with it. Until then the time, and a restart, bring the stored one back. A first one
//! that the disk does not take is shown all the same: the WebUI tells what is wrong with the disk.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::about::{CertificateView, about};
use super::{CertificateError, CertificateFile, make, offer, settings};
use crate::config::Problem;
use crate::store::Author;

/// The same as for a configuration that could cut the administrator off.
const TRIAL: Duration = Duration::from_secs(120);

/// The certificate and who keeps it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Certificates(Arc<Keeper>);

#[derive(Debug)]
struct Keeper {
    file: CertificateFile,
    state: watch::Sender<State>,
}

#[derive(Debug, Clone, Default)]
struct State {
    /// `None` until the port is opened for the first time.
    in_use: Option<Arc<InUse>>,
    trial: Option<Trial>,
    /// Why the disk has none, though one is in use.
    not_kept: Option<String>,
}

/// A certificate ready to be shown.
struct InUse {
    /// With its key: neither shown nor logged.
    pem: String,
    tls: Arc<ServerConfig>,
    view: CertificateView,
}

impl std::fmt::Debug for InUse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InUse").field("view", &self.view).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone)]
struct Trial {
    previous: Arc<InUse>,
    deadline: Instant,
    until: Timestamp,
    by: Author,
}

/// The certificate as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CertificateStatus {
    /// The one that is shown now.
    #[serde(flatten)]
    pub certificate: CertificateView,
    /// It is taken back by itself then, unless it is confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm_until: Option<Timestamp>,
    /// Who brought it, where it is on trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_trial_by: Option<String>,
}

/// Why a wish about the certificate was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateRefusal {
    /// What was brought is of no use.
    Invalid(Vec<Problem>),
    /// One is on trial already, until then.
    OnTrial(Timestamp),
    /// None is on trial.
    NothingOnTrial,
    /// Another one is shown than the one that was seen: that of this fingerprint.
    Another(String),
    /// There is none in use yet.
    NotReady,
    /// The disk did not take it.
    NotStored(String),
}

impl Certificates {
    /// For the certificate below this directory; it is not read yet.
    pub fn below(state_directory: &Path) -> Self {
        let file = CertificateFile::below(state_directory);
        Self(Arc::new(Keeper { file, state: watch::Sender::default() }))
    }

    /// Reads the stored one, unless one is on trial; where there is none, the one in use is stored, or a new one. The
    /// error leaves what is in use in use.
    pub fn read_stored(&self) -> Result<(), CertificateError> {
        let Keeper { file, state } = &*self.0;
        let State { in_use, trial, .. } = state.borrow().clone();
        if trial.is_some() {
            return Ok(());
        }
        let stored = file.load().map_err(|error| file.failed("reading", error))?;
        let is_stored = stored.is_some();
        let pem = match (stored, &in_use) {
            (Some(pem), _) => pem,
            (None, Some(in_use)) => in_use.pem.clone(),
            (None, None) => make().map_err(|error| CertificateError::new("making a certificate", error))?,
        };
        let written = if is_stored { Ok(()) } else { file.store(&pem) };
        let not_kept = written.err().map(|error| file.failed("writing", error).to_string());
        let read = match in_use.filter(|in_use| in_use.pem == pem) {
            Some(in_use) => in_use,
            None => Arc::new(InUse::new(pem).map_err(|error| file.failed("using", error))?),
        };
        state.send_modify(|state| {
            // One may have been put on trial while the disk was read.
            if state.trial.is_none() {
                (state.in_use, state.not_kept) = (Some(read), not_kept);
            }
        });
        Ok(())
    }

    /// Stores the one in use where the disk did not take it before; in a sentence why it still does not. Waits for the disk.
    pub fn keep(&self) -> Option<String> {
        let not_kept = || self.0.state.borrow().not_kept.clone();
        not_kept()?;
        // What cannot be read now may be read at the next look.
        let _ = self.read_stored();
        let why = not_kept()?;
        Some(format!(
            "The certificate of the WebUI is in memory only, as the disk does not take it ({why}): after a restart of lbd \
             browsers meet another one. Make room on the disk; then it is stored by itself."
        ))
    }

    /// What the next connection is shown.
    pub(in crate::web) fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.0.state.borrow().in_use.as_ref().map(|in_use| in_use.tls.clone())
    }

    /// Returns when connections are shown another one than this.
    pub(in crate::web) async fn replaced(&self, shown: &Arc<ServerConfig>) {
        let is_other = |state: &State| !state.in_use.as_ref().is_some_and(|now| Arc::ptr_eq(&now.tls, shown));
        // The sender lives as long as `self`.
        let _ = self.0.state.subscribe().wait_for(is_other).await;
    }

    /// What is in use; `None` while there is none.
    pub fn status(&self) -> Option<CertificateStatus> {
        let state = self.0.state.borrow();
        let trial = state.trial.as_ref();
        Some(CertificateStatus {
            certificate: state.in_use.as_ref()?.view.clone(),
            confirm_until: trial.map(|trial| trial.until),
            on_trial_by: trial.map(|trial| trial.by.to_string()),
        })
    }

    /// The certificates in use in PEM, without the key.
    pub fn public_pem(&self) -> Option<String> {
        let state = self.0.state.borrow();
        let pem = &state.in_use.as_ref()?.pem;
        let end = pem.rfind("-----END CERTIFICATE-----").map(|at| at + "-----END CERTIFICATE-----\n".len());
        Some(pem.get(..end?)?.to_owned())
    }

    /// Puts a certificate on trial; without key it must belong to the key in use. Returns when it is taken back.
    pub fn try_out(&self, certificate: &str, key: &str, by: Author) -> Result<Timestamp, CertificateRefusal> {
        let state = self.0.state.borrow().clone();
        if let Some(trial) = &state.trial {
            return Err(CertificateRefusal::OnTrial(trial.until));
        }
        let previous = state.in_use.ok_or(CertificateRefusal::NotReady)?;
        let now = Timestamp::now();
        let pem =
            offer::checked(certificate, key, &previous.pem, now).map_err(CertificateRefusal::Invalid)?;
        let unusable = |problem: String| {
            let (field, remedy) = (offer::CERTIFICATE.into(), "give another certificate".into());
            CertificateRefusal::Invalid(vec![Problem { field, problem, remedy }])
        };
        let new = Arc::new(InUse::new(pem).map_err(unusable)?);
        let until =
            SignedDuration::try_from(TRIAL).ok().and_then(|time| now.checked_add(time).ok()).unwrap_or(now);
        let deadline = Instant::now() + TRIAL;
        self.0.state.send_modify(|state| {
            state.in_use = Some(new);
            state.trial = Some(Trial { previous, deadline, until, by });
        });
        Ok(until)
    }

    /// Takes the one on trial back once its time is up; returns whose it was if it did.
    pub fn expire(&self, now: Instant) -> Option<Author> {
        let is_over = self.0.state.borrow().trial.as_ref().is_some_and(|trial| trial.deadline <= now);
        if is_over { self.take_back(None).ok() } else { None }
    }

    /// Waits until a trial may have ended by itself.
    pub async fn wait_trial(&self) {
        let deadline = self.0.state.borrow().trial.as_ref().map(|trial| trial.deadline);
        if let Some(deadline) = deadline {
            tokio::time::sleep_until(deadline.into()).await;
        }
    }

    /// Takes the one on trial back now; returns whose it was. With the fingerprint of the one that was `seen`, no other.
    pub fn take_back(&self, seen: Option<&str>) -> Result<Author, CertificateRefusal> {
        let mut by = Err(CertificateRefusal::NothingOnTrial);
        self.0.state.send_modify(|state| {
            by = state.expect_seen(seen);
            if by.is_ok()
                && let Some(trial) = state.trial.take()
            {
                state.in_use = Some(trial.previous);
            }
        });
        by
    }

    /// Keeps the one on trial; with the fingerprint of the one that was `seen`, no other. Waits for the disk.
    pub fn confirm(&self, seen: Option<&str>) -> Result<(), CertificateRefusal> {
        let state = self.0.state.borrow().clone();
        state.expect_seen(seen)?;
        let Some(in_use) = state.in_use else { return Err(CertificateRefusal::NothingOnTrial) };
        let file = &self.0.file;
        let not_stored = |error| CertificateRefusal::NotStored(file.failed("writing", error).to_string());
        file.store(&in_use.pem).map_err(not_stored)?;
        self.0.state.send_modify(|state| {
            (state.trial, state.not_kept) = (None, None);
            // It may have been taken back while the disk wrote; what is stored is what counts.
            state.in_use = Some(in_use);
        });
        Ok(())
    }
}

impl State {
    /// Whose the one on trial is; a page that was open for longer must not decide about another one.
    fn expect_seen(&self, seen: Option<&str>) -> Result<Author, CertificateRefusal> {
        let shown = self.in_use.as_ref().map(|in_use| in_use.view.fingerprint.as_str()).unwrap_or_default();
        match &self.trial {
            None => Err(CertificateRefusal::NothingOnTrial),
            Some(_) if seen.is_some_and(|seen| seen != shown) => {
                Err(CertificateRefusal::Another(shown.to_owned()))
            }
            Some(trial) => Ok(trial.by.clone()),
        }
    }
}

impl InUse {
    fn new(pem: String) -> Result<Self, String> {
        let tls = settings(&pem).map_err(|error| error.to_string())?;
        let first = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| error.to_string())?;
        let view = about(&first).ok_or("the certificate cannot be read")?;
        Ok(Self { pem, tls, view })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::certificate::make;

    fn fingerprint(certificates: &Certificates) -> String {
        certificates.status().unwrap().certificate.fingerprint
    }

    fn started(folder: &Path) -> Certificates {
        let certificates = Certificates::below(folder);
        certificates.read_stored().unwrap();
        certificates
    }

    #[test]
    fn one_on_trial_is_stored_only_when_it_was_confirmed() {
        let folder = tempfile::tempdir().unwrap();
        let certificates = started(folder.path());
        let first = fingerprint(&certificates);
        let shown = certificates.tls().unwrap();
        let pair = make().unwrap();
        certificates.try_out(&pair, "", Author::lbd()).unwrap();
        assert_ne!(fingerprint(&certificates), first);
        assert!(!Arc::ptr_eq(&certificates.tls().unwrap(), &shown));
        assert_eq!(fingerprint(&started(folder.path())), first, "a restart brings the stored one back");
        certificates.read_stored().unwrap();
        assert_ne!(fingerprint(&certificates), first, "the port was opened anew meanwhile");
        assert!(matches!(
            certificates.try_out(&pair, "", Author::lbd()),
            Err(CertificateRefusal::OnTrial(_))
        ));
        certificates.confirm(None).unwrap();
        assert_eq!(certificates.confirm(None), Err(CertificateRefusal::NothingOnTrial));
        assert_eq!(fingerprint(&started(folder.path())), fingerprint(&certificates));
        let public = certificates.public_pem().unwrap();
        assert!(public.ends_with("-----END CERTIFICATE-----\n") && !public.contains("PRIVATE"));
    }

    #[test]
    fn a_disk_that_takes_none_costs_no_webui_and_gets_the_same_one_later() {
        let folder = tempfile::tempdir().unwrap();
        // A link that leads nowhere takes no writes, and holds nothing.
        let secrets = folder.path().join("secrets");
        std::os::unix::fs::symlink(folder.path().join("nowhere/secrets"), &secrets).unwrap();
        let certificates = started(folder.path());
        let first = fingerprint(&certificates);
        assert!(certificates.tls().is_some());
        let told = certificates.keep().unwrap();
        assert!(told.contains("in memory only") && told.contains("secrets/webui.pem"), "{told}");
        certificates.read_stored().unwrap();
        assert_eq!(fingerprint(&certificates), first, "the port was opened anew meanwhile");
        std::fs::remove_file(&secrets).unwrap();
        assert_eq!(certificates.keep(), None);
        assert_eq!(
            (fingerprint(&certificates), fingerprint(&started(folder.path()))),
            (first.clone(), first)
        );
    }

    #[test]
    fn a_verdict_about_another_one_than_was_seen_decides_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let certificates = started(folder.path());
        let first = fingerprint(&certificates);
        certificates.try_out(&make().unwrap(), "", Author::lbd()).unwrap();
        let shown = fingerprint(&certificates);
        let another = CertificateRefusal::Another(shown.clone());
        assert_eq!(certificates.confirm(Some(&first)), Err(another.clone()));
        assert_eq!(certificates.take_back(Some(&first)), Err(another));
        assert_eq!(certificates.confirm(Some(&shown)), Ok(()));
        assert_eq!(certificates.take_back(Some(&shown)), Err(CertificateRefusal::NothingOnTrial));
    }

    #[test]
    fn the_time_or_a_person_takes_one_on_trial_back() {
        let folder = tempfile::tempdir().unwrap();
        let certificates = started(folder.path());
        let first = fingerprint(&certificates);
        assert_eq!(certificates.take_back(None), Err(CertificateRefusal::NothingOnTrial));
        let pair = make().unwrap();
        certificates.try_out(&pair, "", Author::lbd()).unwrap();
        let now = Instant::now();
        assert_eq!(certificates.expire(now + TRIAL - Duration::from_secs(1)), None);
        assert_eq!(certificates.expire(now + TRIAL), Some(Author::lbd()));
        assert_eq!(fingerprint(&certificates), first);
        certificates.try_out(&pair, "", Author::lbd()).unwrap();
        certificates.take_back(None).unwrap();
        assert_eq!((fingerprint(&certificates), certificates.status().unwrap().confirm_until), (first, None));
    }
}
