//! The daemon under test: starting, ending, asking and configuring it, as an administrator would.

use std::ffi::OsStr;
use std::ops::Deref;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use nix::sys::signal::Signal;

use crate::api::Api;
pub use crate::api::{Answer, SOON, https, https_with, wait_https};
use crate::config::Config;
use crate::host::Host;
use crate::process::{Output, Process};
use crate::vm::properties::Properties;
use crate::wait;

/// The user that lbd becomes: nobody's number, to show that none needs to exist.
pub const USER: u32 = 6694;

/// What the script that stands in for nft does when it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failing {
    /// Nothing.
    Before,
    /// What was asked for, once; from then on nothing fails.
    AfterDoingIt,
}

/// Calls of nft, as a pattern of the shell.
const CHANGES: &str = "'-f -'";
const COUNTERS: &str = "*'list set'*";

/// lbd on the lab's appliance. Its state outlives the process, as on the appliance's disk.
#[derive(Debug)]
pub struct Lbd {
    process: Mutex<Option<Arc<Process>>>,
    appliance: Arc<Host>,
    state: PathBuf,
    api: Api,
}

/// What can be asked of lbd wherever it runs.
impl Deref for Lbd {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}

impl Lbd {
    /// lbd on `appliance`, with its state below `folder`; not started.
    pub fn new(appliance: Arc<Host>, folder: &Path) -> Self {
        let state = folder.join("state");
        let api = Api::on_socket(state.join("lbd.sock"));
        Self { process: Mutex::default(), appliance, state, api }
    }

    /// Starts it with `config`, which counts only when none is stored yet, and waits until it answers.
    pub fn start(&self, config: &Config) {
        let file = self.initial(config);
        self.launch(self.appliance.command(&binary().to_string_lossy()), &initial(&file));
        self.wait_answering();
    }

    /// Starts it as the appliance that was deployed with these settings, and waits until it answers.
    pub fn start_deployed(&self, properties: &Properties) {
        let file = self.appliance.new_path("ovf-env.xml");
        std::fs::write(&file, properties.document()).expect("lab folder");
        let origin = ["--appliance".as_ref(), "--ovf-environment".as_ref(), file.as_os_str()];
        self.launch(self.appliance.command(&binary().to_string_lossy()), &origin);
        self.wait_answering();
    }

    /// Like [`Lbd::start`], but every change of the kernel's rules fails while the returned file exists: in
    /// lbd's own view of the file system, a script stands in for `nft`.
    pub fn start_with_breakable_nft(&self, config: &Config) -> PathBuf {
        self.start_with_nft(config, CHANGES, false, Failing::Before)
    }

    /// The same, but the change that fails has reached the kernel; it fails once for what stands in the
    /// file, which is empty then.
    pub fn start_with_nft_that_breaks_late(&self, config: &Config) -> PathBuf {
        self.start_with_nft(config, CHANGES, false, Failing::AfterDoingIt)
    }

    /// The same as the first, but it is the reading of the kernel's counters that fails.
    pub fn start_with_blind_nft(&self, config: &Config) -> PathBuf {
        self.start_with_nft(config, COUNTERS, false, Failing::Before)
    }

    /// The same, with an nft that is broken from the beginning.
    pub fn start_with_broken_nft(&self, config: &Config) -> PathBuf {
        self.start_with_nft(config, CHANGES, true, Failing::Before)
    }

    fn start_with_nft(&self, config: &Config, pattern: &str, is_broken: bool, failing: Failing) -> PathBuf {
        let [real, script, broken] = ["nft", "nft.sh", "broken"].map(|name| self.appliance.new_path(name));
        std::fs::copy("/usr/sbin/nft", &real).expect("nftables is installed");
        let (shown, exists) = (real.display(), broken.display());
        let (condition, first) = match failing {
            Failing::Before => ("-e", String::new()),
            Failing::AfterDoingIt => ("-s", format!("{shown} \"$@\"; : > {exists}; ")),
        };
        let text = format!(
            "#!/bin/sh\ncase \"$*\" in {pattern}) if test {condition} {exists}; then {first}echo broken by the lab >&2; exit 1; \
             fi; esac\nexec {shown} \"$@\"\n"
        );
        std::fs::write(&script, text).expect("lab folder");
        if is_broken {
            std::fs::write(&broken, "").expect("lab folder");
        }
        std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).expect("own file");
        let file = self.initial(config);
        let mount = format!("mount --bind {} /usr/sbin/nft && exec \"$@\"", script.display());
        let mut command = self.appliance.command("unshare");
        command.args(["--mount", "sh", "-c", &mount, "sh"]).arg(binary());
        self.launch(command, &initial(&file));
        self.wait_answering();
        broken
    }

    /// Starts it with the configuration that it has stored, and waits until it answers.
    pub fn start_again(&self) {
        self.start_again_with(&[]);
    }

    /// The same, with these options of `lbd run`.
    pub fn start_again_with(&self, options: &[&str]) {
        let words: Vec<_> = options.iter().map(OsStr::new).collect();
        self.launch(self.appliance.command(&binary().to_string_lossy()), &words);
        self.wait_answering();
    }

    /// The same as the appliance, whose first process listens at this socket.
    pub fn start_again_as_appliance(&self, init_socket: &Path) {
        self.start_again_with(&["--appliance", "--init-socket", &init_socket.to_string_lossy()]);
    }

    /// The same, which takes updates that are signed by this key.
    pub fn start_again_with_updates(&self, init_socket: &Path, key: &Path) {
        let (socket, key) = (init_socket.to_string_lossy(), key.to_string_lossy());
        self.start_again_with(&["--appliance", "--init-socket", &socket, "--update-key", &key]);
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

    /// The folder in which init would leave accounts of crashes; it may not be there.
    pub fn crashes_folder(&self) -> PathBuf {
        self.state.with_extension("crashes")
    }

    /// The support file: the names of its parts, a line each, then all parts one after the other.
    pub fn support_file(&self) -> String {
        let file = self.appliance.new_path("support.tar.gz");
        let socket = self.control_socket();
        self.command(&format!("support {} --control-socket {}", file.display(), socket.display()), "")
            .expect_ok();
        let told = |how: &str| {
            let unpack = format!("tar {how} --gzip --file {}", file.display());
            self.appliance.run(unpack).expect_ok().to_owned()
        };
        told("--list") + &told("--extract --to-stdout")
    }

    /// Every file that it has stored, with its content, in the order of names; not the control socket, nor what changes
    /// by itself.
    pub fn stored_files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        let mut folders = vec![self.state.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).expect("state folder").map(|entry| entry.expect("entry"))
            {
                if changes_by_itself(&entry.file_name().to_string_lossy()) {
                    continue;
                }
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

    fn initial(&self, config: &Config) -> PathBuf {
        let file = self.appliance.new_path("initial.toml");
        std::fs::write(&file, config.as_str()).expect("lab folder");
        file
    }

    /// `origin` says what it begins with when nothing is stored.
    fn launch(&self, mut command: Command, origin: &[&OsStr]) {
        command.args(["run", "--user", &USER.to_string(), "--state-directory"]).arg(&self.state).args(origin);
        command.arg("--crashes").arg(self.crashes_folder());
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
}

fn initial(file: &Path) -> [&OsStr; 2] {
    ["--initial-config".as_ref(), file.as_os_str()]
}

/// What lbd writes whenever clients go away, people log in, a trouble has lasted long enough to be told of, or it is time to
/// see whether the disk takes writes.
fn changes_by_itself(name: &str) -> bool {
    let records = ["closed-connections", "audit", "log", "history", "alerts.json", ".probe"];
    records.contains(&name) || name.starts_with(".new-alerts.json-")
}

/// The lbd to test: `EVENKEEL_LBD`, which the Makefile sets.
pub fn binary() -> PathBuf {
    let path = std::env::var_os("EVENKEEL_LBD").map(PathBuf::from);
    let path = path.expect("EVENKEEL_LBD names the lbd to test; `make test` builds it and sets this");
    let executable = path.metadata().is_ok_and(|file| file.permissions().mode() & 0o111 != 0);
    assert!(executable, "EVENKEEL_LBD={} is not a program: run `cargo build -p lbd`", path.display());
    path
}
