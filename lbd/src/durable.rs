//! Files that are replaced as a whole: after a power cut the old content is there, or the new one.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// How the name of a file begins that has not got its own yet. One that is left over is of no use to anybody.
pub const TEMPORARY: &str = ".new-";

/// Puts this in the place of what the file held, durably; its owner alone may read it. An error of the folder leaves the
/// new content behind, which a power cut may take back.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    write(path, content)?;
    sync_folder(folder_of(path))
}

/// The same, without waiting until the folder knows: the content is durable, that it has its name is not.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut prefix = OsString::from(TEMPORARY);
    prefix.push(path.file_name().unwrap_or_default());
    prefix.push("-");
    // Made for its owner alone, and it stays so.
    let mut file = tempfile::Builder::new().prefix(&prefix).tempfile_in(folder_of(path))?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// Waits until names of files are durable.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Removes what an lbd left in a folder that was killed while it wrote.
pub fn tidy(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(TEMPORARY)) {
        if let Err(error) = fs::remove_file(entry.path()) {
            tracing::warn!(path = %entry.path().display(), %error, "cannot remove a left-over file");
        }
    }
}

/// A bare name lies in the working directory.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_replaced_for_its_owner_alone_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kept");
        for content in ["first", "second"] {
            replace(&path, content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(folder.path().join(".new-kept-x"), "torn").unwrap();
        tidy(folder.path());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_written_leaves_the_old_content() {
        let folder = tempfile::tempdir().unwrap();
        // A folder cannot be replaced by a file.
        let path = folder.path().join("kept");
        fs::create_dir(&path).unwrap();
        assert!(replace(&path, b"new").is_err());
        assert!(path.is_dir());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(replace(&folder.path().join("gone/kept"), b"new").is_err());
    }
}
