//! The configuration on disk: one file a version, in one folder per schema version.
//!
//! A version is written under a temporary name, synced, renamed, and its folder synced: the rename is the
//! moment at which it exists. The file with the highest number is in force. Its second line holds a checksum of
//! what follows, so that a damaged file is recognised and the version before it used instead.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::config::{Config, Document, Format, Problem, validate};

/// So many versions are kept to go back to.
const KEPT_VERSIONS: usize = 50;
const FOLDER: &str = "configuration-1";
const SUFFIX: &str = ".toml";
const TEMPORARY: &str = ".new-";
const CHECKSUM: &str = "# sha256 ";

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

/// The folder of versions.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

/// What was found at start.
#[derive(Debug)]
pub struct Loaded {
    /// The newest version that is whole and valid; `None` where there is none at all.
    pub newest: Option<(u64, Config)>,
    /// Versions that had to be passed over, each in a sentence for people.
    pub problems: Vec<String>,
}

impl Store {
    /// Opens the store below the state directory, which must exist.
    pub fn open(state_directory: &Path) -> Result<Self, StoreError> {
        let folder = state_directory.join(FOLDER);
        let failed = |error| StoreError::new("create the folder", &folder, error);
        fs::create_dir_all(&folder).map_err(failed)?;
        sync_folder(state_directory).map_err(failed)?;
        let store = Self { folder };
        store.remove_left_overs();
        Ok(store)
    }

    /// What an lbd left behind that was killed while it wrote.
    fn remove_left_overs(&self) {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(TEMPORARY)) {
            if let Err(error) = fs::remove_file(entry.path()) {
                tracing::warn!(path = %entry.path().display(), %error, "cannot remove a left-over file");
            }
        }
    }

    /// The newest version that can be used.
    pub fn load(&self) -> Result<Loaded, StoreError> {
        let mut problems = Vec::new();
        for version in self.versions()?.into_iter().rev() {
            let path = self.path(version);
            match read(&path) {
                Ok(config) => return Ok(Loaded { newest: Some((version, config)), problems }),
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
    pub fn save(&self, document: &Document, now: Timestamp) -> Result<u64, StoreError> {
        let version = self.versions()?.last().copied().unwrap_or(0) + 1;
        let path = self.path(version);
        let failed = |error| StoreError::new("store the configuration as", &path, error);
        self.write(&path, &text(version, document, now)).map_err(failed)?;
        self.forget_old_versions();
        Ok(version)
    }

    fn write(&self, path: &Path, text: &str) -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(&self.folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        sync_folder(&self.folder).inspect_err(|_| {
            // It has its name already, and would be in force after a restart though it was refused.
            if let Err(error) = fs::remove_file(path).and_then(|()| sync_folder(&self.folder)) {
                tracing::error!(path = %path.display(), %error, "cannot take back a refused configuration");
            }
        })
    }

    /// Too many versions do no harm, so that a failure here is none of the caller's business.
    fn forget_old_versions(&self) {
        let versions = self.versions().unwrap_or_default();
        let old = versions.len().saturating_sub(KEPT_VERSIONS);
        for version in &versions[..old] {
            if let Err(error) = fs::remove_file(self.path(*version)) {
                tracing::warn!(version, %error, "cannot remove an old configuration version");
            }
        }
    }

    /// Ascending.
    fn versions(&self) -> Result<Vec<u64>, StoreError> {
        let failed = |error| StoreError::new("list", &self.folder, error);
        let mut versions = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let number = |name: &str| name.strip_suffix(SUFFIX)?.parse::<u64>().ok();
            versions.extend(name.to_str().and_then(number));
        }
        versions.sort_unstable();
        Ok(versions)
    }

    fn path(&self, version: u64) -> PathBuf {
        self.folder.join(format!("{version:08}{SUFFIX}"))
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn digest(body: &str) -> String {
    Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(version: u64, document: &Document, now: Timestamp) -> String {
    let body = document.to_toml();
    format!("# evenkeel configuration, version {version}, {now:.0}\n{CHECKSUM}{}\n{body}", digest(&body))
}

fn read(path: &Path) -> Result<Config, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("it cannot be read: {error}"))?;
    let mut parts = text.splitn(3, '\n').skip(1);
    let checksum =
        parts.next().and_then(|line| line.strip_prefix(CHECKSUM)).ok_or("its beginning is damaged")?;
    let body = parts.next().unwrap_or_default();
    if digest(body) != checksum {
        return Err("its checksum does not fit".into());
    }
    let first = |problems: Vec<Problem>| problems.first().map(Problem::to_string).unwrap_or_default();
    Document::parse(body, Format::Toml).and_then(validate).map_err(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Document {
        Document::parse(include_str!("../../examples/datalink.toml"), Format::Toml).unwrap()
    }

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        (folder, store)
    }

    fn save(store: &Store, port: i64) -> u64 {
        let mut document = document();
        document.management.https_port = Some(port);
        store.save(&document, Timestamp::UNIX_EPOCH).unwrap()
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
        let newest = store.path(save(&store, 2));
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
        assert_eq!(store.versions().unwrap(), (11..=60).collect::<Vec<_>>());
    }
}
