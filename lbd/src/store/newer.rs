//! What later versions of Evenkeel, whose configuration has a later schema, have left beside ours.
//!
//! Whoever goes back to this version finds the configuration as this version left it. What was changed meanwhile is in a
//! folder of its own, in a form that only the later version can read; but who made a change, when and why, stands at the
//! beginning of every file of every schema.

use std::fs;
use std::path::Path;

use jiff::Timestamp;

use super::version::{Stamp, parse};
use super::{FOLDER_PREFIX, SUFFIX};
use crate::config::document::SCHEMA;

/// So many of the latest changes are told.
const TOLD: usize = 3;

/// The changes that are not in force here, as they were made after `own`, in a sentence; `None` where there are none.
pub(super) fn changes_after(state_directory: &Path, own: Timestamp) -> Option<String> {
    let mut changes: Vec<_> = folders(state_directory).iter().flat_map(|folder| stamps(folder)).collect();
    changes.retain(|stamp| stamp.time > own);
    changes.sort_unstable_by_key(|stamp| std::cmp::Reverse(stamp.time));
    let told: Vec<_> = changes.iter().take(TOLD).map(in_words).collect();
    let more = match changes.len().saturating_sub(TOLD) {
        0 => String::new(),
        more => format!(", and {more} before"),
    };
    (!told.is_empty()).then(|| {
        format!(
            "Changes of the configuration that were made under a later version of Evenkeel are not in force: {}{more}. Make \
             those again that are still wanted.",
            told.join("; ")
        )
    })
}

fn in_words(stamp: &Stamp) -> String {
    let comment = if stamp.comment.is_empty() { String::new() } else { format!(" ({})", stamp.comment) };
    format!("by {} at {:.0}{comment}", stamp.by, stamp.time)
}

fn folders(state_directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(state_directory).into_iter().flatten().flatten();
    let is_later = |name: &str| {
        let schema = name.strip_prefix(FOLDER_PREFIX).and_then(|schema| schema.parse::<i64>().ok());
        schema.is_some_and(|schema| schema > SCHEMA)
    };
    entries
        .filter(|entry| entry.file_name().to_str().is_some_and(is_later))
        .map(|entry| entry.path())
        .collect()
}

/// Of the versions that were accepted. One whose beginning this version does not understand is passed over.
fn stamps(folder: &Path) -> Vec<Stamp> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let files =
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|is| is == SUFFIX));
    files.filter_map(|path| Some(parse(&fs::read_to_string(path).ok()?).ok()?.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{document, stamp};
    use super::super::version::text;
    use super::*;

    fn change(folder: &Path, schema: u64, version: u64, second: i64) {
        let folder = folder.join(format!("{FOLDER_PREFIX}{schema}"));
        fs::create_dir_all(&folder).unwrap();
        let time = Timestamp::from_second(second).unwrap();
        let stamp = Stamp { time, ..stamp(&format!("change {version}")) };
        fs::write(folder.join(format!("{version:08}.{SUFFIX}")), text(version, &document(), &stamp)).unwrap();
    }

    #[test]
    fn what_a_later_version_changed_is_told_by_whom_when_and_why() {
        let state = tempfile::tempdir().unwrap();
        let state = state.path();
        change(state, 1, 1, 100);
        change(state, 2, 1, 50);
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(changes_after(state, at(100)), None, "an earlier one was known here");
        for version in 2..=6 {
            change(state, 2, version, 100 + i64::try_from(version).unwrap());
        }
        fs::write(state.join("configuration-2/00000007.toml"), "another kind of beginning").unwrap();
        let told = changes_after(state, at(100)).unwrap();
        let latest = "are not in force: by lbd from itself at 1970-01-01T00:01:46Z (change 6); by";
        assert!(
            told.contains(latest) && told.contains("(change 4), and 2 before. Make those again"),
            "{told}"
        );
        assert_eq!(changes_after(state, at(106)), None);
    }
}
