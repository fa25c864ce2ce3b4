//! Modules that no device asks for, by purpose, loaded before somebody waits for them. Any other one is loaded when
//! the kernel asks for it (`main.rs`). The other half is `image/src/module_list.rs`: what is there can be loaded. One
//! that is missing is logged and nothing else.

/// What no device asks for, in loading order.
pub const SOFTWARE: &[&[&str]] = &[FILE_SYSTEMS, TRAFFIC, MACHINE];

/// Upper halves of the disk drivers, and of the CD drive.
pub const DISKS: &[&str] = &["sd_mod", "sr_mod"];

/// ext4 for data, with the checksum that the kernel finds by name only. FAT and ISO 9660 load themselves when they
/// are mounted, which is rare.
const FILE_SYSTEMS: &[&str] = &["crc32c_generic", "crc32c_intel", "ext4"];

/// Everything that `lbd/src/traffic/ruleset.rs` names, so that no transaction waits for a module: NAT, redirection to lbd's
/// own answers, connection state, turns (numgen), source hashes, rejection, the fast path, and conntrack's netlink side.
const TRAFFIC: &[&str] = &[
    "nf_tables",
    "nf_conntrack",
    "nf_conntrack_netlink",
    "nf_nat",
    "nft_chain_nat",
    "nft_nat",
    "nft_masq",
    "nft_redir",
    "nft_ct",
    "nft_numgen",
    "nft_hash",
    "nft_reject",
    "nft_reject_inet",
    "nf_flow_table",
    "nf_flow_table_inet",
    "nft_flow_offload",
];

/// The power button and its events; the firmware as the place for the last words of a kernel that dies.
const MACHINE: &[&str] = &["button", "evdev", "efi_pstore"];

/// A watchdog in software, for machines that have none (ESXi offers none below hardware version 17): it restarts
/// the machine when init hangs, though not when the kernel does.
pub const SOFT_WATCHDOG: &str = "softdog";
