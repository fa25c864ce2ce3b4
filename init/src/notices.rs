//! Notices: one sentence a file in `/run/evenkeel/notices`, which lbd shows in every view.

use crate::log::{self, Level};
use crate::places::NOTICES;
use std::path::Path;

/// Writes the notice `name`, and logs it.
pub fn write(name: &str, sentence: &str) {
    log::say(Level::Error, sentence);
    if let Err(error) = put(Path::new(NOTICES), name, sentence) {
        log::say(Level::Error, format!("writing the notice {name}: {error}"));
    }
}

/// What the notice `name` says is true no more.
pub fn withdraw(name: &str) {
    // There may be none.
    let _ = std::fs::remove_file(Path::new(NOTICES).join(format!("{name}.txt")));
}

/// Written under another name first: lbd never sees half a sentence.
fn put(folder: &Path, name: &str, sentence: &str) -> std::io::Result<()> {
    let new = folder.join(format!(".{name}.new"));
    std::fs::write(&new, format!("{sentence}\n"))?;
    std::fs::rename(new, folder.join(format!("{name}.txt")))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_notice_replaces_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        for sentence in ["One.", "Two."] {
            super::put(folder.path(), "disk", sentence).unwrap();
        }
        assert_eq!(std::fs::read_to_string(folder.path().join("disk.txt")).unwrap(), "Two.\n");
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }
}
