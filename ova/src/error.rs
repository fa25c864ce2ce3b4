//! Why packing, extracting or reading failed: what was being done, to what, why, and what to do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::vmdk::Damage;

/// Any failure of this crate. A broken rule is not one: see [`crate::verify`].
#[derive(Debug)]
pub enum Error {
    /// The operating system refused.
    Io {
        /// What was being done, as in "cannot ...".
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The raw disk has not the size that the product promises.
    DiskSize {
        /// The raw disk.
        path: PathBuf,
        /// Its size in bytes.
        found: u64,
        /// What was expected, in words.
        expected: String,
    },
    /// The compressed disk does not fit the 32-bit sector numbers of a VMDK.
    VmdkTooLarge {
        /// The raw disk.
        path: PathBuf,
    },
    /// The file given as OVA lacks what is to be taken out of it.
    NotAnOva {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The VMDK inside the OVA cannot be turned back into a disk.
    Vmdk {
        /// The OVA.
        path: PathBuf,
        /// What is wrong, and where.
        damage: Damage,
    },
}

impl Error {
    /// For `map_err`: wraps the system's error with what was being done to which file.
    pub fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::Io { doing, path: path.to_owned(), source }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io { doing, path, source } => {
                write!(f, "cannot {doing} {}: {source}{}", path.display(), remedy(source))
            }
            Error::DiskSize { path, found, expected } => write!(
                f,
                "cannot pack {}: it has {found} bytes, expected {expected}; rebuild the image",
                path.display()
            ),
            Error::VmdkTooLarge { path } => write!(
                f,
                "cannot pack {}: more than 2 TB compressed; is it the image of the appliance?",
                path.display()
            ),
            Error::NotAnOva { path, why } => write!(
                f,
                "cannot take the disk out of {}: {why}; run `ova verify` on it for the whole list",
                path.display()
            ),
            Error::Vmdk { path, damage } => write!(
                f,
                "cannot take the disk out of {}: {damage}; fetch or build the OVA again",
                path.display()
            ),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// What to do about the errors of the system that a user of this command meets.
fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "; check the path",
        io::ErrorKind::PermissionDenied => "; choose a place that you may write to",
        io::ErrorKind::StorageFull => "; free some space",
        io::ErrorKind::FileTooLarge => "; choose a file system that takes sparse files of this size",
        _ => "",
    }
}
