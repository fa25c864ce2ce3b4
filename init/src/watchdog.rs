//! The watchdog (`Documentation/watchdog/watchdog-api.rst`): it restarts a machine whose init does not feed it.

use crate::failure::{Doing, Failure};
use crate::modules::Modules;
use crate::modules::list::SOFT_WATCHDOG;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

const DEVICE: &str = "/dev/watchdog";

/// The shortest usual limit is 30 s (i6300esb).
pub const MEAL: Duration = Duration::from_secs(5);

/// Running since it was opened. It is never closed in order: a shutdown that hangs ends in a restart.
#[derive(Debug)]
pub struct Watchdog(File);

impl Watchdog {
    /// Starts the machine's watchdog, or the kernel's own where there is none.
    pub fn start(modules: &mut Modules) -> Result<Self, Failure> {
        if !Path::new(DEVICE).exists() {
            modules.load(SOFT_WATCHDOG);
        }
        Self::open(Path::new(DEVICE))
    }

    fn open(device: &Path) -> Result<Self, Failure> {
        let doing = || format!("starting the watchdog {}", device.display());
        OpenOptions::new().write(true).open(device).map(Self).doing(doing)
    }

    /// Any byte but `V` will do.
    pub fn feed(&mut self) -> Result<(), Failure> {
        self.0.write_all(b"\0").doing(|| format!("feeding the watchdog {DEVICE}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn every_meal_is_one_byte_and_none_switches_it_off() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut watchdog = Watchdog::open(file.path()).unwrap();
        for _ in 0..3 {
            watchdog.feed().unwrap();
        }
        drop(watchdog);
        let eaten = fs::read(file.path()).unwrap();
        assert_eq!(eaten.len(), 3);
        assert!(!eaten.contains(&b'V'), "the magic character would stop it at the end of init");
    }

    #[test]
    fn a_machine_without_one_is_told() {
        let failure = Watchdog::open(Path::new("/nowhere/watchdog")).unwrap_err();
        assert!(failure.to_string().starts_with("starting the watchdog /nowhere/watchdog: "), "{failure}");
    }
}
