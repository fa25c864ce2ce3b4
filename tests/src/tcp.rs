//! Plain TCP peers, played by the helper program `peer`: servers that say their name, clients, load, scans.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::host::Host;
use crate::process::Process;
use crate::wait;

/// In which a connection that must not go on is reset.
const RESET_WITHIN: Duration = Duration::from_secs(1);
/// For scheduling on a busy test machine; not part of the product's promise.
const ALLOWANCE: Duration = Duration::from_millis(1500);

/// To open all connections of a steady load, through an emulated machine too.
const ALL_HELD: Duration = Duration::from_secs(180);

/// What a client learnt from the server that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The server's name.
    pub server: String,
    /// The client's address as the server saw it.
    pub seen: String,
}

/// Connections in progress, from [`Host::load`].
#[derive(Debug)]
pub struct Load(Arc<Process>);

/// What a load has done so far.
#[derive(Debug, Clone)]
pub struct Progress {
    /// New connections opened, used for one round trip and closed.
    pub opened: u64,
    /// Round trips on the connections held.
    pub round_trips: u64,
    /// Every failure, in words.
    pub failures: Vec<String>,
}

/// A connection that stays open, from [`Host::hold`].
#[derive(Debug)]
pub struct Held {
    process: Arc<Process>,
    /// Who answered.
    pub reply: Reply,
}

impl Held {
    /// Sends a byte and waits for its echo: `ok`, `reset` or another error, and how long it took.
    pub fn say(&self) -> (String, Duration) {
        let before = self.lines().len();
        self.process.write_line("say");
        let lines = wait::until_some(Duration::from_secs(30), "what came of a round trip", || {
            Some(self.lines()).filter(|lines| lines.len() > before)
        });
        let said = &lines.0[before];
        let took = Duration::from_micros(said["microseconds"].as_u64().expect("a number"));
        (said["outcome"].as_str().expect("a word").to_owned(), took)
    }

    /// Asserts that a byte comes back.
    pub fn expect_alive(&self) {
        assert_eq!(self.say().0, "ok");
    }

    /// Asserts that the connection is reset within a second from now, and as soon as a byte meets nobody. A byte that was
    /// sent before the second was over may still come back after it.
    pub fn expect_reset(&self) {
        let start = std::time::Instant::now();
        let (outcome, took) = loop {
            let is_late = start.elapsed() > RESET_WITHIN + ALLOWANCE;
            let said = self.say();
            if is_late || said.0 != "ok" {
                break said;
            }
        };
        assert!(outcome == "reset" && took <= RESET_WITHIN + ALLOWANCE, "{outcome} after {took:?}");
    }

    fn lines(&self) -> Vec<Value> {
        let log = self.process.log();
        // The last line may be half written.
        let complete = log.rsplit_once('\n').map_or("", |(complete, _)| complete);
        complete.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.process.kill();
    }
}

impl Load {
    /// What was done so far.
    pub fn progress(&self) -> Progress {
        let log = self.0.log();
        // The last line may be half written.
        let complete = log.rsplit_once('\n').map_or("", |(complete, _)| complete);
        let last = complete.lines().last().and_then(|line| serde_json::from_str(line).ok());
        let value: Value = last.unwrap_or_default();
        let failures = value["failures"].as_array().cloned().unwrap_or_default();
        Progress {
            opened: value["opened"].as_u64().unwrap_or_default(),
            round_trips: value["round_trips"].as_u64().unwrap_or_default(),
            failures: failures.iter().map(ToString::to_string).collect(),
        }
    }

    /// Waits until so many more connections were opened and as many round trips made on held ones.
    ///
    /// # Panics
    /// At once when a connection has failed.
    pub fn wait_more(&self, count: u64) {
        self.wait_more_within(count, Duration::from_secs(60));
    }

    fn wait_more_within(&self, count: u64, deadline: Duration) {
        let before = self.progress();
        let what = format!("{count} more connections and round trips than {before:?}");
        wait::until(deadline, what, || {
            let now = self.progress();
            assert!(now.failures.is_empty(), "load: {now:?}");
            now.opened >= before.opened + count && now.round_trips >= before.round_trips + count
        });
    }

    /// Ends the load and asserts that not one connection failed; returns what was done.
    pub fn expect_no_failures(self) -> Progress {
        let status = self.0.finish();
        let progress = self.progress();
        assert!(status.success() && progress.failures.is_empty(), "load: {status}, {progress:?}");
        progress
    }
}

impl Host {
    /// Starts a server, TCP and UDP, that tells each client its `name` and the address it sees, then echoes bytes.
    pub fn named_server(&self, name: &str, port: u16) -> Arc<Process> {
        let mut command = self.command(&helper().to_string_lossy());
        command.args(["serve", name, &port.to_string()]);
        let process = self.start(command, "serve");
        process.wait_listening(port);
        process
    }

    /// Opens one connection and returns who answered.
    pub fn ask(&self, address: impl Into<IpAddr>, port: u16) -> Reply {
        let address = address.into();
        let any: IpAddr =
            if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        self.ask_as(&[any], address, port).remove(0)
    }

    /// Opens a connection, says these words and that there are no more (half-close), and returns all that comes.
    pub fn ask_and_close(&self, address: impl Into<IpAddr>, port: u16, words: &str) -> String {
        let to = SocketAddr::new(address.into(), port);
        let output = self.run(format!("{} ask-and-close {to} {words}", helper().display()));
        serde_json::from_str(output.expect_ok()).expect("a text")
    }

    /// Opens one connection from each of these addresses, one after the other, and returns who answered.
    pub fn ask_as(
        &self,
        sources: &[impl Into<IpAddr> + Copy],
        address: impl Into<IpAddr>,
        port: u16,
    ) -> Vec<Reply> {
        let to = SocketAddr::new(address.into(), port);
        let sources: Vec<_> = sources.iter().map(|source| (*source).into().to_string()).collect();
        self.replies(&format!("ask {to} {}", sources.join(",")))
    }

    /// Opens `count` connections from `source` at the same moment and returns who answered each.
    pub fn ask_together(
        &self,
        count: usize,
        source: impl Into<IpAddr>,
        address: impl Into<IpAddr>,
        port: u16,
    ) -> Vec<Reply> {
        let (to, source) = (SocketAddr::new(address.into(), port), source.into());
        self.replies(&format!("ask-together {to} {source} {count}"))
    }

    /// Opens a connection that stays open until it is dropped.
    pub fn hold(&self, address: impl Into<IpAddr>, port: u16) -> Held {
        let mut command = self.command(&helper().to_string_lossy());
        command.args(["hold", &SocketAddr::new(address.into(), port).to_string()]);
        let process = self.start(command, "hold");
        let mut held = Held { process, reply: Reply { server: String::new(), seen: String::new() } };
        let first = wait::until_some(Duration::from_secs(30), "the server's greeting", || {
            let ended = held.process.exited();
            assert!(ended.is_none(), "ended with {ended:?}:\n{}", held.process.log());
            held.lines().into_iter().next()
        });
        held.reply = reply(first.0.as_str().expect("a greeting"));
        held
    }

    /// Tries to connect to each port, and says for each: `open`, `refused`, `silent` or another error.
    pub fn scan(&self, address: impl Into<IpAddr>, ports: &[u16]) -> BTreeMap<u16, String> {
        let list: Vec<_> = ports.iter().map(ToString::to_string).collect();
        let address = address.into();
        let output = self.run(format!("{} scan {address} {}", helper().display(), list.join(",")));
        let found: Vec<String> = serde_json::from_str(output.expect_ok()).expect("a list");
        ports.iter().copied().zip(found).collect()
    }

    /// Starts a load: `fresh` threads that open connection after connection, and `held` connections that
    /// exchange bytes all the time. Returns when it is under way.
    pub fn load(&self, address: impl Into<IpAddr>, port: u16, fresh: u32, held: u32) -> Load {
        let load = self.start_load(address.into(), port, &[fresh, held]);
        load.wait_more(1);
        load
    }

    /// The same with pauses: so many new connections a second, and so many held ones that exchange a byte every ten
    /// seconds. Returns when all of them are there.
    pub fn steady_load(&self, address: impl Into<IpAddr>, port: u16, fresh: u32, held: u32) -> Load {
        // Each thread opens ten a second.
        let load = self.start_load(address.into(), port, &[fresh.div_ceil(10), held, 100, 10_000]);
        load.wait_more_within(u64::from(held), ALL_HELD);
        load
    }

    fn start_load(&self, address: IpAddr, port: u16, numbers: &[u32]) -> Load {
        let mut command = self.command(&helper().to_string_lossy());
        command.args(["load", &SocketAddr::new(address, port).to_string()]);
        command.args(numbers.iter().map(ToString::to_string));
        Load(self.start(command, "load"))
    }

    fn replies(&self, arguments: &str) -> Vec<Reply> {
        let output = self.run(format!("{} {arguments}", helper().display()));
        let lines: Vec<String> = serde_json::from_str(output.expect_ok()).expect("a list");
        lines.iter().map(|line| reply(line)).collect()
    }
}

fn reply(line: &str) -> Reply {
    let (server, seen) = line.split_once(' ').unwrap_or_else(|| panic!("odd reply {line:?}"));
    Reply { server: server.into(), seen: seen.into() }
}

/// The path of the helper program, for command lines.
pub fn peer_program() -> String {
    helper().display().to_string()
}

/// The helper program, which cargo builds together with the stories: beside them or one folder up.
fn helper() -> PathBuf {
    let own = std::env::current_exe().expect("own path");
    let found = own.ancestors().skip(1).take(2).map(|folder| folder.join("peer")).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("no `peer` near {}: run `cargo build -p evenkeel-tests`", own.display()))
}
