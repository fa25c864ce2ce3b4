//! Which machine: a description, and QEMU's arguments for it.

use std::path::{Path, PathBuf};

/// OVMF as Debian's package `ovmf` installs it: the code, and the template of its variables.
const FIRMWARE: [&str; 2] = ["/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"];

/// The adapters' slot numbers on ESXi, in the order in which vSphere shows the adapters (VMware KB 344983).
const SLOTS: [u16; 4] = [160, 192, 224, 256];

/// Where the bridges of these slots are on the root bus. The kernel finds them in the order of addresses, which is
/// no adapter's own place: 1, 3, 0, 2.
const BRIDGES: [u8; 4] = [0x13, 0x10, 0x14, 0x12];

/// What the disk hangs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Controller {
    /// The firmware can boot from it.
    Ahci,
    /// VMware's own, the OVF's choice; Debian's OVMF has no driver for it.
    Pvscsi,
}

/// A machine with UEFI firmware, four network adapters of VMware's kind, a disk and perhaps a disc.
#[derive(Debug, Clone)]
pub struct Hardware {
    /// Options of QEMU's `-drive` for the disk; none: a machine without one.
    pub disk: Option<String>,
    /// What the disk hangs on.
    pub controller: Controller,
    /// The image of a disc in the drive.
    pub disc: Option<PathBuf>,
    /// A UKI that the firmware starts instead of the one on the disk.
    pub uki: Option<PathBuf>,
    /// What the machine's clock says when it is switched on, in UTC; this machine's time where nothing is said.
    pub clock: Option<String>,
    /// It has a screen.
    pub screen: bool,
    /// Tells the machines of a lab apart: part of their adapters' addresses.
    pub number: u8,
    /// QEMU's `-netdev` for each adapter, without the id; an adapter without one is not connected.
    pub adapters: [Option<String>; 4],
}

impl Hardware {
    /// A machine with this disk and nothing connected.
    pub fn with_disk(disk: impl Into<String>) -> Self {
        let disk = Some(disk.into());
        let adapters = [const { None }; 4];
        Self {
            disk,
            controller: Controller::Ahci,
            disc: None,
            uki: None,
            clock: None,
            screen: false,
            number: 0,
            adapters,
        }
    }

    /// The address of an adapter of the machine with this number, the same in every boot.
    pub fn mac(machine: u8, adapter: usize) -> String {
        format!("52:54:00:65:{:02x}:{adapter:02x}", 0x6b + machine)
    }

    /// QEMU's arguments; `variables` is the machine's own copy of the firmware's variables.
    pub fn arguments(&self, variables: &Path) -> Vec<String> {
        let code = FIRMWARE[0];
        // No ACPI hot-plug on bridges: it would number all slots 0, and hide those of the bridges.
        let mut all = words(
            "-nodefaults -display none -machine q35,accel=tcg -cpu max -smp 2 -m 1024 \
             -global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off -device virtio-rng-pci,bus=pcie.0,addr=0x3",
        );
        let variables = variables.display();
        all.extend(words(&format!("-drive if=pflash,format=raw,unit=0,readonly=on,file={code}")));
        all.extend(words(&format!("-drive if=pflash,format=raw,unit=1,file={variables}")));
        all.extend(self.disk.iter().flat_map(|disk| self.disk_arguments(disk)));
        if let Some(disc) = &self.disc {
            let drive =
                format!("-drive if=none,id=disc,media=cdrom,readonly=on,format=raw,file={}", disc.display());
            all.extend(words(&format!("{drive} -device ide-cd,bus=ide.1,drive=disc")));
        }
        if let Some(uki) = &self.uki {
            all.extend(["-kernel".into(), uki.display().to_string()]);
        }
        if let Some(clock) = &self.clock {
            all.extend(["-rtc".into(), format!("base={clock}")]);
        }
        if self.screen {
            all.extend(words("-device VGA,bus=pcie.0,addr=0x2,romfile="));
        }
        for number in 0..self.adapters.len() {
            all.extend(self.adapter_arguments(number));
        }
        all
    }

    fn disk_arguments(&self, disk: &str) -> Vec<String> {
        let device = match self.controller {
            // `-kernel` takes place 0 in the order of booting.
            Controller::Ahci => "-device ide-hd,id=disk0,bus=ide.0,drive=disk,bootindex=1",
            Controller::Pvscsi => "-device pvscsi,id=scsi -device scsi-hd,id=disk0,bus=scsi.0,drive=disk",
        };
        words(&format!("-drive if=none,id=disk,{disk} {device}"))
    }

    fn adapter_arguments(&self, number: usize) -> Vec<String> {
        let (slot, chassis, bridge, mac) =
            (SLOTS[number], number + 1, BRIDGES[number], Self::mac(self.number, number));
        let port =
            format!("-device pcie-root-port,id=port{number},chassis={chassis},slot={slot},addr={bridge:#x}");
        // No option ROM: the firmware must not try to boot from the network.
        let device = format!("vmxnet3,bus=port{number},mac={mac},romfile=");
        match &self.adapters[number] {
            Some(netdev) => {
                words(&format!("{port} -netdev {netdev},id=net{number} -device {device},netdev=net{number}"))
            }
            None => words(&format!("{port} -device {device}")),
        }
    }
}

/// The variables that a new machine starts with.
pub fn new_variables(path: &Path) {
    let copied = std::fs::copy(FIRMWARE[1], path);
    copied.unwrap_or_else(|error| panic!("copying {} ({error}): run `make setup`", FIRMWARE[1]));
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_adapter_is_found_in_its_own_place() {
        let mut found = BRIDGES;
        found.sort_unstable();
        assert!(found.iter().zip(BRIDGES).all(|(found, own)| *found != own));
    }
}
