//! The appliance's own figures: what the kernel tells in `/proc`. Parsing is pure; what is not understood is unknown.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use nix::sys::statvfs::statvfs;

/// More is not read of a file of `/proc`.
const LARGEST: u64 = 1 << 20;
/// Interfaces that are recorded; an appliance has four, with VLANs some more.
const MOST_INTERFACES: usize = 64;

/// What was read at one moment. Counters go on from the start of the machine.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    /// Ticks of all processors: busy ones, and all.
    pub processors: Option<(u64, u64)>,
    /// Used memory in percent.
    pub memory: Option<f64>,
    /// Used part of the disk in percent.
    pub disk: Option<f64>,
    /// Processes that run or wait, mean of a minute.
    pub load: Option<f64>,
    /// Memory of lbd in bytes.
    pub daemon_memory: Option<f64>,
    /// By name.
    pub interfaces: BTreeMap<String, Interface>,
}

/// Counters of an interface.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Interface {
    /// Bytes received and sent.
    pub bytes: [u64; 2],
    /// Packets received and sent.
    pub packets: [u64; 2],
    /// Packets damaged or dropped, in both directions.
    pub errors: u64,
}

/// Reads everything.
pub fn read(state_directory: &Path) -> Reading {
    let text = |path: &str| {
        let mut text = String::new();
        let file = File::open(path).ok()?;
        file.take(LARGEST).read_to_string(&mut text).ok().map(|_| text)
    };
    let of = |path: &str| text(path).unwrap_or_default();
    Reading {
        processors: processors(&of("/proc/stat")),
        memory: memory(&of("/proc/meminfo")),
        disk: disk(state_directory),
        load: of("/proc/loadavg").split(' ').next().and_then(|number| number.parse().ok()),
        daemon_memory: kilobytes(&of("/proc/self/status"), "VmRSS").map(|count| count * 1024.0),
        interfaces: interfaces(&of("/proc/net/dev")),
    }
}

/// The names of the interfaces that are there now.
pub fn interface_names() -> Vec<String> {
    let mut text = String::new();
    let file = File::open("/proc/net/dev");
    let _ = file.and_then(|file| file.take(LARGEST).read_to_string(&mut text));
    interfaces(&text).into_keys().collect()
}

/// Of `/proc/stat` (proc(5)): waiting for a disk is not work; time that the hypervisor gave to others was wanted.
fn processors(text: &str) -> Option<(u64, u64)> {
    let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    // user, nice, system, idle, iowait, irq, softirq, steal; guests are in user already.
    let ticks: Vec<u64> = line.split_whitespace().take(8).map_while(|field| field.parse().ok()).collect();
    let [_, _, _, idle, waiting, ..] = ticks.as_slice() else { return None };
    let all = ticks.iter().fold(0_u64, |sum, ticks| sum.saturating_add(*ticks));
    Some((all.saturating_sub(*idle).saturating_sub(*waiting), all))
}

fn kilobytes(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

fn memory(text: &str) -> Option<f64> {
    let (all, free) = (kilobytes(text, "MemTotal")?, kilobytes(text, "MemAvailable")?);
    (all > 0.0).then(|| 100.0 * (all - free) / all)
}

fn disk(state_directory: &Path) -> Option<f64> {
    let figures = statvfs(state_directory).ok()?;
    let (all, free) = (figures.blocks() as f64, figures.blocks_available() as f64);
    (all > 0.0).then(|| 100.0 * (all - free) / all)
}

/// Of `/proc/net/dev`: all but the loopback.
fn interfaces(text: &str) -> BTreeMap<String, Interface> {
    let interface = |line: &str| {
        let (name, rest) = line.split_once(':')?;
        let counts: Vec<u64> = rest.split_whitespace().map_while(|field| field.parse().ok()).collect();
        // Received: bytes, packets, errors, drops and four more; then the same sent.
        let [
            bytes_in,
            packets_in,
            errors_in,
            drops_in,
            _,
            _,
            _,
            _,
            bytes_out,
            packets_out,
            errors_out,
            drops_out,
            ..,
        ] = counts.as_slice()
        else {
            return None;
        };
        let errors = [errors_in, drops_in, errors_out, drops_out];
        let interface = Interface {
            bytes: [*bytes_in, *bytes_out],
            packets: [*packets_in, *packets_out],
            errors: errors.into_iter().fold(0, |sum, count| sum.saturating_add(*count)),
        };
        Some((name.trim().to_owned(), interface))
    };
    let all = text.lines().filter_map(interface).filter(|(name, _)| name != "lo" && !name.contains('/'));
    all.take(MOST_INTERFACES).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_kernels_own_texts_are_understood() {
        let stat = "cpu  100 5 50 800 40 3 2 10 7 0\ncpu0 1 2 3 4\n";
        assert_eq!(processors(stat), Some((170, 1_010)));
        assert_eq!(memory("MemTotal:  4000 kB\nMemFree: 1 kB\nMemAvailable:  3000 kB\n"), Some(25.0));
        let dev = "Inter-|   Receive                                                |  Transmit\n \
                   face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n    \
                   lo: 10 1 0 0 0 0 0 0 10 1 0 0 0 0 0 0\n  eth0: 5000 40 1 2 0 0 0 0 7000 50 3 4 0 0 0 0\n";
        let eth0 = Interface { bytes: [5_000, 7_000], packets: [40, 50], errors: 10 };
        assert_eq!(interfaces(dev), BTreeMap::from([("eth0".to_owned(), eth0)]));
    }

    #[test]
    fn this_machine_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let reading = read(folder.path());
        assert!(reading.processors.is_some_and(|(busy, all)| busy <= all), "{reading:?}");
        for percent in [reading.memory, reading.disk] {
            assert!(percent.is_some_and(|percent| (0.0..=100.0).contains(&percent)), "{reading:?}");
        }
        assert!(reading.load.is_some() && reading.daemon_memory.is_some_and(|bytes| bytes > 1e5));
    }

    proptest! {
        #[test]
        fn any_text_is_understood_or_not(text in "[a-z0-9: \n/]{0,300}") {
            let _ = (processors(&text), memory(&text));
            prop_assert!(interfaces(&text).len() <= MOST_INTERFACES);
        }
    }
}
