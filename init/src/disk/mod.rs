//! The data partition: made at the first boot, checked and grown at every later one, mounted on /data. Without it
//! the appliance runs from memory, and says so.

pub mod check;
pub mod content;
pub mod reset;
pub mod table;

use crate::account::Account;
use crate::failure::{Doing, Failure};
use crate::log::{self, Level};
use crate::mounts::{self, HARMLESS};
use crate::notices;
use crate::places::{DATA, RESCUE_DEVICE};
use crate::program;
use check::Verdict;
use content::{Content, MARK, RESERVED};
use nix::mount::MsFlags;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use table::Disk;

/// A 20 GB partition takes under a second; a slow store may take a minute for a full check.
const MAKE: Duration = Duration::from_secs(120);
const CHECK: Duration = Duration::from_secs(600);
const GROW: Duration = Duration::from_secs(300);

/// A file system smaller than its partition by less than this stays as it is.
const WORTH_GROWING: u64 = 16 << 20;

/// No discard: a blank disk has nothing to give back. The kernel zeroes inode tables later, in the background.
const MAKE_OPTIONS: &[&str] = &[
    "-q",
    "-F",
    "-t",
    "ext4",
    "-b",
    "4096",
    "-m",
    "1",
    "-L",
    "evenkeel-data",
    "-E",
    "nodiscard,lazy_itable_init=1,lazy_journal_init=1",
];

/// `errors=remount-ro`: a file system that contradicts itself is not written to any more.
const OPTIONS: &str = "errors=remount-ro";

/// Mounts the data partition of `disk`, making or repairing it first, and gives it. Whatever fails becomes a
/// notice, and /data a file system in memory.
pub fn prepare(disk: Option<&Disk>) -> Result<Option<Data>, Failure> {
    match mount_data(disk) {
        Ok(data) => Ok(Some(data)),
        Err(failure) => {
            notices::write("disk", &sentence(&failure));
            in_memory().map(|()| None)
        }
    }
}

/// Puts a file system in memory over a data partition that has failed, for whoever starts from now on. Those who run keep
/// what they have open; nobody waits for the disk.
pub fn cover() -> Result<(), Failure> {
    in_memory()?;
    notices::write(
        "disk",
        "The disk has failed while the system was running; lbd has started again and runs from memory: what is changed now is \
         lost at the next restart. Traffic goes on. Check the virtual machine's disk, then restart.",
    );
    Ok(())
}

fn in_memory() -> Result<(), Failure> {
    mounts::one("tmpfs", "tmpfs", DATA, HARMLESS, "mode=0755,size=64m")
}

/// The data partition, mounted on /data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data {
    device: PathBuf,
    /// Errors that its file system had counted before.
    errors: u64,
}

impl Data {
    /// What has gone wrong with it since it was mounted, in a sentence.
    pub fn trouble(&self) -> Option<&'static str> {
        if !table::is_there(&self.device) {
            Some(
                "The disk has gone while the system was running; changes cannot be stored. Traffic goes on. Check the \
                 virtual machine's disk, then restart.",
            )
        } else if errors(&self.device) > self.errors || !mounts::is_writable(&mounts::list(), DATA) {
            Some(
                "The disk reported errors, and the data partition is not written to any more; changes cannot be \
                 stored. Traffic goes on. Check the virtual machine's disk, then restart.",
            )
        } else {
            None
        }
    }
}

/// Errors that ext4 has counted (`Documentation/ABI/testing/sysfs-fs-ext4`). Linux 6.12 leaves a file system that it
/// no longer writes to "rw" in the list of mounts: only this count tells.
fn errors(device: &Path) -> u64 {
    let name = device.file_name().unwrap_or_default();
    let text = std::fs::read_to_string(Path::new("/sys/fs/ext4").join(name).join("errors_count"));
    text.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

fn sentence(failure: &Failure) -> String {
    format!(
        "The data partition cannot be used ({failure}); the appliance runs from memory, and what is changed now is \
         lost at the next restart. Check the virtual machine's disk."
    )
}

/// Hands the rescue partition to lbd's user, who alone reads and writes it.
pub fn hand_over_rescue(disk: Option<&Disk>, account: &Account) -> Result<(), Failure> {
    let doing = || format!("handing the rescue partition over as {RESCUE_DEVICE}");
    let device = disk.and_then(Disk::rescue).ok_or("there is none").doing(doing)?;
    account.take(&device).doing(doing)?;
    // A link, so that nobody needs to know the disk's name. One of an earlier boot cannot be there.
    std::os::unix::fs::symlink(device, RESCUE_DEVICE).doing(doing)
}

fn mount_data(disk: Option<&Disk>) -> Result<Data, Failure> {
    let disk = disk.ok_or_else(|| Failure::new("looking for the appliance's disk", "there is none"))?;
    match disk.grow() {
        Ok(true) => {
            log::say(Level::Notice, format!("the partition table of {} was made to fit the disk", disk.name))
        }
        Ok(false) => {}
        Err(failure) => log::say(Level::Warning, failure),
    }
    let device =
        disk.data().ok_or_else(|| Failure::new("looking for the data partition", "there is none"))?;
    make_sound(&device)?;
    let source = device.to_string_lossy();
    mounts::one(&source, "ext4", DATA, HARMLESS | MsFlags::MS_NOATIME, OPTIONS)?;
    if let Err(failure) = grow(&device) {
        log::say(Level::Warning, failure);
    }
    Ok(Data { errors: errors(&device), device })
}

/// Makes a file system on a blank partition, checks one that is there, refuses anything else.
fn make_sound(device: &Path) -> Result<(), Failure> {
    let shown = device.display();
    match look(device).doing(|| format!("reading {shown}"))? {
        Content::Blank => make(device),
        Content::Ext => check_and_repair(device),
        Content::Other(what) => Err(Failure::new(
            format!("preparing {shown}"),
            format!("it holds {what}, which is not ours to erase"),
        )),
    }
}

fn look(device: &Path) -> std::io::Result<Content> {
    let mut file = File::open(device)?;
    let mut read = |at: u64, length: usize| {
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(at))?;
        (&mut file).take(length as u64).read_to_end(&mut bytes).map(|_| bytes)
    };
    let start = read(0, content::START)?;
    let copy = read(content::FIRST_COPY, 1024)?;
    let end = read(table::size(device).unwrap_or(0).saturating_sub(RESERVED), MARK.len())?;
    Ok(content::recognise(&start, &copy, &end))
}

fn make(device: &Path) -> Result<(), Failure> {
    let shown = device.display();
    let doing = || format!("making a file system on {shown}");
    log::say(Level::Notice, format!("the data partition is blank: {}", doing()));
    let size = table::size(device).ok_or("its size is unknown").doing(doing)?;
    let end = size.saturating_sub(RESERVED);
    write_at(device, end, MARK).doing(doing)?;
    let kibibytes = format!("{}k", end / 4096 * 4);
    let mut arguments: Vec<&OsStr> = MAKE_OPTIONS.iter().map(OsStr::new).collect();
    arguments.extend([device.as_os_str(), kibibytes.as_ref()]);
    let ended = program::run("/usr/sbin/mke2fs", &arguments, MAKE)?;
    if ended.code != Some(0) {
        return Err(Failure::new(doing(), format!("mke2fs: {}", ended.said)));
    }
    write_at(device, end, &[0; MARK.len()]).doing(doing)
}

fn write_at(device: &Path, at: u64, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(device)?;
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The careful check first; then, because nobody can sit down at this machine with a repair tool, the one that
/// answers yes to everything.
fn check_and_repair(device: &Path) -> Result<(), Failure> {
    let (verdict, _) = check(device, "-p")?;
    if verdict == Verdict::Sound || verdict == Verdict::Repaired {
        return Ok(());
    }
    let (verdict, said) = check(device, "-y")?;
    if verdict == Verdict::Sound || verdict == Verdict::Repaired {
        notices::write(
            "repair",
            "The data partition was damaged and has been repaired; files on it may be missing. Check the \
             configuration, and the virtual machine's disk.",
        );
        return Ok(());
    }
    Err(Failure::new(format!("repairing {}", device.display()), said))
}

fn check(device: &Path, how: &str) -> Result<(Verdict, String), Failure> {
    let ended = program::run("/usr/sbin/e2fsck", &[how.as_ref(), device.as_os_str()], CHECK)?;
    let verdict = check::verdict(ended.code);
    let level = if verdict == Verdict::Sound { Level::Info } else { Level::Warning };
    log::say(level, format!("e2fsck {how} {}: {verdict:?}: {}", device.display(), ended.said));
    Ok((verdict, ended.said))
}

/// Grows the mounted file system into its partition; the kernel does it while files are in use.
fn grow(device: &Path) -> Result<(), Failure> {
    let doing = || format!("growing the file system on {}", device.display());
    let mut file = File::open(device).doing(doing)?;
    let mut superblock = [0; 1024];
    file.seek(SeekFrom::Start(1024)).doing(doing)?;
    file.read_exact(&mut superblock).doing(doing)?;
    let (blocks, block) = content::size(&superblock).ok_or("its size is unknown").doing(doing)?;
    let wanted =
        table::size(device).ok_or("the partition's size is unknown").doing(doing)?.saturating_sub(RESERVED);
    if blocks.saturating_mul(block).saturating_add(WORTH_GROWING) > wanted {
        return Ok(());
    }
    let target = (wanted / block).to_string();
    let ended = program::run("/usr/sbin/resize2fs", &[device.as_os_str(), target.as_ref()], GROW)?;
    if ended.code != Some(0) {
        return Err(Failure::new(doing(), format!("resize2fs: {}", ended.said)));
    }
    log::say(Level::Notice, format!("the data partition has grown to {} MiB", wanted >> 20));
    Ok(())
}
