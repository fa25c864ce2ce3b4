//! Orders that concern updates: which systems there are, install the archive that lbd has left, start its lbd at once, go
//! back to the other system. Whatever lbd says, only what the image's own key has signed is installed.

pub mod install;
pub mod quick;
pub mod slots;
pub mod swap;

use crate::aside;
use crate::control::Later;
use crate::esp::{self, Access};
use crate::failure::{Doing, Failure};
use crate::log::{self, Level};
use crate::notices;
use crate::places::{OS_RELEASE, SYSTEMS};
use evenkeel_update::signature::Key;
use evenkeel_update::status::{Standing, Systems};
use evenkeel_update::version::Version;
use evenkeel_update::{STAGED, TRUSTED_KEY};
use nix::fcntl::OFlag;
use quick::Successor;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Tell which systems there are.
    Tell,
    /// Install what is at [`STAGED`].
    Install,
    /// Let the other system start next.
    GoBack,
    /// Replace lbd by that of the system that waits; answered by the loop ([`prepare`]).
    Quick,
}

/// One order at a time: a disk that hangs must not gather threads.
static BUSY: Mutex<bool> = Mutex::new(false);
/// Tells who waits that nobody is at work.
static FREE: Condvar = Condvar::new();

const BUSY_LINE: &str = "error another order about updates is under way; try again in a minute\n";

/// An order takes longer on a disk only that hangs.
const LONGEST_ORDER: Duration = Duration::from_secs(600);

/// Until it is dropped.
#[derive(Debug)]
pub struct Turn;

impl Turn {
    fn take() -> Option<Self> {
        let was_busy = std::mem::replace(&mut *busy(), true);
        // Not made in vain: to drop one is to end somebody's turn.
        if was_busy { None } else { Some(Self) }
    }

    /// Waits for it; `None` where the disk hangs.
    fn wait() -> Option<Self> {
        let (mut busy, waited) = FREE
            .wait_timeout_while(busy(), LONGEST_ORDER, |busy| *busy)
            .unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return None;
        }
        *busy = true;
        Some(Self)
    }
}

fn busy() -> MutexGuard<'static, bool> {
    BUSY.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Turn {
    fn drop(&mut self) {
        *busy() = false;
        FREE.notify_one();
    }
}

/// Carries an order out in a thread of its own, and hands the line of the answer on.
pub fn carry_out(order: Order, esp: Option<PathBuf>, answer: Later) {
    let Some(turn) = Turn::take() else { return answer.say(BUSY_LINE) };
    let work = move || {
        let line = line_of(order, esp.as_deref()).unwrap_or_else(|failure| refusal(&failure));
        drop(turn);
        answer.say(&line);
    };
    // The turn ends, and lbd's connection.
    if let Err(failure) = aside::start("an order about updates", work) {
        log::say(Level::Error, failure);
    }
}

fn line_of(order: Order, esp: Option<&Path>) -> Result<String, Failure> {
    let doing = || "telling of the systems";
    let told = match order {
        Order::Tell => serde_json::to_string(&systems(esp)?).doing(doing)?,
        Order::Install => changed("installed", install(esp)?),
        Order::GoBack => changed("starts next", go_back(esp)?),
        Order::Quick => return Err(Failure::new("replacing lbd", "that is the loop's to do")),
    };
    Ok(format!("ok {told}\n"))
}

/// A new lbd that lies beside the one in use.
#[derive(Debug)]
pub struct Prepared {
    /// Which one.
    pub successor: Successor,
    /// The answer that is still to be given.
    pub answer: Later,
    /// Nothing is installed in its stead before it is in its place.
    pub turn: Turn,
}

/// Lays a new lbd beside the one that runs, in a thread of its own, and hands it on; a refusal is answered here.
pub fn prepare(esp: Option<PathBuf>, answer: Later, ready: Sender<Prepared>) {
    let Some(turn) = Turn::take() else { return answer.say(BUSY_LINE) };
    let work = move || match quick::prepare(esp.as_deref()) {
        // Where the loop is gone, the machine ends.
        Ok(successor) => _ = ready.send(Prepared { successor, answer, turn }),
        Err(failure) => {
            drop(turn);
            answer.say(&refusal(&failure));
        }
    };
    if let Err(failure) = aside::start("laying out a new lbd", work) {
        log::say(Level::Error, failure);
    }
}

/// The line of an answer to what was not done.
pub fn refusal(failure: &Failure) -> String {
    log::say(Level::Warning, failure);
    format!("error {}\n", failure.to_string().replace('\n', " "))
}

/// Leaves word of a system that was given up. To be called once, when lbd has come up.
pub fn look_for_failed(esp: Option<PathBuf>) {
    let look = move || {
        // An lbd that has just come up asks which systems there are, too.
        let Some(_turn) = Turn::wait() else { return };
        // Where it cannot be known, the page of updates says why.
        let Ok(Systems { running, other: Some(other), .. }) = systems(esp.as_deref()) else { return };
        if other.standing == Standing::Failed {
            notices::write(
                "update",
                &format!(
                    "Version {} was tried and never proved itself: the appliance has gone back to {running}. \
                     Maintenance, Software Update says why.",
                    other.version
                ),
            );
        }
    };
    if let Err(failure) = aside::start("looking for a version that was given up", look) {
        log::say(Level::Error, failure);
    }
}

fn changed(what: &str, version: Version) -> String {
    log::say(Level::Notice, format!("version {version}: {what}"));
    version.into()
}

fn systems(esp: Option<&Path>) -> Result<Systems, Failure> {
    let running = running()?;
    let list = |root: &Path| install::list(&root.join(SYSTEMS));
    let mut systems = slots::systems(&esp::with(esp, Access::Read, list)?, &running);
    if let Some(other) = &mut systems.other {
        other.is_quick = other.standing == Standing::Waiting && quick::is_quick(&other.version);
    }
    Ok(systems)
}

fn install(esp: Option<&Path>) -> Result<Version, Failure> {
    let doing = || format!("reading {TRUSTED_KEY}");
    let key = Key::parse(&fs::read_to_string(TRUSTED_KEY).doing(doing)?).doing(doing)?;
    let (mut archive, running) = (open(Path::new(STAGED))?, running()?);
    let manifest = esp::with(esp, Access::Write, |root| {
        install::install(&mut archive, &key, &running, &root.join(SYSTEMS))
    })?;
    quick::remember(&manifest);
    Ok(manifest.version)
}

fn go_back(esp: Option<&Path>) -> Result<Version, Failure> {
    let running = running()?;
    esp::with(esp, Access::Write, |root| install::go_back(&running, &root.join(SYSTEMS)))
}

/// lbd's folder is lbd's: what lies there may be a link, or no file at all.
fn open(path: &Path) -> Result<File, Failure> {
    let doing = || format!("opening the update {}", path.display());
    let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).doing(doing)?;
    match file.metadata().doing(doing)?.is_file() {
        true => Ok(file),
        false => Err(Failure::new(doing(), "it is no file")),
    }
}

/// The version of the system that runs.
pub fn running() -> Result<Version, Failure> {
    let text = fs::read_to_string(OS_RELEASE).doing(|| format!("reading {OS_RELEASE}"))?;
    version(&text).ok_or("it names no version").doing(|| format!("reading {OS_RELEASE}"))
}

/// os-release(5).
fn version(os_release: &str) -> Option<Version> {
    os_release.lines().find_map(|line| line.strip_prefix("IMAGE_VERSION=")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_that_the_image_writes() {
        let text = "ID=evenkeel\nVERSION_ID=1.0\nIMAGE_ID=evenkeel\nIMAGE_VERSION=1.0\n";
        assert_eq!(version(text).map(String::from), Some("1.0".into()));
        assert_eq!(version("IMAGE_VERSION=\n"), None);
    }

    #[test]
    fn one_order_at_a_time_and_a_refusal_neither_hangs_nor_frees() {
        let turn = Turn::take().unwrap();
        assert!(Turn::take().is_none());
        assert!(Turn::take().is_none(), "a refusal ends nobody's turn");
        let waits = std::thread::spawn(|| Turn::wait().is_some());
        drop(turn);
        assert!(waits.join().unwrap());
        assert!(Turn::take().is_some());
    }

    #[test]
    fn a_link_or_a_folder_is_no_archive() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "x").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert!(open(&file).is_ok());
        assert!(open(&link).is_err());
        assert!(open(folder.path()).unwrap_err().to_string().ends_with("it is no file"));
    }
}
