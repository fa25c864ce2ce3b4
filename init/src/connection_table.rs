//! How many connections the kernel may know: it forwards none that it has no room for, and tells nobody but its log.
//!
//! Left alone it allows 65,536 on a machine of up to 4 GB (`nf_conntrack_init_start`), which 550 short connections a second
//! fill: each stays for two minutes after its end (TIME_WAIT).

use crate::failure::{Doing, Failure};
use crate::log::{self, Level};
use std::fs;

/// Of memory for each entry that may be: an entry has some 450 bytes with its counters and times, so that a full table takes
/// a sixteenth of the memory.
const MEMORY_PER_ENTRY: u64 = 8 << 10;
/// What the kernel allows by itself.
const FEWEST: u64 = 1 << 16;
/// Sixteen addresses to one port of a server; more would be looked at for too long by those who count.
const MOST: u64 = 1 << 20;

/// Buckets; read and written by the module (`Documentation/networking/nf_conntrack-sysctl.rst`).
const BUCKETS: &str = "/sys/module/nf_conntrack/parameters/hashsize";
const ENTRIES: &str = "/proc/sys/net/netfilter/nf_conntrack_max";

/// Sizes the table by the memory that there is.
pub fn size() -> Result<(), Failure> {
    let doing = || "sizing the kernel's table of connections";
    let text = fs::read_to_string("/proc/meminfo").doing(doing)?;
    let entries =
        entries(total(&text).ok_or("/proc/meminfo does not say how much memory there is").doing(doing)?);
    // First the buckets: one for each entry, each of which is in two.
    for path in [BUCKETS, ENTRIES] {
        fs::write(path, entries.to_string()).doing(|| format!("{} by {path}", doing()))?;
    }
    log::say(Level::Info, format!("the kernel may know {entries} connections"));
    Ok(())
}

/// In bytes, by the text of `/proc/meminfo`.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}

/// A power of two, as buckets are.
fn entries(memory: u64) -> u64 {
    (memory / MEMORY_PER_ENTRY).next_power_of_two().clamp(FEWEST, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_of_every_size_have_room() {
        let meminfo = |kilobytes| format!("MemTotal:       {kilobytes} kB\nMemFree:          100 kB\n");
        for (kilobytes, expected) in [
            (200_000, 65_536),
            // A gigabyte, less what the kernel takes first.
            (980_000, 131_072),
            (4_000_000, 524_288),
            (8_100_000, 1_048_576),
            (64_000_000, 1_048_576),
        ] {
            assert_eq!(total(&meminfo(kilobytes)).map(entries), Some(expected), "{kilobytes}");
        }
        assert_eq!(total("MemFree: 1 kB\n"), None);
    }
}
