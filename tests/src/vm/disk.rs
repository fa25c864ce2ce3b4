//! The disk of a machine: the OVA's own VMDK, read as it is, with what the guest writes in a file beside it.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::artefacts;
use crate::process;

/// A disk as a deployment finds it. What the guest writes outlives the machine.
#[derive(Debug)]
pub struct Disk {
    overlay: PathBuf,
}

impl Disk {
    /// Takes the VMDK out of the OVA into `folder`.
    pub fn of_the_ova(folder: &Path) -> Self {
        let [vmdk, overlay] = ["disk.vmdk", "disk.qcow2"].map(|name| folder.join(name));
        let ova = artefacts::ova();
        evenkeel_ova::extract::vmdk(&ova, &vmdk).unwrap_or_else(|error| panic!("{}: {error}", ova.display()));
        let mut command = Command::new("qemu-img");
        command.args(["create", "-q", "-f", "qcow2", "-F", "vmdk", "-b"]).arg(&vmdk).arg(&overlay);
        process::run(command).expect_ok();
        Self { overlay }
    }

    /// Options of QEMU's `-drive`.
    pub fn drive(&self) -> String {
        format!("format=qcow2,file={}", self.overlay.display())
    }
}
