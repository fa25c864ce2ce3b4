//! Looks at what lbd runs on: whether its disk takes a write, and what init left word of.

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

use jiff::Timestamp;

use crate::begin::Paths;
use crate::engine::Findings;
use crate::log::journal::Journal;
use crate::vault::Vault;
use crate::web::certificate;

/// Bounds for what is read: notices are single sentences.
const MOST_NOTICES: usize = 16;
const LONGEST_NOTICE: u64 = 1024;

/// Always the same name, so that a killed lbd leaves one file at most.
const PROBE: &str = ".probe";

/// Blocks as long as the disk does. Brings the rescue copy up to date on the way.
pub fn look(paths: &Paths, vault: &Vault, journal: &Journal) -> Findings {
    Findings {
        notices: paths.notices.as_deref().map(read_notices).unwrap_or_default(),
        disk_failure: write_something(&paths.state_directory).err().map(|error| error.to_string()),
        rescue_failure: vault.mirror().err(),
        log_trouble: journal.trouble(),
        certificate_fault: certificate::fault(&paths.state_directory, Timestamp::now()),
    }
}

fn write_something(state_directory: &Path) -> io::Result<()> {
    let path = state_directory.join(PROBE);
    let mut file = fs::File::create(&path)?;
    file.write_all(b"the disk takes writes\n")?;
    file.sync_all()?;
    fs::remove_file(path)
}

/// The files of the folder by name; one that cannot be read is one that init is just replacing.
fn read_notices(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    let text = |path: &std::path::PathBuf| {
        let mut text = String::new();
        fs::File::open(path).ok()?.take(LONGEST_NOTICE).read_to_string(&mut text).ok()?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    paths.iter().take(MOST_NOTICES).filter_map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_finds_notices_and_a_dead_disk() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        fs::create_dir(&state).unwrap();
        let (vault, _) = Vault::open(&state, None).unwrap();
        fs::write(folder.path().join("disk.txt"), "The disk is missing.\n").unwrap();
        let notices = Some(folder.path().to_owned());
        let mut paths = Paths { state_directory: state.clone(), notices, ..Paths::default() };
        let found = look(&paths, &vault, &Journal::new());
        assert_eq!(found, Findings { notices: vec!["The disk is missing.".into()], ..Findings::default() });
        let left: Vec<_> = fs::read_dir(&state).unwrap().flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(left.len(), 2, "lock and store; the look leaves nothing behind: {left:?}");
        paths = Paths { state_directory: folder.path().join("gone"), ..Paths::default() };
        let found = look(&paths, &vault, &Journal::new());
        assert!(found.disk_failure.is_some() && found.notices.is_empty());
    }
}
