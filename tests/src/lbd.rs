//! The daemon under test: starting, ending, asking and configuring it, as an administrator would.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::config::Config;
use crate::host::Host;
use crate::process::{self, Output, Process};
use crate::wait;

/// The user that lbd becomes: nobody's number, to show that none needs to exist.
pub const USER: u32 = 6694;
/// For anything that should be immediate; generous, because the machine may be busy.
pub const SOON: Duration = Duration::from_secs(15);

/// lbd on the lab's appliance. Its state outlives the process, as on the appliance's disk.
#[derive(Debug)]
pub struct Lbd {
    process: Mutex<Option<Arc<Process>>>,
    appliance: Arc<Host>,
    state: PathBuf,
}

/// What the API answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status; 0 when there was no answer.
    pub status: u16,
    /// The body, `Null` if it is not JSON.
    pub json: Value,
    /// The body as text.
    pub text: String,
}

impl Answer {
    /// Asserts a status.
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "answered: {}", self.text);
        self
    }
}

impl Lbd {
    /// lbd on `appliance`, with its state below `folder`; not started.
    pub fn new(appliance: Arc<Host>, folder: &Path) -> Self {
        Self { process: Mutex::default(), appliance, state: folder.join("state") }
    }

    /// Starts it with `config`, which counts only when none is stored yet, and waits until it answers.
    pub fn start(&self, config: &Config) {
        let file = self.initial(config);
        self.launch(self.appliance.command(&binary().to_string_lossy()), Some(&file));
        self.wait_answering();
    }

    /// Like [`Lbd::start`], but every change of the kernel's rules fails while the returned file exists: in
    /// lbd's own view of the file system, a script stands in for `nft`.
    pub fn start_with_breakable_nft(&self, config: &Config) -> PathBuf {
        let [real, script, broken] = ["nft", "nft.sh", "broken"].map(|name| self.appliance.new_path(name));
        std::fs::copy("/usr/sbin/nft", &real).expect("nftables is installed");
        let (shown, exists) = (real.display(), broken.display());
        let text = format!(
            "#!/bin/sh\ncase \"$*\" in '-f -') if test -e {exists}; then echo broken by the lab >&2; exit 1; fi; esac\n\
             exec {shown} \"$@\"\n"
        );
        std::fs::write(&script, text).expect("lab folder");
        std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).expect("own file");
        let file = self.initial(config);
        let mount = format!("mount --bind {} /usr/sbin/nft && exec \"$@\"", script.display());
        let mut command = self.appliance.command("unshare");
        command.args(["--mount", "sh", "-c", &mount, "sh"]).arg(binary());
        self.launch(command, Some(&file));
        self.wait_answering();
        broken
    }

    /// Starts it with the configuration that it has stored, and waits until it answers.
    pub fn start_again(&self) {
        self.launch(self.appliance.command(&binary().to_string_lossy()), None);
        self.wait_answering();
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&self) {
        self.process().kill();
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(&self) {
        self.process().signal(Signal::SIGTERM);
        let status = self.process().wait_exit(SOON);
        assert!(status.success(), "lbd ended with {status}:\n{}", self.process().log());
    }

    /// The running process.
    pub fn process(&self) -> Arc<Process> {
        self.process.lock().expect("not poisoned").clone().expect("lbd was started")
    }

    /// The folder of its state.
    pub fn state_folder(&self) -> &Path {
        &self.state
    }

    /// Every file that it has stored, with its content, in the order of names; not the control socket.
    pub fn stored_files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        let mut folders = vec![self.state.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).expect("state folder").map(|entry| entry.expect("entry"))
            {
                let kind = entry.file_type().expect("type of an entry");
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if kind.is_file() {
                    let content = std::fs::read(entry.path()).expect("stored file");
                    files.push((entry.path().display().to_string(), content));
                }
            }
        }
        files.sort();
        files
    }

    /// What `GET /api/v1/status` says.
    pub fn status(&self) -> Value {
        self.request("GET", "/api/v1/status", None).expect(200).json
    }

    /// The configuration in force, as the API shows it.
    pub fn config(&self) -> Value {
        self.request("GET", "/api/v1/config", None).expect(200).json
    }

    /// Asks for another configuration.
    pub fn put(&self, config: &Config) -> Answer {
        self.request("PUT", "/api/v1/config", Some(config.as_str()))
    }

    /// A service in the status.
    pub fn service(&self, service: &str) -> Value {
        labelled(&self.status()["virtual_services"], service)
    }

    /// A server in the status.
    pub fn server(&self, service: &str, server: &str) -> Value {
        labelled(&self.service(service)["real_servers"], server)
    }

    /// Waits until a service is `up`, `checking`, `degraded` or `down`; returns how long it took.
    pub fn wait_service(&self, service: &str, state: &str) -> Duration {
        let what = format!("service {service} to be {state}");
        self.wait_status(SOON, &what, |lbd| lbd.service(service)["state"] == state)
    }

    /// Waits until a server is `up`, `checking` or `down`; returns how long it took.
    pub fn wait_server(&self, service: &str, server: &str, state: &str) -> Duration {
        let what = format!("server {server} of {service} to be {state}");
        self.wait_status(SOON, &what, |lbd| lbd.server(service, server)["state"] == state)
    }

    /// Waits until the reason for a server's state contains `words`.
    pub fn wait_reason(&self, service: &str, server: &str, words: &str) -> Duration {
        let says = |lbd: &Self| {
            lbd.server(service, server)["reason"].as_str().unwrap_or_default().to_lowercase().contains(words)
        };
        self.wait_status(SOON, &format!("the reason for {server} to contain \"{words}\""), says)
    }

    /// The address from which a server sees connections, as the status names it.
    pub fn snat_source(&self, service: &str, server: &str) -> String {
        self.server(service, server)["snat_source"].as_str().expect("a source address").to_owned()
    }

    /// Runs `lbd` as a command on the appliance.
    pub fn command(&self, arguments: &str, input: &str) -> Output {
        self.appliance.run_with_input(format!("{} {arguments}", binary().display()), input)
    }

    /// Runs `lbd check-config` on a document.
    pub fn check_config(&self, config: &Config) -> Output {
        let file = self.appliance.new_path("checked.toml");
        std::fs::write(&file, config.as_str()).expect("lab folder");
        self.command(&format!("check-config {}", file.display()), "")
    }

    /// Sets the password of WebUI and API.
    pub fn set_password(&self, password: &str) {
        let state = self.state.display();
        self.command(&format!("set-password --state-directory {state}"), &format!("{password}\n"))
            .expect_ok();
    }

    /// The path of the control socket.
    pub fn control_socket(&self) -> PathBuf {
        self.state.join("lbd.sock")
    }

    /// A request over the control socket; `body` is TOML.
    pub fn request(&self, method: &str, path: &str, body: Option<&str>) -> Answer {
        let mut command = Command::new("curl");
        command.arg("--unix-socket").arg(self.control_socket());
        curl(command, method, &format!("http://lbd{path}"), body)
    }

    fn initial(&self, config: &Config) -> PathBuf {
        let file = self.appliance.new_path("initial.toml");
        std::fs::write(&file, config.as_str()).expect("lab folder");
        file
    }

    fn launch(&self, mut command: Command, initial: Option<&Path>) {
        command.args(["run", "--user", &USER.to_string(), "--state-directory"]).arg(&self.state);
        if let Some(file) = initial {
            command.arg("--initial-config").arg(file);
        }
        *self.process.lock().expect("not poisoned") = Some(self.appliance.start(command, "lbd"));
    }

    fn wait_answering(&self) {
        wait::until(SOON, "lbd to answer on its control socket", || {
            let process = self.process();
            let ended = process.exited();
            assert!(ended.is_none(), "lbd ended with {ended:?} instead of answering:\n{}", process.log());
            self.request("GET", "/api/v1/status", None).status == 200
        });
    }

    fn wait_status(&self, deadline: Duration, what: &str, condition: impl Fn(&Self) -> bool) -> Duration {
        let start = std::time::Instant::now();
        while !condition(self) {
            assert!(start.elapsed() < deadline, "still waiting for {what}; status: {:#}", self.status());
            wait::pause();
        }
        start.elapsed()
    }
}

/// Waits until WebUI and API answer `host` at all: they start a moment after the control socket.
pub fn wait_https(host: &Host, url: &str) {
    wait::until(SOON, format!("an answer from {url}"), || https(host, "GET", url, None, None).status != 0);
}

/// An HTTPS request from `host`, with the password of user `loadbalancer` if given. The certificate is the
/// appliance's own and not verified.
pub fn https(host: &Host, method: &str, url: &str, password: Option<&str>, body: Option<&str>) -> Answer {
    let mut command = host.command("curl");
    command.arg("--insecure");
    if let Some(password) = password {
        command.args(["--user", &format!("loadbalancer:{password}")]);
    }
    curl(command, method, url, body)
}

fn curl(mut command: Command, method: &str, url: &str, toml: Option<&str>) -> Answer {
    command.args(["--silent", "--max-time", "20", "--request", method, "--write-out", "\n%{http_code}", url]);
    if toml.is_some() {
        command.args(["--header", "Content-Type: application/toml", "--data-binary", "@-"]);
    }
    let output = process::run_with_input(command, toml.unwrap_or_default());
    let (text, status) = output.stdout.rsplit_once('\n').expect("curl writes the status last");
    Answer {
        status: status.parse().expect("a number"),
        json: serde_json::from_str(text).unwrap_or_default(),
        text: text.to_owned(),
    }
}

fn labelled(list: &Value, label: &str) -> Value {
    let entries = list.as_array().into_iter().flatten();
    let found = entries.into_iter().find(|entry| entry["label"] == label);
    found.unwrap_or_else(|| panic!("no {label} in {list:#}")).clone()
}

/// The lbd to test: `EVENKEEL_LBD`, which the Makefile sets.
fn binary() -> PathBuf {
    let path = std::env::var_os("EVENKEEL_LBD").map(PathBuf::from);
    let path = path.expect("EVENKEEL_LBD names the lbd to test; `make test` builds it and sets this");
    let executable = path.metadata().is_ok_and(|file| file.permissions().mode() & 0o111 != 0);
    assert!(executable, "EVENKEEL_LBD={} is not a program: run `cargo build -p lbd`", path.display());
    path
}
