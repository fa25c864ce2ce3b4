//! The kernel modules of the image, by purpose. What they depend on comes by itself.

/// Names as the kernel knows them, with `_`. A name that is built into the kernel is passed over.
pub const MODULES: &[&[&str]] = &[DISKS, FILE_SYSTEMS, ADAPTERS, TRAFFIC, LINKS, MACHINE];

/// Disks: VMware's pvscsi and LSI Logic, AHCI and IDE (VirtualBox, the properties ISO), virtio, NVMe.
const DISKS: &[&str] = &[
    "vmw_pvscsi",
    "mptspi",
    "mptsas",
    "ahci",
    "ata_piix",
    "virtio_blk",
    "virtio_scsi",
    "nvme",
    "sd_mod",
    "sr_mod",
];

/// ext4 for data (with both providers of its checksum: they are found by alias only, and nothing in the image
/// answers the kernel's request for one; the second loads on processors with SSE 4.2 only), FAT for the ESP,
/// ISO 9660 for the properties, EFI variables, the kernel's last words in one of them.
const FILE_SYSTEMS: &[&str] = &[
    "ext4",
    "crc32c_generic",
    "crc32c_intel",
    "vfat",
    "nls_cp437",
    "nls_ascii",
    "nls_utf8",
    "isofs",
    "efivarfs",
    "efi_pstore",
];

/// Network adapters of VMware, QEMU, Proxmox and VirtualBox.
const ADAPTERS: &[&str] = &["vmxnet3", "virtio_net", "e1000", "e1000e"];

/// Everything that a ruleset of ours can name. nf_tables asks for modules by alias while a transaction runs; no
/// modprobe answers in this image, so init loads these before lbd starts.
const TRAFFIC: &[&str] = &[
    "nf_tables",
    "nfnetlink",
    "nf_conntrack",
    "nf_conntrack_netlink",
    "nf_nat",
    "nf_log_syslog",
    "nft_chain_nat",
    "nft_nat",
    "nft_masq",
    "nft_redir",
    "nft_ct",
    "nft_numgen",
    "nft_hash",
    "nft_limit",
    "nft_quota",
    "nft_log",
    "nft_connlimit",
    "nft_reject",
    "nft_reject_ipv4",
    "nft_reject_ipv6",
    "nft_reject_inet",
    "nft_fib",
    "nft_fib_ipv4",
    "nft_fib_ipv6",
    "nft_fib_inet",
    "nft_socket",
    "nft_tproxy",
    "nft_synproxy",
    "nf_flow_table",
    "nf_flow_table_inet",
    "nft_flow_offload",
    "nfnetlink_log",
    "nfnetlink_cttimeout",
];

/// Bonds, VLANs, a place for addresses, a fair queue, socket listings.
const LINKS: &[&str] = &["bonding", "8021q", "dummy", "sch_fq", "tcp_bbr", "inet_diag", "tcp_diag"];

/// Power button, keyboard, watchdogs (QEMU's, Intel's, the kernel's own), randomness, memory ballooning, clocks.
const MACHINE: &[&str] = &[
    "button",
    "evdev",
    "xhci_pci",
    "ehci_pci",
    "uhci_hcd",
    "usbhid",
    "hid_generic",
    "i6300esb",
    "iTCO_wdt",
    "softdog",
    "virtio_rng",
    "virtio_balloon",
    "vmw_balloon",
    "vmw_vmci",
    "ptp_kvm",
    "ptp_vmw",
    "qemu_fw_cfg",
];
