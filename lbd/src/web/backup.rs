//! Backups as API and pages make and restore them; each stands in the audit log.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::api::ProblemDocument;
use super::secret::random;
use super::{Caller, Gateway};
use crate::backup::{self, About, Backup, Secrets, Unusable, own, sealed};
use crate::config::difference::difference;
use crate::config::values::Fault;
use crate::config::{Document, validate};
use crate::engine::{Accepted, Refusal};
use crate::store::{Author, Standing};

/// For somebody to read what would change.
const LONGEST_LOOK: Duration = Duration::from_secs(900);
/// One encryption at a time takes a quarter of a second; who waits longer has been forgotten.
const LONGEST_TURN: Duration = Duration::from_secs(20);

/// What is under way about backups. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Backups {
    /// Encryption takes 64 MiB: one at a time.
    turn: Arc<Semaphore>,
    /// What somebody looks at before they restore it; the last one counts.
    seen: Arc<Mutex<Option<Seen>>>,
}

#[derive(Debug)]
struct Seen {
    id: String,
    until: Instant,
    restoration: Restoration,
}

impl Default for Backups {
    fn default() -> Self {
        Self { turn: Arc::new(Semaphore::new(1)), seen: Arc::default() }
    }
}

/// A backup that can be downloaded.
pub(in crate::web) struct BackupFile {
    /// What it is called.
    pub(in crate::web) name: String,
    /// What it says.
    pub(in crate::web) text: String,
}

/// A backup that was read and can be restored.
#[derive(Debug, Clone)]
pub(in crate::web) struct Restoration {
    backup: Backup,
    /// This appliance keeps its network, host name, management address and certificate.
    keep_own: bool,
}

/// What a restoration would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RestoreReview {
    /// Where the backup comes from.
    #[serde(flatten)]
    pub about: About,
    /// It holds users, tokens, certificate and passwords too.
    pub has_secrets: bool,
    /// This appliance keeps its network, host name, management address and certificate.
    pub keep_own: bool,
    /// What changes of the configuration, a sentence each; nothing where it is the same.
    pub configuration: Vec<String>,
    /// What changes of the rest, a sentence each, without any secret.
    pub secrets: Vec<String>,
    /// The version of the configuration that it was compared with.
    pub compared_with: u64,
}

impl Restoration {
    fn document(&self, in_force: &Document) -> Document {
        match self.keep_own {
            true => own::kept(&self.backup.document, in_force),
            false => self.backup.document.clone(),
        }
    }

    fn secrets(&self) -> Option<Secrets> {
        let mut secrets = self.backup.secrets.clone()?;
        secrets.certificate = secrets.certificate.filter(|_| !self.keep_own);
        Some(secrets)
    }
}

impl From<Unusable> for ProblemDocument {
    fn from(Unusable(problems): Unusable) -> Self {
        Self::unusable_backup(problems)
    }
}

impl Gateway {
    /// Makes a backup; with a passphrase it holds the secrets too.
    pub(in crate::web) async fn make_backup(
        &self,
        caller: &Caller,
        passphrase: Option<String>,
    ) -> Result<BackupFile, ProblemDocument> {
        if let Some(Err(Fault { problem, remedy })) = passphrase.as_deref().map(sealed::check_passphrase) {
            return Err(ProblemDocument::field("passphrase", problem, remedy));
        }
        let what = match passphrase {
            Some(_) => "backup made, encrypted, with secrets",
            None => "backup made, without secrets",
        };
        let file = self.written(&caller.author(), passphrase).await?;
        self.access().audit().change(&caller.author(), &[what.to_owned()]);
        Ok(file)
    }

    /// What is in force now, as a backup; with a passphrase, which is a good one, with the secrets.
    pub(in crate::web) async fn written(
        &self,
        by: &Author,
        passphrase: Option<String>,
    ) -> Result<BackupFile, ProblemDocument> {
        let latest = self.latest();
        let about = About {
            appliance: latest.view.host_name.clone(),
            time: Timestamp::now(),
            by: by.to_string(),
            software: latest.view.version.clone(),
            configuration_version: latest.view.configuration_version,
        };
        let suffix = if passphrase.is_some() { "age" } else { "toml" };
        let name = format!("evenkeel-{}-{}.{suffix}", about.appliance, about.time.strftime("%Y%m%d-%H%M%S"));
        let (vault, document) = (self.vault().clone(), latest.document.as_ref().clone());
        let make = move || {
            let secrets = passphrase.is_some().then(|| vault.secrets().load()).transpose()?;
            backup::write(&Backup { about, document, secrets }, passphrase.as_deref())
        };
        let text = self.in_backup_turn(make).await?.map_err(|why| ProblemDocument::of_disk(&why))?;
        Ok(BackupFile { name, text })
    }

    /// Reads a backup that somebody brings. Nothing is changed by it.
    pub(in crate::web) async fn read_backup(
        &self,
        bytes: Vec<u8>,
        passphrase: Option<String>,
        keep_own: bool,
    ) -> Result<Restoration, ProblemDocument> {
        let read = move || backup::read(&bytes, passphrase.as_deref());
        let backup = self.in_backup_turn(read).await??;
        let restoration = Restoration { backup, keep_own };
        let secrets = restoration.secrets();
        secrets.map_or(Ok(()), |secrets| secrets.check_certificate(Timestamp::now()))?;
        // With the network of this appliance it may break rules that it did not break with its own.
        validate(restoration.document(&self.latest().document)).map_err(ProblemDocument::invalid)?;
        Ok(restoration)
    }

    /// What a restoration would change.
    pub(in crate::web) async fn review(
        &self,
        restoration: &Restoration,
    ) -> Result<RestoreReview, ProblemDocument> {
        let latest = self.latest();
        let told = match restoration.secrets() {
            Some(secrets) => {
                let vault = self.vault().clone();
                let before = self.in_backup_turn(move || vault.secrets().load()).await?;
                secrets.difference(&before.map_err(|why| ProblemDocument::of_disk(&why))?)
            }
            None => Vec::new(),
        };
        Ok(RestoreReview {
            about: restoration.backup.about.clone(),
            has_secrets: restoration.backup.secrets.is_some(),
            keep_own: restoration.keep_own,
            configuration: difference(&latest.document, &restoration.document(&latest.document)),
            secrets: told,
            compared_with: latest.view.configuration_version,
        })
    }

    /// Keeps a restoration until somebody has read what it changes; returns by which word it is ordered then.
    pub(in crate::web) fn keep_for_review(
        &self,
        restoration: Restoration,
    ) -> Result<String, ProblemDocument> {
        let id = random().map_err(|why| ProblemDocument::of_disk(&why))?;
        let seen = Seen { id: id.clone(), until: Instant::now() + LONGEST_LOOK, restoration };
        *self.backups().seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        Ok(id)
    }

    /// What was kept by this word.
    pub(in crate::web) fn reviewed(&self, id: &str) -> Result<Restoration, ProblemDocument> {
        let seen = self.backups().seen.lock().unwrap_or_else(PoisonError::into_inner);
        let known = seen.as_ref().filter(|seen| seen.id == id && Instant::now() < seen.until);
        known.map(|seen| seen.restoration.clone()).ok_or_else(|| {
            let detail = "It is kept for a quarter of an hour, until it is restored or another one is brought. Bring it again.";
            ProblemDocument::new(StatusCode::CONFLICT, "The backup is not here any more", detail)
        })
    }

    /// Restores a backup: its configuration by the way of every change, then its secrets; those of a configuration on trial
    /// once it is confirmed.
    pub(in crate::web) async fn restore(
        &self,
        caller: &Caller,
        restoration: Restoration,
        comment: Option<String>,
        based_on: Option<u64>,
    ) -> Result<Accepted, ProblemDocument> {
        let author = caller.author();
        let secrets = restoration.secrets();
        let has_certificate = secrets.as_ref().is_some_and(|secrets| secrets.certificate.is_some());
        if has_certificate
            && self.certificates().status().is_some_and(|status| status.confirm_until.is_some())
        {
            let detail = "Nothing was changed. Confirm it or take it back first.";
            return Err(ProblemDocument::new(StatusCode::CONFLICT, "A certificate is on trial", detail));
        }
        let About { appliance, time, .. } = &restoration.backup.about;
        let from = format!("backup of {appliance} of {time:.0}");
        let comment = comment.filter(|comment| !comment.is_empty()).unwrap_or_else(|| from.clone());
        let edit = |document: &mut Document| {
            *document = restoration.document(document);
            Ok(())
        };
        let accepted = self.edit(author.clone(), comment, based_on, edit).await?;
        self.access()
            .audit()
            .change(&author, &[format!("version {}: restored from the {from}", accepted.version)]);
        *self.backups().seen.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let Some(secrets) = secrets else { return Ok(accepted) };
        if accepted.confirm_until.is_none() {
            self.restore_secrets(&author, secrets).await?;
            return Ok(accepted);
        }
        let (gateway, version) = (self.clone(), accepted.version);
        tokio::spawn(async move {
            if !gateway.was_confirmed(version).await {
                gateway
                    .access()
                    .audit()
                    .change(&author, &["secrets of the backup not restored: its trial ended".into()]);
            } else if let Err(problem) = gateway.restore_secrets(&author, secrets).await {
                tracing::error!("{}", problem.sentences());
            }
        });
        Ok(accepted)
    }

    async fn restore_secrets(&self, by: &Author, secrets: Secrets) -> Result<(), ProblemDocument> {
        let vault = self.vault().clone();
        let replace = move || {
            let told = secrets.difference(&vault.secrets().load()?);
            vault.secrets().replace(&secrets)?;
            if let Err(why) = vault.mirror() {
                tracing::warn!(why, "the rescue copy still has the password of before");
            }
            Ok::<_, String>(told)
        };
        let told = self.in_backup_turn(replace).await?.map_err(|why| {
            let detail = format!(
                "The configuration of the backup is in force, but users, tokens, certificate and passwords are those of before: \
                 {why}. Restore it again when the disk is in order."
            );
            ProblemDocument::new(StatusCode::INSUFFICIENT_STORAGE, "The secrets could not be stored", detail)
        })?;
        if let Err(error) = self.certificates().read_stored() {
            tracing::error!(%error, "the certificate of the backup cannot be shown");
        }
        let told: Vec<_> = told.into_iter().map(|line| format!("restored from a backup: {line}")).collect();
        self.access().audit().change(by, &told);
        self.snmp().restart().await;
        self.post().hurry().await;
        Ok(())
    }

    /// Waits until a version on trial is decided about.
    async fn was_confirmed(&self, version: u64) -> bool {
        let mut pictures = self.watch();
        let is_decided = |picture: &Arc<super::Published>| {
            let trial = picture.view.pending_confirmation.as_ref();
            trial.is_none_or(|trial| trial.version != version)
        };
        // The engine publishes as long as lbd lives.
        if pictures.wait_for(is_decided).await.is_err() {
            return false;
        }
        self.version(version).await.is_ok_and(|stored| stored.info.standing == Standing::Accepted)
    }

    /// One after the other, and outside the threads that serve.
    pub(in crate::web) async fn in_backup_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ProblemDocument> {
        let busy = |_| ProblemDocument::from(Refusal::Busy);
        let turn = self.backups().turn.clone().acquire_owned();
        let turn = tokio::time::timeout(LONGEST_TURN, turn).await.map_err(busy)?;
        let turn = turn.map_err(|_| ProblemDocument::from(Refusal::Ending))?;
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        done.await.map_err(|_| ProblemDocument::from(Refusal::Ending))
    }
}
