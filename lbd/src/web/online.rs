//! Newer versions on a server as API and pages show them, and what somebody orders about them; each order stands in the audit
//! log.

use std::sync::Arc;

use axum::http::StatusCode;
use evenkeel_update::index::Index;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api::{ProblemDocument, capitalised};
use super::{Caller, Gateway};
use crate::config::OnlineUpdates;
use crate::update::Refusal;
use crate::update::online::Known;
use crate::update::online::download::Progress;
use crate::update::online::look::Offer;

/// What is known of newer versions on a server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OnlineStatus {
    /// Where it is looked; null: nowhere.
    pub url: Option<String>,
    /// When it was looked last, whatever came of it.
    pub looked: Option<Timestamp>,
    /// When it is looked again, by itself.
    pub next_look: Option<Timestamp>,
    /// Why the last look found nothing, in a sentence, where it did not.
    pub problem: Option<String>,
    /// The newest version, as the last look that succeeded found it.
    pub newest: Option<NewestVersion>,
    /// The download under way, or how the last one failed.
    pub download: Option<DownloadStatus>,
}

/// The newest version on a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NewestVersion {
    /// Which one.
    pub version: String,
    /// No release.
    pub development_build: bool,
    /// What is new.
    pub notes: String,
    /// Bytes of the archive.
    pub size: u64,
    /// It is newer than what runs here, and can be downloaded and installed.
    pub available: bool,
    /// Every page tells of it.
    pub is_news: bool,
    /// What it is for this appliance, in a sentence.
    pub meaning: String,
}

/// An archive on its way here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DownloadStatus {
    /// Of this version.
    pub version: String,
    /// Bytes of the whole.
    pub size: u64,
    /// Bytes that are here.
    pub received: u64,
    /// The same, of a hundred.
    pub percent: u64,
    /// Why it failed, in a sentence; null while it goes on.
    pub failed: Option<String>,
}

fn sentence(words: &str) -> String {
    format!("{}.", capitalised(words))
}

impl NewestVersion {
    fn new(index: &Index, offer: &Offer) -> Self {
        let meaning = match offer {
            Offer::Available => "It is newer than what runs here.".to_owned(),
            Offer::NeedsBetween(needed) => format!(
                "It is newer than what runs here, and can be installed from version {needed} on: install a version in \
                 between first, whose archive is uploaded below."
            ),
            Offer::Installed => {
                "It, or a newer one, is installed already beside the version that runs.".to_owned()
            }
            Offer::Failed => "It was installed here and never proved itself. When what was in its way is gone, install it again."
                .to_owned(),
            Offer::NotNewer => "It is not newer than what runs here: the appliance is up to date.".to_owned(),
        };
        Self {
            version: index.version.to_string(),
            development_build: index.development,
            notes: index.notes.clone(),
            size: index.archive.size,
            available: offer.is_available(),
            is_news: offer.is_news(),
            meaning,
        }
    }
}

impl From<&Progress> for DownloadStatus {
    fn from(progress: &Progress) -> Self {
        Self {
            version: progress.version.to_string(),
            size: progress.size,
            received: progress.received,
            percent: progress.percent(),
            failed: progress.failed.as_deref().map(sentence),
        }
    }
}

impl OnlineStatus {
    fn new(source: &OnlineUpdates, known: &Known) -> Self {
        Self {
            url: Some(source.url.to_string()),
            looked: known.found.looked,
            next_look: known.next_look,
            problem: known.found.problem.as_deref().map(sentence),
            newest: known.offer().map(|(index, offer)| NewestVersion::new(index, &offer)),
            download: known.download.as_ref().map(DownloadStatus::from),
        }
    }

    /// The download under way.
    pub(in crate::web) fn under_way(&self) -> Option<&DownloadStatus> {
        self.download.as_ref().filter(|download| download.failed.is_none())
    }
}

impl Gateway {
    /// What is known of newer versions.
    pub(in crate::web) fn online_status(&self) -> OnlineStatus {
        let source = self.latest().online_updates.clone();
        source
            .map(|source| OnlineStatus::new(&source, &self.updates().online().known(&source)))
            .unwrap_or_default()
    }

    fn source(&self) -> Result<Arc<OnlineUpdates>, ProblemDocument> {
        if !self.updates().is_available() {
            return Err(Refusal::NotTheAppliance.into());
        }
        let detail =
            "No URL is set at which newer versions are looked for. Set update.url in the configuration.";
        let nowhere = || ProblemDocument::new(StatusCode::CONFLICT, "Nothing is looked for", detail);
        self.latest().online_updates.clone().ok_or_else(nowhere)
    }

    /// Looks for a newer version now; what came of it is in the status then.
    pub(in crate::web) async fn look_for_update(&self, caller: &Caller) -> Result<(), ProblemDocument> {
        let source = self.source()?;
        self.updates().look(&source, self.alarm()).await?;
        self.access().audit().change(&caller.author(), &["update: looked for a newer version".into()]);
        Ok(())
    }

    /// Begins to download what was found; gives its version. It goes on by itself.
    pub(in crate::web) async fn download_update(&self, caller: &Caller) -> Result<String, ProblemDocument> {
        let (download, upload) = self.updates().begin_download(self.source()?).await?;
        let version = download.version().to_string();
        let (audit, author) = (self.access().audit().clone(), caller.author());
        audit.change(&author, &[format!("update: download of version {version} begun")]);
        tokio::spawn(async move {
            if let Ok(version) = download.run(upload).await {
                audit.change(&author, &[format!("update: version {version} downloaded")]);
            }
        });
        Ok(version)
    }

    /// Ends the download under way.
    pub(in crate::web) async fn cancel_download(&self, caller: &Caller) -> Result<(), ProblemDocument> {
        self.updates().cancel_download().await?;
        self.access().audit().change(&caller.author(), &["update: download cancelled".into()]);
        Ok(())
    }
}
