//! The time daemon: ntpd-rs, started from lbd's own file as a process of its own that may set the clock and nothing else.

use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};

use super::measure::PORT;
use crate::sys;

/// The subcommand of lbd that becomes the time daemon; it is not for people.
pub const SUBCOMMAND: &str = "time-daemon";
/// What a daemon that is well answers within a millisecond.
const PATIENCE: Duration = Duration::from_secs(1);
/// Eight sources take 4 KiB.
const LONGEST_ANSWER: u64 = 64 << 10;
/// Of what it says, so much of a line is passed on to the log.
const LONGEST_LINE: usize = 300;

/// Its configuration. Servers are given by address: a static program cannot ask for names by the system's library, and a
/// name server that hangs does not concern the daemon.
///
/// One server is enough, as hospitals often have one; of several the largest group that agrees is followed. No step is too
/// large: the servers are the hospital's own, and a virtual machine that was paused or restored is as wrong as it gets.
pub fn configuration(servers: &[IpAddr], socket: &Path) -> String {
    let mut text = String::from("# Written by lbd.\n");
    for server in servers {
        let place = SocketAddr::new(*server, PORT);
        // Writing to a String cannot fail.
        let _ = write!(text, "[[source]]\nmode = \"server\"\naddress = \"{place}\"\n\n");
    }
    let _ = write!(
        text,
        "[synchronization]\nminimum-agreeing-sources = 1\nsingle-step-panic-threshold = \"inf\"\n\
         startup-step-panic-threshold = \"inf\"\n\n\
         [observability]\nlog-level = \"warn\"\nansi-colors = false\nobservation-path = {}\n\
         observation-permissions = {}\n",
        toml::Value::from(socket.display().to_string()),
        0o600
    );
    text
}

/// What the daemon says of itself (ntpd-rs, `ObservableState`), as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// It has set the clock by its servers.
    pub synchronised: bool,
}

#[derive(Deserialize)]
struct State {
    system: System,
}

#[derive(Deserialize)]
struct System {
    leap_indicator: String,
}

/// Reads what came from the observation socket: eight bytes of length, then JSON. The error is for people.
pub fn read_observation(bytes: &[u8]) -> Result<Observation, String> {
    let (length, text) = bytes.split_first_chunk().ok_or("its answer is too short")?;
    if u64::from_be_bytes(*length) != text.len() as u64 {
        return Err("its answer is not whole".into());
    }
    let state: State =
        serde_json::from_slice(text).map_err(|error| format!("its answer is not understood: {error}"))?;
    let synchronised = ["NoWarning", "Leap61", "Leap59"].contains(&state.system.leap_indicator.as_str());
    Ok(Observation { synchronised })
}

/// A running daemon; it ends when this is dropped, or with lbd.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    socket: PathBuf,
}

impl Daemon {
    /// Starts it with these servers, with files in `folder`. The error is for people.
    pub fn start(servers: &[IpAddr], folder: &Path) -> Result<Self, String> {
        let (file, socket) = (folder.join("ntpd.toml"), folder.join("ntpd.sock"));
        std::fs::write(&file, configuration(servers, &socket))
            .map_err(|error| format!("writing {}: {error}", file.display()))?;
        let mut command = Command::new("/proc/self/exe");
        command.arg(SUBCOMMAND).arg("--config").arg(&file).env_clear().kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        sys::die_with_us(&mut command);
        sys::may_set_clock(&mut command);
        let mut child = command.spawn().map_err(|error| format!("starting the time daemon: {error}"))?;
        child.stdout.take().map(|output| tokio::spawn(pass_on(output)));
        child.stderr.take().map(|output| tokio::spawn(pass_on(output)));
        Ok(Self { child, socket })
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Ends it, whatever it does.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.start_kill();
    }

    /// Asks it how it is. The error is for people.
    pub async fn observe(&self) -> Result<Observation, String> {
        let asked = async {
            let stream = UnixStream::connect(&self.socket).await?;
            let mut bytes = Vec::new();
            stream.take(LONGEST_ANSWER).read_to_end(&mut bytes).await?;
            io::Result::Ok(bytes)
        };
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(bytes)) => read_observation(&bytes),
            Ok(Err(error)) => Err(format!("it cannot be asked: {error}")),
            Err(_) => Err(format!("it does not answer within {} s", PATIENCE.as_secs())),
        }
    }
}

/// What it says goes to the log.
async fn pass_on(output: impl AsyncRead + Unpin) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    loop {
        line.clear();
        // A line without end is passed on in pieces.
        match (&mut output).take(LONGEST_LINE as u64).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => match said(&String::from_utf8_lossy(&line)) {
                Some((true, text)) => tracing::error!(target: "ntpd", "{text}"),
                Some((false, text)) => tracing::warn!(target: "ntpd", "{text}"),
                None => {}
            },
        }
    }
}

/// A line of the daemon's log without its time and colours, and whether it is an error. Before it knows its log level it says
/// more than anybody needs to know.
fn said(line: &str) -> Option<(bool, String)> {
    let mut pieces = line.split('\u{1b}');
    let first = pieces.next().unwrap_or_default().to_owned();
    let plain = pieces.fold(first, |text, piece| text + piece.split_once('m').map_or("", |(_, rest)| rest));
    let after = |level: &str| plain.split_once(level).map(|(_, text)| text.trim().to_owned());
    if let Some(text) = after(" ERROR ") {
        return Some((true, text));
    }
    match after(" INFO ") {
        Some(_) => None,
        None => Some((false, after(" WARN ").unwrap_or_else(|| plain.trim().to_owned()))),
    }
    .filter(|(_, text)| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(text: &str) -> Vec<u8> {
        [&(text.len() as u64).to_be_bytes(), text.as_bytes()].concat()
    }

    #[test]
    fn the_configuration_is_what_ntpd_reads() {
        let servers = ["192.168.10.3".parse().unwrap(), "fd00::3".parse().unwrap()];
        let text = configuration(&servers, Path::new("/run/evenkeel/ntpd.sock"));
        // `tests/tests/namespaces/clock.rs` shows it to ntpd itself.
        assert_eq!(text, include_str!("ntpd.golden.toml"));
    }

    #[test]
    fn lines_of_the_daemon_are_told_without_time_and_colours() {
        let line = "\u{1b}[2m2026-11-26T14:56:03.293193Z\u{1b}[0m \u{1b}[32m INFO\u{1b}[0m \u{1b}[2mntpd\u{1b}[0m: file\n";
        assert_eq!(said(line), None);
        let time = "2026-11-26T14:56:03.298907Z";
        assert_eq!(said(&format!("{time} ERROR ntpd: no access\n")), Some((true, "ntpd: no access".into())));
        assert_eq!(said(&format!("{time}  WARN ntpd: jumped\n")), Some((false, "ntpd: jumped".into())));
        assert_eq!(said("thread 'main' panicked\n"), Some((false, "thread 'main' panicked".into())));
        for nothing in ["", "\n", "\u{1b}", "\u{1b}[0m\n"] {
            assert_eq!(said(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn what_ntpd_says_is_read() {
        let said = |leap: &str| {
            let text = format!(
                r#"{{"program":{{"version":"1.9.0"}},"system":{{"stratum":3,"leap_indicator":"{leap}"}},"sources":[]}}"#
            );
            read_observation(&framed(&text)).map(|seen| seen.synchronised)
        };
        assert_eq!(said("NoWarning"), Ok(true));
        assert_eq!(said("Leap61"), Ok(true));
        assert_eq!(said("Unknown"), Ok(false));
        assert_eq!(said("Unsynchronized"), Ok(false));
        for bytes in [
            &b""[..],
            b"1234567",
            &framed("{}"),
            &framed("{"),
            &framed("{}x")[..9],
            b"\xff\xff\xff\xff\xff\xff\xff\xff{}",
        ] {
            assert!(read_observation(bytes).is_err(), "{bytes:?}");
        }
    }
}
