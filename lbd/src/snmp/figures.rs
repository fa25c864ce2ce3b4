//! The kernel's figures of the machine: interfaces, memory, load, processors. The readers of text are pure.

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::statvfs::statvfs;

/// The machine at one instant. Memory in units of 1,024 bytes.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Figures {
    pub(super) interfaces: Vec<Interface>,
    pub(super) memory: Memory,
    /// Averages of one, five and fifteen minutes.
    pub(super) load: [f64; 3],
    /// So many of a hundred parts of its time each processor was busy in the last minute.
    pub(super) processors: Vec<u32>,
    /// Of all processors together.
    pub(super) ticks: Ticks,
    pub(super) uptime_hundredths: u64,
    pub(super) processes: u64,
    pub(super) disk: Option<Disk>,
}

/// A network interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) name: String,
    pub(super) index: u32,
    pub(super) mtu: u32,
    /// 0 where it is not known.
    pub(super) megabits_per_second: u64,
    pub(super) hardware_address: Vec<u8>,
    pub(super) is_switched_on: bool,
    pub(super) is_up: bool,
    pub(super) received: Passed,
    pub(super) sent: Passed,
    pub(super) multicast_received: u64,
}

/// What passed in one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Passed {
    pub(super) bytes: u64,
    pub(super) packets: u64,
    pub(super) errors: u64,
    pub(super) dropped: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Memory {
    pub(super) total: u64,
    pub(super) free: u64,
    pub(super) available: u64,
    pub(super) buffers: u64,
    pub(super) cached: u64,
    pub(super) shared: u64,
    pub(super) swap_total: u64,
    pub(super) swap_free: u64,
}

/// Time of processors, in hundredths of a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Ticks {
    pub(super) user: u64,
    pub(super) nice: u64,
    pub(super) system: u64,
    pub(super) idle: u64,
    pub(super) waiting: u64,
    pub(super) interrupts: u64,
    /// Where the kernel forwards packets.
    pub(super) soft_interrupts: u64,
    /// The hypervisor had something else to do.
    pub(super) stolen: u64,
}

impl Ticks {
    fn all(self) -> u64 {
        self.busy() + self.idle + self.waiting
    }

    fn busy(self) -> u64 {
        self.user + self.nice + self.system + self.interrupts + self.soft_interrupts + self.stolen
    }
}

/// The data partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Disk {
    /// Bytes.
    pub(super) unit: u64,
    pub(super) all: u64,
    pub(super) free: u64,
}

/// Waits for the disk.
pub(super) fn disk(folder: &Path) -> Option<Disk> {
    let found = statvfs(folder).ok()?;
    Some(Disk { unit: found.fragment_size(), all: found.blocks(), free: found.blocks_available() })
}

/// hrProcessorLoad is of the last minute (RFC 2790).
const MINUTE: Duration = Duration::from_secs(60);
/// Between two samples of the processors' times.
const SAMPLE_EVERY: Duration = Duration::from_secs(5);

/// Reads figures; remembers the processors' times of a minute.
#[derive(Debug, Default)]
pub(super) struct Reader {
    samples: VecDeque<(Instant, Vec<Ticks>)>,
}

impl Reader {
    /// From the kernel's memory: nothing in here waits.
    pub(super) fn read(&mut self, disk: Option<Disk>) -> Figures {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let mut times = processors(&text("/proc/stat"));
        let ticks = if times.is_empty() { Ticks::default() } else { times.remove(0) };
        let average = text("/proc/loadavg");
        Figures {
            interfaces: interfaces(&text("/proc/net/dev")).into_iter().map(with_details).collect(),
            memory: memory(&text("/proc/meminfo")),
            load: load(&average),
            processors: self.busy(times, Instant::now()),
            ticks,
            uptime_hundredths: uptime(&text("/proc/uptime")),
            processes: processes(&average),
            disk,
        }
    }

    fn busy(&mut self, times: Vec<Ticks>, now: Instant) -> Vec<u32> {
        while self.samples.front().is_some_and(|(at, _)| now.duration_since(*at) > MINUTE) {
            self.samples.pop_front();
        }
        let oldest = self.samples.front().map(|(_, times)| times.as_slice()).unwrap_or_default();
        let part = |(index, now): (usize, &Ticks)| {
            let then = oldest.get(index).copied().unwrap_or_default();
            let all = now.all().saturating_sub(then.all()).max(1);
            u32::try_from(now.busy().saturating_sub(then.busy()).saturating_mul(100) / all).unwrap_or(100)
        };
        let busy = times.iter().enumerate().map(part).collect();
        if self.samples.back().is_none_or(|(at, _)| now.duration_since(*at) >= SAMPLE_EVERY) {
            self.samples.push_back((now, times));
        }
        busy
    }
}

/// `/proc/net/dev`: two lines of headings, then a line an interface.
fn interfaces(text: &str) -> Vec<Interface> {
    let interface = |line: &str| {
        let (name, numbers) = line.split_once(':')?;
        let numbers: Vec<u64> = numbers.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
        let passed = |numbers: &[u64]| Passed {
            bytes: numbers[0],
            packets: numbers[1],
            errors: numbers[2],
            dropped: numbers[3],
        };
        (numbers.len() >= 16).then(|| Interface {
            name: name.trim().to_owned(),
            received: passed(&numbers[..4]),
            multicast_received: numbers[7],
            sent: passed(&numbers[8..12]),
            ..Interface::default()
        })
    };
    text.lines().filter_map(interface).collect()
}

/// `IFF_UP` (linux/if.h).
const SWITCHED_ON: u32 = 1;

/// What stands below `/sys/class/net`.
fn with_details(interface: Interface) -> Interface {
    let folder = Path::new("/sys/class/net").join(&interface.name);
    let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default().trim().to_owned();
    let number = |name: &str| text(name).parse::<u32>().unwrap_or_default();
    let flags = u32::from_str_radix(text("flags").trim_start_matches("0x"), 16).unwrap_or_default();
    let is_switched_on = flags & SWITCHED_ON != 0;
    let octets = text("address");
    Interface {
        index: number("ifindex"),
        mtu: number("mtu"),
        megabits_per_second: text("speed").parse().unwrap_or_default(),
        hardware_address: octets.split(':').filter_map(|octet| u8::from_str_radix(octet, 16).ok()).collect(),
        is_switched_on,
        // Virtual adapters do not know, and work.
        is_up: match text("operstate").as_str() {
            "up" => true,
            "unknown" => is_switched_on,
            _ => false,
        },
        ..interface
    }
}

fn memory(text: &str) -> Memory {
    let kilobytes = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or_default()
    };
    Memory {
        total: kilobytes("MemTotal"),
        free: kilobytes("MemFree"),
        available: kilobytes("MemAvailable"),
        buffers: kilobytes("Buffers"),
        cached: kilobytes("Cached"),
        shared: kilobytes("Shmem"),
        swap_total: kilobytes("SwapTotal"),
        swap_free: kilobytes("SwapFree"),
    }
}

fn load(text: &str) -> [f64; 3] {
    let mut numbers = text.split(' ').map(|number| number.parse().unwrap_or_default());
    [(); 3].map(|()| numbers.next().unwrap_or_default())
}

/// After the slash in the fourth field of `/proc/loadavg` (it counts threads too).
fn processes(loadavg: &str) -> u64 {
    let field = loadavg.split(' ').nth(3).and_then(|field| field.split_once('/'));
    field.and_then(|(_, all)| all.parse().ok()).unwrap_or_default()
}

fn uptime(text: &str) -> u64 {
    let seconds: f64 = text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or_default();
    (seconds * 100.0) as u64
}

/// All together, then each.
fn processors(text: &str) -> Vec<Ticks> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("cpu"));
    let ticks = |line: &str| {
        let mut numbers = line.split_whitespace().skip(usize::from(!line.starts_with(' ')));
        let mut next = || numbers.next().and_then(|number| number.parse().ok()).unwrap_or_default();
        // In this order (proc_stat(5)).
        Ticks {
            user: next(),
            nice: next(),
            system: next(),
            idle: next(),
            waiting: next(),
            interrupts: next(),
            soft_interrupts: next(),
            stolen: next(),
        }
    };
    lines.map(ticks).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NET_DEV: &str = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 1000 10 0 0 0 0 0 0 1000 10 0 0 0 0 0 0
  eth0: 5000000000 4000 1 2 0 0 0 30 6000000000 5000 3 4 0 0 0 0
";

    #[test]
    fn interfaces_are_read() {
        let found = interfaces(NET_DEV);
        assert_eq!(found.len(), 2);
        assert_eq!((found[1].name.as_str(), found[1].multicast_received), ("eth0", 30));
        assert_eq!(
            (found[1].received, found[1].sent),
            (
                Passed { bytes: 5_000_000_000, packets: 4_000, errors: 1, dropped: 2 },
                Passed { bytes: 6_000_000_000, packets: 5_000, errors: 3, dropped: 4 }
            )
        );
    }

    #[test]
    fn memory_load_and_processors_are_read() {
        let found = memory(
            "MemTotal:   4000 kB\nMemFree: 1000 kB\nMemAvailable: 3000 kB\nSwapCached: 1 kB\nCached: 7 kB\n",
        );
        assert_eq!((found.total, found.free, found.available, found.cached), (4_000, 1_000, 3_000, 7));
        assert_eq!(load("0.10 0.20 1.30 2/345 6789\n"), [0.1, 0.2, 1.3]);
        assert_eq!(processes("0.10 0.20 1.30 2/345 6789\n"), 345);
        assert_eq!(uptime("123.45 99.1\n"), 12_345);
        let ticks = processors("cpu  10 20 30 40 50 60\ncpu0 1 2 3 4 5 6 7 8 9 10\nintr 7\n");
        assert_eq!(ticks.len(), 2);
        let Ticks { user, nice, system, idle, waiting, interrupts, soft_interrupts, stolen } = ticks[1];
        assert_eq!(
            [user, nice, system, idle, waiting, interrupts, soft_interrupts, stolen],
            [1, 2, 3, 4, 5, 6, 7, 8]
        );
        assert_eq!((ticks[1].busy(), ticks[1].all()), (27, 36));
    }

    #[test]
    fn load_is_that_of_the_last_minute() {
        let mut reader = Reader::default();
        let begin = Instant::now();
        let times = |busy, idle| vec![Ticks { user: busy, idle, ..Ticks::default() }];
        assert_eq!(reader.busy(times(0, 1_000), begin), [0]);
        assert_eq!(reader.busy(times(3_000, 4_000), begin + Duration::from_secs(60)), [50]);
        assert_eq!(reader.busy(times(9_000, 4_000), begin + Duration::from_secs(120)), [100]);
    }

    #[test]
    fn nonsense_is_nothing() {
        for text in ["", "\n", "cpu", ":", "eth0: 1 2 3", "MemTotal: x kB", "a/b c/d"] {
            let _ =
                (interfaces(text), memory(text), load(text), processes(text), uptime(text), processors(text));
        }
    }
}
