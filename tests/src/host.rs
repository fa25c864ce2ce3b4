//! A host of the lab: a namespace, the processes running in it, and what one does on it.

use std::fmt::Display;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use crate::namespace::{LabName, Namespace};
use crate::process::{self, Output, Process};

/// A host: created with its lab, gone with it.
#[derive(Debug)]
pub struct Host {
    processes: Mutex<Vec<Arc<Process>>>,
    namespace: Namespace,
    address: Ipv4Addr,
    folder: PathBuf,
    files: AtomicU32,
}

impl Host {
    /// Makes a host whose logs and files go to a folder of its own below `folder`.
    pub fn create(lab: &LabName, name: &str, address: Ipv4Addr, folder: &Path) -> Self {
        let folder = folder.join(name);
        std::fs::create_dir(&folder).expect("lab folder");
        let namespace = Namespace::create(lab, name);
        Self { processes: Mutex::default(), namespace, address, folder, files: AtomicU32::new(0) }
    }

    /// Its first address.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Its namespace.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// A path in the host's own folder that was not handed out before.
    pub fn new_path(&self, name: &str) -> PathBuf {
        let number = self.files.fetch_add(1, Ordering::Relaxed);
        self.folder.join(format!("{number}-{name}"))
    }

    /// A new folder in the host's own.
    pub fn new_folder(&self, name: &str) -> PathBuf {
        let folder = self.new_path(name);
        std::fs::create_dir(&folder).expect("lab folder");
        folder
    }

    /// `program` on this host, to be given arguments.
    pub fn command(&self, program: &str) -> Command {
        self.namespace.command(program)
    }

    /// Runs a command line, split at blanks, to its end.
    pub fn run(&self, line: impl Display) -> Output {
        self.run_with_input(line, "")
    }

    /// Like [`Host::run`], with standard input.
    pub fn run_with_input(&self, line: impl Display, input: &str) -> Output {
        let line = line.to_string();
        let mut words = line.split(' ');
        let mut command = self.command(words.next().expect("a program"));
        command.args(words);
        process::run_with_input(command, input)
    }

    /// Starts `command`, which must come from [`Host::command`]; it ends with the lab at the latest.
    pub fn start(&self, command: Command, name: &str) -> Arc<Process> {
        let process = Arc::new(Process::start(command, &self.new_path(&format!("{name}.log"))));
        self.processes.lock().expect("not poisoned").push(Arc::clone(&process));
        process
    }

    /// Runs `ip` on this host.
    pub fn ip(&self, arguments: impl Display) {
        self.namespace.ip(arguments);
    }

    /// Cuts or mends the host's first cable, at the host's own end.
    pub fn set_link(&self, up: bool) {
        self.ip(format!("link set eth0 {}", if up { "up" } else { "down" }));
    }

    /// Drops, without an answer, every packet that arrives for `port`: a firewall in the way.
    pub fn drop_silently(&self, port: u16) {
        let rules = format!(
            "table ip lab {{ chain input {{ type filter hook input priority 0; tcp dport {port} drop; }}; }}"
        );
        self.run_with_input("nft -f -", &rules).expect_ok();
    }

    /// Drops, without an answer, every attempt to open a connection to `port`; established ones go on.
    pub fn refuse_silently(&self, port: u16) {
        let rules = format!(
            "table ip lab {{ chain input {{ type filter hook input priority 0; tcp dport {port} tcp flags syn drop; }}; }}"
        );
        self.run_with_input("nft -f -", &rules).expect_ok();
    }

    /// Lets the host use every address of `network` as its own, to appear as many clients.
    pub fn use_addresses(&self, network: &str) {
        self.ip(format!("route add local {network} dev lo"));
    }
}

impl Drop for Host {
    /// Ends all processes, those too that a story still holds, before the namespace goes.
    fn drop(&mut self) {
        for process in self.processes.get_mut().into_iter().flatten() {
            process.kill();
        }
    }
}
