//! Network namespaces: making them, running commands inside, and removing what a dead test left.

use std::fmt::Display;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

/// All names begin with this, followed by the pid of the test process.
const PREFIX: &str = "ek";

/// Makes the names of one lab: the test's pid and a counter keep labs apart.
#[derive(Debug, Clone)]
pub struct LabName(String);

impl LabName {
    /// A name that no other lab has. The first call of a process removes what dead processes left behind.
    ///
    /// # Panics
    /// When not run as root, which network namespaces need.
    pub fn next() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        static SWEEP: Once = Once::new();
        assert!(nix::unistd::geteuid().is_root(), "the lab makes network namespaces: run it as root");
        SWEEP.call_once(sweep);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self(format!("{PREFIX}{}-{number}", std::process::id()))
    }

    /// A temporary folder of this name, removed on drop; if not, by the sweep of a later test.
    pub fn folder(&self) -> TempDir {
        tempfile::Builder::new().prefix(&format!("{}-", self.0)).tempdir().expect("temporary folder")
    }
}

/// A network namespace, deleted on drop.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Creates the namespace of `host`, with loopback up.
    pub fn create(lab: &LabName, host: &str) -> Self {
        let name = format!("{}-{host}", lab.0);
        ip(format!("netns add {name}"));
        ip(format!("-n {name} link set lo up"));
        Self { name }
    }

    /// The name that `ip netns` knows it by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `program` inside the namespace. It dies with the thread that spawns it, which is the test's, and may not set the clock,
    /// which is this machine's.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args([
            "netns",
            "exec",
            &self.name,
            "setpriv",
            "--pdeathsig",
            "KILL",
            "--bounding-set",
            "-sys_time",
            "--",
            program,
        ]);
        command
    }

    /// A connection made inside the namespace; it may be used from outside.
    pub fn connect(&self, address: Ipv4Addr, port: u16) -> TcpStream {
        self.connect_from(Ipv4Addr::UNSPECIFIED, address, port)
    }

    /// The same from one of its own addresses.
    pub fn connect_from(&self, own: Ipv4Addr, address: Ipv4Addr, port: u16) -> TcpStream {
        let path = format!("/run/netns/{}", self.name);
        // In a thread of its own, which alone changes its namespace, and ends.
        let connect = move || {
            let namespace = File::open(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
            setns(namespace, CloneFlags::CLONE_NEWNET).unwrap_or_else(|error| panic!("{path}: {error}"));
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            socket.bind(&SocketAddrV4::new(own, 0).into())?;
            socket.connect(&SocketAddrV4::new(address, port).into())?;
            std::io::Result::Ok(TcpStream::from(socket))
        };
        let connected = std::thread::spawn(connect).join().expect("a namespace to enter");
        connected.unwrap_or_else(|error| panic!("{address}:{port}: {error}"))
    }

    /// Runs `ip` with `arguments`, separated by blanks, on this namespace.
    pub fn ip(&self, arguments: impl Display) {
        ip(format!("-n {} {arguments}", self.name));
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        end_all_in(&self.name);
        // Not `ip()`: a panic here, while a failed story unwinds, would hide that story's message.
        let status = Command::new("ip").args(["netns", "delete", &self.name]).status();
        if !status.is_ok_and(|status| status.success()) {
            eprintln!("lab: namespace {} could not be deleted", self.name);
        }
    }
}

/// Joins two namespaces with a cable, an interface at each end, both up.
pub fn cable(a: (&Namespace, &str), b: (&Namespace, &str)) {
    let ((a, a_interface), (b, b_interface)) = (a, b);
    ip(format!("link add {a_interface} netns {} type veth peer name {b_interface} netns {}", a.name, b.name));
    a.ip(format!("link set {a_interface} up"));
    b.ip(format!("link set {b_interface} up"));
}

fn ip(arguments: String) {
    let output = Command::new("ip").args(arguments.split(' ')).output().expect("iproute2 is installed");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr).trim());
}

/// Removes the namespaces and folders of test processes that are gone, and whatever still runs in them. A daemon that
/// changes its user loses its parent-death signal, so a killed test can leave one running.
fn sweep() {
    let listed = Command::new("ip").args(["netns", "list"]).output().expect("iproute2 is installed");
    for line in String::from_utf8_lossy(&listed.stdout).lines() {
        let name = line.split(' ').next().unwrap_or_default();
        if is_abandoned(name) {
            remove_abandoned(name);
        }
    }
    for entry in std::fs::read_dir(std::env::temp_dir()).expect("temporary folder").flatten() {
        if entry.file_name().to_str().is_some_and(is_abandoned) {
            // Failure is ignored for the same reason as in `remove_abandoned`.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn is_abandoned(name: &str) -> bool {
    owner(name).is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists())
}

/// The pid in a namespace's or folder's name, if it is one of ours.
fn owner(name: &str) -> Option<u32> {
    name.strip_prefix(PREFIX)?.split('-').next()?.parse().ok()
}

/// What processes of a story have started themselves, such as a browser's, does not end with them. Failures are ignored:
/// a process may have ended meanwhile.
fn end_all_in(name: &str) {
    let Ok(pids) = Command::new("ip").args(["netns", "pids", name]).output() else { return };
    for pid in String::from_utf8_lossy(&pids.stdout).lines().filter_map(|pid| pid.trim().parse().ok()) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

/// Failures are ignored: another test process may be sweeping at the same time.
fn remove_abandoned(name: &str) {
    end_all_in(name);
    let _ = Command::new("ip").args(["netns", "delete", name]).output();
}
