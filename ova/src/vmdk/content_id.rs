//! The content identifier: derived from what is on the disk, so that the same disk has the same one.

use std::fmt;

use sha2::{Digest, Sha256};

/// Collects the grains of a disk, in any order.
#[derive(Debug, Default, Clone)]
pub struct Collector {
    grains: Vec<(u64, [u8; 32])>,
}

impl Collector {
    /// Adds a grain that is not all zero. Zero grains do not count, stored or not.
    pub fn add(&mut self, lba: u64, data: &[u8]) {
        self.grains.push((lba, Sha256::digest(data).into()));
    }

    /// The identifier of all grains added, for a disk of `capacity` sectors.
    pub fn finish(mut self, capacity: u64) -> ContentId {
        self.grains.sort_unstable();
        let mut all = Sha256::new();
        all.update(capacity.to_le_bytes());
        for (lba, digest) in &self.grains {
            all.update(lba.to_le_bytes());
            all.update(digest);
        }
        ContentId::from_digest(all.finalize().into())
    }
}

/// `ddb.longContentID` and `CID`, which is its last word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentId([u32; 4]);

impl ContentId {
    /// Takes words of the digest and keeps clear of the two reserved values of `CID`: ffffffff means "no
    /// parent", fffffffe "unknown".
    fn from_digest(digest: [u8; 32]) -> ContentId {
        let word = |i: usize| u32::from_be_bytes(std::array::from_fn(|byte| digest[4 * i + byte]));
        ContentId([word(0), word(1), word(2), word(3) & 0x7fff_ffff])
    }

    /// The `CID` line's value.
    pub fn short(&self) -> String {
        format!("{:08x}", self.0[3])
    }
}

impl fmt::Display for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|word| write!(f, "{word:08x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(capacity: u64, grains: &[(u64, &[u8])]) -> ContentId {
        let mut collector = Collector::default();
        grains.iter().for_each(|(lba, data)| collector.add(*lba, data));
        collector.finish(capacity)
    }

    #[test]
    fn depends_on_content_place_and_capacity_but_not_on_order() {
        let base = id(128, &[(0, b"a"), (128, b"b")]);
        assert_eq!(base, id(128, &[(128, b"b"), (0, b"a")]));
        assert_ne!(base, id(256, &[(0, b"a"), (128, b"b")]));
        assert_ne!(base, id(128, &[(0, b"b"), (128, b"a")]));
        assert!(base.to_string().ends_with(&base.short()));
    }

    #[test]
    fn reserved_values_cannot_come_out() {
        let id = ContentId::from_digest([0xff; 32]);
        assert_eq!(id.short(), "7fffffff");
    }
}
