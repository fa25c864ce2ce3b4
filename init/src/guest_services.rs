//! VMware's guest services: `lbd guest-services`, kept running where the processor is VMware's. Pure, but for [`start`]
//! and [`become_services`].
//!
//! It is a process of its own, so that the heartbeat that vSphere sees is the machine's and not lbd's.

use crate::account::Account;
use crate::daemon::back_off::BackOff;
use crate::daemon::output::Output;
use crate::failure::{Doing, Failure};
use crate::places;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::SigSet;
use nix::unistd::Pid;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

/// init's own first argument when it is to become the guest services.
pub const GUEST_SERVICES: &str = "--guest-services";

/// After init's start: until then the processors are lbd's.
const FIRST_START: Duration = Duration::from_secs(10);

/// So often in a row a process may end at once: a hypervisor that refuses the port ends every one, for ever.
const ATTEMPTS: u32 = 5;

/// Whoever lived so long was served.
const SERVED: Duration = Duration::from_secs(60);

/// The one process.
#[derive(Debug)]
pub struct GuestServices {
    back_off: BackOff,
    failed: u32,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nobody is to be served, or can be.
    Off,
    Waiting {
        until: Duration,
    },
    Running {
        pid: Pid,
        since: Duration,
    },
}

/// What became of the process that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It is started again after this wait.
    Again(Duration),
    /// It is given up until the next boot.
    GivenUp,
}

impl GuestServices {
    /// None runs. Elsewhere than on VMware none ever will.
    pub fn new(is_vmware: bool) -> Self {
        let state = if is_vmware { State::Waiting { until: FIRST_START } } else { State::Off };
        Self { back_off: BackOff::default(), failed: 0, state }
    }

    /// When it is to be started.
    pub fn next_deadline(&self) -> Option<Duration> {
        match self.state {
            State::Waiting { until } => Some(until),
            State::Off | State::Running { .. } => None,
        }
    }

    /// It runs.
    pub fn started(&mut self, pid: Pid, now: Duration) {
        self.state = State::Running { pid, since: now };
    }

    /// It could not be started.
    pub fn not_started(&mut self, now: Duration) -> Next {
        self.next(Duration::ZERO, now)
    }

    /// A process has ended; what follows where it was this one.
    pub fn ended(&mut self, ended: Pid, now: Duration) -> Option<Next> {
        match self.state {
            State::Running { pid, since } if pid == ended => Some(self.next(now.saturating_sub(since), now)),
            _ => None,
        }
    }

    fn next(&mut self, life: Duration, now: Duration) -> Next {
        self.failed = if life >= SERVED { 0 } else { self.failed + 1 };
        if self.failed >= ATTEMPTS {
            self.state = State::Off;
            return Next::GivenUp;
        }
        let wait = self.back_off.after(life);
        self.state = State::Waiting { until: now + wait };
        Next::Again(wait)
    }
}

/// Starts it: init again, which then becomes it. With it comes what it says.
pub fn start() -> Result<(Pid, Output), Failure> {
    let doing = || "starting VMware's guest services";
    let (said, end) = std::io::pipe().doing(doing)?;
    fcntl(&said, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).doing(doing)?;
    let errors = end.try_clone().doing(doing)?;
    let mut command = Command::new(places::INIT);
    command.arg(GUEST_SERVICES).env_clear().current_dir("/");
    command.stdin(Stdio::null()).stdout(end).stderr(errors);
    let child = command.spawn().doing(doing)?;
    // The loop reaps it, like every other process.
    Ok((Pid::from_raw(child.id().cast_signed()), Output::new(said)))
}

/// In the new process: it becomes `lbd guest-services` with the rights of lbd's user and no capability. Returns only if
/// that failed.
pub fn become_services() -> Failure {
    let doing = || "giving up rights";
    let prepared = Account::of_lbd()
        .become_it()
        .doing(doing)
        .and_then(|()| SigSet::empty().thread_set_mask().doing(|| "hearing signals"));
    if let Err(failure) = prepared {
        return failure;
    }
    let mut command = Command::new(places::LBD);
    command.args(["guest-services", "--control-socket", places::LBD_SOCKET]);
    command.args(["--init-socket", places::INIT_SOCKET]).env_clear();
    Failure::new("running VMware's guest services", command.exec())
}

/// It has ended: what it left word of is true no more.
pub fn withdraw_word() {
    // There is none where it never spoke.
    let _ = std::fs::remove_file(places::GUEST_SERVICES_WORD);
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn elsewhere_than_on_vmware_nothing_is_ever_started() {
        let mut services = GuestServices::new(false);
        assert_eq!(services.next_deadline(), None);
        assert_eq!(services.ended(Pid::from_raw(7), s(9)), None);
        assert_eq!(services.next_deadline(), None);
    }

    #[test]
    fn one_that_ends_comes_back_and_one_that_is_refused_is_given_up() {
        let mut services = GuestServices::new(true);
        assert_eq!(services.next_deadline(), Some(FIRST_START));
        let mut life = |from: u64, to: u64| {
            services.started(Pid::from_raw(7), s(from));
            assert_eq!((services.next_deadline(), services.ended(Pid::from_raw(8), s(to))), (None, None));
            services.ended(Pid::from_raw(7), s(to)).unwrap()
        };
        assert_eq!([life(1, 2), life(2, 2)], [Next::Again(s(0)), Next::Again(Duration::from_millis(500))]);
        assert_eq!(life(10, 999), Next::Again(s(0)), "it had served");
        let nexts: Vec<_> = (0..5).map(|_| life(1000, 1000)).collect();
        assert_eq!(nexts.iter().filter(|next| **next == Next::GivenUp).count(), 1);
        assert_eq!((nexts[4], services.next_deadline()), (Next::GivenUp, None));
    }
}
