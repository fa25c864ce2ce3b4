//! The accounts of crashes on the data partition, so that they outlive the next restart of the machine.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use super::account::{Crash, last_words, parse};
use crate::durable;

/// Below the state directory, which every version of the software shares.
const FOLDER: &str = "crashes";
/// So many are kept; what crashes more often has said enough.
const MOST: usize = 16;
/// init writes less; whatever is longer is cut.
const LONGEST: u64 = 64 << 10;
/// After so long a crash is no news any more; the page Support still has it.
const NEWS: SignedDuration = SignedDuration::from_hours(24);

/// Where accounts are: those of this boot, which init leaves in memory, and all others. Every method may wait for the disk.
#[derive(Debug, Clone)]
pub struct Shelf {
    fresh: Option<PathBuf>,
    kept: PathBuf,
}

impl Shelf {
    /// `fresh` is init's folder, where there is an init.
    pub fn new(fresh: Option<&Path>, state_directory: &Path) -> Self {
        Self { fresh: fresh.map(Path::to_owned), kept: state_directory.join(FOLDER) }
    }

    /// Takes what init has left to the disk; the oldest make room. Where the disk takes nothing, memory still has it.
    pub fn keep_fresh(&self) -> io::Result<()> {
        let Some(fresh) = &self.fresh else { return Ok(()) };
        let (new, mut kept) = (names(fresh)?, names(&self.kept)?);
        // What is older than all that are kept had to make room before: it would come and go for ever.
        let oldest = kept.first().filter(|_| kept.len() >= MOST).cloned().unwrap_or_default();
        for name in new.into_iter().filter(|name| !kept.contains(name) && *name > oldest).collect::<Vec<_>>()
        {
            fs::create_dir_all(&self.kept)?;
            durable::replace(&self.kept.join(&name), text(&fresh.join(&name))?.as_bytes())?;
            kept.insert(name);
        }
        let surplus = kept.len().saturating_sub(MOST);
        kept.iter().take(surplus).try_for_each(|name| fs::remove_file(self.kept.join(name)))
    }

    /// All, newest first.
    pub fn list(&self) -> io::Result<Vec<Crash>> {
        let mut names = BTreeSet::new();
        let mut failure = None;
        for place in self.places() {
            // A disk that fails must not hide what memory has.
            match self::names(place) {
                Ok(found) => names.extend(found),
                Err(error) => failure = Some(error),
            }
        }
        if let Some(error) = failure.filter(|_| names.is_empty()) {
            return Err(error);
        }
        let crash = |name: &String| parse(name, &self.text(name).ok()??);
        Ok(names.iter().rev().filter_map(crash).collect())
    }

    /// The account of one, as it was written; `None` where there is none of that name. Any name may be given.
    pub fn text(&self, name: &str) -> io::Result<Option<String>> {
        for place in self.places() {
            if names(place)?.contains(name) {
                return text(&place.join(name)).map(Some);
            }
        }
        Ok(None)
    }

    /// The last words of one, places instead of addresses. Any name may be given.
    pub fn last_words(&self, name: &str) -> io::Result<Option<String>> {
        Ok(self.text(name)?.map(|text| last_words(&text)))
    }

    /// What was in the last 24 hours, as a sentence for people; `None` where nothing was.
    pub fn news(&self, now: Timestamp) -> Option<String> {
        let crashes = self.list().ok()?;
        let recent: Vec<_> = crashes.iter().filter(|crash| is_news(crash.time, now)).collect();
        let newest = recent.first()?;
        let before = match recent.len() - 1 {
            0 => String::new(),
            1 => ", and once more in the 24 hours before".to_owned(),
            more => format!(", and {more} times more in the 24 hours before"),
        };
        Some(format!(
            "At {:.0} {}{before}. Traffic went on where the kernel did. The page Support has the last words: send the support \
             file to whoever supports this appliance.",
            newest.time,
            newest.words()
        ))
    }

    fn places(&self) -> impl Iterator<Item = &Path> {
        self.fresh.as_deref().into_iter().chain([self.kept.as_path()])
    }
}

/// A clock that was wrong then or is now makes no news for ever.
fn is_news(time: Timestamp, now: Timestamp) -> bool {
    now.duration_since(time).abs() < NEWS
}

fn names(folder: &Path) -> io::Result<BTreeSet<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        entries => entries?,
    };
    let names = entries.map(|entry| entry.map(|entry| entry.file_name().into_string().ok()));
    let names: io::Result<Vec<_>> = names.filter_map(Result::transpose).collect();
    Ok(names?.into_iter().filter(|name| name.ends_with(".txt") && !name.starts_with('.')).collect())
}

fn text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(second: i64) -> String {
        format!("whose: lbd\ntime: {second}\nhow: killed by SIGSEGV\nlife: 3\n\nlast\n")
    }

    fn leave(folder: &Path, second: i64) {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join(format!("{second:011}-lbd-1.txt")), account(second)).unwrap();
    }

    #[test]
    fn what_init_leaves_is_kept_within_bounds_and_outlives_it() {
        let folder = tempfile::tempdir().unwrap();
        let (fresh, state) = (folder.path().join("run"), folder.path().join("state"));
        let shelf = Shelf::new(Some(&fresh), &state);
        assert_eq!((shelf.list().unwrap(), shelf.news(Timestamp::UNIX_EPOCH)), (vec![], None));
        for second in 1..=20 {
            leave(&fresh, second);
            shelf.keep_fresh().unwrap();
        }
        let kept = Shelf::new(None, &state);
        let seconds = |shelf: &Shelf| {
            shelf.list().unwrap().iter().map(|crash| crash.time.as_second()).collect::<Vec<_>>()
        };
        assert_eq!(seconds(&kept), (5..=20).rev().collect::<Vec<_>>());
        shelf.keep_fresh().unwrap();
        assert_eq!(seconds(&kept), (5..=20).rev().collect::<Vec<_>>(), "what had to go does not come back");
        let name = &kept.list().unwrap()[0].name;
        assert_eq!(kept.last_words(name).unwrap().as_deref(), Some("last\n"));
        assert_eq!(kept.text("../state/crashes/00000000020-lbd-1.txt").unwrap(), None);
    }

    #[test]
    fn a_crash_is_news_for_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(Some(folder.path()), &folder.path().join("gone"));
        [100, 200, 300].iter().for_each(|second| leave(folder.path(), *second));
        let news = |second| shelf.news(Timestamp::from_second(second).unwrap());
        let text = news(400).unwrap();
        assert!(text.contains("1970-01-01T00:05:00Z lbd ended unexpectedly"), "{text}");
        assert!(text.contains("(killed by SIGSEGV), and 2 times more in the 24 hours before."), "{text}");
        let text = news(200 + 86400).unwrap();
        assert!(!text.contains("more"), "{text}");
        assert_eq!(news(300 + 86400), None);
    }
}
