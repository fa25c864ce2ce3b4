//! The configuration on disk: one file a version, in one folder per schema version.
//!
//! A version is written under a temporary name, synced, renamed, and its folder synced: the rename is the
//! moment at which it exists. The `.toml` file with the highest number is in force. A version on trial is a file
//! `.trial`: it is in force until lbd ends or takes it back, and never after a start, unless it was confirmed,
//! which is another rename. A checksum tells a damaged file, and the version before it is used instead.

mod newer;
mod version;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use crate::config::document::SCHEMA;
use crate::config::{Config, Document};
use crate::durable::{self, sync_folder};
pub use version::{Author, LONGEST_COMMENT, Stamp, check_comment, parse};

/// So many versions are kept to go back to.
const KEPT_VERSIONS: usize = 50;
/// The schema follows.
const FOLDER_PREFIX: &str = "configuration-";
const SUFFIX: &str = "toml";
const TRIAL_SUFFIX: &str = "trial";

/// What could not be done with which file, and why.
#[derive(Debug)]
pub struct StoreError {
    doing: &'static str,
    path: PathBuf,
    why: String,
}

impl StoreError {
    fn new(doing: &'static str, path: &Path, why: impl fmt::Display) -> Self {
        Self { doing, path: path.to_owned(), why: why.to_string() }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: {}", self.doing, self.path.display(), self.why)
    }
}

impl std::error::Error for StoreError {}

/// Whether a version counts after a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It was accepted.
    Accepted,
    /// It is on trial, or was and nobody confirmed it.
    Unconfirmed,
}

/// A line of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VersionInfo {
    /// Its number: a later one is higher.
    pub version: u64,
    /// Whether it counts.
    pub standing: Standing,
    /// Who made it, when and why; `None` where the file is damaged.
    #[serde(flatten)]
    pub stamp: Option<Stamp>,
}

/// A stored version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredVersion {
    /// Its line of the history.
    pub info: VersionInfo,
    /// What it says.
    pub document: Document,
}

/// The folder of versions.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

/// What was found at start.
#[derive(Debug)]
pub struct Loaded {
    /// The newest version that is accepted, whole and valid; `None` where there is none at all.
    pub newest: Option<(u64, Config)>,
    /// Versions that had to be passed over, each in a sentence for people.
    pub problems: Vec<String>,
}

impl Store {
    /// Opens the store below the state directory, which must exist.
    pub fn open(state_directory: &Path) -> Result<Self, StoreError> {
        let folder = state_directory.join(format!("{FOLDER_PREFIX}{SCHEMA}"));
        let failed = |error| StoreError::new("create the folder", &folder, error);
        fs::create_dir_all(&folder).map_err(failed)?;
        sync_folder(state_directory).map_err(failed)?;
        durable::tidy(&folder);
        Ok(Self { folder })
    }

    /// The newest version that can be used.
    pub fn load(&self) -> Result<Loaded, StoreError> {
        let mut problems = Vec::new();
        for (version, standing) in self.versions()?.into_iter().rev() {
            if standing == Standing::Unconfirmed {
                problems.push(format!(
                    "Configuration version {version} was tried and never confirmed, and is not in force. Go back to \
                     it to try it again."
                ));
                continue;
            }
            let path = self.path(version, standing);
            let read = read(&path).and_then(|text| {
                let (stamp, body) = parse(&text)?;
                Ok((stamp.time, version::config(body)?))
            });
            match read {
                Ok((time, config)) => {
                    problems.extend(self.folder.parent().and_then(|state| newer::changes_after(state, time)));
                    return Ok(Loaded { newest: Some((version, config)), problems });
                }
                Err(why) => problems.push(format!(
                    "Configuration version {version} cannot be used ({why}); an older one is in force. \
                     Compare it with {} and save the configuration again.",
                    path.display()
                )),
            }
        }
        Ok(Loaded { newest: None, problems })
    }

    /// Stores a new version durably and returns its number.
    pub fn save(&self, document: &Document, stamp: &Stamp, standing: Standing) -> Result<u64, StoreError> {
        let version = self.versions()?.last().map_or(0, |(version, _)| *version) + 1;
        let path = self.path(version, standing);
        let failed = |error| StoreError::new("store the configuration as", &path, error);
        self.write(&path, &version::text(version, document, stamp)).map_err(failed)?;
        self.forget_old_versions();
        Ok(version)
    }

    /// A version on trial becomes an accepted one, durably.
    pub fn confirm(&self, version: u64) -> Result<(), StoreError> {
        let [trial, accepted] =
            [Standing::Unconfirmed, Standing::Accepted].map(|standing| self.path(version, standing));
        let failed = |error| StoreError::new("confirm the configuration", &trial, error);
        fs::rename(&trial, &accepted).map_err(failed)?;
        sync_folder(&self.folder).map_err(failed).inspect_err(|_| {
            // It was told that it is not confirmed, so it must not be after a restart.
            if let Err(error) = fs::rename(&accepted, &trial).and_then(|()| sync_folder(&self.folder)) {
                tracing::error!(version, %error, "cannot take back a confirmation");
            }
        })
    }

    /// All versions, the newest first.
    pub fn history(&self) -> Result<Vec<VersionInfo>, StoreError> {
        let line = |(version, standing)| {
            let stamp = read(&self.path(version, standing)).and_then(|text| Ok(parse(&text)?.0)).ok();
            VersionInfo { version, standing, stamp }
        };
        Ok(self.versions()?.into_iter().rev().map(line).collect())
    }

    /// One version; `None` where there is none of that number.
    pub fn version(&self, number: u64) -> Result<Option<StoredVersion>, StoreError> {
        let found = self.versions()?.into_iter().find(|(version, _)| *version == number);
        let Some((version, standing)) = found else { return Ok(None) };
        let path = self.path(version, standing);
        let stored = read(&path).and_then(|text| {
            let (stamp, body) = parse(&text)?;
            let config = version::config(body)?;
            let info = VersionInfo { version, standing, stamp: Some(stamp) };
            Ok(StoredVersion { info, document: config.document.as_ref().clone() })
        });
        stored.map(Some).map_err(|why| StoreError::new("use", &path, why))
    }

    fn write(&self, path: &Path, text: &str) -> io::Result<()> {
        durable::write(path, text.as_bytes())?;
        sync_folder(&self.folder).inspect_err(|_| {
            // It has its name already, and would be in force after a restart though it was refused.
            if let Err(error) = fs::remove_file(path).and_then(|()| sync_folder(&self.folder)) {
                tracing::error!(path = %path.display(), %error, "cannot take back a refused configuration");
            }
        })
    }

    /// Too many versions do no harm, so that a failure here is none of the caller's business. The newest accepted
    /// one stays, however many were tried after it.
    fn forget_old_versions(&self) {
        let versions = self.versions().unwrap_or_default();
        let accepted = versions.iter().rev().find(|(_, standing)| *standing == Standing::Accepted).copied();
        let old = versions.len().saturating_sub(KEPT_VERSIONS);
        for (version, standing) in versions[..old].iter().filter(|version| Some(**version) != accepted) {
            if let Err(error) = fs::remove_file(self.path(*version, *standing)) {
                tracing::warn!(version, %error, "cannot remove an old configuration version");
            }
        }
    }

    /// Ascending.
    fn versions(&self) -> Result<Vec<(u64, Standing)>, StoreError> {
        let failed = |error| StoreError::new("list", &self.folder, error);
        let mut versions = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let number = |name: &str| {
                let (number, suffix) = name.split_once('.')?;
                let standing = match suffix {
                    SUFFIX => Standing::Accepted,
                    TRIAL_SUFFIX => Standing::Unconfirmed,
                    _ => return None,
                };
                Some((number.parse::<u64>().ok()?, standing))
            };
            versions.extend(name.to_str().and_then(number));
        }
        versions.sort_unstable_by_key(|(version, _)| *version);
        Ok(versions)
    }

    fn path(&self, version: u64, standing: Standing) -> PathBuf {
        let suffix = match standing {
            Standing::Accepted => SUFFIX,
            Standing::Unconfirmed => TRIAL_SUFFIX,
        };
        self.folder.join(format!("{version:08}.{suffix}"))
    }
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("it cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::config::Format;

    pub(super) fn document() -> Document {
        Document::parse(include_str!("../../examples/datalink.toml"), Format::Toml).unwrap()
    }

    pub(super) fn stamp(comment: &str) -> Stamp {
        Stamp { time: Timestamp::UNIX_EPOCH, by: Author::lbd(), comment: comment.into() }
    }

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        (folder, store)
    }

    fn save(store: &Store, port: i64) -> u64 {
        save_as(store, port, Standing::Accepted)
    }

    fn save_as(store: &Store, port: i64, standing: Standing) -> u64 {
        let mut document = document();
        document.management.https_port = Some(port);
        store.save(&document, &stamp(&format!("port {port}")), standing).unwrap()
    }

    fn in_force(store: &Store) -> u64 {
        store.load().unwrap().newest.unwrap().0
    }

    #[test]
    fn a_version_on_trial_counts_only_when_it_was_confirmed() {
        let (_folder, store) = store();
        save(&store, 1);
        assert_eq!(save_as(&store, 2, Standing::Unconfirmed), 2);
        assert_eq!(in_force(&store), 1);
        assert!(store.load().unwrap().problems[0].contains("version 2 was tried"));
        store.confirm(2).unwrap();
        assert_eq!((in_force(&store), store.load().unwrap().problems.len()), (2, 0));
        assert!(store.confirm(2).is_err(), "only once");
    }

    #[test]
    fn the_history_tells_who_and_why_and_any_version_can_be_read() {
        let (_folder, store) = store();
        save(&store, 1);
        save_as(&store, 2, Standing::Unconfirmed);
        let history = store.history().unwrap();
        let lines: Vec<_> = history.iter().map(|info| (info.version, info.standing)).collect();
        assert_eq!(lines, [(2, Standing::Unconfirmed), (1, Standing::Accepted)]);
        assert_eq!(history[1].stamp, Some(stamp("port 1")));
        assert_eq!(store.version(2).unwrap().unwrap().document.management.https_port, Some(2));
        assert_eq!(store.version(3).unwrap(), None);
        fs::write(store.path(1, Standing::Accepted), "half").unwrap();
        assert_eq!(store.history().unwrap()[1].stamp, None);
        assert!(store.version(1).unwrap_err().to_string().contains("damaged"));
    }

    #[test]
    fn the_accepted_version_outlives_any_number_of_trials() {
        let (_folder, store) = store();
        save(&store, 1);
        for port in 2..80 {
            save_as(&store, port, Standing::Unconfirmed);
        }
        assert_eq!(in_force(&store), 1);
    }

    #[test]
    fn the_newest_version_is_loaded() {
        let (_folder, store) = store();
        assert!(store.load().unwrap().newest.is_none());
        assert_eq!((save(&store, 1), save(&store, 2)), (1, 2));
        let (version, config) = store.load().unwrap().newest.unwrap();
        assert_eq!((version, config.management.https_port), (2, 2));
    }

    #[test]
    fn a_damaged_version_is_passed_over_with_a_word() {
        let (_folder, store) = store();
        save(&store, 1);
        let newest = store.path(save(&store, 2), Standing::Accepted);
        let whole = fs::read(&newest).unwrap();
        for length in 0..whole.len() {
            fs::write(&newest, &whole[..length]).unwrap();
            let loaded = store.load().unwrap();
            assert_eq!(loaded.newest.unwrap().0, 1, "cut off after {length} bytes");
            assert!(loaded.problems[0].contains("version 2"), "{:?}", loaded.problems);
        }
    }

    #[test]
    fn a_left_over_temporary_file_is_no_version() {
        let (_folder, store) = store();
        save(&store, 1);
        let left_over = store.folder.join(".new-x");
        fs::write(&left_over, "half").unwrap();
        let store = Store::open(store.folder.parent().unwrap()).unwrap();
        assert_eq!(store.load().unwrap().newest.unwrap().0, 1);
        assert!(!left_over.exists());
    }

    #[test]
    fn the_last_fifty_versions_are_kept() {
        let (_folder, store) = store();
        for port in 1..=60 {
            save(&store, port);
        }
        let versions: Vec<_> = store.versions().unwrap().into_iter().map(|(version, _)| version).collect();
        assert_eq!(versions, (11..=60).collect::<Vec<_>>());
    }
}
