//! Backups without secrets that the appliance keeps by itself: one before every update.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{About, LARGEST, read};
use crate::durable;

/// Below the state directory, which every version of the software shares.
const FOLDER: &str = "backups";
/// So many are kept: more updates than a year has.
const MOST: usize = 5;

/// A backup that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeptBackup {
    /// By which it is downloaded.
    pub name: String,
    /// Where it comes from.
    #[serde(flatten)]
    pub about: About,
}

/// The folder of kept backups. Every method waits for the disk.
#[derive(Debug)]
pub struct KeptBackups(PathBuf);

impl KeptBackups {
    /// Below the state directory.
    pub fn below(state_directory: &Path) -> Self {
        Self(state_directory.join(FOLDER))
    }

    /// Keeps a backup, safe from a power cut once this returns; the oldest make room for it.
    pub fn keep(&self, name: &str, text: &str) -> io::Result<()> {
        fs::create_dir_all(&self.0)?;
        durable::replace(&self.0.join(name), text.as_bytes())?;
        let stays: Vec<_> = self.list()?.into_iter().take(MOST).map(|kept| kept.name).collect();
        let goes = |name: &String| !stays.contains(name);
        self.names()?.iter().filter(|name| goes(name)).try_for_each(|name| fs::remove_file(self.0.join(name)))
    }

    /// Those that can be restored, newest first.
    pub fn list(&self) -> io::Result<Vec<KeptBackup>> {
        let mut list = Vec::new();
        for name in self.names()? {
            match read(&self.bytes(&name)?, None) {
                Ok(backup) => list.push(KeptBackup { name, about: backup.about }),
                Err(error) => tracing::warn!(name, ?error, "a backup that was kept is of no use"),
            }
        }
        list.sort_by(|one, other| (other.about.time, &other.name).cmp(&(one.about.time, &one.name)));
        Ok(list)
    }

    /// The text of one; `None` where there is none of that name. Any name may be given.
    pub fn text(&self, name: &str) -> io::Result<Option<String>> {
        if !self.names()?.iter().any(|known| known == name) {
            return Ok(None);
        }
        let text = String::from_utf8(self.bytes(name)?);
        text.map(Some).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no text"))
    }

    fn bytes(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        // One byte more than a backup can have: then it is refused as too large.
        fs::File::open(self.0.join(name))?.take(LARGEST as u64 + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let names = entries.map(|entry| entry.map(|entry| entry.file_name().into_string().ok()));
        names.filter_map(Result::transpose).collect()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::{Backup, write};
    use super::*;
    use crate::config::{Document, Format};

    const EXAMPLE: &str = include_str!("../../../examples/datalink.toml");

    fn backup(second: i64) -> String {
        let about = About {
            appliance: "lb1".into(),
            time: Timestamp::from_second(second).expect("within range"),
            by: "lbd".into(),
            software: "0.1.0".into(),
            configuration_version: 7,
        };
        let document = Document::parse(EXAMPLE, Format::Toml).expect("the example");
        write(&Backup { about, document, secrets: None }, None).expect("small")
    }

    fn names(kept: &KeptBackups) -> Vec<String> {
        kept.list().expect("a list").into_iter().map(|kept| kept.name).collect()
    }

    #[test]
    fn the_newest_are_kept_and_read_by_their_names_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let kept = KeptBackups::below(folder.path());
        assert_eq!(names(&kept), [""; 0]);
        for second in 1..=7 {
            kept.keep(&format!("{second}.toml"), &backup(second)).expect("kept");
        }
        assert_eq!(names(&kept), ["7.toml", "6.toml", "5.toml", "4.toml", "3.toml"]);
        assert_eq!(kept.text("7.toml").expect("read"), Some(backup(7)));
        fs::write(folder.path().join("secret"), "planted").expect("written");
        for foreign in ["1.toml", "../secret", "", ".", "/etc/passwd"] {
            assert_eq!(kept.text(foreign).expect("read"), None, "{foreign}");
        }
    }

    #[test]
    fn a_damaged_one_is_not_offered_and_goes_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let kept = KeptBackups::below(folder.path());
        kept.keep("1.toml", &backup(1)).expect("kept");
        fs::write(folder.path().join(FOLDER).join("0.toml"), [0xff; 100]).expect("written");
        assert_eq!(names(&kept), ["1.toml"]);
        kept.keep("2.toml", &backup(2)).expect("kept");
        assert_eq!(kept.names().expect("names").len(), 2);
    }
}
