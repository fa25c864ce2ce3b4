//! QEMU's control channel: one JSON object a line, over a Unix socket.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::wait;

/// For QEMU to open its socket and to answer a command.
const DEADLINE: Duration = Duration::from_secs(60);

/// A connection on which commands may be given.
#[derive(Debug)]
pub struct Qmp(BufReader<UnixStream>);

impl Qmp {
    /// Connects as soon as QEMU listens on `socket`; `alive` may panic when it never will.
    pub fn connect(socket: &Path, alive: impl Fn()) -> Self {
        let connected = wait::until_some(DEADLINE, format!("QEMU to listen on {}", socket.display()), || {
            alive();
            UnixStream::connect(socket).ok()
        });
        let stream = connected.0;
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket takes a time-out");
        let mut qmp = Self(BufReader::new(stream));
        let greeted = qmp.read().and_then(|_| qmp.try_run("qmp_capabilities", json!({})));
        if let Err(error) = greeted {
            // QEMU opens the socket before it looks at its devices; when it does not like them, it is about to end.
            wait::pause(std::time::Instant::now());
            alive();
            panic!("QEMU does not greet: {error}");
        }
        qmp
    }

    /// Runs a command to its answer.
    ///
    /// # Panics
    /// When QEMU refuses it.
    pub fn run(&mut self, command: &str, arguments: Value) -> Value {
        let answer = self.try_run(command, arguments);
        answer.unwrap_or_else(|error| panic!("QMP {command}: {error}"))
    }

    /// Like [`Qmp::run`]; QEMU may be gone.
    pub fn try_run(&mut self, command: &str, arguments: Value) -> Result<Value, String> {
        let line = json!({ "execute": command, "arguments": arguments });
        writeln!(self.0.get_mut(), "{line}").map_err(|error| error.to_string())?;
        loop {
            // Events come in between.
            let answer = self.read()?;
            if let Some(value) = answer.get("return") {
                return Ok(value.clone());
            }
            if let Some(error) = answer.get("error") {
                return Err(error.to_string());
            }
        }
    }

    fn read(&mut self) -> Result<Value, String> {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(0) => Err("QEMU has closed the connection".into()),
            Ok(_) => serde_json::from_str(&line).map_err(|error| format!("{error} in {line:?}")),
            Err(error) => Err(error.to_string()),
        }
    }
}
