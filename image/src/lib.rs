//! Builds the appliance's operating system: one Unified Kernel Image and the disk it boots from.
//!
//! Inputs: `init` and `lbd` (static programs), Debian packages named by `packages.lock`, a version.
//! Output: the same bytes for the same inputs, whatever the machine, folder, time zone or clock.
//! Nothing here needs root.
//!
//! ```text
//! packages -> apt -> deb ─┐
//! init, lbd ──────────────┼─> rootfs (Tree) -> initramfs ─┐
//! licences, os-release ───┘        │            kernel ───┼─> uki ─> esp (fat32) ─> disk
//!                                  └─> file list, sbom    stub
//! uki, sbom, notes, release key ─> update archive
//! ```
//! Pure: everything but `apt`, `cache`, `crates`, `toolchain` (they ask programs or read folders) and `build` (which
//! reads the inputs and writes the results), `update` (makes keys and signs).

pub mod apt;
pub mod apt_text;
pub mod build;
pub mod cache;
pub mod components;
pub mod crates;
pub mod deb;
pub mod disk;
pub mod elf;
pub mod embedded;
pub mod esp;
pub mod fat32;
pub mod fat_entry;
pub mod guid;
pub mod initramfs;
pub mod licences;
pub mod lock;
pub mod modinfo;
pub mod module_list;
pub mod modules;
pub mod packages;
pub mod rootfs;
pub mod sbom;
pub mod sources;
pub mod toolchain;
pub mod tree;
pub mod uki;
pub mod unpacked;
pub mod update;

pub use evenkeel_update::{hash, version};
