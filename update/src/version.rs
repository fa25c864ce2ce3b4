//! The version of an image, as it appears in file names, `os-release` and the boot menu.

use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;

/// Letters, digits, `.`, `-` and `~`: what systemd-boot's comparison (UAPI version format) and a FAT file name
/// both take. No `+` and no `_`: `evenkeel_<version>+3.efi` is split at them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Version(String);

/// Why a text is no version.
#[derive(Debug, PartialEq, Eq)]
pub struct BadVersion(String);

impl Version {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether systemd-boot starts this one first, of two (UAPI "Version Format Specification").
    pub fn is_newer_than(&self, other: &Self) -> bool {
        compare(self.0.as_bytes(), other.0.as_bytes()) == Ordering::Greater
    }
}

/// The specification's order, for the characters that a [`Version`] may have.
fn compare(mut a: &[u8], mut b: &[u8]) -> Ordering {
    loop {
        // `~` comes before everything, the end included: 1.0~rc1 is older than 1.0.
        match separator(b'~', &mut a, &mut b) {
            Ordering::Equal => {}
            other => return other,
        }
        if a.is_empty() || b.is_empty() {
            return a.len().cmp(&b.len());
        }
        for mark in [b'-', b'.'] {
            match separator(mark, &mut a, &mut b) {
                Ordering::Equal => {}
                other => return other,
            }
        }
        let is_number = [&a, &b].iter().any(|rest| rest.first().is_some_and(u8::is_ascii_digit));
        let order = match is_number {
            true => number(take(&mut a, u8::is_ascii_digit), take(&mut b, u8::is_ascii_digit)),
            false => take(&mut a, u8::is_ascii_alphabetic).cmp(take(&mut b, u8::is_ascii_alphabetic)),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Where only one goes on with `mark` it is the older one; where both do it is passed.
fn separator(mark: u8, a: &mut &[u8], b: &mut &[u8]) -> Ordering {
    let has = |rest: &[u8]| rest.first() == Some(&mark);
    if has(a) && has(b) {
        (*a, *b) = (&a[1..], &b[1..]);
        return Ordering::Equal;
    }
    has(b).cmp(&has(a))
}

/// What is at the beginning of `rest`; it goes on behind that.
fn take<'a>(rest: &mut &'a [u8], belongs: impl Fn(&u8) -> bool) -> &'a [u8] {
    let end = rest.iter().position(|byte| !belongs(byte)).unwrap_or(rest.len());
    let (taken, left) = rest.split_at(end);
    *rest = left;
    taken
}

/// By value, however many digits; a number is newer than none.
fn number(a: &[u8], b: &[u8]) -> Ordering {
    let plain =
        |digits: &[u8]| digits.iter().skip_while(|digit| **digit == b'0').copied().collect::<Vec<_>>();
    let (short_a, short_b) = (plain(a), plain(b));
    let by_value = (short_a.len(), short_a).cmp(&(short_b.len(), short_b));
    a.is_empty().cmp(&b.is_empty()).reverse().then(by_value)
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.0
    }
}

impl TryFrom<String> for Version {
    type Error = BadVersion;
    fn try_from(text: String) -> Result<Self, BadVersion> {
        text.parse()
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

    use proptest::prelude::*;

    #[test]
    fn each_is_newer_than_the_one_before() {
        // From the specification, and ours.
        let ascending = [
            "1~rc1", "1", "1-1", "1-2", "1.a", "1.0", "1.1", "1.1.1", "1.2", "1.9", "1.10", "2", "9.9.9",
            "10",
        ];
        for (at, newer) in ascending.iter().enumerate() {
            for older in &ascending[..at] {
                let (newer, older): (Version, Version) = (newer.parse().unwrap(), older.parse().unwrap());
                assert!(newer.is_newer_than(&older), "{newer} and {older}");
                assert!(!older.is_newer_than(&newer), "{older} and {newer}");
            }
        }
        assert!(!version("1.00").is_newer_than(&version("1.0")), "leading zeros do not count");
    }

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    proptest! {
        #[test]
        fn of_two_at_most_one_is_newer(a in "[0-9][0-9a-z.~-]{0,8}", b in "[0-9][0-9a-z.~-]{0,8}") {
            let (a, b) = (version(&a), version(&b));
            prop_assert!(!(a.is_newer_than(&b) && b.is_newer_than(&a)));
            prop_assert!(!a.is_newer_than(&a));
        }
    }

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
