//! From a raw disk image to an OVA for "Deploy OVF Template", and back.
//!
//! ```text
//! disk -> vmdk::write -> ovf::descriptor -> manifest -> ustar -> .ova, .ova.sha256     (pack)
//! .ova -> ustar -> Ova (what was read, unjudged; the disk and the system on it too) -> the rules of verify,
//!                one line each (verify)
//! .ova -> ustar -> vmdk::walk -> raw disk                                              (extract)
//! ```
//!
//! Packing reads no clock, no locale, no time zone and no umask: the same disk and version give the same
//! bytes. What is read is never trusted: every length is bounded by the file it came from.

pub mod disk;
pub mod error;
pub mod extract;
pub mod manifest;
pub mod model;
pub mod ovf;
pub mod pack;
pub mod product;
pub mod system;
pub mod ustar;
pub mod verify;
pub mod vmdk;

pub use error::Error;
