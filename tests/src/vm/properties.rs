//! The settings that a deployment passes to the guest: an OVF environment document on a disc.

use std::fmt::Write as _;
use std::path::Path;

use argon2::password_hash::PasswordHasher;
use argon2::{Algorithm, Argon2, Params, Version};

use super::iso;

/// Settings by key, as `ova/src/ovf/property.rs` declares them.
#[derive(Debug, Clone, Default)]
pub struct Properties(Vec<(&'static str, String)>);

impl Properties {
    /// With the value of `key` added.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.0.push((key, value.into()));
        self
    }

    /// With the password of user `loadbalancer`, as its hash.
    #[must_use]
    pub fn with_password(self, password: &str) -> Self {
        let params = Params::new(9 * 1024, 4, 1, None).expect("valid parameters");
        let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let hash = hasher.hash_password(password.as_bytes()).expect("a password can be hashed");
        self.with("password_hash", hash.to_string())
    }

    /// Writes the disc to `path`.
    pub fn write_disc(&self, path: &Path) {
        let disc = iso::image("OVFENV", "OVF-ENV.XML", self.document().as_bytes());
        std::fs::write(path, disc).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// The document as VMware writes it (DSP0243, 11.2).
    pub fn document(&self) -> String {
        let mut text = String::from(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <Environment xmlns=\"http://schemas.dmtf.org/ovf/environment/1\"\n\
             \x20            xmlns:oe=\"http://schemas.dmtf.org/ovf/environment/1\" oe:id=\"\">\n\
             <PlatformSection><Kind>QEMU</Kind></PlatformSection>\n<PropertySection>\n",
        );
        for (key, value) in &self.0 {
            let value = escaped(value);
            writeln!(text, "<Property oe:key=\"{key}\" oe:value=\"{value}\"/>").expect("writing to a string");
        }
        text + "</PropertySection>\n</Environment>\n"
    }
}

/// For an attribute in double quotes; a bare line break would be read as a blank (XML 1.0, 3.3.3).
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;").replace('\n', "&#10;")
}
