//! What the phases of the boot find out, and hand on to the loop.

use crate::account::Account;
use crate::bless::Trial;
use crate::disk::Data;
use crate::disk::table::Disk;
use crate::log::{self, Level};
use crate::modules::Modules;
use crate::uevent::{Next, Uevent, Uevents};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// The machine as far as it is known.
#[derive(Debug)]
pub struct Machine {
    /// When init started; all other times count from here.
    pub started: Instant,
    /// Device events, from the phase on that listens for them.
    pub uevents: Option<Uevents>,
    /// Tables of the kernel's modules; empty until they are read.
    pub modules: Modules,
    /// The disk with our partitions.
    pub disk: Option<Disk>,
    /// lbd's user.
    pub account: Account,
    /// What is mounted on /data; none when it is in memory.
    pub data: Option<Data>,
    /// This boot is on trial.
    pub trial: Option<Trial>,
}

impl Machine {
    /// Nothing is known yet.
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            uevents: None,
            modules: Modules::default(),
            disk: None,
            account: Account::of_lbd(),
            data: None,
            trial: None,
        }
    }

    /// Since init started.
    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Takes all device events that wait: loads what they ask for, gives them back.
    pub fn take_events(&mut self) -> Vec<Uevent> {
        let mut events = Vec::new();
        loop {
            match self.uevents.as_ref().map(Uevents::next) {
                Some(Next::Event(event)) => {
                    if let Some(alias) = event.alias.as_deref().filter(|_| event.action == "add") {
                        self.modules.load_alias(alias);
                    }
                    events.push(event);
                }
                Some(Next::Lost) => {
                    log::say(Level::Warning, "device events were lost; looking at all devices again");
                    self.modules.load_for_devices();
                }
                Some(Next::Nothing) | None => return events,
            }
        }
    }

    /// Waits until `probe` finds something: tries again whenever a device appears, until `limit` has passed.
    pub fn wait_for<T>(&mut self, limit: Duration, probe: impl Fn() -> Option<T>) -> Option<T> {
        let end = Instant::now() + limit;
        loop {
            self.take_events();
            if let Some(found) = probe() {
                return Some(found);
            }
            let left = end.checked_duration_since(Instant::now())?;
            let events = self.uevents.as_ref()?;
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            // An error is as good as an event: look again.
            let _ = poll(&mut [PollFd::new(events.as_fd(), PollFlags::POLLIN)], timeout);
        }
    }
}

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}
