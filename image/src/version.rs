//! The version of an image, as it appears in file names, `os-release` and the boot menu.

use std::fmt;

/// Letters, digits, `.`, `-` and `~`: what systemd-boot's comparison (UAPI version format) and a FAT file name
/// both take. No `+` and no `_`: `evenkeel_<version>+3.efi` is split at them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(String);

/// Why a text is no version.
#[derive(Debug, PartialEq, Eq)]
pub struct BadVersion(String);

impl Version {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Version {
    type Err = BadVersion;
    fn from_str(text: &str) -> Result<Self, BadVersion> {
        let fits = text.len() <= 64 && text.starts_with(|c: char| c.is_ascii_digit());
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-~".contains(&b));
        if fits && plain { Ok(Self(text.to_owned())) } else { Err(BadVersion(text.to_owned())) }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for BadVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is no version: give a digit first, then letters, digits, '.', '-' or '~', at most 64",
            self.0
        )
    }
}

impl std::error::Error for BadVersion {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_versions_and_refuses_what_boot_counting_would_misread() {
        for good in ["1", "0.1.0", "1.2.3~rc1", "2026.1-4"] {
            assert!(good.parse::<Version>().is_ok(), "{good}");
        }
        for bad in ["", "v1", "1+3", "1_2", "1/2", "1 2", "1é", &"1".repeat(65)] {
            assert!(bad.parse::<Version>().is_err(), "{bad}");
        }
    }
}
