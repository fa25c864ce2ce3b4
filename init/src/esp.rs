//! The EFI System Partition, mounted for a moment.

use crate::failure::{Doing, Failure};
use crate::mounts::{self, HARMLESS};
use crate::places::MOMENTARY;
use nix::mount::{MntFlags, MsFlags, umount2};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Nobody but root has any business there.
const OPTIONS: &str = "umask=0077";

/// What for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To look.
    Read,
    /// To change something.
    Write,
}

/// One at a time: the bless and an order each have a thread.
static DOOR: Mutex<()> = Mutex::new(());

/// Mounts it, does the work at its root, unmounts it. A failing disk can hold this up for ever.
pub fn with<T>(
    device: Option<&Path>,
    access: Access,
    work: impl FnOnce(&Path) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let device = device.ok_or("the disk has none").doing(|| "mounting the boot partition")?;
    // A thread that panicked there holds nothing any more.
    let _door = DOOR.lock().unwrap_or_else(PoisonError::into_inner);
    let flags = HARMLESS | MsFlags::MS_NOATIME;
    let flags = if access == Access::Read { flags | MsFlags::MS_RDONLY } else { flags };
    mounts::one(&device.to_string_lossy(), "vfat", MOMENTARY, flags, OPTIONS)?;
    let done = work(Path::new(MOMENTARY));
    let unmounted =
        umount2(MOMENTARY, MntFlags::empty()).doing(|| format!("unmounting {}", device.display()));
    done.and_then(|done| unmounted.map(|()| done))
}
