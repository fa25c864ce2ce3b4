//! Updates of the appliance, as far as they are lbd's: an archive is taken and verified ([`staging`]), init is asked to
//! install it ([`init`]), and after the restart lbd shows that it does its work ([`proof`], [`task`]). What init installs
//! it verifies itself: nothing here can make it trust anybody.
//!
//! ```text
//! upload, or download ([`online`])
//!    |
//! staged.update --install--> beside what runs --restart, or a quick start--> on trial --proven--> good
//!                                 \--- go back ---<----------------------------/ three tries
//! ```
//! A quick update differs from what runs in lbd alone: init can replace that while the kernel goes on forwarding.

#[cfg(test)]
pub mod fake;
pub mod init;
pub mod online;
pub mod proof;
pub mod runs;
pub mod staging;
pub mod task;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use evenkeel_update::manifest::{Base, Manifest};
use evenkeel_update::status::{Standing, Systems};
use evenkeel_update::version::Version;
use evenkeel_update::{BASE, DEVELOPMENT_MARK, TRUSTED_KEY};
use tokio::sync::Mutex;

use crate::durable;
use crate::view::View;
use online::Online;
use proof::{Before, Shortfall};
use runs::{Run, Runs};
use staging::Upload;

/// init's control socket (`init/src/places.rs`).
pub const INIT_SOCKET: &str = "/run/evenkeel/init.sock";
/// A look at the boot partition.
const LOOK: Duration = Duration::from_secs(10);
/// Forty megabytes are read twice and written once, by a disk that has other things to do.
const INSTALL: Duration = Duration::from_secs(300);
/// Thirty megabytes are read once, and unpacked by one processor.
const START: Duration = Duration::from_secs(120);

/// What stood before the restart, below [`Updates`]' folder.
const BEFORE: &str = "before.json";
/// Why a system on trial has not proven itself, for the one that runs after it.
const SHORTFALL: &str = "shortfall.json";
/// Which version ran since when.
const RUNS: &str = "runs.json";

/// True for what a developer has built: it takes that developer's updates only, and must not balance a hospital.
pub fn is_development_build() -> bool {
    static IS: LazyLock<bool> = LazyLock::new(|| Path::new(DEVELOPMENT_MARK).exists());
    *IS
}

/// What belongs to the appliance alone.
#[derive(Debug, Clone)]
pub struct Places {
    /// The public key of updates.
    pub key: PathBuf,
    /// What the running image says of its base.
    pub base: PathBuf,
    /// init's control socket.
    pub init_socket: PathBuf,
}

impl Places {
    /// As the image has them, with init at this socket.
    pub fn of_the_appliance(init_socket: PathBuf) -> Self {
        Self { key: TRUSTED_KEY.into(), base: BASE.into(), init_socket }
    }
}

/// What an update replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// lbd alone: it can start without a restart of the appliance.
    Quick,
    /// More than that.
    Full,
}

/// Why an order is not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is no init of ours here.
    NotTheAppliance,
    /// Another upload is under way.
    Busy,
    /// The archive cannot be used.
    Archive(String),
    /// init, or the disk, says no.
    Failed(String),
}

/// The way to updates. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Updates(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    places: Option<Places>,
    /// Held by the one upload.
    upload: Arc<Mutex<()>>,
    /// Held by whoever asks init, which does one thing at a time.
    order: Mutex<()>,
    /// What is known of newer versions.
    online: Online,
}

impl Updates {
    /// Keeps archives below the state directory. Without places nothing can be installed.
    pub fn below(state_directory: &Path, places: Option<Places>) -> Self {
        Self(Arc::new(Inner {
            folder: state_directory.join("update"),
            places,
            upload: Arc::default(),
            order: Mutex::default(),
            online: Online::default(),
        }))
    }

    fn places(&self) -> Result<&Places, Refusal> {
        self.0.places.as_ref().ok_or(Refusal::NotTheAppliance)
    }

    /// Whether this machine is the appliance.
    pub fn is_available(&self) -> bool {
        self.0.places.is_some()
    }

    async fn ask(&self, word: &str, patience: Duration) -> Result<String, Refusal> {
        let socket = &self.places()?.init_socket;
        let Ok(_turn) = tokio::time::timeout(LOOK, self.0.order.lock()).await else {
            return Err(Refusal::Failed(
                "another order about updates is under way; try again in a minute".into(),
            ));
        };
        init::ask(socket, word, patience).await.map_err(Refusal::Failed)
    }

    /// Which systems there are.
    pub async fn systems(&self) -> Result<Systems, Refusal> {
        let told = self.ask("systems", LOOK).await?;
        let systems: Systems = serde_json::from_str(&told)
            .map_err(|error| Refusal::Failed(format!("init's answer is not understood: {error}")))?;
        self.0.online.see(&systems);
        Ok(systems)
    }

    /// Begins an upload of an archive, of so many bytes where that is known.
    pub async fn upload(&self, length: Option<u64>) -> Result<Upload, Refusal> {
        let key = self.places()?.key.clone();
        let turn = Arc::clone(&self.0.upload).try_lock_owned().map_err(|_| Refusal::Busy)?;
        let running = self.systems().await?.running;
        let folder = self.0.folder.clone();
        let begun = tokio::task::spawn_blocking(move || staging::begin(&folder, &key, running, length)).await;
        let staging = begun.map_err(|error| Refusal::Failed(error.to_string()))??;
        Ok(Upload::new(staging, turn))
    }

    /// The manifest of the archive that waits to be installed, if one does.
    pub async fn staged(&self, running: Version) -> Option<Manifest> {
        let (key, folder) = (self.places().ok()?.key.clone(), self.0.folder.clone());
        tokio::task::spawn_blocking(move || staging::staged(&folder, &key, running)).await.ok()?
    }

    /// What an update replaces of the system that runs. Where that cannot be known, a restart is always right.
    pub async fn kind_of(&self, manifest: &Manifest) -> Kind {
        let Ok(Places { base, .. }) = self.places() else { return Kind::Full };
        let own =
            tokio::fs::read(base).await.ok().and_then(|json| serde_json::from_slice::<Base>(&json).ok());
        if own == Some(manifest.base) { Kind::Quick } else { Kind::Full }
    }

    /// Throws the archive away that waits to be installed.
    pub async fn discard(&self) -> Result<(), Refusal> {
        self.places()?;
        let folder = self.0.folder.clone();
        let removed = tokio::task::spawn_blocking(move || staging::discard_staged(&folder)).await;
        removed.map_err(std::io::Error::other).flatten().map_err(|error| Refusal::Failed(error.to_string()))
    }

    /// Installs the archive that waits, beside what runs. Gives its version.
    pub async fn install(&self, view: &View) -> Result<Version, Refusal> {
        self.places()?;
        self.remember(Before::of(view)).await?;
        let told = self.ask("install", INSTALL).await?;
        // What is installed needs no archive any more; one that stays is replaced by the next upload.
        let _ = self.discard().await;
        told.parse().map_err(|_| Refusal::Failed(format!("init's answer {told:?} is not understood")))
    }

    /// Has init replace this lbd by that of the system that waits, at once. Gives its version; this lbd ends two seconds later.
    pub async fn start_quick(&self, view: &View) -> Result<String, Refusal> {
        self.remember(Before::of(view)).await?;
        self.ask("quick", START).await
    }

    /// Lets the other system start next, and restarts. Gives its version.
    pub async fn go_back(&self, view: &View) -> Result<String, Refusal> {
        // What a full disk refuses comes first: the other version must not start and be compared with something older.
        self.remember(Before::of(view).in_any_version()).await?;
        let version = self.ask("back", LOOK).await?;
        self.ask("reboot", LOOK).await?;
        Ok(version)
    }

    /// Restarts the machine.
    pub async fn restart(&self, view: &View) -> Result<(), Refusal> {
        self.remember(Before::of(view)).await?;
        self.ask("reboot", LOOK).await.map(|_| ())
    }

    /// Has init erase everything but what is installed, and restart the machine.
    pub async fn reset_to_factory(&self) -> Result<(), Refusal> {
        self.ask("factory-reset", LOOK).await.map(|_| ())
    }

    /// So that what starts next can be compared with it.
    async fn remember(&self, before: Before) -> Result<(), Refusal> {
        self.places()?;
        self.write(BEFORE, serde_json::to_string(&before)).await.map_err(|error| {
            Refusal::Failed(format!("writing down what works now: {error}; is the disk full?"))
        })
    }

    async fn write(&self, name: &'static str, text: serde_json::Result<String>) -> std::io::Result<()> {
        let (folder, text) = (self.0.folder.clone(), text?);
        let written = tokio::task::spawn_blocking(move || {
            fs::create_dir_all(&folder)?;
            durable::replace(&folder.join(name), text.as_bytes())
        });
        written.await.map_err(std::io::Error::other).flatten()
    }

    async fn runs(&self) -> Runs {
        let path = self.0.folder.join(RUNS);
        let read = tokio::task::spawn_blocking(move || fs::read(path)).await.ok().and_then(Result::ok);
        // What is damaged begins anew: it is for people, and decides nothing.
        read.and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default()
    }

    /// Writes down that this version runs, where another one did before.
    async fn note_run(&self, run: Run) -> std::io::Result<()> {
        match self.runs().await.with(run) {
            Some(runs) => self.write(RUNS, serde_json::to_string(&runs)).await,
            None => Ok(()),
        }
    }

    /// What took over from `version` when it ran for the last time; `None` where that is not known.
    pub async fn after(&self, version: &Version) -> Option<Run> {
        self.runs().await.after(version).cloned()
    }

    /// Why the other system failed, as it said itself.
    pub async fn why_failed(&self, systems: &Systems) -> Option<String> {
        let other = systems.other.as_ref().filter(|other| other.standing == Standing::Failed)?;
        let path = self.0.folder.join(SHORTFALL);
        let read = tokio::task::spawn_blocking(move || fs::read(path)).await.ok()?.ok();
        let told = read.and_then(|json| serde_json::from_slice::<Shortfall>(&json).ok());
        let own = told.filter(|told| told.version == other.version).map(|told| told.why);
        Some(own.unwrap_or_else(|| {
            "It left no word: its kernel or its init ended, or its lbd never ran for long enough.".to_owned()
        }))
    }
}
