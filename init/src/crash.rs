//! Accounts of crashes, one file each in `/run/evenkeel/crashes`, from where lbd takes them to the data partition
//! (`lbd/src/crash/`). init itself does not write there: a disk that hangs would stop it.

use crate::failure::{Doing, Failure};
use crate::log::{self, Level};
use crate::places::CRASHES;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The newest; lbd has taken those before long ago, or there is none.
const MOST: usize = 8;

/// Whose crash it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// lbd's.
    Lbd,
    /// The kernel's, before this boot.
    Kernel,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crash {
    /// Whose.
    pub whose: Whose,
    /// When.
    pub time: SystemTime,
    /// The version of the system, where it is known.
    pub version: Option<String>,
    /// How it ended, in words that go on after a name: `killed by SIGSEGV`.
    pub how: String,
    /// How long it had run.
    pub life: Option<Duration>,
    /// Its last lines.
    pub words: Vec<String>,
}

impl Crash {
    /// Leaves it for lbd. Where that fails the log says so.
    pub fn keep(&self) {
        if let Err(failure) = self.keep_in(Path::new(CRASHES)) {
            log::say(Level::Error, failure);
        }
    }

    /// Written under another name first: lbd never sees half of one.
    fn keep_in(&self, folder: &Path) -> Result<(), Failure> {
        let doing = || format!("keeping the account of a crash in {}", folder.display());
        fs::create_dir_all(folder).doing(doing)?;
        let mut names = names(folder).doing(doing)?;
        let name = self.name(&names);
        let new = folder.join(format!(".{name}.new"));
        fs::write(&new, self.text()).and_then(|()| fs::rename(new, folder.join(&name))).doing(doing)?;
        names.push(name);
        names.sort();
        let surplus = names.len().saturating_sub(MOST);
        names.iter().take(surplus).try_for_each(|name| fs::remove_file(folder.join(name))).doing(doing)
    }

    fn seconds(&self) -> u64 {
        self.time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
    }

    /// Names are in the order of time; the last figure tells apart what happens in the same second.
    fn name(&self, taken: &[String]) -> String {
        let whose = self.whose();
        let of = |number: usize| format!("{:011}-{whose}-{number}.txt", self.seconds());
        (1..=taken.len()).map(of).find(|name| !taken.contains(name)).unwrap_or_else(|| of(taken.len() + 1))
    }

    fn whose(&self) -> &'static str {
        match self.whose {
            Whose::Lbd => "lbd",
            Whose::Kernel => "kernel",
        }
    }

    /// Lines `name: value`, an empty line, the last words.
    fn text(&self) -> String {
        let life = self.life.map(|life| life.as_secs().to_string());
        let heads = [
            ("whose", Some(self.whose().to_owned())),
            ("time", Some(self.seconds().to_string())),
            ("version", self.version.clone()),
            ("how", Some(self.how.clone())),
            ("life", life),
        ];
        let heads =
            heads.into_iter().filter_map(|(name, value)| Some(format!("{name}: {}\n", one_line(&value?))));
        let words = self.words.iter().map(|line| one_line(line) + "\n");
        heads.chain(["\n".to_owned()]).chain(words).collect()
    }
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn names(folder: &Path) -> std::io::Result<Vec<String>> {
    let names = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let names: std::io::Result<Vec<_>> = names.collect();
    Ok(names?.into_iter().filter(|name| !name.starts_with('.')).collect())
}

/// What the kernel said before it died, where the firmware keeps it (`Documentation/ABI/testing/pstore`), and takes it from
/// there, so that there is room for the next time. Nothing where nothing was left.
pub fn take_kernels(pstore: &Path) -> Result<Option<Crash>, Failure> {
    let doing = || format!("reading the kernel's last words in {}", pstore.display());
    let mut parts: Vec<PathBuf> = Vec::new();
    for name in names(pstore).doing(doing)?.iter().filter(|name| name.starts_with("dmesg-")) {
        parts.push(pstore.join(name));
    }
    parts.sort();
    let texts: Vec<_> = parts.iter().filter_map(|part| fs::read(part).ok()).collect();
    let time = parts.iter().filter_map(|part| fs::metadata(part).ok()?.modified().ok()).max();
    parts.iter().try_for_each(fs::remove_file).doing(doing)?;
    let words = in_order(&texts);
    Ok((!words.is_empty()).then(|| Crash {
        whose: Whose::Kernel,
        time: time.unwrap_or(UNIX_EPOCH),
        version: None,
        how: cause(&words),
        life: None,
        words,
    }))
}

/// Each part begins with a line such as `Panic#1 Part3`; part 1 is the end of the log.
fn in_order(texts: &[Vec<u8>]) -> Vec<String> {
    let mut parts: Vec<(u32, String)> = texts
        .iter()
        .map(|bytes| {
            let text = String::from_utf8_lossy(bytes);
            let (head, rest) = text.split_once('\n').unwrap_or(("", &text));
            let number = head.rsplit_once("Part").and_then(|(_, number)| number.trim().parse().ok());
            (number.unwrap_or_default(), rest.to_owned())
        })
        .collect();
    parts.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    parts.iter().flat_map(|(_, text)| text.lines()).map(str::to_owned).collect()
}

/// The kernel's own sentence about it.
fn cause(words: &[String]) -> String {
    let said = words.iter().rev().find_map(|line| Some(line.split_once("Kernel panic - not syncing: ")?.1));
    said.map_or_else(|| "it left its last words".into(), |said| format!("kernel panic: {}", said.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crash(second: u64) -> Crash {
        Crash {
            whose: Whose::Lbd,
            time: UNIX_EPOCH + Duration::from_secs(second),
            version: Some("0.1.0".into()),
            how: "killed by SIGSEGV".into(),
            life: Some(Duration::from_millis(3500)),
            words: vec!["one".into(), "two\nthree".into()],
        }
    }

    #[test]
    fn an_account_as_lbd_reads_it() {
        let expected =
            "whose: lbd\ntime: 7\nversion: 0.1.0\nhow: killed by SIGSEGV\nlife: 3\n\none\ntwo three\n";
        assert_eq!(crash(7).text(), expected);
    }

    #[test]
    fn the_newest_are_kept_in_order_also_within_a_second() {
        let folder = tempfile::tempdir().unwrap();
        for second in [1, 1, 2, 3, 4, 5, 6, 7, 8, 9] {
            crash(second).keep_in(folder.path()).unwrap();
        }
        let mut names = names(folder.path()).unwrap();
        names.sort();
        assert_eq!(names.len(), MOST);
        assert_eq!(names.first().unwrap(), "00000000002-lbd-1.txt");
        crash(9).keep_in(folder.path()).unwrap();
        assert!(folder.path().join("00000000009-lbd-2.txt").exists());
    }

    #[test]
    fn the_kernels_words_come_in_order_and_are_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(take_kernels(folder.path()).unwrap(), None);
        let parts = [
            (
                "dmesg-efi_pstore-17",
                "Panic#1 Part1\n<0>[ 9.1] Kernel panic - not syncing: no init\n<4>[ 9.2] end\n",
            ),
            ("dmesg-efi_pstore-18", "Panic#1 Part2\n<6>[ 1.0] Linux\n"),
            ("other", "not ours"),
        ];
        for (name, text) in parts {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let crash = take_kernels(folder.path()).unwrap().unwrap();
        assert_eq!(crash.how, "kernel panic: no init");
        assert_eq!(crash.words[0], "<6>[ 1.0] Linux");
        assert_eq!(crash.words[2], "<4>[ 9.2] end");
        assert_eq!(names(folder.path()).unwrap(), ["other"]);
    }
}
