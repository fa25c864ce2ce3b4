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
        OpenOptions::new()
            .write(true)
            .open(DEVICE)
            .map(Self)
            .doing(|| format!("starting the watchdog {DEVICE}"))
    }

    /// Any byte but `V` will do.
    pub fn feed(&mut self) -> Result<(), Failure> {
        self.0.write_all(b"\0").doing(|| format!("feeding the watchdog {DEVICE}"))
    }
}
