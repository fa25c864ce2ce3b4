//! Updates on a server: archives with a system of nonsense, as the image's builder packs and signs them, a server that shows
//! them, and an HTTP proxy (Debian's tinyproxy) on the way there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use evenkeel_image::update::{Inputs, make_key, pack};

use crate::host::Host;
use crate::peers::{peer_script, python};
use crate::process::Process;
use crate::servers::Certificate;

/// Bytes of the system in an archive: enough to see them come.
const SYSTEM: usize = 3 << 20;

/// What a server shows, and the key that signs it.
#[derive(Debug)]
pub struct Shelf {
    folder: PathBuf,
    key: PathBuf,
}

impl Shelf {
    /// An empty one in a folder of this host's, with a key of its own.
    pub fn on(host: &Host) -> Self {
        let key = host.new_path("update.key");
        make_key(&key).expect("lab folder");
        Self { folder: host.new_folder("updates"), key }
    }

    /// The public key.
    pub fn public_key(&self) -> PathBuf {
        self.key.with_extension("pub")
    }

    /// The same shelf, signing with another key from now on.
    #[must_use]
    pub fn signing_with_another_key(&self, host: &Host) -> Self {
        let key = host.new_path("other.key");
        make_key(&key).expect("lab folder");
        Self { folder: self.folder.clone(), key }
    }

    /// Puts a version there, whose system is full of this byte, under the name that stays: `newest.index.json`.
    pub fn offer(&self, version: &str, filling: u8) -> PathBuf {
        let image = self.folder.join(format!("evenkeel-{version}.raw"));
        let write = |extension: &str, content: &[u8]| {
            std::fs::write(image.with_extension(extension), content).expect("lab folder");
        };
        write("efi", &vec![filling; SYSTEM]);
        write("sbom.json", b"{}");
        let digest = "0".repeat(64);
        let base = format!("{{\"kernel\":\"{digest}\",\"init\":\"{digest}\",\"files\":\"{digest}\"}}");
        write("base.json", base.as_bytes());
        write("md", format!("# Changelog\n\n## {version}\n\n- Everything is new in {version}.\n").as_bytes());
        let [version, minimum_version] = [version, "0.1.0"].map(|text| text.parse().expect("a version"));
        let (notes, key) = (image.with_extension("md"), self.key.clone());
        let inputs = Inputs {
            image: image.clone(),
            version,
            minimum_version,
            notes,
            key,
            passphrase: None,
            is_development: false,
        };
        let archive = pack(&inputs).expect("a whole set of inputs");
        for name in ["index.json", "index.json.minisig"] {
            std::fs::copy(image.with_extension(name), self.folder.join(format!("newest.{name}")))
                .expect("lab folder");
        }
        archive
    }

    /// A file on it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// How archives are sent from now on: see `tests/peers/updates.py`.
    pub fn send_archives(&self, mode: &str) {
        std::fs::write(self.path("MODE"), mode).expect("lab folder");
    }
}

impl Host {
    /// Shows what is on this shelf over HTTPS, and waits until it listens.
    pub fn update_server(&self, port: u16, shelf: &Shelf, certificate: &Certificate) -> Arc<Process> {
        let mut command = self.command(&python().to_string_lossy());
        command.arg(peer_script("updates.py")).args(["--port", &port.to_string(), "--folder"]);
        command.arg(&shelf.folder).arg("--certificate").arg(&certificate.certificate);
        command.arg("--key").arg(&certificate.key);
        let process = self.start(command, "updates");
        process.wait_listening(port);
        process
    }

    /// Starts tinyproxy, which connects everybody to port 443 and to no other, and waits until it listens.
    pub fn http_proxy(&self, port: u16) -> Arc<Process> {
        let file = self.new_path("tinyproxy.conf");
        std::fs::write(&file, proxy_settings(port)).expect("lab folder");
        let mut command = self.command("tinyproxy");
        command.arg("-d").arg("-c").arg::<&Path>(&file);
        let process = self.start(command, "tinyproxy");
        process.wait_listening(port);
        process
    }
}

fn proxy_settings(port: u16) -> String {
    format!("Port {port}\nTimeout 60\nMaxClients 20\nLogLevel Connect\nConnectPort 443\n")
}
