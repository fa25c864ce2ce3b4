//! Starts lbd.

use super::output::Output;
use crate::failure::{Doing, Failure};
use crate::places;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{SigSet, Signal, kill, killpg};
use nix::unistd::Pid;
use std::ffi::OsString;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// init's own first argument when it is to become another program.
pub const START: &str = "--start";

/// An lbd that runs.
#[derive(Debug)]
pub struct Process(Pid);

impl Process {
    /// Starts it, as root: it becomes its own user itself. Its environment is empty but for the path to `nft`, and the wish
    /// that a panic tells the addresses of its frames.
    pub fn start() -> Result<(Self, [Output; 2]), Failure> {
        let doing = || format!("starting {}", places::LBD);
        let (stdout, stdout_end) = std::io::pipe().doing(doing)?;
        let (stderr, stderr_end) = std::io::pipe().doing(doing)?;
        for pipe in [&stdout, &stderr] {
            fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).doing(doing)?;
        }
        let mut command = Command::new(places::INIT);
        command.arg(START).arg(places::LBD).args(arguments(|path| Path::new(path).exists()));
        // Opening it takes rights that lbd gives up; reading what is open takes none.
        match File::open(places::KERNEL_LOG) {
            Ok(kernel_log) => command.arg("--kernel-log").stdin(kernel_log),
            Err(_) => command.stdin(Stdio::null()),
        };
        command
            .env_clear()
            .env("PATH", places::PROGRAM_PATH)
            .env("RUST_BACKTRACE", "full")
            .current_dir("/")
            .process_group(0);
        command.stdout(stdout_end).stderr(stderr_end);
        let child = command.spawn().doing(doing)?;
        // The loop reaps it, like every other process; the standard library's handle is not needed.
        let pid = Pid::from_raw(child.id().cast_signed());
        Ok((Self(pid), [Output::new(stdout), Output::new(stderr)]))
    }

    /// Its number.
    pub fn pid(&self) -> Pid {
        self.0
    }

    /// Asks it to end. One that has ended meanwhile needs no signal.
    pub fn terminate(&self) {
        let _ = kill(self.0, Signal::SIGTERM);
    }

    /// Kills it, and the programs that it started.
    pub fn kill(&self) {
        let _ = killpg(self.0, Signal::SIGKILL);
    }
}

/// The rest of [`Process::start`], in the new process: a program inherits which signals are held back, and lbd must
/// hear them. Between fork and exec only a program of its own can set that safely, so init starts itself first.
/// Returns only if the program cannot be run.
pub fn become_program(words: &[OsString]) -> Failure {
    let Some((program, arguments)) = words.split_first() else {
        return Failure::new(START, "no program is named");
    };
    let doing = format!("running {}", program.display());
    if let Err(error) = SigSet::empty().thread_set_mask() {
        return Failure::new(doing, error);
    }
    Failure::new(doing, Command::new(program).args(arguments).exec())
}

/// lbd's command line. What this machine does not have is left out.
fn arguments(exists: impl Fn(&str) -> bool) -> Vec<OsString> {
    let always = [
        "run",
        "--appliance",
        "--state-directory",
        places::LBD_STATE,
        "--control-socket",
        places::LBD_SOCKET,
        "--user",
        places::LBD_USER,
    ];
    let optional = [
        ("--rescue-device", places::RESCUE_DEVICE),
        ("--ovf-environment", places::OVF_ENVIRONMENT),
        ("--notices", places::NOTICES),
        ("--crashes", places::CRASHES),
    ];
    let present =
        optional.into_iter().filter(|(_, path)| exists(path)).flat_map(|(option, path)| [option, path]);
    always.into_iter().chain(present).map(OsString::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_absent_is_not_named() {
        let text = |exists: fn(&str) -> bool| arguments(exists).join(" ".as_ref()).into_string().unwrap();
        let least = "run --appliance --state-directory /data/lbd --control-socket /run/evenkeel/lbd.sock --user evenkeel";
        assert_eq!(text(|_| false), least);
        let rest = " --rescue-device /dev/evenkeel-rescue --ovf-environment /run/evenkeel/ovf-env.xml \
                    --notices /run/evenkeel/notices --crashes /run/evenkeel/crashes";
        assert_eq!(text(|_| true), format!("{least}{rest}"));
    }
}
