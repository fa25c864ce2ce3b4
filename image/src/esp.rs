//! The EFI System Partition: FAT32 with fixed times and ids, holding systemd-boot and the first UKI.

use crate::fat32::{self, FatError, Volume};
use crate::guid::derived_number;
use crate::version::Version;
use std::io::{Seek, Write};

/// What the ESP holds at first.
#[derive(Clone, Copy, Debug)]
pub struct EspFiles<'a> {
    /// systemd-boot.
    pub boot_loader: &'a [u8],
    /// The UKI.
    pub uki: &'a [u8],
    /// Its version.
    pub version: &'a Version,
}

/// `loader.conf(5)`. No `default` line: it would override boot counting. Two seconds, so that an older version
/// can be chosen on the console; the editor is off, for the command line decides what the system trusts.
pub const LOADER_CONF: &str = "timeout 2\neditor no\nauto-firmware no\n";

/// The removable-media path (UEFI 2.10, 3.5.1.1): found without an entry in the firmware's variables.
pub const BOOT_PATH: &str = "EFI/BOOT/BOOTX64.EFI";

/// Eleven bytes, padded with blanks.
const LABEL: &[u8; 11] = b"EVENKEEL   ";

/// Where systemd-boot looks for UKIs (UAPI "Boot Loader Specification", type 2). The first one is uncounted.
pub fn uki_path(version: &Version) -> String {
    format!("EFI/Linux/evenkeel_{version}.efi")
}

/// Writes the partition: `size` bytes from `start` on.
pub fn write<T: Write + Seek>(
    out: &mut T,
    start: u64,
    size: u64,
    files: &EspFiles<'_>,
) -> Result<(), FatError> {
    let id = derived_number(&format!("evenkeel {} esp", files.version)) as u32;
    let uki_path = uki_path(files.version);
    let list: &[(&str, &[u8])] = &[
        (BOOT_PATH, files.boot_loader),
        ("loader/loader.conf", LOADER_CONF.as_bytes()),
        (&uki_path, files.uki),
    ];
    fat32::write(out, &Volume { start, size, id, label: LABEL, files: list })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn build(version: &str) -> Vec<u8> {
        let mut out = Cursor::new(vec![0; 41 << 20]);
        let version = version.parse().unwrap();
        write(
            &mut out,
            1 << 20,
            40 << 20,
            &EspFiles { boot_loader: b"loader", uki: b"uki", version: &version },
        )
        .unwrap();
        out.into_inner()
    }

    #[test]
    fn it_lies_where_it_was_asked_to() {
        let bytes = build("1.0");
        assert!(bytes[..1 << 20].iter().all(|byte| *byte == 0));
        let fs =
            fatfs::FileSystem::new(Cursor::new(bytes[1 << 20..].to_vec()), fatfs::FsOptions::new()).unwrap();
        for path in [BOOT_PATH, "loader/loader.conf", "EFI/Linux/evenkeel_1.0.efi"] {
            assert!(fs.root_dir().open_file(path).is_ok(), "{path}");
        }
    }

    #[test]
    fn no_default_line() {
        assert!(!LOADER_CONF.contains("default"));
    }

    #[test]
    fn same_inputs_same_bytes_and_the_version_gives_the_id() {
        assert!(build("1.0") == build("1.0"));
        let id = |version| build(version)[(1 << 20) + 67..][..4].to_vec();
        assert_ne!(id("1.0"), id("1.1"));
    }
}
