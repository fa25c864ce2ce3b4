//! Changes the files on the boot partition. The system that runs is never touched by an install; its file has another
//! name only when somebody goes back.

use super::slots::{self, Slot};
use crate::failure::{Doing, Failure};
use crate::log::{self, Level};
use evenkeel_update::archive::{Reader, Sink};
use evenkeel_update::manifest::{LARGEST_ARCHIVE, Manifest, Part};
use evenkeel_update::signature::Key;
use evenkeel_update::version::Version;
use nix::sys::statvfs::statvfs;
use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::path::Path;

/// Until a system is whole. systemd-boot looks at names that end in `.efi` only.
const NEW: &str = "evenkeel.new";

/// What stays free, in bytes: folders and the file system's own need little.
const SPARE: u64 = 4 << 20;

/// Bytes that are read at a time.
const PIECE: usize = 128 << 10;

/// The systems in `folder`.
pub fn list(folder: &Path) -> Result<Vec<Slot>, Failure> {
    let entries = fs::read_dir(folder).doing(|| format!("looking for systems in {}", folder.display()))?;
    let mut names: Vec<_> =
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names.iter().filter_map(|name| Slot::parse(name)).collect())
}

/// Installs what `archive` holds beside the system that runs: first it is verified as a whole, then room is made, then
/// it is written, and verified again on the way. Any failure leaves the system that runs as it was.
pub fn install<T: Read + Seek>(
    archive: &mut T,
    key: &Key,
    running: &Version,
    folder: &Path,
) -> Result<Manifest, Failure> {
    let doing = || "installing the update";
    let slots = list(folder)?;
    slots::require_good(&slots, running).doing(doing)?;
    let manifest = read(archive, key, running, &mut |_, _| Ok(()))?;
    remove(folder, NEW)?;
    let leftovers = slots::leftovers(&slots, running);
    require_room(folder, &leftovers, manifest.uki.size)?;
    leftovers.iter().try_for_each(|name| remove(folder, name))?;
    let new = folder.join(NEW);
    let written = write(archive, key, running, &new);
    if let Err(failure) = written {
        // A part of a system is worth nothing.
        let _ = fs::remove_file(&new);
        return Err(failure);
    }
    rename(folder, NEW, &slots::on_trial(&manifest.version))?;
    Ok(manifest)
}

/// Gives up what waits: it does not start next.
pub fn give_up(version: &Version, folder: &Path) -> Result<(), Failure> {
    let slots = list(folder)?;
    let waiting = slots::waiting(&slots, version).doing(|| format!("giving {version} up"))?;
    rename(folder, &waiting.name, &slots::given_up(version))
}

/// Makes the other system the one that starts next.
pub fn go_back(running: &Version, folder: &Path) -> Result<Version, Failure> {
    let (renames, version) = slots::back(&list(folder)?, running).doing(|| "going back")?;
    renames.iter().try_for_each(|(from, to)| rename(folder, from, to))?;
    Ok(version)
}

fn read<T: Read + Seek>(
    archive: &mut T,
    key: &Key,
    running: &Version,
    sink: Sink<'_>,
) -> Result<Manifest, Failure> {
    let doing = || "reading the update";
    archive.rewind().doing(doing)?;
    let mut archive = archive.take(LARGEST_ARCHIVE);
    let mut reader = Reader::new(key.clone(), running.clone());
    let mut piece = vec![0; PIECE];
    loop {
        match archive.read(&mut piece).doing(doing)? {
            0 => return reader.finish().doing(doing),
            length => reader.push(&piece[..length], sink).doing(doing)?,
        }
    }
}

fn write<T: Read + Seek>(archive: &mut T, key: &Key, running: &Version, new: &Path) -> Result<(), Failure> {
    let doing = || format!("writing {}", new.display());
    let mut file = File::create(new).doing(doing)?;
    read(archive, key, running, &mut |part, bytes| match part {
        Part::Uki => file.write_all(bytes),
        _ => Ok(()),
    })?;
    file.sync_all().doing(doing)
}

/// Before anything is removed.
fn require_room(folder: &Path, leftovers: &[String], size: u64) -> Result<(), Failure> {
    let doing = || "looking for room on the boot partition";
    let figures = statvfs(folder).doing(doing)?;
    let free = figures.blocks_available().saturating_mul(figures.fragment_size());
    let length = |name: &String| fs::metadata(folder.join(name)).map_or(0, |metadata| metadata.len());
    let room = leftovers.iter().map(length).fold(free, u64::saturating_add);
    if room < size.saturating_add(SPARE) {
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        return Err(Failure::new(
            doing(),
            format!("the system has {} MiB, and {} MiB are free", mib(size), room >> 20),
        ));
    }
    Ok(())
}

fn remove(folder: &Path, name: &str) -> Result<(), Failure> {
    match fs::remove_file(folder.join(name)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::new(format!("removing {name}"), error))
        }
        Ok(()) => {
            log::say(Level::Info, format!("removed {name} from the boot partition"));
            Ok(())
        }
        Err(_) => Ok(()),
    }
}

/// On the disk when it returns.
fn rename(folder: &Path, from: &str, to: &str) -> Result<(), Failure> {
    let doing = || format!("renaming {from} to {to}");
    fs::rename(folder.join(from), folder.join(to)).doing(doing)?;
    File::open(folder).and_then(|folder| folder.sync_all()).doing(doing)
}

#[cfg(test)]
#[path = "install_tests.rs"]
mod tests;
