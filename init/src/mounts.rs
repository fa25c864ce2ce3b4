//! The kernel's file systems, and the folders of the running system.

use crate::account::Account;
use crate::failure::{Doing, Failure};
use crate::log::{self, Level};
use crate::places;
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::unistd::chown;
use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

/// Nothing on it is a device, runs, or changes who runs it.
pub const HARMLESS: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV).union(MsFlags::MS_NOEXEC);

/// What must be there before anything else: kind, place, flags, options.
const FIRST: &[(&str, &str, MsFlags, &str)] = &[
    ("proc", "/proc", HARMLESS, ""),
    ("sysfs", "/sys", HARMLESS, ""),
    ("devtmpfs", "/dev", MsFlags::MS_NOSUID, "mode=0755"),
    ("devpts", "/dev/pts", MsFlags::MS_NOSUID.union(MsFlags::MS_NOEXEC), "mode=0600,ptmxmode=0666"),
    ("tmpfs", "/run", HARMLESS, "mode=0755,size=64m"),
    ("tmpfs", "/tmp", HARMLESS, "mode=1777,size=64m"),
];

/// Mounts one; one that is there already is fine.
pub fn one(source: &str, kind: &str, place: &str, flags: MsFlags, options: &str) -> Result<(), Failure> {
    let doing = || format!("mounting {source} ({kind}) on {place}");
    DirBuilder::new().recursive(true).mode(0o755).create(place).doing(doing)?;
    match mount(Some(source), place, Some(kind), flags, Some(options)) {
        Ok(()) | Err(Errno::EBUSY) => Ok(()),
        Err(error) => Err(Failure::new(doing(), error)),
    }
}

/// Mounts all of [`FIRST`]. The first failure is returned when all have been tried.
pub fn first() -> Result<(), Failure> {
    let all: Vec<_> =
        FIRST.iter().map(|(kind, place, flags, options)| one(kind, kind, place, *flags, options)).collect();
    log::open_the_gates();
    all.into_iter().collect()
}

/// EFI variables, read-only: init reads one; only the boot loader writes. Nothing on a machine without EFI.
pub fn efi_variables() -> Result<(), Failure> {
    if !Path::new(places::EFI_VARIABLES).exists() {
        log::say(Level::Info, "no EFI firmware: boot counting is off");
        return Ok(());
    }
    one("efivarfs", "efivarfs", places::EFI_VARIABLES, HARMLESS | MsFlags::MS_RDONLY, "")
}

/// The folders below `/run`. lbd makes its socket in the first; the sticky bit keeps it from replacing the
/// others, in which init writes as root.
pub fn folders(account: &Account) -> Result<(), Failure> {
    for (path, mode, group) in [
        (places::RUN, 0o1770, Some(account.group)),
        (places::NOTICES, 0o755, None),
        (places::CRASHES, 0o755, None),
    ] {
        let doing = || format!("making the folder {path}");
        fs::create_dir_all(path).doing(doing)?;
        chown(path, None, group).doing(doing)?;
        fs::set_permissions(path, Permissions::from_mode(mode)).doing(doing)?;
    }
    Ok(())
}

/// True when the mount at `place` can be written, by the text of `/proc/self/mounts`.
pub fn is_writable(mounts: &str, place: &str) -> bool {
    // The last mount on a place is the one that is seen.
    let found = mounts.lines().rev().find_map(|line| {
        let mut words = line.split(' ');
        (words.nth(1)? == place).then_some(words.nth(1)?)
    });
    // ext4 since Linux 6.15 says the second and third instead of becoming read-only.
    let broken = ["ro", "emergency_ro", "shutdown"];
    found.is_some_and(|options| !options.split(',').any(|option| broken.contains(&option)))
}

/// All mounts, as proc(5) has them.
pub fn list() -> String {
    fs::read_to_string("/proc/self/mounts").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::is_writable;

    #[test]
    fn writable_or_not() {
        let text = "proc /proc proc rw,nosuid 0 0\n/dev/sda3 /data ext4 rw,noatime 0 0\n/dev/sda3 /data ext4 ro,noatime 0 0\n";
        assert!(is_writable(text, "/proc"));
        assert!(!is_writable(text, "/data"));
        assert!(!is_writable("/dev/sda3 /data ext4 rw,noatime,emergency_ro 0 0", "/data"));
        assert!(!is_writable(text, "/missing"));
        assert!(!is_writable("a\n\nx /data", "/data"));
    }
}
