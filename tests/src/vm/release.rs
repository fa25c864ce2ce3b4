//! Another version of the appliance as an update: `init` and `lbd` of the OVA under test, built into an image again.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tempfile::TempDir;

use super::artefacts;
use crate::process;

/// An update archive with its checksum beside it.
#[derive(Debug)]
pub struct Release {
    image: PathBuf,
    version: String,
    _folder: Option<TempDir>,
}

/// What an archive is made of: files of the builder with the image's name.
const BESIDE: [&str; 3] = ["efi", "sbom.json", "base.json"];

impl Release {
    /// One that trusts, and is signed by, the key of the OVA under test. Stories that want it at the same time share it:
    /// to build it takes as long as a boot.
    pub fn shared(version: &str) -> Arc<Self> {
        static BUILT: Mutex<Weak<Release>> = Mutex::new(Weak::new());
        let mut built = BUILT.lock().expect("a build that failed is in the log");
        if let Some(release) = built.upgrade().filter(|release| release.version == version) {
            return release;
        }
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let release = Self::with(folder.path(), version, "lbd", &[]);
        let release = Arc::new(Self { _folder: Some(folder), ..release });
        *built = Arc::downgrade(&release);
        release
    }

    /// Builds one into `folder` with another kernel command line.
    pub fn with_command_line(folder: &Path, version: &str, line: &str) -> Self {
        Self::with(folder, version, "lbd", &["--cmdline", line])
    }

    /// Builds one into `folder` in which lbd ends as soon as it starts: it is `init`, which wants to be the first process.
    pub fn with_lbd_that_ends(folder: &Path, version: &str) -> Self {
        Self::with(folder, version, "init", &[])
    }

    fn with(folder: &Path, version: &str, lbd: &str, more: &[&str]) -> Self {
        let image = folder.join(format!("evenkeel-{version}.raw"));
        let mut command = tool("build");
        let programs = artefacts::programs();
        command.arg("--init").arg(programs.join("init")).arg("--lbd").arg(programs.join(lbd));
        command.args(["--version", version, "--development"]).args(more);
        command.arg("--trusted-key").arg(artefacts::key("pub")).arg("--output").arg(&image);
        run(command);
        // The archive takes what is beside it.
        std::fs::remove_file(&image).expect("own file");
        let release = Self { image, version: version.to_owned(), _folder: None };
        release.sign(&artefacts::key("key"));
        release
    }

    /// The same in `folder`, signed by somebody else.
    #[must_use]
    pub fn signed_by_somebody_else(&self, folder: &Path) -> Self {
        let image = folder.join(self.image.file_name().expect("a file"));
        let key = image.with_extension("key");
        let mut command = tool("key");
        command.arg(&key);
        run(command);
        for beside in BESIDE {
            let [from, to] = [&self.image, &image].map(|image| image.with_extension(beside));
            std::fs::copy(from, to).expect("the builder wrote it");
        }
        let foreign = Self { image, version: self.version.clone(), _folder: None };
        foreign.sign(&key);
        foreign
    }

    fn sign(&self, key: &Path) {
        let mut command = tool("update");
        command
            .args(["--version", &self.version, "--minimum-version", "0.1.0", "--development", "--key"])
            .arg(key);
        command.arg("--image").arg(&self.image);
        run(command);
    }

    /// The archive.
    pub fn archive(&self) -> PathBuf {
        self.image.with_extension("update")
    }

    /// Its checksum.
    pub fn checksum(&self) -> PathBuf {
        self.image.with_extension("update.sha256")
    }
}

/// An image takes 20 s to build where the machine is idle.
const PATIENCE: Duration = Duration::from_secs(300);

fn run(command: Command) {
    process::run_within(command, "", PATIENCE).expect_ok();
}

/// The builder, as `make appliance` calls it.
fn tool(action: &str) -> Command {
    let mut command = Command::new(artefacts::ova().with_file_name("release").join("image"));
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    command
        .arg("--packages")
        .arg(artefacts::packages())
        .arg("--apt")
        .arg(artefacts::ova().with_file_name("apt"));
    command.arg(action);
    command
}
