//! The file for whoever supports this appliance: how a part gets into it, and what no part may have. What goes in is
//! collected by `web/support.rs`.
//!
//! No secret that lbd keeps can be in it: the configuration has none (they are files of their own, see `backup/secrets.rs`),
//! and of those files none is read here. No data of patients can be in it: lbd reads nothing of what modalities send but the
//! first message of an association. What people wrote into a check stands there as they wrote it, and a panic says what it says.

use std::io::{self, Read};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use tar::{Builder, Header};

use crate::log::entry::Entry;

/// A part that is longer is cut, and says so.
pub const LARGEST_PART: usize = 16 << 20;

/// What the kernel tells of itself: the path, and how it is called in the file.
pub const KERNEL_FILES: &[(&str, &str)] = &[
    ("/proc/version", "kernel/version.txt"),
    ("/proc/cmdline", "kernel/command-line.txt"),
    ("/proc/uptime", "kernel/uptime.txt"),
    ("/proc/loadavg", "kernel/load.txt"),
    ("/proc/meminfo", "kernel/memory.txt"),
    ("/proc/cpuinfo", "kernel/processors.txt"),
    ("/proc/interrupts", "kernel/interrupts.txt"),
    ("/proc/modules", "kernel/modules.txt"),
    ("/proc/mounts", "kernel/mounts.txt"),
    ("/proc/partitions", "kernel/partitions.txt"),
    ("/proc/net/dev", "kernel/interfaces.txt"),
    ("/proc/net/snmp", "kernel/network-counters.txt"),
    ("/proc/net/netstat", "kernel/more-network-counters.txt"),
    ("/proc/net/sockstat", "kernel/sockets.txt"),
    ("/proc/net/stat/nf_conntrack", "kernel/connection-tracking.txt"),
    ("/proc/net/bonding/bond0", "kernel/bond0.txt"),
    ("/proc/self/status", "kernel/lbd.txt"),
    ("/proc/self/limits", "kernel/lbd-limits.txt"),
    ("/etc/os-release", "os-release.txt"),
];

/// The file while it is made: tar (POSIX.1-1988, ustar), compressed by gzip (RFC 1952).
pub struct Archive {
    tar: Builder<GzEncoder<Vec<u8>>>,
    folder: String,
    made: u64,
}

impl Archive {
    /// Everything in it is below `folder`.
    pub fn new(folder: &str, made: Timestamp) -> Self {
        let made = u64::try_from(made.as_second()).unwrap_or_default();
        Self {
            tar: Builder::new(GzEncoder::new(Vec::new(), Compression::default())),
            folder: folder.to_owned(),
            made,
        }
    }

    /// Adds a part; one that could not be had says why under its own name.
    pub fn add(&mut self, name: &str, part: Result<Vec<u8>, String>) -> io::Result<()> {
        let mut bytes = part.unwrap_or_else(|why| format!("This could not be read: {why}.\n").into_bytes());
        if bytes.len() > LARGEST_PART {
            bytes.truncate(LARGEST_PART);
            bytes.extend_from_slice(b"\n(The rest was left out.)\n");
        }
        let mut header = Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(self.made);
        self.tar.append_data(&mut header, format!("{}/{name}", self.folder), bytes.as_slice())
    }

    /// The whole file.
    pub fn finish(self) -> io::Result<Vec<u8>> {
        self.tar.into_inner()?.finish()
    }
}

/// A file of the kernel's, bounded. Such files have no length of their own.
pub fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read =
        std::fs::File::open(path).and_then(|file| file.take(LARGEST_PART as u64).read_to_end(&mut bytes));
    read.map(|_| bytes).map_err(|error| error.to_string())
}

/// Lines of the log as people read them, the oldest first; where there are too many the oldest are left out. `newest_first` is how the log gives them.
pub fn log_text(newest_first: &[Entry]) -> String {
    let line = |entry: &Entry| {
        let Entry { time, severity, source, text, .. } = entry;
        format!("{time:.3} {:<9} {:<6} {text}\n", severity.name(), source.name())
    };
    let mut room = LARGEST_PART;
    let newest = newest_first.iter().map(line).take_while(|line| {
        let fits = line.len() <= room;
        room = room.saturating_sub(line.len());
        fits
    });
    let newest: Vec<_> = newest.collect();
    newest.into_iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::entry::{Severity, Source};
    use flate2::read::GzDecoder;

    fn parts(file: &[u8]) -> Vec<(String, Vec<u8>)> {
        let mut archive = tar::Archive::new(GzDecoder::new(file));
        let parts = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            (entry.path().unwrap().to_string_lossy().into_owned(), bytes)
        });
        parts.collect()
    }

    #[test]
    fn parts_come_out_as_they_went_in_cut_or_with_the_reason() {
        let mut archive = Archive::new("lb1", Timestamp::UNIX_EPOCH);
        archive.add("a.txt", Ok(b"one".to_vec())).unwrap();
        archive.add("b/c.txt", Err("no such file".into())).unwrap();
        archive.add("large.txt", Ok(vec![b'x'; LARGEST_PART + 1])).unwrap();
        let parts = parts(&archive.finish().unwrap());
        assert_eq!(parts[0], ("lb1/a.txt".into(), b"one".to_vec()));
        assert_eq!(parts[1], ("lb1/b/c.txt".into(), b"This could not be read: no such file.\n".to_vec()));
        assert!(parts[2].1.ends_with(b"x\n(The rest was left out.)\n"));
    }

    #[test]
    fn the_log_is_read_downwards() {
        let entry = |second, text| {
            Entry::new(Timestamp::from_second(second).unwrap(), Severity::Warning, Source::Init, text)
        };
        let text = log_text(&[entry(2, "then"), entry(1, "first")]);
        assert_eq!(
            text,
            "1970-01-01T00:00:01.000Z warning   init   first\n1970-01-01T00:00:02.000Z warning   init   then\n"
        );
    }
}
