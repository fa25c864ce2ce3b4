//! What the product's specification fixes about the virtual machine, as the writer uses it.
//!
//! The rules of [`crate::verify`] state these values a second time, on purpose: a slip here must be found
//! by them, not shared with them.

use std::fmt;
use std::str::FromStr;

/// First part of every file name, and the name that vSphere proposes for the machine.
pub const NAME: &str = "evenkeel";

/// Name shown as the product.
pub const PRODUCT: &str = "Evenkeel";

/// The one disk: 20 GB.
pub const DISK_BYTES: u64 = 21_474_836_480;

/// The one OVF network, which all adapters name.
pub const NETWORK: &str = "VM Network";

/// `eth0` to `eth3`; only the first is connected at power-on.
pub const ADAPTERS: u32 = 4;

/// A size of the virtual machine that the user chooses at deployment.
#[derive(Debug, Clone, Copy)]
pub struct Profile {
    /// Identifier in the OVF.
    pub id: &'static str,
    /// Virtual processors.
    pub cpus: u32,
    /// Memory in units of 2^20 bytes.
    pub memory_mb: u32,
}

/// The sizing profiles; the first is the default.
pub const PROFILES: [Profile; 3] = [
    Profile { id: "v1000", cpus: 2, memory_mb: 4096 },
    Profile { id: "v4000", cpus: 4, memory_mb: 8192 },
    Profile { id: "vUltimate", cpus: 8, memory_mb: 16384 },
];

/// The product's version, `X.Y.Z`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(String);

/// A text that is not `X.Y.Z`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAVersion(String);

impl FromStr for Version {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Version, NotAVersion> {
        let number = |part: &str| {
            (1..=9).contains(&part.len())
                && part.bytes().all(|b| b.is_ascii_digit())
                && (part == "0" || !part.starts_with('0'))
        };
        let parts: Vec<&str> = text.split('.').collect();
        match parts.len() == 3 && parts.iter().all(|part| number(part)) {
            true => Ok(Version(text.to_owned())),
            false => Err(NotAVersion(text.to_owned())),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for NotAVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a version; write three numbers, for example 1.2.3", self.0)
    }
}

impl std::error::Error for NotAVersion {}

/// Names of the files inside the OVA: all begin alike, none has a folder (DSP0243 5.1, 5.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileNames {
    /// The descriptor.
    pub ovf: String,
    /// The manifest.
    pub manifest: String,
    /// The disk.
    pub vmdk: String,
}

impl FileNames {
    /// The names that belong to `version`.
    pub fn new(version: &Version) -> FileNames {
        FileNames {
            ovf: format!("{NAME}-{version}.ovf"),
            manifest: format!("{NAME}-{version}.mf"),
            vmdk: format!("{NAME}-{version}-disk1.vmdk"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_three_plain_numbers() {
        assert_eq!("0.1.0".parse::<Version>().unwrap().to_string(), "0.1.0");
        for wrong in ["", "1", "1.2", "1.2.3.4", "1.2.x", "1..3", "01.2.3", "1.2.-3", "1.2.3\n", "../.1.2"] {
            assert_eq!(wrong.parse::<Version>(), Err(NotAVersion(wrong.to_owned())));
        }
    }
}
