//! Accounts of crashes, one file each in `/run/evenkeel/crashes`, from where lbd takes them to the data partition
//! (`lbd/src/crash/`). init itself does not write there: a disk that hangs would stop it.

use crate::failure::{Doing, Failure};
use crate::log::{self, Level};
use crate::places::CRASHES;
use std::fs;
use std::path::Path;
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
        // The new one stays, whatever the clock says.
        names.sort();
        let surplus = (names.len() + 1).saturating_sub(MOST);
        names.iter().take(surplus).try_for_each(|name| removed(&folder.join(name))).doing(doing)
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

/// Somebody else may have tidied at the same time.
fn removed(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        result => result,
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

/// Keeps what the kernel said before it died, where the firmware has it (`Documentation/ABI/testing/pstore`), and only then
/// takes it from there, so that there is room for the next time. An error that it outlived is there too: it stands in the
/// log, and is no crash.
pub fn take_kernels(pstore: &Path) -> Result<(), Failure> {
    take_kernels_to(pstore, Path::new(CRASHES))
}

fn take_kernels_to(pstore: &Path, folder: &Path) -> Result<(), Failure> {
    let doing = || format!("reading the kernel's last words in {}", pstore.display());
    let names = names(pstore).doing(doing)?;
    let paths = names.iter().filter(|name| name.starts_with("dmesg-")).map(|name| pstore.join(name));
    let read: Vec<_> = paths.filter_map(|path| Some((fs::read(&path).ok()?, path))).collect();
    if let Some(words) = of_the_panic(read.iter().map(|(bytes, _)| bytes.as_slice())) {
        let time = read.iter().filter_map(|(_, path)| fs::metadata(path).ok()?.modified().ok()).max();
        let (time, how) = (time.unwrap_or(UNIX_EPOCH), cause(&words));
        log::say(Level::Error, format!("the kernel died before this boot: {how}"));
        Crash { whose: Whose::Kernel, time, version: None, how, life: None, words }.keep_in(folder)?;
    }
    let doing = || format!("making room for the kernel's next last words in {}", pstore.display());
    read.iter().try_for_each(|(_, path)| removed(path)).doing(doing)
}

/// The lines of the dump that a panic left, if one did. Each part of a dump begins with a line such as `Panic#2 Part3`; part
/// 1 is its end, and an error before it has left a dump of its own (`Oops#1 Part1`).
fn of_the_panic<'a>(parts: impl Iterator<Item = &'a [u8]>) -> Option<Vec<String>> {
    let mut parts: Vec<(u32, String)> = parts
        .filter_map(|bytes| {
            let text = String::from_utf8_lossy(bytes);
            let (head, rest) = text.split_once('\n')?;
            let (dump, number) = head.rsplit_once("Part")?;
            let number = number.trim().parse().ok()?;
            dump.starts_with("Panic").then(|| (number, rest.to_owned()))
        })
        .collect();
    parts.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    let words: Vec<_> = parts.iter().flat_map(|(_, text)| text.lines()).map(str::to_owned).collect();
    (!words.is_empty()).then_some(words)
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
        let kept = folder.path().join("kept");
        let parts = [
            ("dmesg-efi_pstore-15", "Oops#1 Part2\n<4>[ 8.0] before\n"),
            ("dmesg-efi_pstore-16", "Oops#1 Part1\n<4>[ 8.1] an error\n"),
            (
                "dmesg-efi_pstore-17",
                "Panic#2 Part1\n<0>[ 9.1] Kernel panic - not syncing: no init\n<4>[ 9.2] end\n",
            ),
            ("dmesg-efi_pstore-18", "Panic#2 Part2\n<6>[ 1.0] Linux\n"),
            ("other", "not ours"),
        ];
        let leave = |parts: &[(&str, &str)]| {
            parts.iter().for_each(|(name, text)| fs::write(folder.path().join(name), text).unwrap());
        };
        // What it outlived is no crash; the firmware gets its room back all the same.
        leave(&parts[..2]);
        take_kernels_to(folder.path(), &kept).unwrap();
        assert_eq!((kept.exists(), names(folder.path()).unwrap().len()), (false, 0));
        leave(&parts);
        take_kernels_to(folder.path(), &kept).unwrap();
        let texts: Vec<_> =
            names(&kept).unwrap().iter().map(|name| fs::read_to_string(kept.join(name)).unwrap()).collect();
        let words = "<6>[ 1.0] Linux\n<0>[ 9.1] Kernel panic - not syncing: no init\n<4>[ 9.2] end\n";
        assert!(texts.len() == 1 && texts[0].contains("how: kernel panic: no init\n"), "{texts:?}");
        assert!(texts[0].ends_with(&format!("\n\n{words}")), "{texts:?}");
        assert!(parts[..4].iter().all(|(name, _)| !folder.path().join(name).exists()));
        assert!(folder.path().join("other").exists());
    }

    #[test]
    fn the_newest_stays_though_the_clock_was_ahead_before() {
        let folder = tempfile::tempdir().unwrap();
        (100..110).for_each(|second| crash(second).keep_in(folder.path()).unwrap());
        crash(5).keep_in(folder.path()).unwrap();
        assert!(folder.path().join("00000000005-lbd-1.txt").exists());
        assert_eq!(names(folder.path()).unwrap().len(), MOST);
    }
}
