//! Updates as API and pages show and order them; each order stands in the audit log.

use axum::http::StatusCode;
use evenkeel_update::hash::Sha;
use evenkeel_update::manifest::Manifest;
use evenkeel_update::status::Standing;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api::{ProblemDocument, capitalised};
use super::online::{NewestVersion, OnlineStatus};
use super::{Caller, Gateway};
use crate::update::runs::Run;
use crate::update::staging::Upload;
use crate::update::{Kind, Refusal, is_development_build};

/// Where archives are sent, and what waits for a disk that writes them: they may take longer than other requests.
pub(in crate::web) const SLOW_PATHS: [&str; 6] =
    [ARCHIVE, INSTALL, ACTIVATE, LOOK, super::pages::UPDATE_UPLOAD_PATH, super::pages::UPDATE_ORDER_PATH];

/// Of the API.
pub(in crate::web) const ARCHIVE: &str = "/api/v1/update/archive";
/// Of the API.
pub(in crate::web) const INSTALL: &str = "/api/v1/update/install";
/// Of the API: a server that is looked at may be slow.
pub(in crate::web) const LOOK: &str = "/api/v1/update/look";
/// Of the API.
pub(crate) const ACTIVATE: &str = "/api/v1/update/activate";

/// The systems of this appliance, and the update that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UpdateDocument {
    /// The version that runs.
    pub running: String,
    /// It takes the updates of one developer only, and is no release.
    pub development_build: bool,
    /// What runs has not proven itself yet; if it does not, the other version starts again by itself.
    pub on_trial: bool,
    /// The other version on this appliance, if there is one.
    pub other: Option<OtherVersion>,
    /// The update that was uploaded and not installed yet.
    pub uploaded: Option<UploadedUpdate>,
    /// Why it is not known which versions there are.
    pub problem: Option<String>,
    /// What is known of newer versions on a server.
    pub online: OnlineStatus,
}

impl UpdateDocument {
    /// The newest version on a server, if it is not what waits here to be installed.
    pub fn not_here(&self) -> Option<&NewestVersion> {
        let waits = |newest: &&NewestVersion| {
            self.uploaded.as_ref().is_some_and(|uploaded| uploaded.version == newest.version)
        };
        self.online.newest.as_ref().filter(|newest| !waits(newest))
    }
}

/// A version that is installed and does not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OtherVersion {
    /// Which one.
    pub version: String,
    /// What it is good for.
    pub standing: VersionStanding,
    /// It can start without a restart of the appliance: only its lbd differs from what runs.
    pub starts_without_restart: bool,
    /// Why it failed, where it did.
    pub why: Option<String>,
    /// When it ran for the last time, and what was changed since; `null` where that is not known.
    pub left: Option<LeftVersion>,
}

/// The end of a version's last run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeftVersion {
    /// When another version took over.
    pub at: Timestamp,
    /// The version of the configuration that was in force then.
    pub configuration_version: u64,
    /// The one that is in force now, and stays so whichever version of Evenkeel runs.
    pub configuration_version_now: u64,
}

impl LeftVersion {
    /// Whether the configuration is another one now.
    pub fn is_changed(&self) -> bool {
        self.configuration_version_now != self.configuration_version
    }

    /// In sentences; `at` is its time as the reader is told times.
    pub fn words(&self, at: impl std::fmt::Display) -> String {
        let Self { configuration_version: then, configuration_version_now: now, .. } = self;
        let changed = match self.is_changed() {
            true => {
                format!("; version {now} is in force now, and stays so whichever version of Evenkeel runs")
            }
            false => ", as now".to_owned(),
        };
        format!("It ran until {at}, with version {then} of the configuration{changed}.")
    }
}

/// What a version is good for that does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VersionStanding {
    /// It ran, and proved itself.
    Good,
    /// It starts at the next restart, on trial.
    Installed,
    /// It was tried and never proved itself.
    Failed,
    /// Somebody went back from it to what runs now.
    Left,
}

/// An update that was uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UploadedUpdate {
    /// Its version.
    pub version: String,
    /// No release.
    pub development_build: bool,
    /// What is new.
    pub notes: String,
    /// What it replaces.
    pub kind: UpdateKind,
    /// What its installation takes, in a sentence.
    pub effect: String,
}

/// What an update replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UpdateKind {
    /// lbd alone: it can start without a restart of the appliance.
    Quick,
    /// More than that: it starts at a restart.
    Full,
}

/// What a start without a restart ends.
pub(in crate::web) const QUICK_ENDS: &str = "connections go on, but those of services with forwarding_method = \"proxy\" \
                                             and those that the fallback answers, which end";

impl UpdateKind {
    /// What it takes, in a few words.
    pub fn takes(self) -> &'static str {
        match self {
            Self::Quick => "quick: lbd is replaced in seconds, connections go on",
            Self::Full => "full: needs a restart, connections break off",
        }
    }

    /// What it takes, in whole sentences.
    fn effect(self) -> String {
        let beside = "It is installed beside the version that runs, which goes on meanwhile.";
        match self {
            Self::Quick => format!(
                "This is a quick update: only lbd differs from what runs. {beside} Then you can start it without a restart: \
                 lbd is replaced in seconds, and {QUICK_ENDS}."
            ),
            Self::Full => format!(
                "This is a full update: it needs a restart. {beside} It starts when you restart the appliance: connections \
                 break off then, and new ones are taken after about half a minute."
            ),
        }
    }
}

impl From<Kind> for UpdateKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Quick => Self::Quick,
            Kind::Full => Self::Full,
        }
    }
}

impl UploadedUpdate {
    fn new(manifest: &Manifest, kind: UpdateKind) -> Self {
        Self {
            version: manifest.version.to_string(),
            development_build: manifest.development,
            notes: manifest.notes.clone(),
            kind,
            effect: kind.effect(),
        }
    }
}

impl From<Standing> for VersionStanding {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Good => Self::Good,
            Standing::Waiting => Self::Installed,
            Standing::Failed => Self::Failed,
            Standing::Left => Self::Left,
        }
    }
}

impl From<Refusal> for ProblemDocument {
    fn from(refusal: Refusal) -> Self {
        let conflict = |title, detail: &str| Self::new(StatusCode::CONFLICT, title, detail);
        match refusal {
            Refusal::NotTheAppliance => conflict(
                "This is not the appliance",
                "lbd runs on a Linux of your own here: replace its program there, and start it again.",
            ),
            Refusal::Busy => conflict(
                "Another upload or download is under way",
                "Wait until it has ended, then try again.",
            ),
            Refusal::Archive(why) => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "The update is refused",
                format!("Nothing was installed: {why}."),
            ),
            Refusal::Failed(why) => {
                conflict("It was not done", &format!("{}. What runs goes on.", capitalised(&why)))
            }
        }
    }
}

/// What somebody orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::web) enum UpdateOrder {
    /// What was uploaded is installed.
    Install,
    /// The lbd of what was installed takes the place of the one that runs, without a restart.
    Activate,
    /// What was uploaded is thrown away.
    Discard,
    /// The appliance restarts.
    Restart,
    /// It restarts into the other version.
    Rollback,
    /// It is looked for a newer version.
    Look,
    /// What was found is downloaded.
    Download,
    /// The download ends.
    Cancel,
}

impl Gateway {
    /// Everything about updates.
    pub(in crate::web) async fn update_status(&self) -> UpdateDocument {
        let updates = self.updates();
        let nothing = UpdateDocument {
            running: self.latest().view.version.clone(),
            development_build: is_development_build(),
            on_trial: false,
            other: None,
            uploaded: None,
            problem: None,
            online: OnlineStatus::default(),
        };
        match updates.systems().await {
            Ok(systems) => {
                let why = updates.why_failed(&systems).await;
                let uploaded = updates.staged(systems.running.clone()).await;
                let left = match &systems.other {
                    Some(other) => updates.after(&other.version).await,
                    None => None,
                };
                let now = self.latest().view.configuration_version;
                let left = left.map(|Run { since, configuration_version, .. }| LeftVersion {
                    at: since,
                    configuration_version,
                    configuration_version_now: now,
                });
                let other = systems.other.map(|other| OtherVersion {
                    version: other.version.to_string(),
                    standing: other.standing.into(),
                    starts_without_restart: other.is_quick,
                    why,
                    left,
                });
                let uploaded = match &uploaded {
                    Some(manifest) => {
                        Some(UploadedUpdate::new(manifest, updates.kind_of(manifest).await.into()))
                    }
                    None => None,
                };
                let (running, on_trial) = (systems.running.to_string(), systems.on_trial);
                // Only now it is known what the newest version is to these systems.
                let online = self.online_status();
                UpdateDocument { running, on_trial, other, uploaded, online, ..nothing }
            }
            Err(refusal) => {
                let problem = Some(ProblemDocument::from(refusal).sentences());
                UpdateDocument { problem, online: self.online_status(), ..nothing }
            }
        }
    }

    /// Begins to take an archive, of so many bytes where that is known.
    pub(in crate::web) async fn begin_upload(&self, length: Option<u64>) -> Result<Upload, ProblemDocument> {
        Ok(self.updates().upload(length).await?)
    }

    /// The archive is here.
    pub(in crate::web) async fn end_upload(
        &self,
        caller: &Caller,
        upload: Upload,
        sum: Option<Sha>,
    ) -> Result<(), ProblemDocument> {
        let version = upload.finish(sum).await?.version;
        self.updates().online().forget_failure();
        self.access().audit().change(&caller.author(), &[format!("update: version {version} uploaded")]);
        Ok(())
    }

    /// Does what is ordered; gives the version that it is about.
    pub(in crate::web) async fn order_update(
        &self,
        caller: &Caller,
        order: UpdateOrder,
    ) -> Result<String, ProblemDocument> {
        let (updates, view) = (self.updates(), &self.latest().view);
        let tell = |what: String| self.access().audit().change(&caller.author(), &[what]);
        let version = match order {
            UpdateOrder::Install => {
                // Without one the installation is refused below, and there is nothing to keep a backup for.
                if self.update_status().await.uploaded.is_some() {
                    self.keep_backup(caller).await?;
                }
                let version = updates.install(view).await?.to_string();
                // What is installed is no news any more, on any page.
                let _ = updates.systems().await;
                tell(format!("update: version {version} installed"));
                version
            }
            UpdateOrder::Activate => {
                let version = updates.start_quick(view).await?;
                tell(format!("update: version {version} started without a restart"));
                version
            }
            UpdateOrder::Discard => {
                updates.discard().await?;
                tell("update: what was uploaded is thrown away".into());
                String::new()
            }
            UpdateOrder::Restart => {
                // Told before: afterwards there is no time.
                if updates.is_available() {
                    tell("the appliance is restarted".into());
                }
                updates.restart(view).await?;
                String::new()
            }
            UpdateOrder::Rollback => {
                let version = updates.go_back(view).await?;
                tell(format!("update: back to version {version}, with a restart"));
                version
            }
            UpdateOrder::Look => {
                self.look_for_update(caller).await?;
                String::new()
            }
            UpdateOrder::Download => self.download_update(caller).await?,
            UpdateOrder::Cancel => {
                self.cancel_download(caller).await?;
                String::new()
            }
        };
        Ok(version)
    }
}
