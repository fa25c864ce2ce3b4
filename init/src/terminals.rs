//! The terminals at which people stand: one `lbd console` each, started again when it ends. Pure, but for
//! [`start`] and [`become_console`].

use crate::account::Account;
use crate::daemon::back_off::BackOff;
use crate::failure::{Doing, Failure};
use crate::places;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::SigSet;
use nix::unistd::{Pid, setsid};
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// init's own first argument when it is to become the console of a terminal.
pub const TERMINAL: &str = "--terminal";

/// Its second one where this is the first console there since the boot: see [`Start::First`].
pub const FIRST: &str = "--first";

/// After lbd's start. Until then the processors are lbd's, so that traffic is balanced the sooner: consoles wait for its
/// first answer, but not longer.
const AT_LATEST: Duration = Duration::from_secs(10);

/// The screen of the (virtual) machine, and its first serial port.
const NAMES: [&str; 2] = ["tty1", "ttyS0"];

/// What `/sys/class/tty/ttyS0/type` says where there is a name but no port (`PORT_UNKNOWN`, linux/serial_core.h).
const NO_PORT: &str = "0";

/// Whether a console is the first of its terminal since the boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// It is: whoever restarted the machine and stands there may recover it, for some seconds.
    First,
    /// It is not.
    Again,
}

/// One terminal.
#[derive(Debug)]
pub struct Terminal {
    name: &'static str,
    next_start: Start,
    back_off: BackOff,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting { until: Duration },
    Running { pid: Pid, since: Duration },
}

impl Terminal {
    /// Those that this machine has.
    pub fn all() -> Vec<Self> {
        NAMES.into_iter().filter(|name| is_there(Path::new("/"), name)).map(Self::new).collect()
    }

    fn new(name: &'static str) -> Self {
        let state = State::Waiting { until: Duration::ZERO };
        Self { name, next_start: Start::First, back_off: BackOff::default(), state }
    }

    /// Its name below `/dev`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Which one its next console is.
    pub fn next_start(&self) -> Start {
        self.next_start
    }

    /// When its console is to be started; none while it runs.
    pub fn next_deadline(&self) -> Option<Duration> {
        match self.state {
            State::Waiting { until } => Some(until),
            State::Running { .. } => None,
        }
    }

    /// Whether its console is to be started now.
    pub fn is_due(&self, now: Duration) -> bool {
        self.next_deadline().is_some_and(|until| until <= now)
    }

    /// Its console runs.
    pub fn started(&mut self, pid: Pid, now: Duration) {
        self.next_start = Start::Again;
        self.state = State::Running { pid, since: now };
    }

    /// Its console could not be started; returns how long to wait.
    pub fn not_started(&mut self, now: Duration) -> Duration {
        self.wait(Duration::ZERO, now)
    }

    /// A process has ended; how long to wait where it was this console.
    pub fn ended(&mut self, ended: Pid, now: Duration) -> Option<Duration> {
        match self.state {
            State::Running { pid, since } if pid == ended => Some(self.wait(now.saturating_sub(since), now)),
            _ => None,
        }
    }

    fn wait(&mut self, life: Duration, now: Duration) -> Duration {
        let wait = self.back_off.after(life);
        self.state = State::Waiting { until: now + wait };
        wait
    }
}

fn is_there(root: &Path, name: &str) -> bool {
    let kind = fs::read_to_string(root.join("sys/class/tty").join(name).join("type"));
    // Only serial ports have a type.
    root.join("dev").join(name).exists() && kind.map_or(true, |kind| kind.trim() != NO_PORT)
}

/// Until when no console is started, given since when lbd is starting.
pub fn wait_until(lbd_starts_since: Option<Duration>) -> Duration {
    lbd_starts_since.map_or(Duration::ZERO, |since| since + AT_LATEST)
}

/// Starts the console of a terminal: init again, which then becomes it.
pub fn start(name: &str, which: Start) -> Result<Pid, Failure> {
    let doing = || format!("starting the console of {name}");
    let mut command = Command::new(places::INIT);
    command.args([TERMINAL, name]).args((which == Start::First).then_some(FIRST));
    command.env_clear().current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().doing(doing)?;
    // The loop reaps it, like every other process.
    Ok(Pid::from_raw(child.id().cast_signed()))
}

/// In the new process: the terminal becomes its own, and it becomes `lbd console` with the rights of lbd's user and no
/// capability. Returns only if that failed.
pub fn become_console(name: &str, which: Start) -> Failure {
    match prepared(name, which) {
        Ok(mut command) => Failure::new(format!("running {} on {name}", places::LBD), command.exec()),
        Err(failure) => failure,
    }
}

fn prepared(name: &str, which: Start) -> Result<Command, Failure> {
    let doing = || format!("taking over the terminal {name}");
    // A leader of a session without a terminal gets the one that it opens (tty_ioctl(4), "Controlling terminal").
    setsid().doing(doing)?;
    let terminal = open(&Path::new("/dev").join(name)).doing(doing)?;
    let [input, output] = [terminal.try_clone(), terminal.try_clone()];
    let (input, output) = (input.doing(doing)?, output.doing(doing)?);
    Account::of_lbd().become_it().doing(|| "giving up rights")?;
    SigSet::empty().thread_set_mask().doing(doing)?;
    let mut command = Command::new(places::LBD);
    command.args(["console", "--control-socket", places::LBD_SOCKET, "--init-socket", places::INIT_SOCKET]);
    command.args((which == Start::First).then_some("--offers-recovery"));
    command.env_clear().current_dir("/").stdin(input).stdout(output).stderr(terminal);
    Ok(command)
}

/// Without waiting for a carrier, which a serial line without a modem never has.
fn open(path: &Path) -> std::io::Result<File> {
    let terminal =
        OpenOptions::new().read(true).write(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
    fcntl(&terminal, FcntlArg::F_SETFL(OFlag::empty()))?;
    Ok(terminal)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_console_that_ends_comes_back_later_and_later() {
        let mut terminal = Terminal::new("tty1");
        assert!(terminal.is_due(s(0)));
        for (number, wait) in [(1, 0), (2, 500), (3, 1000)] {
            terminal.started(Pid::from_raw(number), s(1));
            assert_eq!((terminal.next_deadline(), terminal.is_due(s(9))), (None, false));
            assert_eq!(terminal.ended(Pid::from_raw(99), s(1)), None, "another process");
            assert_eq!(terminal.ended(Pid::from_raw(number), s(1)), Some(Duration::from_millis(wait)));
            assert!(terminal.is_due(s(1) + Duration::from_millis(wait)));
        }
        terminal.started(Pid::from_raw(4), s(2));
        assert_eq!(terminal.ended(Pid::from_raw(4), s(100)), Some(s(0)), "it had worked");
        assert_eq!(terminal.not_started(s(100)), Duration::from_millis(500));
    }

    #[test]
    fn consoles_wait_for_an_lbd_that_starts_but_not_for_ever() {
        assert_eq!(wait_until(None), s(0), "lbd answers, or there is none");
        assert_eq!(wait_until(Some(s(3))), s(3) + AT_LATEST);
    }

    #[test]
    fn only_the_first_console_that_starts_is_the_first() {
        let mut terminal = Terminal::new("tty1");
        terminal.not_started(s(0));
        assert_eq!(terminal.next_start(), Start::First);
        terminal.started(Pid::from_raw(1), s(1));
        terminal.ended(Pid::from_raw(1), s(2));
        assert_eq!((terminal.next_start(), terminal.is_due(s(3))), (Start::Again, true));
        terminal.started(Pid::from_raw(2), s(3));
        assert_eq!(terminal.next_deadline(), None, "it runs");
    }

    #[test]
    fn a_name_without_a_port_is_no_terminal() {
        let root = tempfile::tempdir().unwrap();
        let make = |path: &str, content: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        };
        make("dev/tty1", "");
        make("dev/ttyS0", "");
        make("dev/ttyS1", "");
        make("sys/class/tty/ttyS0/type", "4\n");
        make("sys/class/tty/ttyS1/type", "0\n");
        let found = ["tty1", "ttyS0", "ttyS1", "ttyS2"].map(|name| is_there(root.path(), name));
        assert_eq!(found, [true, true, false, false]);
    }
}
