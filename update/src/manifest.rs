//! What an archive says of itself. The manifest is what is signed; it answers for everything else.

use crate::fault::Fault;
use crate::form::{self, Remedies};
use crate::hash::Sha;
use crate::version::Version;
use serde::{Deserialize, Serialize};

/// What is in an archive, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// [`Manifest`].
    Manifest,
    /// Its signature.
    Signature,
    /// The bill of materials.
    Sbom,
    /// The system.
    Uki,
}

const MIB: u64 = 1 << 20;

impl Part {
    /// All, in order.
    pub const ALL: [Self; 4] = [Self::Manifest, Self::Signature, Self::Sbom, Self::Uki];

    /// Its name in the archive.
    pub fn name(self) -> &'static str {
        match self {
            Self::Manifest => "manifest.json",
            Self::Signature => "manifest.json.minisig",
            Self::Sbom => "sbom.json",
            Self::Uki => "evenkeel.efi",
        }
    }

    /// Its largest size, in bytes. A manifest of ours has 2 KiB and its notes, a signature 300 bytes, an SBOM 200 KiB, a
    /// UKI 40 MiB; two UKIs must fit on the boot partition (512 MiB).
    pub fn limit(self) -> u64 {
        match self {
            Self::Manifest => 64 << 10,
            Self::Signature => 4 << 10,
            Self::Sbom => 16 * MIB,
            Self::Uki => 192 * MIB,
        }
    }
}

/// No archive is larger, in bytes: all its files at their largest, and their headers.
pub const LARGEST_ARCHIVE: u64 = 209 * MIB;

/// The one form of manifest there is.
pub const FORMAT: u32 = 1;

/// The name of the product, so that nobody else's archive is taken for an update.
pub const PRODUCT: &str = "evenkeel";

/// What an archive says of itself. Fields that are not known are passed over: a newer builder may say more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// [`PRODUCT`].
    pub product: String,
    /// What is installed.
    pub version: Version,
    /// The oldest version that can be updated to it.
    pub minimum_version: Version,
    /// What is new, for people: lines of text.
    pub notes: String,
    /// Made by a developer, not a release.
    pub development: bool,
    /// The bill of materials.
    pub sbom: Content,
    /// The system.
    pub uki: Content,
    /// What the system is made of; where it is the same as what runs, only lbd differs, and can be replaced without a
    /// restart.
    pub base: Base,
}

/// Size and digest of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// In bytes.
    pub size: u64,
    /// SHA-256.
    pub sha256: Sha,
}

impl Content {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self { size: bytes.len() as u64, sha256: Sha::of(bytes) }
    }
}

/// Digests of what cannot be replaced while the system runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// The kernel, its command line and the stub that starts it.
    pub kernel: Sha,
    /// init.
    pub init: Sha,
    /// Everything else in the initramfs but what is lbd's ([`of_lbd`]), its modules among it: paths, modes and contents.
    pub files: Sha,
}

/// What belongs to lbd in an image, and changes with every version: what a quick update replaces together.
pub const OF_LBD: [&str; 3] = ["bin/lbd", "etc/os-release", "usr/share/licenses"];

/// Whether the path is one of [`OF_LBD`], or below one.
pub fn of_lbd(path: &str) -> bool {
    let rest = |whole: &str| path.strip_prefix(whole);
    OF_LBD.iter().filter_map(|whole| rest(whole)).any(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Manifest {
    /// Reads a manifest whose signature is verified.
    pub fn parse(json: &[u8]) -> Result<Self, Fault> {
        let remedies = Remedies {
            product: "choose an update of Evenkeel",
            format: "install a version in between first",
        };
        let manifest: Self = form::read(json, FORMAT, &remedies).map_err(Fault::Manifest)?;
        form::check_notes(&manifest.notes).map_err(Fault::Manifest)?;
        for (part, Content { size, .. }) in [(Part::Sbom, manifest.sbom), (Part::Uki, manifest.uki)] {
            if size > part.limit() {
                return Err(Fault::TooLarge { part, size });
            }
        }
        Ok(manifest)
    }

    /// What the manifest says of a part that it answers for.
    pub fn content(&self, part: Part) -> Option<Content> {
        match part {
            Part::Manifest | Part::Signature => None,
            Part::Sbom => Some(self.sbom),
            Part::Uki => Some(self.uki),
        }
    }

    /// Whether it may be installed where `running` runs.
    pub fn permitted_after(&self, running: &Version) -> Result<(), Fault> {
        let (offered, running) = (self.version.clone(), running.clone());
        if !offered.is_newer_than(&running) {
            return Err(Fault::NotNewer { offered, running });
        }
        if self.minimum_version.is_newer_than(&running) {
            return Err(Fault::TooOld { offered, needs: self.minimum_version.clone(), running });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn good() -> Value {
        let content = json!({ "size": 5, "sha256": Sha::of(b"") });
        json!({
            "format": 1, "product": "evenkeel", "version": "1.1", "minimum_version": "1.0", "notes": "New:\n- all",
            "development": false, "sbom": content, "uki": content, "later": { "unknown": true },
            "base": { "kernel": Sha::of(b"k"), "init": Sha::of(b"i"), "files": Sha::of(b"f") },
        })
    }

    fn parsed(field: &str, value: Value) -> Result<Manifest, String> {
        let mut manifest = good();
        manifest[field] = value;
        Manifest::parse(manifest.to_string().as_bytes()).map_err(|fault| fault.to_string())
    }

    #[test]
    fn what_a_newer_builder_says_besides_is_passed_over() {
        assert_eq!(parsed("format", json!(1)).unwrap().version.as_str(), "1.1");
    }

    #[test]
    fn each_rule_is_told() {
        let table = [
            ("format", json!(2), "install a version in between"),
            ("product", json!("other"), "another product"),
            ("version", json!("1+3"), "no version"),
            ("notes", json!("\u{1b}[2J"), "no plain text"),
            ("uki", json!({ "size": 1_u64 << 33, "sha256": Sha::of(b"") }), "8589934592 bytes, more than"),
            ("sbom", json!({ "size": 1, "sha256": "0" }), "64 lower-case"),
        ];
        for (field, value, words) in table {
            let told = parsed(field, value).unwrap_err();
            assert!(told.contains(words), "{field}: {told}");
        }
    }

    #[test]
    fn what_is_of_lbd() {
        for path in ["bin/lbd", "etc/os-release", "usr/share/licenses", "usr/share/licenses/crates/x"] {
            assert!(of_lbd(path), "{path}");
        }
        for path in ["bin", "bin/lbd2", "init", "etc/os-release.d", "usr/share", "usr/share/licenses2/x"] {
            assert!(!of_lbd(path), "{path}");
        }
    }

    #[test]
    fn version_rules() {
        let manifest = parsed("format", json!(1)).unwrap();
        let told = |running: &str| {
            manifest.permitted_after(&running.parse().unwrap()).map_err(|fault| fault.to_string())
        };
        assert!(told("1.0").is_ok() && told("1.0.5").is_ok());
        assert!(told("1.1").unwrap_err().contains("not newer than 1.1"));
        assert!(told("1.2").unwrap_err().contains("not newer than 1.2"));
        assert!(told("0.9").unwrap_err().contains("from version 1.0 on"));
    }

    #[test]
    fn the_largest_archive_holds_all_parts() {
        let parts: u64 = Part::ALL.iter().map(|part| part.limit() + 1024).sum();
        assert!(parts + 1024 < LARGEST_ARCHIVE);
    }
}
