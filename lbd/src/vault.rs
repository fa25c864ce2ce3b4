//! Where the configuration is kept: the store on the data disk, a copy on the rescue partition, and one in memory.
//!
//! The store decides what was accepted. The copy follows it, so that an appliance whose data disk has died or was
//! wiped balances with the last configuration all the same, and lets its administrator in. Where the whole disk dies while
//! the machine runs, the copy in memory does the same for the next lbd, until the machine restarts.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::backup::kept::KeptBackups;
use crate::backup::secrets::SecretPlaces;
use crate::config::{Config, Document, Format, validate};
use crate::rescue::slot::Saved;
use crate::rescue::{Rescue, RescueError};
use crate::store::{Loaded, Stamp, Standing, Store, StoreError, StoredVersion, VersionInfo};
use crate::web::password::StoredPassword;
use crate::web::users::UserFile;

/// All that is kept. Every method waits for the disk.
#[derive(Debug)]
pub struct Vault {
    store: Store,
    passwords: UserFile,
    secrets: SecretPlaces,
    kept_backups: KeptBackups,
    rescue: Option<Mutex<Rescue>>,
    memory: Option<Mutex<Rescue>>,
    /// The text that was stored last, for the copy.
    current: Mutex<Option<String>>,
    /// Held as long as lbd runs: a second one would undo what the first does.
    _lock: File,
}

const LOCK: &str = "lock";

/// Where a copy was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copied {
    /// In memory: the data disk worked when the machine started.
    InMemory,
    /// On the rescue partition.
    OnRescuePartition,
}

fn lock(state_directory: &Path) -> Result<File, String> {
    let path = state_directory.join(LOCK);
    let file = File::create(&path).map_err(|error| format!("cannot create {}: {error}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(format!("another lbd runs with {}; end it first", state_directory.display()))
        }
        Err(TryLockError::Error(error)) => Err(format!("cannot lock {}: {error}", path.display())),
    }
}

impl Vault {
    /// Opens the store below the state directory and, where there are such, the rescue partition and a file in memory. What
    /// is wrong with the latter two comes back in words: lbd works without them.
    pub fn open(
        state_directory: &Path,
        rescue_device: Option<&Path>,
        memory: Option<&Path>,
    ) -> Result<(Self, Vec<String>), String> {
        let lock = lock(state_directory)?;
        let store = Store::open(state_directory).map_err(|error| error.to_string())?;
        let mut problems = Vec::new();
        let mut opened = |copy: Option<Result<Rescue, RescueError>>, what: &str| match copy? {
            Ok(copy) => Some(Mutex::new(copy)),
            Err(error) => {
                problems.push(format!("There is no {what} of the configuration: {error}."));
                None
            }
        };
        let rescue = opened(rescue_device.map(Rescue::open), "rescue copy");
        let memory = opened(memory.map(Rescue::in_memory), "copy in memory");
        let passwords = UserFile::below(state_directory);
        let secrets = SecretPlaces::below(state_directory);
        let kept_backups = KeptBackups::below(state_directory);
        let current = Mutex::default();
        Ok((Self { store, passwords, secrets, kept_backups, rescue, memory, current, _lock: lock }, problems))
    }

    /// The newest usable version of the store.
    pub fn load(&self) -> Result<Loaded, StoreError> {
        let loaded = self.store.load()?;
        if let Some((_, config)) = &loaded.newest {
            self.remember(&config.document);
        }
        Ok(loaded)
    }

    /// The newest copy that can be used: that in memory follows every change since the machine has started.
    pub fn rescued(&self) -> Result<Option<(Config, Saved, Copied)>, String> {
        if let Ok(Some((config, saved))) = read(self.memory.as_ref()) {
            return Ok(Some((config, saved, Copied::InMemory)));
        }
        let found = read(self.rescue.as_ref())?;
        Ok(found.map(|(config, saved)| (config, saved, Copied::OnRescuePartition)))
    }

    /// Where the password is kept.
    pub fn passwords(&self) -> &UserFile {
        &self.passwords
    }

    /// The backups that are kept before updates.
    pub fn kept_backups(&self) -> &KeptBackups {
        &self.kept_backups
    }

    /// Where everything is kept that a configuration must not hold.
    pub fn secrets(&self) -> &SecretPlaces {
        &self.secrets
    }

    /// Stores a new version durably and returns its number. The copy follows by [`Self::mirror`], unless the
    /// version is on trial.
    pub fn save(&self, document: &Document, stamp: &Stamp, standing: Standing) -> Result<u64, StoreError> {
        let version = self.store.save(document, stamp, standing)?;
        if standing == Standing::Accepted {
            self.remember(document);
        }
        Ok(version)
    }

    /// The version on trial counts from now on, also after a restart.
    pub fn confirm(&self, version: u64) -> Result<(), StoreError> {
        self.store.confirm(version)?;
        if let Some(stored) = self.store.version(version)? {
            self.remember(&stored.document);
        }
        Ok(())
    }

    /// All versions, the newest first.
    pub fn history(&self) -> Result<Vec<VersionInfo>, StoreError> {
        self.store.history()
    }

    /// One version; `None` where there is none of that number.
    pub fn version(&self, number: u64) -> Result<Option<StoredVersion>, StoreError> {
        self.store.version(number)
    }

    /// Brings the copies up to date; does nothing where they are.
    pub fn mirror(&self) -> Result<(), String> {
        let configuration = self.current.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(configuration) = configuration else { return Ok(()) };
        let stored = self.passwords.stored().map_err(|error| format!("reading the password: {error}"))?;
        // That in memory first: it does not wait for a disk.
        let copies = [&self.memory, &self.rescue].into_iter().flatten();
        copies.map(|copy| write(copy, &configuration, stored.as_ref())).fold(Ok(()), Result::and)
    }

    fn remember(&self, document: &Document) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(document.to_toml());
    }
}

fn read(copy: Option<&Mutex<Rescue>>) -> Result<Option<(Config, Saved)>, String> {
    let Some(copy) = copy else { return Ok(None) };
    let loaded = copy.lock().unwrap_or_else(PoisonError::into_inner).load();
    let Some(saved) = loaded.map_err(|error| error.to_string())? else { return Ok(None) };
    let config = Document::parse(&saved.configuration, Format::Toml).and_then(validate);
    let config = config.map_err(|problems| {
        let first = problems.first().map(ToString::to_string).unwrap_or_default();
        format!("the configuration on the rescue partition is of no use: {first}")
    })?;
    Ok(Some((config, saved)))
}

fn write(copy: &Mutex<Rescue>, configuration: &str, stored: Option<&StoredPassword>) -> Result<(), String> {
    let mut copy = copy.lock().unwrap_or_else(PoisonError::into_inner);
    // A password that could not be put back on the data disk must not be forgotten here as well.
    let kept = || copy.load().ok().flatten().and_then(|saved| saved.password());
    let password = stored.cloned().or_else(kept);
    let saved = Saved {
        configuration: configuration.to_owned(),
        password_must_change: password.as_ref().is_some_and(|stored| stored.must_change),
        password_hash: password.map(|stored| stored.hash),
    };
    copy.save(&saved).map(|_| ()).map_err(|error| error.to_string())
}
