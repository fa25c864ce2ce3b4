//! What the kernel tells of interfaces besides their addresses: speed, driver, what passed. Nothing in here needs a
//! privilege; it waits for the kernel only, for as long as somebody changes an interface.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use crate::view::Passed;

/// More is not read of a file of `/proc`.
const LARGEST: u64 = 1 << 20;
/// Far more than an appliance has.
const MOST_INTERFACES: usize = 512;

/// What is known of an interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// `None` where the adapter does not say, or has no link.
    pub megabits_per_second: Option<u64>,
    /// `full` or `half`.
    pub duplex: Option<String>,
    /// The kernel's driver.
    pub driver: Option<String>,
    /// Since the start of the machine.
    pub received: Passed,
    /// The same in the other direction.
    pub sent: Passed,
}

/// Of all interfaces but the loopback, by name.
pub fn read() -> BTreeMap<String, Figures> {
    let mut text = String::new();
    let file = File::open("/proc/net/dev");
    let _ = file.and_then(|file| file.take(LARGEST).read_to_string(&mut text));
    let all = counters(&text).into_iter();
    all.map(|(name, [received, sent])| {
        let known = details(&Path::new("/sys/class/net").join(&name));
        (name, Figures { received, sent, ..known })
    })
    .collect()
}

/// Of `/proc/net/dev` (proc_pid_net(5)): two lines of headings, then a line an interface.
fn counters(text: &str) -> BTreeMap<String, [Passed; 2]> {
    let interface = |line: &str| {
        let (name, numbers) = line.split_once(':')?;
        let numbers: Vec<u64> = numbers.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
        let passed = |first: usize| {
            let [bytes, packets, errors, dropped] = *numbers.get(first..)?.first_chunk()?;
            Some(Passed { bytes, packets, errors, dropped })
        };
        Some((name.trim().to_owned(), [passed(0)?, passed(8)?]))
    };
    let all = text.lines().filter_map(interface).filter(|(name, _)| name != "lo" && !name.contains('/'));
    all.take(MOST_INTERFACES).collect()
}

/// Of `/sys/class/net/NAME` (Documentation/ABI/testing/sysfs-class-net). A link that is down has no speed, and a virtual
/// one says -1.
fn details(folder: &Path) -> Figures {
    let text = |name: &str| fs::read_to_string(folder.join(name)).ok().map(|text| text.trim().to_owned());
    let driver = fs::read_link(folder.join("device/driver")).ok();
    let driver = driver.and_then(|path| Some(path.file_name()?.to_str()?.to_owned()));
    Figures {
        megabits_per_second: text("speed").and_then(|speed| speed.parse().ok()).filter(|speed| *speed > 0),
        duplex: text("duplex").filter(|duplex| duplex == "full" || duplex == "half"),
        driver,
        ..Figures::default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_passed_is_read() {
        let text = "Inter-|   Receive                                                |  Transmit\n \
                    face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n    \
                    lo: 10 1 0 0 0 0 0 0 10 1 0 0 0 0 0 0\nbond0.100: 5000 40 1 2 0 0 0 30 7000 50 3 4 0 0 0 0\n";
        let received = Passed { bytes: 5_000, packets: 40, errors: 1, dropped: 2 };
        let sent = Passed { bytes: 7_000, packets: 50, errors: 3, dropped: 4 };
        assert_eq!(counters(text), BTreeMap::from([("bond0.100".to_owned(), [received, sent])]));
    }

    #[test]
    fn what_an_adapter_does_not_say_is_unknown() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(details(folder.path()), Figures::default());
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("speed", "-1\n");
        write("duplex", "unknown\n");
        assert_eq!(details(folder.path()), Figures::default());
        write("speed", "10000\n");
        write("duplex", "full\n");
        let known = details(folder.path());
        assert_eq!((known.megabits_per_second, known.duplex.as_deref()), (Some(10_000), Some("full")));
    }

    proptest! {
        #[test]
        fn any_text_is_understood_or_not(text in "[a-z0-9: \n/]{0,300}") {
            prop_assert!(counters(&text).len() <= MOST_INTERFACES);
        }
    }
}
