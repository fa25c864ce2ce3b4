//! An archive on its way from a server into the staging, where it is verified as it comes.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_update::index::Index;
use evenkeel_update::version::Version;
use tokio::sync::watch;
use tokio::time::Instant;
use url::Url;

use super::fault::Fault;
use super::look::Offer;
use super::{Online, Updates, fetch};
use crate::config::OnlineUpdates;
use crate::update::Refusal;
use crate::update::staging::Upload;

/// For a whole archive: 40 MB over a line of 100 kbit/s.
const LONGEST_DOWNLOAD: Duration = Duration::from_secs(3600);
/// For a download to notice that it is cancelled: it may be writing to a slow disk.
const LONGEST_END: Duration = Duration::from_secs(20);

/// How far a download is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Of which version.
    pub version: Version,
    /// In bytes.
    pub size: u64,
    /// Bytes that are here.
    pub received: u64,
    /// Why it failed, where it did; it is under way otherwise.
    pub failed: Option<String>,
}

impl Progress {
    /// Whether it goes on.
    pub fn is_under_way(&self) -> bool {
        self.failed.is_none()
    }

    /// Of a hundred.
    pub fn percent(&self) -> u64 {
        self.received.saturating_mul(100) / self.size.max(1)
    }
}

/// Why a download ended before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Somebody wanted that.
    Cancelled,
    /// In words.
    Failed(String),
}

impl From<Fault> for Ended {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault.to_string())
    }
}

impl From<Refusal> for Ended {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Archive(why) | Refusal::Failed(why) => Self::Failed(why),
            Refusal::NotTheAppliance | Refusal::Busy => Self::Failed("the upload has ended".into()),
        }
    }
}

/// A download that was ordered; it has its turn already.
#[derive(Debug)]
pub struct Download {
    online: Online,
    source: Arc<OnlineUpdates>,
    index: Index,
    url: Url,
    cancelled: watch::Receiver<bool>,
    deadline: Instant,
}

impl Updates {
    /// Begins to download what the last look found.
    pub async fn begin_download(&self, source: Arc<OnlineUpdates>) -> Result<(Download, Upload), Refusal> {
        self.places()?;
        // What is installed meanwhile is no news any more.
        self.systems().await?;
        let (index, url) = wanted(self.online(), &source).map_err(|why| Refusal::Failed(why.into()))?;
        let upload = self.upload(Some(index.archive.size)).await?;
        let inner = &self.online().0;
        inner.cancelled.send_replace(false);
        inner.known.send_modify(|known| {
            let (version, size) = (index.version.clone(), index.archive.size);
            known.download = Some(Progress { version, size, received: 0, failed: None });
        });
        let (online, cancelled) = (self.online().clone(), inner.cancelled.subscribe());
        let deadline = Instant::now() + LONGEST_DOWNLOAD;
        Ok((Download { online, source, index, url, cancelled, deadline }, upload))
    }

    /// Ends the download under way, and waits until it has ended.
    pub async fn cancel_download(&self) -> Result<(), Refusal> {
        self.places()?;
        let inner = &self.online().0;
        let mut known = inner.known.subscribe();
        let is_under_way = |known: &super::Known| known.download.as_ref().is_some_and(Progress::is_under_way);
        if !is_under_way(&known.borrow()) {
            return Err(Refusal::Failed("no download is under way".into()));
        }
        inner.cancelled.send_replace(true);
        let ended = tokio::time::timeout(LONGEST_END, known.wait_for(|known| !is_under_way(known))).await;
        match ended {
            Ok(_) if *inner.cancelled.borrow() => Ok(()),
            Ok(_) => Err(Refusal::Failed(
                "the download had ended already; throw away what came, if it is not wanted".into(),
            )),
            Err(_) => Err(Refusal::Failed("the download has not ended yet; is the disk slow?".into())),
        }
    }
}

impl Online {
    /// The download under way, if there is one, is to end: nobody wants updates from a server any more.
    pub(super) fn cancel(&self) {
        self.0.cancelled.send_replace(true);
    }
}

/// What is to be downloaded, and from where.
fn wanted(online: &Online, source: &OnlineUpdates) -> Result<(Index, Url), &'static str> {
    let known = online.known(source);
    let (index, offer) = known.offer().ok_or("nothing is known of a newer version; look for one first")?;
    match offer {
        Offer::Available | Offer::Failed => {}
        Offer::NeedsBetween(_) => return Err("a version in between must be installed first"),
        Offer::Installed => {
            return Err(
                "the newest version is installed already; Software Update, or lbd update status, says how it starts",
            );
        }
        Offer::NotNewer => return Err("what is offered is not newer than what runs"),
    }
    let url = source.url.join(&index.archive.url).ok().filter(|url| url.scheme() == "https");
    Ok((index.clone(), url.ok_or("the index names no place over https where the archive is")?))
}

impl Download {
    /// Of which version.
    pub fn version(&self) -> &Version {
        &self.index.version
    }

    /// Goes on to the end; how it failed is known then.
    pub async fn run(mut self, upload: Upload) -> Result<Version, Ended> {
        let result = self.bring(upload).await;
        if result.is_ok() {
            // Whoever wanted to end it meanwhile is told that it had come.
            self.online.0.cancelled.send_replace(false);
        }
        self.online.0.known.send_modify(|known| match (&result, &mut known.download) {
            (Err(Ended::Failed(why)), Some(progress)) => progress.failed = Some(why.clone()),
            (_, download) => *download = None,
        });
        match &result {
            Ok(version) => tracing::info!(%version, "a newer version was downloaded"),
            Err(Ended::Cancelled) => tracing::info!("the download of a newer version was cancelled"),
            Err(Ended::Failed(why)) => tracing::warn!("the download of a newer version failed: {why}"),
        }
        result
    }

    async fn bring(&mut self, mut upload: Upload) -> Result<Version, Ended> {
        let (source, url, size) = (self.source.clone(), self.url.clone(), self.index.archive.size);
        let mut coming = self.unless_cancelled(fetch::get(&source, &url, size)).await?;
        while let Some(bytes) = self.unless_cancelled(coming.next()).await? {
            // What is on its way to the disk is not cut off: its thread would go on behind the next upload's back.
            upload.push(&bytes).await?;
            self.online.0.known.send_modify(|known| {
                if let Some(progress) = &mut known.download {
                    progress.received += bytes.len() as u64;
                }
            });
        }
        coming.expect_whole()?;
        Ok(upload.finish(Some(self.index.archive.sha256)).await?.version)
    }

    async fn unless_cancelled<T>(
        &mut self,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Ended> {
        tokio::select! {
            biased;
            _ = self.cancelled.wait_for(|cancelled| *cancelled) => Err(Ended::Cancelled),
            () = tokio::time::sleep_until(self.deadline) => Err(Fault::TooSlow(LONGEST_DOWNLOAD).into()),
            done = work => Ok(done?),
        }
    }
}
