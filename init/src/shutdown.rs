//! The end: lbd first, then everything else, then the data partition, then the machine.
//!
//! ```text
//! lbd --SIGTERM, 5 s--> everybody else --SIGKILL--> data partition unmounted, erased for a factory reset --> reboot(2)
//! ```

use crate::aside;
use crate::daemon::process::Process;
use crate::disk::reset;
use crate::disk::table::Disk;
use crate::log::{self, Level};
use crate::places::DATA;
use crate::signals::{self, Signals};
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::os::fd::AsFd;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// lbd stores nothing at its end; it only closes connections.
const LBD: Duration = Duration::from_secs(5);

/// A disk that has not written everything by then never will.
const DISK: Duration = Duration::from_secs(10);

/// What comes after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// The machine starts again.
    Restart,
    /// It stays off.
    PowerOff,
    /// It starts again, and finds its disk as a new one.
    FactoryReset,
}

impl How {
    /// What a signal to init asks for; the end of a child asks for nothing. The kernel makes SIGINT of Ctrl-Alt-Del.
    pub fn asked_by(signal: Signal) -> Option<Self> {
        match signal {
            Signal::SIGCHLD => None,
            Signal::SIGINT => Some(Self::Restart),
            _ => Some(Self::PowerOff),
        }
    }
}

/// Ends everything in order. Returns only if the kernel refuses.
pub fn in_order(how: How, lbd: Option<&Process>, disk: Option<&Disk>, signals: &Signals) {
    log::show_notices();
    log::say(Level::Notice, format!("ending everything: {how:?}"));
    if let Some(lbd) = lbd {
        lbd.terminate();
        if !has_ended(lbd.pid(), signals) {
            log::say(Level::Warning, format!("lbd did not end within {} s and is killed", LBD.as_secs()));
            lbd.kill();
        }
    }
    // Everybody but init itself; nobody may be left.
    let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
    signals::reap();
    at_once(how, disk);
}

/// Waits for the end of `pid`, [`LBD`] at most.
fn has_ended(pid: Pid, signals: &Signals) -> bool {
    let end = Instant::now() + LBD;
    loop {
        while signals.next().is_some() {}
        if signals::reap().iter().any(|ended| ended.0 == pid) {
            return true;
        }
        let Some(left) = end.checked_duration_since(Instant::now()) else { return false };
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        let _ = poll(&mut [PollFd::new(signals.as_fd(), PollFlags::POLLIN)], timeout);
    }
}

/// Writes what can be written within [`DISK`], and lets the kernel do the rest.
pub fn at_once(how: How, disk: Option<&Disk>) {
    let (done, wait) = channel();
    let reset = (how == How::FactoryReset).then(|| disk.cloned());
    let work = move || {
        nix::unistd::sync();
        if let Err(error) = unmount_data() {
            log::say(Level::Error, format!("unmounting {DATA}: {error}"));
        }
        if let Some(Err(failure)) = reset.map(|disk| reset::forget_everything(disk.as_ref())) {
            log::say(Level::Error, format!("{failure}; the appliance starts again with what it had"));
        }
        let _ = done.send(());
    };
    if let Err(failure) = aside::start("writing everything to the disk", work) {
        log::say(Level::Error, failure);
        // Rather here, where a disk that hangs is the watchdog's concern, than not at all.
        nix::unistd::sync();
    }
    if wait.recv_timeout(DISK).is_err() {
        log::say(Level::Error, "the disk did not take everything in time");
    }
    let mode = match how {
        How::Restart | How::FactoryReset => RebootMode::RB_AUTOBOOT,
        How::PowerOff => RebootMode::RB_POWER_OFF,
    };
    // Returns only with an error.
    let Err(error) = reboot(mode);
    log::say(Level::Error, format!("asking the kernel to end the machine: {error}"));
}

/// A file system that is still in use becomes read-only, which writes everything as well.
fn unmount_data() -> nix::Result<()> {
    match umount2(DATA, MntFlags::empty()) {
        Err(Errno::EBUSY) => {
            mount(None::<&str>, DATA, None::<&str>, MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY, None::<&str>)
        }
        // Not mounted.
        Err(Errno::EINVAL) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_signal_asks_for() {
        assert_eq!(How::asked_by(Signal::SIGCHLD), None);
        assert_eq!(How::asked_by(Signal::SIGINT), Some(How::Restart));
        for signal in [Signal::SIGTERM, Signal::SIGPWR] {
            assert_eq!(How::asked_by(signal), Some(How::PowerOff), "{signal}");
        }
    }
}
