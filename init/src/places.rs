//! Where things are. The other half of each is named: it must say the same.

/// The folder of the kernel's modules; below it a folder per kernel release (`image/src/rootfs.rs`).
pub const MODULES: &str = "/lib/modules";

/// init itself (`image/src/build.rs`).
pub const INIT: &str = "/init";

/// The daemon (`image/src/build.rs`).
pub const LBD: &str = "/bin/lbd";

/// The user database of the image (`image/src/rootfs.rs`).
pub const PASSWD: &str = "/etc/passwd";

/// lbd's user (`image/src/rootfs.rs`), and its number there.
pub const LBD_USER: &str = "evenkeel";

/// The number of [`LBD_USER`], if the database cannot be read.
pub const LBD_USER_ID: u32 = 900;

/// Where nft, mke2fs, e2fsck and resize2fs are (`image/src/packages.rs`).
pub const PROGRAM_PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// Where the data partition is mounted.
pub const DATA: &str = "/data";

/// Where a file system is mounted for a moment: the ESP, a disc with properties (`image/src/rootfs.rs`).
pub const MOMENTARY: &str = "/mnt";

/// Where the systems are on the ESP (`image/src/esp.rs`).
pub const SYSTEMS: &str = "EFI/Linux";

/// Which system this is (`image/src/rootfs.rs`).
pub const OS_RELEASE: &str = "/etc/os-release";

/// The other lbd, with what belongs to it, while a quick update is tried: in the root file system, so that each changes
/// places with what is in use by a rename.
pub const OTHER: &str = "/other";

/// lbd's state directory.
pub const LBD_STATE: &str = "/data/lbd";

/// lbd's stored configurations (`lbd/src/store.rs`); empty at the first boot.
pub const LBD_CONFIGURATIONS: &str = "/data/lbd/configuration-1";

/// Which network adapter has which name.
pub const ADAPTER_NAMES: &str = "/data/init/interfaces";

/// Everything that lives until the next boot.
pub const RUN: &str = "/run/evenkeel";

/// lbd's control socket.
pub const LBD_SOCKET: &str = "/run/evenkeel/lbd.sock";

/// init's own control socket.
pub const INIT_SOCKET: &str = "/run/evenkeel/init.sock";

/// What VMware's guest services say of themselves (`lbd/src/appliance.rs`).
pub const GUEST_SERVICES_WORD: &str = "/run/evenkeel/guest-services.json";

/// One file a notice: one sentence for the administrator, shown by lbd in every view.
pub const NOTICES: &str = "/run/evenkeel/notices";

/// One file a crash, newest last by name; taken from here by lbd (`lbd/src/crash/`).
pub const CRASHES: &str = "/run/evenkeel/crashes";

/// The OVF environment, when the hypervisor gave one.
pub const OVF_ENVIRONMENT: &str = "/run/evenkeel/ovf-env.xml";

/// The rescue partition, owned by lbd's user.
pub const RESCUE_DEVICE: &str = "/dev/evenkeel-rescue";

/// Where the kernel shows what it left in the firmware when it died (`Documentation/ABI/testing/pstore`).
pub const PSTORE: &str = "/sys/fs/pstore";

/// EFI variables.
pub const EFI_VARIABLES: &str = "/sys/firmware/efi/efivars";

/// A partition type as the disk stores it: UEFI 2.10, appendix A (the first three fields little-endian).
const fn disk_order(text_order: u128) -> [u8; 16] {
    let [a, b, c, d, e, f, g, h, rest @ ..] = text_order.to_be_bytes();
    let [i, j, k, l, m, n, o, p] = rest;
    [d, c, b, a, f, e, h, g, i, j, k, l, m, n, o, p]
}

/// EFI System Partition (UEFI 2.10, table 5-7).
pub const ESP_TYPE: [u8; 16] = disk_order(0xC12A7328_F81F_11D2_BA4B_00A0C93EC93B);

/// Our rescue partition (`image/src/disk.rs`).
pub const RESCUE_TYPE: [u8; 16] = disk_order(0x6E1B8C52_7D43_4F0A_9B5E_2C84D1A6F37B);

/// Our data partition (`image/src/disk.rs`).
pub const DATA_TYPE: [u8; 16] = disk_order(0xA94F2E17_05C8_4B6D_8E31_F7502B9DC46A);

/// What the kernel says (`Documentation/ABI/testing/dev-kmsg`).
pub const KERNEL_LOG: &str = "/dev/kmsg";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_esp_type_is_stored_as_every_disk_has_it() {
        let expected =
            [0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b];
        assert_eq!(ESP_TYPE, expected);
    }
}
