//! Processes inside a namespace: long-running ones with a log, and commands with a deadline.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

use crate::wait;

/// Longer than any command of a story takes, on a machine that is busy.
const COMMAND_DEADLINE: Duration = Duration::from_secs(180);

/// A long-running process; it is killed on drop. Output and errors go to its log.
#[derive(Debug)]
pub struct Process {
    child: Mutex<Child>,
    pid: Pid,
    log: PathBuf,
}

impl Process {
    /// Starts `command`; what it prints goes to `log`.
    pub fn start(mut command: Command, log: &Path) -> Self {
        let file = File::create(log).expect("log file");
        let errors = file.try_clone().expect("log file");
        let child = command.stdin(Stdio::piped()).stdout(file).stderr(errors).spawn();
        let child = child.unwrap_or_else(|error| panic!("starting {command:?}: {error}"));
        let pid = Pid::from_raw(child.id().cast_signed());
        Self { child: Mutex::new(child), pid, log: log.to_owned() }
    }

    /// Process id; the same for the whole life, because every wrapper replaces itself.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw().cast_unsigned()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid, signal).unwrap_or_else(|error| panic!("{signal} to {}: {error}", self.pid));
    }

    /// Ends it at once, as a crash would, and waits until it is gone.
    pub fn kill(&self) {
        let mut child = self.child.lock().expect("not poisoned");
        // An error means that it is gone already.
        let _ = child.kill();
        let _ = child.wait();
    }

    /// Freezes it: its sockets stay, but nobody answers.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets it go on after [`Process::freeze`].
    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Writes a line to its standard input.
    pub fn write_line(&self, line: &str) {
        let mut child = self.child.lock().expect("not poisoned");
        let stdin = child.stdin.as_mut().expect("not finished");
        std::io::Write::write_all(stdin, format!("{line}\n").as_bytes()).expect("a process that reads");
    }

    /// Writes to its standard input, unless it has ended meanwhile.
    pub fn try_write(&self, text: &str) {
        let mut child = self.child.lock().expect("not poisoned");
        let stdin = child.stdin.as_mut().expect("not finished");
        // An error means that nobody reads any more.
        let _ = std::io::Write::write_all(stdin, text.as_bytes());
    }

    /// Closes its standard input, which our helpers understand as the request to finish, and waits for the end.
    pub fn finish(&self) -> ExitStatus {
        drop(self.child.lock().expect("not poisoned").stdin.take());
        self.wait_exit(COMMAND_DEADLINE)
    }

    /// Waits until it has ended by itself.
    pub fn wait_exit(&self, deadline: Duration) -> ExitStatus {
        wait::until_some(deadline, format!("end of process {}\n{}", self.pid, self.log()), || self.exited()).0
    }

    /// Its exit status, if it has ended.
    pub fn exited(&self) -> Option<ExitStatus> {
        self.child.lock().expect("not poisoned").try_wait().expect("own child")
    }

    /// CPU time of all its threads, those that have ended too.
    pub fn cpu_time(&self) -> Duration {
        let clock = clock_getcpuclockid(self.pid).expect("a live process");
        clock.now().expect("a clock of a live process").into()
    }

    /// What it has printed so far.
    pub fn log(&self) -> String {
        // Firmware and serial consoles write other bytes too.
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Whether a TCP socket listens on `port` in its namespace.
    pub fn is_listening(&self, port: u16) -> bool {
        let pid = self.pid;
        let local = format!(":{port:04X} ");
        let listens = |line: &str| {
            // Columns: slot, local address, remote address, state (0A is LISTEN).
            let mut columns = line.split_whitespace().skip(1);
            columns.next().is_some_and(|address| format!("{address} ").ends_with(&local))
                && columns.nth(1) == Some("0A")
        };
        ["tcp", "tcp6"].iter().any(|table| {
            std::fs::read_to_string(format!("/proc/{pid}/net/{table}"))
                .unwrap_or_default()
                .lines()
                .any(listens)
        })
    }

    /// Waits until it listens on `port`; a process that ends instead fails at once, with its log.
    pub fn wait_listening(&self, port: u16) {
        wait::until(COMMAND_DEADLINE, format!("process {} to listen on port {port}", self.pid), || {
            let ended = self.exited();
            assert!(ended.is_none(), "ended with {ended:?} instead of listening on {port}:\n{}", self.log());
            self.is_listening(port)
        });
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- {} ---\n{}", self.log.display(), last_lines(&self.log(), 40));
        }
    }
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// What a finished command left.
#[derive(Debug)]
pub struct Output {
    /// The command, for messages.
    pub command: String,
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Whether it ended with 0 and reported no error in DCMTK's manner: `echoscu` ends with 0 even when the
    /// peer never answered its C-ECHO.
    pub fn is_ok(&self) -> bool {
        self.status.success() && !self.stderr.lines().any(|line| line.starts_with("E: "))
    }

    /// Asserts that the command succeeded; returns what it printed.
    pub fn expect_ok(&self) -> &str {
        assert!(self.is_ok(), "should have succeeded: {self:?}");
        &self.stdout
    }

    /// Asserts that the command failed and that its output contains `words`.
    pub fn expect_failure(&self, words: &str) {
        assert!(!self.is_ok(), "should have failed: {self:?}");
        assert!(
            self.stdout.contains(words) || self.stderr.contains(words),
            "should say \"{words}\": {self:?}"
        );
    }
}

/// Runs `command` with `input` to its end, for three minutes at most.
pub fn run_with_input(command: Command, input: &str) -> Output {
    run_within(command, input, COMMAND_DEADLINE)
}

/// Runs `command` with `input` to its end, for so long at most.
pub fn run_within(mut command: Command, input: &str, deadline: Duration) -> Output {
    let description = format!("{command:?}");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("starting {description}: {error}"));
    let pid = Pid::from_raw(child.id().cast_signed());
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_owned();
    let (sender, receiver) = mpsc::channel();
    // Spawned above, not in these threads: a child dies with the thread that spawned it.
    std::thread::spawn(move || {
        // A command that does not read its input closes the pipe; that is no error.
        let _ = std::io::Write::write_all(&mut stdin, input.as_bytes());
    });
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = receiver.recv_timeout(deadline) else {
        let _ = kill(pid, Signal::SIGKILL);
        panic!("not finished after {deadline:?}: {description}");
    };
    let output = output.expect("output of a child");
    Output {
        command: description,
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs `command` without input to its end, for three minutes at most.
pub fn run(command: Command) -> Output {
    run_with_input(command, "")
}
