//! DICOM peers: DCMTK's tools as clients, DCMTK and pynetdicom as servers.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use serde_json::Value;

use crate::host::Host;
use crate::process::{self, Output, Process};
use crate::servers::Certificate;

/// How a [`Scp`] behaves.
#[derive(Debug, Clone, Copy)]
pub enum Mode {
    /// As DICOM wants it; another called AE title is rejected as not recognised.
    Good,
    /// Rejects every association with result, source and reason (DICOM PS3.8 table 9-21).
    Reject(u8, u8, u8),
    /// Aborts instead of answering the association request.
    Abort,
    /// Closes the connection instead of answering the association request.
    Close,
    /// Never answers the association request.
    HangAssociate,
    /// Accepts the association, but not the presentation context of a C-ECHO.
    NoContext,
    /// Answers a C-ECHO with this status.
    Status(u16),
    /// Aborts instead of answering a C-ECHO.
    AbortEcho,
    /// Closes the connection instead of answering a C-ECHO.
    CloseEcho,
    /// Never answers a C-ECHO.
    HangEcho,
}

impl Mode {
    fn argument(self) -> String {
        match self {
            Self::Good => "good".into(),
            Self::Reject(result, source, reason) => format!("reject:{result},{source},{reason}"),
            Self::Abort => "abort".into(),
            Self::Close => "close".into(),
            Self::HangAssociate => "hang-associate".into(),
            Self::NoContext => "no-context".into(),
            Self::Status(status) => format!("status:{status}"),
            Self::AbortEcho => "abort-echo".into(),
            Self::CloseEcho => "close-echo".into(),
            Self::HangEcho => "hang-echo".into(),
        }
    }
}

/// A DICOM server of our own making (pynetdicom, `tests/peers/scp.py`), which logs what happens to it.
#[derive(Debug)]
pub struct Scp {
    /// The running server.
    pub process: Arc<Process>,
    /// Where it stores what it receives.
    pub folder: PathBuf,
}

impl Scp {
    /// Its events of one kind, in order: `association`, `echo`, `store`.
    pub fn events(&self, kind: &str) -> Vec<Value> {
        let log = self.process.log();
        let events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        events.filter(|event| event["event"] == kind).collect()
    }

    /// The addresses that associations came from when asked by `calling`, in order.
    pub fn peers(&self, calling: &str) -> Vec<String> {
        let events = self.events("association");
        let ours = events.iter().filter(|event| event["calling"] == calling);
        ours.map(|event| event["peer"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

impl Host {
    /// Starts a pynetdicom server and waits until it listens.
    pub fn scp(&self, ae_title: &str, port: u16, mode: Mode) -> Scp {
        self.start_scp(ae_title, port, mode, None)
    }

    /// The same, over TLS.
    pub fn scp_over_tls(&self, ae_title: &str, port: u16, certificate: &Certificate) -> Scp {
        self.start_scp(ae_title, port, Mode::Good, Some(certificate))
    }

    fn start_scp(&self, ae_title: &str, port: u16, mode: Mode, tls: Option<&Certificate>) -> Scp {
        let folder = self.new_path("received");
        let mut command = self.command(&python().to_string_lossy());
        command.args(["-W", "ignore"]).arg(peer_script("scp.py"));
        command.args(["--aet", ae_title, "--port", &port.to_string(), "--mode", &mode.argument()]);
        command.arg("--folder").arg(&folder);
        if let Some(Certificate { certificate, key }) = tls {
            command.arg("--certificate").arg(certificate).arg("--key").arg(key);
        }
        let process = self.start(command, "scp");
        process.wait_listening(port);
        Scp { process, folder }
    }

    /// Starts DCMTK's `storescp`, which stores files bit by bit as received, and waits until it listens.
    pub fn storescp(&self, ae_title: &str, port: u16) -> Scp {
        let folder = self.new_path("received");
        std::fs::create_dir(&folder).expect("lab folder");
        let mut command = self.command("storescp");
        command
            .args(["+B", "--disable-host-lookup", "-aet", ae_title, "-od"])
            .arg(&folder)
            .arg(port.to_string());
        let process = self.start(command, "storescp");
        process.wait_listening(port);
        Scp { process, folder }
    }

    /// DCMTK's `echoscu`: one association with a C-ECHO.
    pub fn echoscu(&self, address: Ipv4Addr, port: u16, called: &str) -> Output {
        self.run(format!("echoscu -v -to 15 -ta 15 -td 15 -aet MODALITY -aec {called} {address} {port}"))
    }

    /// DCMTK's `storescu`: sends all files of `folder` in one association.
    pub fn storescu(&self, address: Ipv4Addr, port: u16, called: &str, folder: &Path) -> Output {
        let folder = folder.display();
        self.run(format!("storescu -R +sd -to 10 -aet MODALITY -aec {called} {address} {port} {folder}"))
    }
}

/// The name of the patient in all files that [`make_files`] makes.
pub const PATIENT: &str = "Nobody^Knows^Me";

/// Makes `count` DICOM files, each with an instance UID of its own, in `folder`.
pub fn make_files(folder: &Path, count: u32) {
    files_script("make", folder, count.to_string().as_ref()).expect_ok();
}

/// Asserts that the datasets in `received` are those in `sent`, equal in every element.
pub fn expect_same_files(sent: &Path, received: &Path) {
    files_script("compare", sent, received).expect_ok();
}

fn files_script(action: &str, folder: &Path, argument: &Path) -> Output {
    let mut command = Command::new(python());
    command.args(["-W", "ignore"]).arg(peer_script("files.py")).arg(action).arg(folder).arg(argument);
    process::run(command)
}

/// The Python environment with pynetdicom and COT, made by `make setup`.
pub fn folder() -> PathBuf {
    std::env::var("EVENKEEL_PEERS").map_or_else(|_| root().join("target/peers"), PathBuf::from)
}

pub(crate) fn python() -> PathBuf {
    program("python")
}

/// A program of the peers' Python packages.
pub fn program(name: &str) -> PathBuf {
    let program = folder().join("bin").join(name);
    assert!(program.exists(), "{} is missing: run `make setup` (or set EVENKEEL_PEERS)", program.display());
    program
}

pub(crate) fn peer_script(name: &str) -> PathBuf {
    root().join("tests/peers").join(name)
}

/// The root of the project.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace").to_owned()
}
