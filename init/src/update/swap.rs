//! Two of lbd: the one in use, and the other beside it, with what belongs to each. They change places by renames, in
//! memory.

use crate::failure::{Doing, Failure};
use evenkeel_update::manifest::{OF_LBD, of_lbd};
use evenkeel_update::uki::{Entry, Kind, unpack};
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::Path;

/// Takes what belongs to lbd out of a system that is verified, into the folder `other`; what was there is gone.
pub fn lay_out(uki: &[u8], other: &Path) -> Result<(), Failure> {
    forget(other)?;
    let laid = || {
        DirBuilder::new().mode(0o700).create(other).doing(|| format!("making {}", other.display()))?;
        unpack(uki, &mut |entry, content| put(entry, content, other)).doing(|| "reading the new system")?;
        OF_LBD.iter().try_for_each(|path| match other.join(path).exists() {
            true => Ok(()),
            false => Err(Failure::new("reading the new system", format!("it has no /{path}"))),
        })
    };
    laid().inspect_err(|_| {
        // A part of it is worth nothing, and memory is.
        let _ = fs::remove_dir_all(other);
    })
}

fn put(entry: &Entry, content: &mut dyn Read, other: &Path) -> io::Result<()> {
    if !of_lbd(&entry.path) {
        return Ok(());
    }
    let path = other.join(&entry.path);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    match entry.kind {
        Kind::Folder => fs::create_dir_all(&path)?,
        Kind::File => {
            io::copy(content, &mut File::create_new(&path)?)?;
        }
        Kind::Link => {
            let mut target = String::new();
            content.read_to_string(&mut target)?;
            return symlink(target, &path);
        }
        Kind::Other => return Err(io::Error::other(format!("/{} is a device", entry.path))),
    }
    fs::set_permissions(&path, Permissions::from_mode(entry.mode))
}

/// What is in use below `root`, and what lies in `other`, change places. Where one does not, none does.
pub fn exchange(root: &Path, other: &Path) -> Result<(), Failure> {
    let one = |path: &str| {
        let (used, kept) = (root.join(path), other.join(path));
        renameat2(AT_FDCWD, &used, AT_FDCWD, &kept, RenameFlags::RENAME_EXCHANGE)
            .doing(|| format!("exchanging {} and {}", used.display(), kept.display()))
    };
    for (at, path) in OF_LBD.iter().enumerate() {
        if let Err(failure) = one(path) {
            OF_LBD[..at].iter().try_for_each(|done| one(done))?;
            return Err(failure);
        }
    }
    Ok(())
}

/// Removes the other one. Whoever still runs from it goes on.
pub fn forget(other: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(other) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Failure::new(format!("removing {}", other.display()), error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "swap_tests.rs"]
mod tests;
