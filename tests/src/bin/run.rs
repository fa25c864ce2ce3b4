//! `make run`: boots the OVA's own disk under QEMU for a person to look at, until Ctrl-C.
//!
//! User networking, so that no privilege is needed: the WebUI on https://localhost:9443, the first virtual service
//! on localhost:12001. The appliance begins with the example configuration, moved into QEMU's network.

use std::error::Error;
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use lab::vm::guest::BOOT;
use lab::vm::properties::Properties;
use lab::vm::{Disk, Hardware, Machine};
use lab::{Config, Process};
use nix::sys::signal::{SigSet, Signal};
use serde_json::json;

/// QEMU's user network: the guest, and the way to this machine.
const GUEST: &str = "10.0.2.15";
const THIS_MACHINE: &str = "10.0.2.2";
/// Ports of this machine: the WebUI, and the first virtual service.
const WEB_PORT: u16 = 9443;
const SERVICE_PORT: u16 = 12001;
/// For an orderly end; then the plug is pulled.
const SHUTDOWN: Duration = Duration::from_secs(60);
/// How often the console is looked at.
const TICK: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("run: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    for port in [WEB_PORT, SERVICE_PORT] {
        TcpListener::bind(("127.0.0.1", port)).map_err(|error| {
            format!("port {port} of this machine cannot be used: {error}; end what uses it")
        })?;
    }
    let interrupted = signals()?;
    let folder = tempfile::Builder::new().prefix("evenkeel-run-").tempdir()?;
    let password = new_password()?;
    let machine = power_on(folder.path(), &password);
    let mut console = Console::of(folder.path().join("serial.log"));
    if attend(&machine, &interrupted, &mut console, &password)? {
        println!("\nrun: pressing the power button");
        machine.qmp("system_powerdown", json!({}));
        let end = Instant::now() + SHUTDOWN;
        while machine.process().exited().is_none() && Instant::now() < end {
            console.show()?;
            std::thread::sleep(TICK);
        }
    }
    console.show()?;
    let how = if machine.process().exited().is_some() { "is off" } else { "did not switch off; plug pulled" };
    println!("\nrun: the appliance {how}");
    Ok(())
}

/// Shows the console until Ctrl-C (true) or until the machine has ended by itself (false).
fn attend(
    machine: &Machine,
    interrupted: &Receiver<Signal>,
    console: &mut Console,
    password: &str,
) -> Result<bool, Box<dyn Error>> {
    let start = Instant::now();
    let mut is_announced = false;
    loop {
        console.show()?;
        if machine.process().exited().is_some() {
            return Ok(false);
        }
        if !is_announced && answers() {
            announce(start.elapsed(), password);
            is_announced = true;
        }
        if !is_announced && start.elapsed() > BOOT {
            return Err(format!("the WebUI does not answer after {BOOT:?}; see the console above").into());
        }
        match interrupted.recv_timeout(TICK) {
            Err(RecvTimeoutError::Timeout) => {}
            _ => return Ok(true),
        }
    }
}

fn power_on(folder: &Path, password: &str) -> Machine {
    let disc = folder.join("settings.iso");
    let settings =
        Properties::default().with_password(password).with("configuration", configuration().as_str());
    settings.write_disc(&disc);
    let mut hardware = Hardware::with_disk(Disk::of_the_ova(folder).drive());
    hardware.disc = Some(disc);
    hardware.adapters[0] = Some(format!(
        "user,hostfwd=tcp:127.0.0.1:{WEB_PORT}-{GUEST}:9443,hostfwd=tcp:127.0.0.1:{SERVICE_PORT}-10.0.2.100:2001"
    ));
    // It dies with us, but not of our Ctrl-C.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", "qemu-system-x86_64"]).process_group(0);
    let log = folder.join("qemu.log");
    Machine::power_on(&hardware, command, folder, |command| Arc::new(Process::start(command, &log)))
}

/// The shipped example in QEMU's network; the second server of the first pool is this machine.
fn configuration() -> Config {
    let moved = Config::datalink()
        .replacing_all("192.168.10.10\"", "10.0.2.15\"")
        .replacing_all("192.168.10.", "10.0.2.");
    let network = format!(
        "\n[network]\nhost_name = \"lbmaster\"\ndefault_gateway = \"{THIS_MACHINE}\"\n\n[[network.interface]]\n\
         name = \"eth0\"\naddresses = [\"{GUEST}/24\"]\n"
    );
    moved.replacing("10.0.2.111", THIS_MACHINE).followed_by(&network)
}

fn answers() -> bool {
    let mut curl = Command::new("curl");
    curl.args(["--insecure", "--silent", "--max-time", "5", "--output", "/dev/null"]);
    curl.arg(format!("https://localhost:{WEB_PORT}/"));
    curl.stdin(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn announce(took: Duration, password: &str) {
    println!(
        "\n\nrun: the appliance answers, {:.0} s after power-on.\n\n    \
         https://localhost:{WEB_PORT}/\n    user      loadbalancer\n    password  {password}\n\n\
         The certificate is the appliance's own: the browser warns of it. All servers are down, for there are none.\n\
         To see one come up:      storescp -aet DW_SCP 2001\n\
         and to speak through it: echoscu -aec DW_SCP localhost {SERVICE_PORT}\n\
         Ctrl-C switches the appliance off.\n",
        took.as_secs_f64()
    );
}

/// Ctrl-C and the like, as messages. To be called before any thread is started.
fn signals() -> nix::Result<Receiver<Signal>> {
    let set = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]);
    set.thread_block()?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        while let Ok(signal) = set.wait() {
            if sender.send(signal).is_err() {
                break;
            }
        }
    });
    Ok(receiver)
}

/// Sixteen characters that are told apart in every font: 80 bits.
fn new_password() -> std::io::Result<String> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut random = [0; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
    Ok(random.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect())
}

/// What the guest has said on its serial port, shown bit by bit.
struct Console {
    path: PathBuf,
    shown: u64,
}

impl Console {
    fn of(path: PathBuf) -> Self {
        Self { path, shown: 0 }
    }

    fn show(&mut self) -> std::io::Result<()> {
        let mut file = std::fs::File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.shown))?;
        let mut new = Vec::new();
        self.shown += file.read_to_end(&mut new)? as u64;
        let mut out = std::io::stdout().lock();
        out.write_all(&new)?;
        out.flush()
    }
}
