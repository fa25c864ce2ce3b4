//! SHA-256 as lower-case hexadecimal text, the form of manifest, `packages.lock`, SBOM and `sha256sum`.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Sha([u8; 32]);

/// Digests what comes piece by piece.
#[derive(Clone, Debug, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// The next piece.
    pub fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    /// Of everything.
    pub fn finish(self) -> Sha {
        Sha(self.0.finalize().into())
    }
}

impl Sha {
    /// The digest of `data`.
    pub fn of(data: &[u8]) -> Self {
        Self(Sha256::digest(data).into())
    }

    /// Reads 64 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Some(Self(bytes))
    }

    /// The first digest in a file of `sha256sum`, or a digest alone; in either case of letters.
    pub fn parse_sum_file(text: &str) -> Option<Self> {
        Self::parse(&text.split_whitespace().next()?.to_ascii_lowercase())
    }

    /// The 32 bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl From<Sha> for String {
    fn from(sha: Sha) -> Self {
        sha.to_string()
    }
}

impl TryFrom<String> for Sha {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("a SHA-256 has 64 lower-case hexadecimal digits")
    }
}

impl fmt::Display for Sha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_digest_reads_back() {
        let text = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Sha::of(b"").to_string(), text);
        assert_eq!(Sha::parse(text), Some(Sha::of(b"")));
        let file = format!("{}  evenkeel-1.0.update\n", text.to_uppercase());
        assert_eq!(Sha::parse_sum_file(&file), Some(Sha::of(b"")));
    }

    #[test]
    fn piece_by_piece_is_the_same_as_at_once() {
        let mut hasher = Hasher::default();
        [&b"one"[..], b"", b"two"].iter().for_each(|piece| hasher.update(piece));
        assert_eq!(hasher.finish(), Sha::of(b"onetwo"));
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in ["", "e3b0", &"g".repeat(64), &"A".repeat(64), &"a".repeat(65)] {
            assert_eq!(Sha::parse(bad), None, "{bad}");
        }
        assert_eq!(Sha::parse_sum_file(" \n"), None);
    }
}
