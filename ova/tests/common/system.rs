//! The disk of the sample: as `image` writes it, with what it is made of in small.

use std::fs::File;
use std::path::Path;

use evenkeel_image::esp::EspFiles;
use evenkeel_image::{build, disk, rootfs, uki};

use super::program::stub;

/// Where the boot partition begins on the disk, its first table, its clusters; in bytes.
pub const ESP: u64 = 1 << 20;
pub const FAT: u64 = ESP + 32 * 512;
pub const FOLDERS: u64 = ESP + (32 + 2 * 1023) * 512;

/// Version of the sample's kernel.
const KERNEL: &str = "6.12.1-sample";

/// What a system is made of.
pub struct Parts {
    pub boot_loader: Vec<u8>,
    pub stub: Vec<u8>,
    pub osrel: String,
    pub cmdline: String,
    pub uname: String,
    pub initrd: Vec<u8>,
    pub linux: Vec<u8>,
    /// What is done to the finished UKI.
    pub finish: fn(&mut Vec<u8>),
}

impl Default for Parts {
    fn default() -> Parts {
        Parts {
            boot_loader: [&stub(0x600, 0x1000, b"")[..], b"#### LoaderInfo: systemd-boot 257 ####"].concat(),
            stub: stub(0x600, 0x1000, b""),
            osrel: rootfs::os_release(&super::VERSION.parse().unwrap()),
            cmdline: build::CMDLINE.to_owned(),
            uname: KERNEL.to_owned(),
            initrd: [&[0x28, 0xb5, 0x2f, 0xfd][..], &super::noise(300_000)].concat(),
            linux: kernel(),
            finish: |_| {},
        }
    }
}

/// `Documentation/arch/x86/boot.rst`, "the real-mode kernel header".
fn kernel() -> Vec<u8> {
    let mut kernel = stub(0x400, 0x1000, b"");
    kernel[0x202..0x206].copy_from_slice(b"HdrS");
    kernel[0x20e..0x210].copy_from_slice(&[0, 1]);
    let text = format!("{KERNEL} (sample) #1\0");
    kernel[0x300..0x300 + text.len()].copy_from_slice(text.as_bytes());
    kernel
}

impl Parts {
    /// The UKI made of them.
    pub fn uki(&self) -> Vec<u8> {
        let Parts { stub, osrel, cmdline, uname, initrd, linux, .. } = self;
        let mut file = uki::build(&uki::Parts { stub, osrel, cmdline, uname, initrd, linux }).unwrap();
        (self.finish)(&mut file);
        file
    }
}

/// Writes the disk.
pub fn write(path: &Path, parts: &Parts) {
    let mut file = File::options().read(true).write(true).create(true).truncate(true).open(path).unwrap();
    let (uki, version) = (parts.uki(), super::VERSION.parse().unwrap());
    let files = EspFiles { boot_loader: &parts.boot_loader, uki: &uki, version: &version };
    disk::write(&mut file, &disk::LAYOUT, &files).unwrap();
}
