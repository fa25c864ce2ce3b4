//! Newer versions on a server: whether there is one ([`look`]), how it comes here ([`reach`], [`fetch`], [`download`]).
//!
//! ```text
//! URL --look, each interval or by hand--> signed index --> told on every page, and once as an alert
//!                                             \--download, by hand--> staging, from where all goes on as with an upload
//! ```
//! Nothing is downloaded or installed by itself. [`task`] waits for the next look, and for other settings.

pub mod download;
pub mod fault;
pub mod look;
pub mod task;

mod fetch;
mod reach;

use std::sync::Arc;
use std::time::Duration;

use evenkeel_update::index::Index;
use evenkeel_update::signature::Key;
use evenkeel_update::status::Systems;
use evenkeel_update::version::Version;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, watch};

use super::{Refusal, Updates};
use crate::alert::Alarm;
use crate::alert::topic::Topic;
use crate::config::OnlineUpdates;
use download::Progress;
use fault::Fault;
use look::{Offer, news};

/// For a whole look, of two files: whoever asked for it by hand waits for the answer.
const LONGEST_LOOK: Duration = Duration::from_secs(45);
/// For a look that is under way already, of which most end within seconds.
const TURN: Duration = Duration::from_secs(20);
/// For what was found to be on the disk; one that hangs keeps nobody from knowing it.
const WRITE: Duration = Duration::from_secs(5);
/// What is known, for the next lbd, below the folder of updates.
const KEPT: &str = "online.json";

/// What is known of newer versions. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Online(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    known: watch::Sender<Known>,
    /// Held by the one look.
    look: Mutex<()>,
    /// Held while what was found is written.
    writing: Arc<Mutex<()>>,
    /// That the download under way is to end.
    cancelled: watch::Sender<bool>,
}

/// What is known of newer versions.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// What the looks found.
    pub found: Found,
    /// When it is looked again, by itself.
    pub next_look: Option<Timestamp>,
    /// The download under way, or how the last one failed.
    pub download: Option<Progress>,
    /// What is on this appliance, as init said last.
    systems: Option<Systems>,
}

/// What looks found, which outlives lbd.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Where.
    url: String,
    /// When it was looked last, whatever came of it.
    pub looked: Option<Timestamp>,
    /// Why the last look found nothing, where it did not.
    pub problem: Option<String>,
    /// The newest version, as the last look that succeeded found it.
    pub newest: Option<Index>,
    /// The version that was told as an alert.
    told: Option<Version>,
}

impl Online {
    /// What is known of what these settings lead to.
    pub fn known(&self, source: &OnlineUpdates) -> Known {
        let known = self.0.known.borrow().clone();
        match known.found.url == source.url.as_str() {
            true => known,
            false => Known { found: Found::default(), ..known },
        }
    }

    /// The version that every page tells of.
    pub fn news(&self, source: Option<&OnlineUpdates>) -> Option<Version> {
        let known = self.0.known.borrow();
        let (index, systems) = (known.found.newest.as_ref()?, known.systems.as_ref()?);
        let is_told = known.found.url == source?.url.as_str() && Offer::of(index, systems).is_news();
        is_told.then(|| index.version.clone())
    }

    /// Tells when something has changed.
    pub fn follow(&self) -> watch::Receiver<Known> {
        self.0.known.subscribe()
    }

    /// What init says is here.
    pub(super) fn see(&self, systems: &Systems) {
        self.0.known.send_if_modified(|known| {
            let is_other = known.systems.as_ref() != Some(systems);
            known.systems = Some(systems.clone());
            is_other
        });
    }

    /// How a download failed is no news any more.
    pub fn forget_failure(&self) {
        self.0
            .known
            .send_if_modified(|known| known.download.take_if(|download| !download.is_under_way()).is_some());
    }

    fn set_next_look(&self, at: Option<Timestamp>) {
        self.0.known.send_modify(|known| known.next_look = at);
    }
}

impl Known {
    /// The newest version, and what it is for this appliance.
    pub fn offer(&self) -> Option<(&Index, Offer)> {
        let (index, systems) = (self.found.newest.as_ref()?, self.systems.as_ref()?);
        Some((index, Offer::of(index, systems)))
    }
}

impl Found {
    /// The same after a look.
    fn after(self, url: &str, now: Timestamp, result: Result<Index, Fault>) -> Self {
        let before = if self.url == url { self } else { Self { told: self.told, ..Self::default() } };
        let (newest, problem) = match result {
            Ok(index) => (Some(index), None),
            Err(fault) => (before.newest, Some(fault.to_string())),
        };
        Self { url: url.to_owned(), looked: Some(now), problem, newest, told: before.told }
    }

    /// The newest version, if it is news that nobody was told of yet; from now on somebody was.
    fn untold(&mut self, systems: &Systems) -> Option<Index> {
        let index = self.newest.clone().filter(|index| Offer::of(index, systems).is_news())?;
        if self.told.as_ref() == Some(&index.version) {
            return None;
        }
        self.told = Some(index.version.clone());
        Some(index)
    }
}

impl Updates {
    /// What is known of newer versions.
    pub fn online(&self) -> &Online {
        &self.0.online
    }

    /// Looks for a newer version. What came of it is known then, a failure too.
    pub async fn look(&self, source: &OnlineUpdates, alarm: &Alarm) -> Result<(), Refusal> {
        self.places()?;
        let Ok(_turn) = tokio::time::timeout(TURN, self.online().0.look.lock()).await else {
            return Err(Refusal::Failed("another look is under way; load the page again in a minute".into()));
        };
        let (systems, key) = (self.systems().await?, self.trusted_key().await?);
        let looking = tokio::time::timeout(LONGEST_LOOK, fetch::index(source, &key));
        let result = looking.await.unwrap_or(Err(Fault::TooSlow(LONGEST_LOOK)));
        let before = self.online().0.known.borrow().found.clone();
        let mut found = before.after(source.url.as_str(), Timestamp::now(), result);
        if let Some(index) = found.untold(&systems) {
            alarm.happened(Topic::Update, news(&index));
        }
        self.keep(found).await;
        Ok(())
    }

    async fn trusted_key(&self) -> Result<Key, Refusal> {
        let key = tokio::fs::read_to_string(&self.places()?.key).await;
        let key = key.map_err(|error| Refusal::Failed(format!("reading the key of updates: {error}")))?;
        Key::parse(&key).map_err(|fault| Refusal::Failed(fault.to_string()))
    }

    /// From now on this is known, also by the next lbd.
    async fn keep(&self, found: Found) {
        match (&found.problem, &found.newest) {
            (Some(problem), _) => tracing::info!("looked for a newer version in vain: {problem}"),
            (None, newest) => {
                let version = newest.as_ref().map(|index| index.version.as_str());
                tracing::info!(version, "looked for a newer version");
                self.online().forget_failure();
            }
        }
        self.online().0.known.send_modify(|known| known.found = found.clone());
        // Where the disk still hangs on what was found before, the next look writes.
        let Ok(turn) = self.online().0.writing.clone().try_lock_owned() else { return };
        let updates = self.clone();
        let writing = tokio::spawn(async move {
            let _turn = turn;
            if let Err(error) = updates.write(KEPT, serde_json::to_string(&found)).await {
                tracing::warn!(%error, "what was found of newer versions is forgotten at the next start");
            }
        });
        let _ = tokio::time::timeout(WRITE, writing).await;
    }

    /// What an earlier lbd found.
    async fn recall(&self) {
        let path = self.0.folder.join(KEPT);
        let Ok(json) = tokio::fs::read(path).await else { return };
        // One that is not understood is written anew by the next look.
        if let Ok(found) = serde_json::from_slice::<Found>(&json) {
            self.online().0.known.send_modify(|known| known.found = found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::update::fake;

    fn systems(running: &str) -> Systems {
        Systems { running: running.parse().unwrap(), on_trial: false, other: None }
    }

    #[test]
    fn a_failure_is_told_and_leaves_what_was_found_and_another_url_leaves_nothing() {
        let now = Timestamp::UNIX_EPOCH;
        let found = Found::default().after("https://a/i", now, Ok(fake::index("1.1", b"x")));
        assert_eq!((found.problem.as_ref(), found.newest.is_some()), (None, true));
        let late = || Err(Fault::TooSlow(LONGEST_LOOK));
        let failed = found.after("https://a/i", now, late());
        assert!(failed.newest.is_some() && failed.problem.clone().unwrap().contains("45 s"), "{failed:?}");
        let elsewhere = failed.after("https://b/i", now, late());
        assert!(elsewhere.newest.is_none() && elsewhere.looked.is_some());
    }

    #[test]
    fn a_version_is_told_once() {
        let found = |version| Found::default().after("https://a/i", Timestamp::UNIX_EPOCH, Ok(version));
        let mut found = found(fake::index("1.1", b"x"));
        assert_eq!(found.clone().untold(&systems("1.1")), None, "it runs");
        assert!(found.untold(&systems("1.0")).is_some());
        assert_eq!(found.untold(&systems("1.0")), None);
        let mut next = found.after("https://b/i", Timestamp::UNIX_EPOCH, Ok(fake::index("1.1", b"x")));
        assert_eq!(next.untold(&systems("1.0")), None, "the same version by another way");
        let mut next = next.after("https://b/i", Timestamp::UNIX_EPOCH, Ok(fake::index("1.2", b"x")));
        assert_eq!(next.untold(&systems("1.0")).unwrap().version.as_str(), "1.2");
    }
}
