//! The folder of downloaded packages: renewing the lock, fetching what is missing, reading what is there. A file
//! counts only if its SHA-256 is the locked one.

use crate::apt::{Apt, AptError};
use crate::hash::Sha;
use crate::lock::{Lock, LockError, Locked};
use crate::packages::NAMES;
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

/// Where things are on the build machine.
#[derive(Clone, Debug)]
pub struct Places {
    /// `packages.lock`.
    pub lock: PathBuf,
    /// The folder of `.deb` files.
    pub packages: PathBuf,
    /// The private apt root.
    pub apt: PathBuf,
    /// A mirror instead of the machine's own.
    pub mirror: Option<String>,
}

/// Writes a new lock with today's versions.
pub fn renew(places: &Places) -> Result<Lock, CacheError> {
    let apt = Apt::prepare(&places.apt, places.mirror.as_deref())?;
    apt.update()?;
    let mut names: Vec<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
    names.push(apt.kernel_package()?);
    let lock = Lock::new(apt.candidates(&names)?);
    fs::write(&places.lock, lock.to_string()).map_err(|e| CacheError::file("writing", &places.lock, e))?;
    Ok(lock)
}

/// Reads `packages.lock`.
pub fn read_lock(places: &Places) -> Result<Lock, CacheError> {
    let text = fs::read_to_string(&places.lock).map_err(|e| CacheError::file("reading", &places.lock, e))?;
    Ok(Lock::parse(&text)?)
}

/// Downloads what is locked and not there yet; returns how many files that were.
pub fn fetch(lock: &Lock, places: &Places) -> Result<usize, CacheError> {
    fs::create_dir_all(&places.packages)
        .map_err(|e| CacheError::file("making the folder", &places.packages, e))?;
    let missing: Vec<&Locked> =
        lock.iter().filter(|locked| read(locked, &places.packages).is_err()).collect();
    if missing.is_empty() {
        return Ok(0);
    }
    let apt = Apt::prepare(&places.apt, places.mirror.as_deref())?;
    apt.update()?;
    let folder = tempfile::Builder::new().prefix("partial").tempdir_in(&places.packages);
    let folder = folder.map_err(|e| CacheError::file("making a folder in", &places.packages, e))?;
    apt.download(&missing, folder.path())?;
    for locked in &missing {
        let from = file_in(folder.path(), locked)?;
        check(locked, &from).map_err(|error| match error {
            CacheError::Digest { locked: expected, found, .. } => {
                CacheError::Mirror { name: locked.name.clone(), expected, found }
            }
            other => other,
        })?;
        let to = place(locked, &places.packages);
        fs::rename(&from, &to).map_err(|e| CacheError::file("moving into place", &to, e))?;
    }
    Ok(missing.len())
}

/// The bytes of a locked package, checked.
pub fn read(locked: &Locked, folder: &Path) -> Result<Vec<u8>, CacheError> {
    check(locked, &place(locked, folder))
}

fn check(locked: &Locked, path: &Path) -> Result<Vec<u8>, CacheError> {
    let bytes = fs::read(path).map_err(|e| CacheError::file("reading", path, e))?;
    let found = Sha::of(&bytes);
    if found == locked.sha256 {
        Ok(bytes)
    } else {
        Err(CacheError::Digest { path: path.to_owned(), locked: locked.sha256, found })
    }
}

fn place(locked: &Locked, folder: &Path) -> PathBuf {
    folder.join(format!("{}.deb", stem(locked)))
}

/// `name_version`, the colon of an epoch written as apt writes it.
fn stem(locked: &Locked) -> String {
    format!("{}_{}", locked.name, locked.version.replace(':', "%3a"))
}

/// apt adds the architecture to the name.
fn file_in(folder: &Path, locked: &Locked) -> Result<PathBuf, CacheError> {
    let candidates = ["amd64", "all"].map(|arch| folder.join(format!("{}_{arch}.deb", stem(locked))));
    let found = candidates.into_iter().find(|path| path.exists());
    found.ok_or_else(|| {
        CacheError::file("looking for", &folder.join(stem(locked)), io::ErrorKind::NotFound.into())
    })
}

/// Why the packages are not there.
#[derive(Debug)]
pub enum CacheError {
    /// apt failed.
    Apt(AptError),
    /// The lock cannot be understood.
    Lock(LockError),
    /// A file cannot be used.
    File {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why it failed.
        error: io::Error,
    },
    /// The mirror gave another file than the locked one.
    Mirror {
        /// The package.
        name: String,
        /// What it should be.
        expected: Sha,
        /// What came.
        found: Sha,
    },
    /// A file is not the locked one.
    Digest {
        /// Which file.
        path: PathBuf,
        /// What it should be.
        locked: Sha,
        /// What it is.
        found: Sha,
    },
}

impl CacheError {
    fn file(doing: &'static str, path: &Path, error: io::Error) -> Self {
        Self::File { doing, path: path.to_owned(), error }
    }
}

impl From<AptError> for CacheError {
    fn from(error: AptError) -> Self {
        Self::Apt(error)
    }
}

impl From<LockError> for CacheError {
    fn from(error: LockError) -> Self {
        Self::Lock(error)
    }
}

impl fmt::Display for CacheError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apt(error) => error.fmt(f),
            Self::Lock(error) => error.fmt(f),
            Self::File { doing, path, error } => {
                write!(f, "{doing} {}: {error}; fetch the packages with `image fetch`", path.display())
            }
            Self::Mirror { name, expected, found } => write!(
                f,
                "downloading {name}: the mirror's file has SHA-256 {found}, packages.lock says {expected}; find out why \
                 before you trust it, then run `make lock`"
            ),
            Self::Digest { path, locked, found } => write!(
                f,
                "checking {}: its SHA-256 is {found}, packages.lock says {locked}; run `image fetch`",
                path.display()
            ),
        }
    }
}

impl std::error::Error for CacheError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_counts_only_with_the_locked_digest() {
        let folder = tempfile::tempdir().unwrap();
        let locked = Locked { name: "x1".into(), version: "1:2".into(), sha256: Sha::of(b"good") };
        assert!(matches!(read(&locked, folder.path()), Err(CacheError::File { .. })));
        fs::write(folder.path().join("x1_1%3a2.deb"), b"bad").unwrap();
        let error = read(&locked, folder.path()).unwrap_err();
        assert!(error.to_string().contains("image fetch"), "{error}");
        fs::write(folder.path().join("x1_1%3a2.deb"), b"good").unwrap();
        assert_eq!(read(&locked, folder.path()).unwrap(), b"good");
    }

    #[test]
    fn nothing_missing_needs_no_apt() {
        let folder = tempfile::tempdir().unwrap();
        let nowhere = PathBuf::from("/nonexistent");
        let places =
            Places { lock: nowhere.clone(), packages: folder.path().into(), apt: nowhere, mirror: None };
        let locked = Locked { name: "x1".into(), version: "1".into(), sha256: Sha::of(b"good") };
        fs::write(folder.path().join("x1_1.deb"), b"good").unwrap();
        assert_eq!(fetch(&Lock::new([locked]), &places).unwrap(), 0);
    }
}
