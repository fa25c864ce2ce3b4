//! The update archive, as its builder writes it and as init and lbd read it.
//!
//! ```text
//! evenkeel-VERSION.update, a ustar archive of exactly these files, in this order:
//!   manifest.json          what it is: versions, notes, size and SHA-256 of what follows
//!   manifest.json.minisig  its signature (Ed25519, as minisign writes it)
//!   sbom.json              the bill of materials (CycloneDX)
//!   evenkeel.efi           the system: one UKI
//! ```
//! The signature comes before everything that it answers for, so that nothing unsigned is ever kept or believed. Any
//! `tar` takes the archive apart, and `minisign -Vm manifest.json` verifies it. All is pure: bytes in, faults out; no
//! more than the manifest is ever in memory.

pub mod archive;
pub mod fault;
mod form;
pub mod hash;
pub mod header;
pub mod index;
pub mod manifest;
pub mod signature;
pub mod status;
pub mod uki;
pub mod version;
pub mod write;

/// The one file of every release that `init` trusts (`image/src/rootfs.rs`): minisign's public key.
pub const TRUSTED_KEY: &str = "/etc/evenkeel/update.pub";

/// What every image says of its own base (`image/src/update.rs`): [`manifest::Base`] as JSON.
pub const BASE: &str = "/etc/evenkeel/base.json";

/// Only a development build has this file (`image/src/rootfs.rs`).
pub const DEVELOPMENT_MARK: &str = "/etc/evenkeel/development-build";

/// Where lbd leaves an archive for init (`lbd/src/update/staging.rs`); init takes no other path.
pub const STAGED: &str = "/data/lbd/update/staged.update";
