//! A quick update: only lbd differs between what runs and what was installed, so that it can be replaced while the kernel
//! goes on forwarding. Taken from the system on the boot partition, whose digest the signed manifest has told.

use super::{install, running, slots, swap, version};
use crate::aside;
use crate::counting::{self, Counted};
use crate::esp::{self, Access};
use crate::failure::{Doing, Failure};
use crate::log::{self, Level};
use crate::notices;
use crate::places::{OTHER, SYSTEMS};
use evenkeel_update::BASE;
use evenkeel_update::hash::Sha;
use evenkeel_update::manifest::{Base, Content, Manifest};
use evenkeel_update::uki::WINDOW_LOG;
use evenkeel_update::version::Version;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What was verified and installed since the boot; the archive is gone by then.
#[derive(Clone, Debug)]
struct Installed {
    version: Version,
    uki: Content,
    base: Base,
}

static INSTALLED: Mutex<Option<Installed>> = Mutex::new(None);

fn installed() -> MutexGuard<'static, Option<Installed>> {
    INSTALLED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Besides the system itself and what unpacking it takes, in bytes: a new lbd, and some air.
const SPARE: u64 = 96 << 20;

/// A boot partition that cannot be written now may be later.
const AGAIN: Duration = Duration::from_secs(60);
const ATTEMPTS: u32 = 5;

/// A new lbd that lies beside the one in use.
#[derive(Debug)]
pub struct Successor {
    /// Of the system that it comes from.
    pub version: Version,
    /// That system's file.
    pub counted: Counted,
}

/// Remembers what was installed, with what its manifest says.
pub fn remember(Manifest { version, uki, base, .. }: &Manifest) {
    *installed() = Some(Installed { version: version.clone(), uki: *uki, base: *base });
}

/// From now on there is nothing to be started without a restart.
pub fn forget_installed() {
    *installed() = None;
}

/// Whether `version` was installed since the boot, and differs from what runs in lbd alone.
pub fn is_quick(version: &Version) -> bool {
    installed().as_ref().is_some_and(|known| known.version == *version && own_base() == Ok(known.base))
}

fn own_base() -> Result<Base, Failure> {
    let doing = || format!("reading {BASE}");
    serde_json::from_slice(&fs::read(BASE).doing(doing)?).doing(doing)
}

/// Lays the new lbd beside the one in use. Nothing else is changed.
pub fn prepare(esp: Option<&Path>) -> Result<Successor, Failure> {
    let doing = || "starting the update without a restart";
    let known = installed().clone();
    let known = known.ok_or("nothing was installed since the last start; restart into it").doing(doing)?;
    if own_base()? != known.base {
        let why = "it replaces more than lbd; restart the appliance into it";
        return Err(Failure::new(doing(), why));
    }
    require_memory(known.uki.size)?;
    let running = running()?;
    let (counted, uki) = esp::with(esp, Access::Read, |root| {
        let folder = root.join(SYSTEMS);
        let all = install::list(&folder)?;
        slots::require_good(&all, &running).doing(doing)?;
        let name = slots::waiting(&all, &known.version).doing(doing)?.name.clone();
        let blessed = counting::blessed(&name).ok_or("its name has no counter").doing(doing)?;
        let uki = read(&folder.join(&name), known.uki)?;
        Ok((Counted { folder: SYSTEMS.into(), name, blessed }, uki))
    })?;
    let other = Path::new(OTHER);
    swap::lay_out(&uki, other)?;
    let named = fs::read_to_string(other.join("etc/os-release")).doing(doing)?;
    if version(&named).as_ref() != Some(&known.version) {
        swap::forget(other)?;
        return Err(Failure::new(doing(), "it is another version than its manifest says"));
    }
    Ok(Successor { version: known.version, counted })
}

/// The file, if it is what the manifest says to the last bit.
fn read(path: &Path, content: Content) -> Result<Vec<u8>, Failure> {
    let doing = || format!("reading {}", path.display());
    let mut bytes = Vec::new();
    let size = usize::try_from(content.size).doing(doing)?;
    // One more than there may be: a longer file is another one.
    let most = size.saturating_add(1);
    bytes.try_reserve_exact(most).doing(doing)?;
    File::open(path).doing(doing)?.take(most as u64).read_to_end(&mut bytes).doing(doing)?;
    match bytes.len() == size && Sha::of(&bytes) == content.sha256 {
        true => Ok(bytes),
        false => Err(Failure::new(doing(), "it is not what was installed; install the update again")),
    }
}

/// The kernel would kill lbd where there is not enough.
fn require_memory(uki: u64) -> Result<(), Failure> {
    let doing = || "looking for memory to unpack the update";
    let figures = fs::read_to_string("/proc/meminfo").doing(doing)?;
    let available = available(&figures).ok_or("/proc/meminfo does not say").doing(doing)?;
    let needed = uki.saturating_add(2 << WINDOW_LOG).saturating_add(SPARE);
    if available < needed {
        let why = format!(
            "{} MiB are needed, and {} MiB are free; restart the appliance into the update",
            needed >> 20,
            available >> 20
        );
        return Err(Failure::new(doing(), why));
    }
    Ok(())
}

/// In bytes, of proc_meminfo(5).
fn available(meminfo: &str) -> Option<u64> {
    let rest = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// In a thread of its own: the system does not start at the next restart. Says so if that cannot be written.
pub fn give_up(version: Version, esp: Option<PathBuf>) {
    let work = move || {
        let mark = || {
            let turn =
                super::Turn::wait().ok_or("the disk hangs").doing(|| format!("giving {version} up"))?;
            let marked = esp::with(esp.as_deref(), Access::Write, |root| {
                install::give_up(&version, &root.join(SYSTEMS))
            });
            drop(turn);
            marked
        };
        let mut marked = mark();
        for _ in 1..ATTEMPTS {
            if marked.is_ok() {
                return;
            }
            std::thread::sleep(AGAIN);
            marked = mark();
        }
        if let Err(failure) = marked {
            let why = format!(
                "Version {version} is no good and could not be marked as failed ({failure}): the next restart tries it again."
            );
            notices::write("update-mark", &why);
        }
    };
    if let Err(failure) = aside::start("marking an update as failed", work) {
        log::say(Level::Error, failure);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_what_was_installed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("system.efi");
        fs::write(&path, "system").unwrap();
        assert_eq!(read(&path, Content::of(b"system")).unwrap(), b"system");
        for other in [Content::of(b"systen"), Content::of(b"syste"), Content::of(b"system2")] {
            assert!(read(&path, other).unwrap_err().to_string().contains("not what was installed"));
        }
    }

    #[test]
    fn free_memory_as_the_kernel_tells_it() {
        let text = "MemTotal:        1012345 kB\nMemFree:  1 kB\nMemAvailable:     700000 kB\n";
        assert_eq!(available(text), Some(700_000 << 10));
        assert_eq!([available(""), available("MemAvailable: x kB"), available("MemAvailable: 7")], [None; 3]);
    }
}
