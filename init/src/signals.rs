//! Signals, as something to read; and the end of other processes.

use crate::failure::{Doing, Failure};
use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::os::fd::{AsFd, BorrowedFd};

/// The signals that mean something to init. All others are ignored: the kernel does that for PID 1.
#[derive(Debug)]
pub struct Signals(SignalFd);

impl Signals {
    /// From now on they are read, not delivered; not in programs that init starts either, unless they change that
    /// (see `daemon::process`).
    pub fn take() -> Result<Self, Failure> {
        let doing = || "taking over signals";
        let mut set = SigSet::empty();
        for signal in [Signal::SIGCHLD, Signal::SIGINT, Signal::SIGTERM, Signal::SIGPWR] {
            set.add(signal);
        }
        set.thread_block().doing(doing)?;
        SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC).map(Self).doing(doing)
    }

    /// The next one that waits.
    pub fn next(&self) -> Option<Signal> {
        let info = self.0.read_signal().ok()??;
        Signal::try_from(info.ssi_signo.cast_signed()).ok()
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A process that has ended, and how, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended(pub Pid, pub String);

impl Ended {
    /// It ended because it was asked to, or had nothing left to do.
    pub fn is_orderly(&self) -> bool {
        self.1 == ORDERLY
    }
}

const ORDERLY: &str = "exit code 0";

/// Takes notice of every process that has ended, orphans too: nobody else does.
pub fn reap() -> Vec<Ended> {
    let mut ended = Vec::new();
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) => ended.push(Ended(pid, format!("exit code {code}"))),
            Ok(WaitStatus::Signaled(pid, signal, _)) => ended.push(Ended(pid, format!("killed by {signal}"))),
            Ok(WaitStatus::StillAlive) => return ended,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return ended,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::signal::raise;

    #[test]
    fn signals_are_read_and_harm_nobody() {
        let signals = Signals::take().unwrap();
        assert_eq!(signals.next(), None);
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGPWR] {
            raise(signal).unwrap();
            assert_eq!(signals.next(), Some(signal));
        }
        assert_eq!(signals.next(), None);
    }
}
