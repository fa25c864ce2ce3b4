//! Which Debian packages the image takes, and which files of each. Everything else stays behind: no shell, no
//! interpreter, no package manager.

/// Debian's release. The kernel, boot loader and nftables of architecture.md come from it.
pub const SUITE: &str = "trixie";

/// Depends on the current kernel's concrete package. The plain kernel, not the cloud one: that has neither
/// vmxnet3 nor pvscsi.
pub const KERNEL_META: &str = "linux-image-amd64";

/// The kernel series this product is tested with; another one is a decision, not an update.
pub const KERNEL_SERIES: &str = "linux-image-6.12.";

/// Every package but the kernel's. Libraries are there because a program below needs them (`elf::needed`
/// finds out which files; a missing package makes the build fail with the library's name).
pub const NAMES: &[&str] = &[
    "base-files", // the texts of the common licences
    "ca-certificates",
    "e2fsprogs",
    "libblkid1",
    "libbsd0",
    "libc6",
    "libcom-err2",
    "libedit2",
    "libext2fs2t64",
    "libgmp10",
    "libjansson4",
    "libmd0",
    "libmnl0",
    "libnftables1",
    "libnftnl11",
    "libtinfo6",
    "libuuid1",
    "libxtables12",
    "netbase", // /etc/protocols and /etc/services: nft resolves names by them
    "nftables",
    "systemd-boot-efi",
    "tzdata",
];

/// Programs with the libraries they ask for. `dumpe2fs` and `tune2fs` are left out: nothing calls them.
pub const PROGRAMS: &[&str] = &["usr/sbin/nft", "usr/sbin/mke2fs", "usr/sbin/e2fsck", "usr/sbin/resize2fs"];

/// Plain files taken as they are.
pub const FILES: &[&str] = &["etc/mke2fs.conf", "etc/protocols", "etc/services"];

/// Where glibc's loader looks without a cache: `ld.so(8)`, Debian's multiarch folder first.
pub const LIBRARY_FOLDER: &str = "usr/lib/x86_64-linux-gnu";

/// The loader that a dynamically linked program of this architecture names (System V ABI, AMD64 supplement).
pub const LOADER: &str = "lib64/ld-linux-x86-64.so.2";

/// systemd's EFI stub, the head of the UKI.
pub const STUB: &str = "usr/lib/systemd/boot/efi/linuxx64.efi.stub";

/// systemd-boot itself.
pub const BOOT_LOADER: &str = "usr/lib/systemd/boot/efi/systemd-bootx64.efi";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_package_names() {
        assert!(NAMES.is_sorted());
        assert!(NAMES.iter().all(|name| crate::lock::is_name(name)));
    }
}
