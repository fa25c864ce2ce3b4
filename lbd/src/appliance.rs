//! Looks at what lbd runs on: whether its disk takes a write, and what init left word of.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use nix::sys::statvfs::statvfs;

use crate::begin::Paths;
use crate::crash::shelf::Shelf;
use crate::engine::Findings;
use crate::history::recorder::History;
use crate::log::journal::Journal;
use crate::network::figures;
use crate::vault::Vault;
use crate::view::{ConditionKind, GuestServicesView};
use crate::web::certificate::{self, Certificates};

/// Bounds for what is read: notices are single sentences.
const MOST_NOTICES: usize = 16;
const LONGEST_NOTICE: u64 = 1024;

/// Always the same name, so that a killed lbd leaves one file at most.
const PROBE: &str = ".probe";

/// Where VMware's guest services leave word of themselves: beside lbd's socket. init removes it when they end.
pub fn word_of_guest_services(control_socket: &Path) -> PathBuf {
    control_socket.with_file_name("guest-services.json")
}

/// Blocks as long as the disk does. Brings the rescue copy up to date on the way, and a certificate that the disk lacks.
pub fn look(
    paths: &Paths,
    vault: &Vault,
    journal: &Journal,
    history: &History,
    certificates: &Certificates,
) -> Findings {
    let certificate_fault =
        certificates.keep().or_else(|| certificate::fault(&paths.state_directory, Timestamp::now()));
    Findings {
        notices: paths.notices.as_deref().map(read_notices).unwrap_or_default(),
        disk_failure: write_something(&paths.state_directory).err().map(|error| error.to_string()),
        rescue_failure: vault.mirror().err(),
        log_trouble: journal.trouble(),
        history_trouble: history.trouble(),
        certificate_fault,
        scarce: [
            disk_room(&paths.state_directory),
            memory_room(Path::new("/proc/meminfo")),
            connection_room(Path::new("/proc/sys/net/netfilter")),
        ]
        .into_iter()
        .flatten()
        .collect(),
        crash: news_of_crashes(paths),
        interfaces: figures::read(),
        guest_services: read_word(&word_of_guest_services(&paths.control_socket)),
    }
}

/// Whether it could be kept or not, it is told.
fn news_of_crashes(paths: &Paths) -> Option<String> {
    let shelf = Shelf::new(paths.crashes.as_deref(), &paths.state_directory);
    if let Err(error) = shelf.keep_fresh() {
        tracing::warn!(%error, "the account of a crash is kept in memory only");
    }
    shelf.news(Timestamp::now())
}

/// A disk with less is worth a look before it is full: what lbd itself keeps has bounds, and needs less.
const LITTLE_DISK: u64 = 1_000_000_000;
/// The same for memory.
const LITTLE_MEMORY: u64 = 200_000_000;
/// Of the kernel's table of connections; the warning of scarce source ports usually comes at the same share.
const CONNECTIONS_WARNING_PERCENT: u64 = 80;

/// Less than a tenth of it, and little.
fn is_scarce(free: u64, all: u64, little: u64) -> bool {
    free.saturating_mul(10) < all && free < little
}

fn disk_room(state_directory: &Path) -> Option<(ConditionKind, String)> {
    let figures = statvfs(state_directory).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(figures.fragment_size());
    let (free, all) = (bytes(figures.blocks_available()), bytes(figures.blocks()));
    is_scarce(free, all, LITTLE_DISK).then(|| {
        let text = format!(
            "The disk is nearly full: {} MB of {} MB are free. Traffic goes on; enlarge the disk of the virtual machine.",
            megabytes(free),
            megabytes(all)
        );
        (ConditionKind::Disk, text)
    })
}

/// The kernel's own estimate of what programs can still get (Documentation/filesystems/proc.rst).
fn memory_room(meminfo: &Path) -> Option<(ConditionKind, String)> {
    let text = fs::read_to_string(meminfo).ok()?;
    let kilobytes = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    };
    let bytes = |name: &str| kilobytes(name).map(|count| count.saturating_mul(1024));
    let (free, all) = (bytes("MemAvailable")?, bytes("MemTotal")?);
    is_scarce(free, all, LITTLE_MEMORY).then(|| {
        let text = format!(
            "The memory is nearly full: {} MB of {} MB are left. Give the virtual machine more.",
            megabytes(free),
            megabytes(all)
        );
        (ConditionKind::Memory, text)
    })
}

/// A kernel whose table of connections is full drops the first packet of each further one, and tells nobody but its log
/// (Documentation/networking/nf_conntrack-sysctl.rst).
fn connection_room(settings: &Path) -> Option<(ConditionKind, String)> {
    let number = |name| fs::read_to_string(settings.join(name)).ok()?.trim().parse::<u64>().ok();
    let (count, most) = (number("nf_conntrack_count")?, number("nf_conntrack_max")?);
    (count.saturating_mul(100) >= most.saturating_mul(CONNECTIONS_WARNING_PERCENT)).then(|| {
        let text = format!(
            "The kernel's table of connections is nearly full: {count} of {most} entries are in use. When it is full, new \
             connections are dropped. Look who opens so many (Reports, Connections), or give the virtual machine more memory."
        );
        (ConditionKind::Other, text)
    })
}

fn megabytes(bytes: u64) -> u64 {
    bytes / 1_000_000
}

fn write_something(state_directory: &Path) -> io::Result<()> {
    let path = state_directory.join(PROBE);
    let mut file = fs::File::create(&path)?;
    file.write_all(b"the disk takes writes\n")?;
    file.sync_all()?;
    fs::remove_file(path)
}

/// Name and sentence of each file of the folder; one that cannot be read is one that init is just replacing.
fn read_notices(folder: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    let text = |path: &PathBuf| {
        let mut text = String::new();
        fs::File::open(path).ok()?.take(LONGEST_NOTICE).read_to_string(&mut text).ok()?;
        let name = path.file_stem()?.to_str()?.to_owned();
        Some((name, text.trim().to_owned())).filter(|(_, text)| !text.is_empty())
    };
    paths.iter().take(MOST_NOTICES).filter_map(text).collect()
}

fn read_word(file: &Path) -> Option<GuestServicesView> {
    let mut text = String::new();
    fs::File::open(file).ok()?.take(LONGEST_NOTICE).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guest_services_leave_word_of_themselves_or_do_not_run() {
        let folder = tempfile::tempdir().unwrap();
        let word = word_of_guest_services(&folder.path().join("lbd.sock"));
        assert_eq!(read_word(&word), None);
        fs::write(&word, r#"{"running":true,"since":"2026-11-27T01:00:00Z","reason":"vSphere is served"}"#)
            .unwrap();
        assert!(read_word(&word).unwrap().running);
        fs::write(&word, "x".repeat(5000)).unwrap();
        assert_eq!(read_word(&word), None);
    }

    #[test]
    fn memory_that_runs_out_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("meminfo");
        let told = |available: u64| {
            fs::write(&file, format!("MemTotal:  4000000 kB\nMemFree: 1 kB\nMemAvailable: {available} kB\n"))
                .unwrap();
            memory_room(&file).map(|(_, text)| text)
        };
        assert_eq!(told(200_000), None);
        let text = told(190_000).unwrap();
        assert!(text.contains("194 MB of 4096 MB"), "{text}");
    }

    #[test]
    fn a_table_of_connections_that_fills_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let told = |count: &str| {
            fs::write(folder.path().join("nf_conntrack_count"), count).unwrap();
            connection_room(folder.path()).map(|(_, text)| text)
        };
        assert_eq!(told("100"), None, "a kernel without the module");
        fs::write(folder.path().join("nf_conntrack_max"), "1000\n").unwrap();
        assert_eq!(told("799\n"), None);
        let text = told("800\n").unwrap();
        assert!(text.contains("800 of 1000 entries"), "{text}");
    }

    #[test]
    fn a_look_finds_notices_and_a_dead_disk() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        fs::create_dir(&state).unwrap();
        let (vault, _) = Vault::open(&state, None, None).unwrap();
        let certificates = Certificates::below(&state);
        fs::write(folder.path().join("disk.txt"), "The disk is missing.\n").unwrap();
        let notices = Some(folder.path().to_owned());
        let mut paths = Paths { state_directory: state.clone(), notices, ..Paths::default() };
        let found = look(&paths, &vault, &Journal::new(), &History::below(&state), &certificates);
        // How full the machine of the test is, and what it is connected to, is its own business.
        let found = Findings { scarce: Vec::new(), interfaces: Default::default(), ..found };
        let notices = vec![("disk".into(), "The disk is missing.".into())];
        assert_eq!(found, Findings { notices, ..Findings::default() });
        let left: Vec<_> = fs::read_dir(&state).unwrap().flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(left.len(), 2, "lock and store; the look leaves nothing behind: {left:?}");
        paths = Paths { state_directory: folder.path().join("gone"), ..Paths::default() };
        let found = look(&paths, &vault, &Journal::new(), &History::below(&state), &certificates);
        assert!(found.disk_failure.is_some() && found.notices.is_empty());
    }
}
