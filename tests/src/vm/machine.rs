//! A running virtual machine.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::stat::Mode;
use serde_json::{Value, json};

use super::hardware::Hardware;
use super::qmp::Qmp;
use crate::process::Process;
use crate::wait;

/// A QEMU process, its control channel and what the guest says on its serial port.
#[derive(Debug)]
pub struct Machine {
    process: Arc<Process>,
    qmp: Mutex<Qmp>,
    serial: PathBuf,
    line: Mutex<File>,
    listener: Mutex<Option<JoinHandle<()>>>,
}

impl Machine {
    /// Powers `hardware` on. `command` is QEMU without arguments, `start` makes a process of it; files go to
    /// `folder`, which is the machine's own.
    pub fn power_on(
        hardware: &Hardware,
        mut command: Command,
        folder: &Path,
        start: impl FnOnce(Command) -> Arc<Process>,
    ) -> Self {
        let [variables, serial, socket, line] =
            ["variables.fd", "serial.log", "qmp.sock", "serial"].map(|name| folder.join(name));
        if !variables.exists() {
            super::hardware::new_variables(&variables);
        }
        // The socket of an earlier boot.
        let _ = std::fs::remove_file(&socket);
        let [keys, words] = ["in", "out"].map(|way| line.with_extension(way));
        [&keys, &words].into_iter().for_each(|pipe| new_pipe(pipe));
        command.args(hardware.arguments(&variables));
        // A pipe holds what is said in a while. A socket is soon full of single bytes, QEMU then loses some, and its own log
        // of the line has them twice. The processors start when somebody listens.
        let chardev = format!("pipe,id=serial,path={}", line.display());
        command.args(["-S", "-chardev", &chardev, "-serial", "chardev:serial"]);
        command.arg("-qmp").arg(format!("unix:{},server=on,wait=off", socket.display()));
        let process = start(command);
        let mut qmp = Qmp::connect(&socket, || expect_running(&process, &serial));
        let line = File::options().write(true).open(&keys).expect("QEMU reads from the pipe");
        let listener = Mutex::new(Some(listen(&words, &serial)));
        qmp.run("cont", json!({}));
        Self { process, qmp: Mutex::new(qmp), serial, line: Mutex::new(line), listener }
    }

    /// What the guest has said since it was powered on.
    pub fn serial(&self) -> String {
        read_log(&self.serial)
    }

    /// What its kernels died of since it was powered on, in their own words.
    pub fn kernel_deaths(&self) -> Vec<String> {
        let said = self.serial();
        let deaths = said.lines().filter_map(|line| line.split_once("Kernel panic - not syncing: "));
        deaths.map(|(_, of)| of.to_owned()).collect()
    }

    /// Waits until the guest says `text`; a machine that ends instead fails at once.
    pub fn wait_serial(&self, text: &str, deadline: Duration) -> Duration {
        wait::until(deadline, format!("{text:?} on the serial port; last:\n{}", self.last_words()), || {
            let said = self.serial().contains(text);
            if !said {
                self.expect_running();
            }
            said
        })
    }

    /// Asserts that it has not ended; says what the guest said last.
    pub fn expect_running(&self) {
        expect_running(&self.process, &self.serial);
    }

    /// Runs a QMP command.
    pub fn qmp(&self, command: &str, arguments: Value) -> Value {
        self.qmp.lock().expect("not poisoned").run(command, arguments)
    }

    /// Stops its processors and its clock, so that it takes nothing of this machine.
    pub fn pause(&self) {
        self.qmp("stop", json!({}));
    }

    /// Lets it go on after [`Machine::pause`].
    pub fn resume(&self) {
        self.qmp("cont", json!({}));
    }

    /// Pulls the plug.
    pub fn cut_power(&self) {
        self.process.kill();
    }

    /// Presses the reset button.
    pub fn reset(&self) {
        self.qmp("system_reset", json!({}));
    }

    /// Presses keys together, named as QEMU does.
    pub fn press(&self, keys: &[&str]) {
        let keys: Vec<_> = keys.iter().map(|key| json!({ "type": "qcode", "data": key })).collect();
        self.qmp("send-key", json!({ "keys": keys }));
    }

    /// Sends bytes to its serial port, as a terminal does.
    pub fn send(&self, text: &str) {
        let mut line = self.line.lock().expect("not poisoned");
        line.write_all(text.as_bytes()).expect("the serial line of a running machine");
    }

    /// Keeps a picture of its screen in the format of PPM.
    pub fn screen(&self) -> Vec<u8> {
        let file = self.serial.with_file_name("screen.ppm");
        self.qmp("screendump", json!({ "filename": file }));
        std::fs::read(&file).expect("QEMU wrote the picture")
    }

    /// Presses the power button, and waits until the guest has switched itself off.
    pub fn shut_down(&self, deadline: Duration) -> ExitStatus {
        self.qmp("system_powerdown", json!({}));
        let status = self.process.wait_exit(deadline);
        // To the last word.
        if let Some(listener) = self.listener.lock().expect("not poisoned").take() {
            listener.join().expect("it only copies");
        }
        status
    }

    /// The QEMU process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The end of what the guest said.
    pub fn last_words(&self) -> String {
        last_words(&self.serial)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.process.kill();
        if std::thread::panicking() {
            eprintln!("--- {} ---\n{}", self.serial.display(), self.last_words());
        }
    }
}

/// For one direction of the serial line.
fn new_pipe(path: &Path) {
    let _ = std::fs::remove_file(path);
    nix::unistd::mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR).expect("the machine's folder");
}

/// What the guest says on its serial line goes to `log`, until QEMU has ended.
fn listen(words: &Path, log: &Path) -> JoinHandle<()> {
    let mut words = File::open(words).expect("QEMU writes to the pipe");
    let mut log = File::create(log).expect("the machine's folder");
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = words.read(&mut buffer) {
            // The folder may be gone.
            let _ = log.write_all(&buffer[..length]);
        }
    })
}

fn expect_running(process: &Process, serial: &Path) {
    if let Some(status) = process.exited() {
        panic!("the machine ended with {status}:\n{}\n{}", process.log(), last_words(serial));
    }
}

/// Firmware writes bytes that are no text.
fn read_log(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

/// So many lines are told of the end, and of the first fault of a kernel before it.
const TOLD: usize = 40;

/// The end, and before it the first fault of a kernel that has started again since.
fn last_words(serial: &Path) -> String {
    let text = read_log(serial);
    let lines: Vec<_> = text.lines().collect();
    let end = lines.len().saturating_sub(TOLD);
    let fault = lines[..end].iter().position(|line| line.contains("BUG: ") || line.contains("Oops: "));
    let fault = fault.map_or(&[][..], |at| &lines[at..end.min(at + TOLD)]);
    [fault, &lines[end..]].concat().join("\n")
}
