//! The header of a file in the archive (POSIX.1-2001 "ustar Interchange Format"). There is one spelling for each name
//! and size; what is spelled otherwise is no archive of ours.

/// The unit of the archive, in bytes.
pub const BLOCK: usize = 512;

/// Two blocks of zeros end the archive.
pub const END: usize = 2 * BLOCK;

/// Every file's time: 2020-01-01 00:00:00 UTC, so that the same input has the same bytes.
const TIME: u64 = 1_577_836_800;

/// Where the fields are.
mod at {
    use std::ops::Range;
    pub const MODE: usize = 100;
    pub const USER: usize = 108;
    pub const GROUP: usize = 116;
    pub const SIZE: Range<usize> = 124..136;
    pub const TIME: usize = 136;
    pub const CHECKSUM: usize = 148;
    pub const KIND: usize = 156;
    pub const MAGIC: Range<usize> = 257..265;
    pub const DEVICE: [usize; 2] = [329, 337];
}

/// The header of a regular file of root's, mode 0644. `name` has at most 99 bytes, `size` at most 8 GiB.
pub fn header(name: &str, size: u64) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let length = name.len().min(99);
    block[..length].copy_from_slice(&name.as_bytes()[..length]);
    put(&mut block, at::MODE, &format!("{:07o}", 0o644));
    for zero in [at::USER, at::GROUP].into_iter().chain(at::DEVICE) {
        put(&mut block, zero, "0000000");
    }
    put(&mut block, at::SIZE.start, &format!("{:011o}", size & 0o77_777_777_777));
    put(&mut block, at::TIME, &format!("{TIME:011o}"));
    block[at::KIND] = b'0';
    block[at::MAGIC].copy_from_slice(b"ustar\x0000");
    // The checksum counts itself as blanks.
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum::<u32>() + 8 * u32::from(b' ');
    put(&mut block, at::CHECKSUM, &format!("{sum:06o}\0 "));
    block
}

fn put(block: &mut [u8; BLOCK], at: usize, text: &str) {
    block[at..at + text.len()].copy_from_slice(text.as_bytes());
}

/// The size in the header of `name`; none where it is not that file's header to the last bit.
pub fn size(block: &[u8; BLOCK], name: &str) -> Option<u64> {
    let digits = std::str::from_utf8(block[at::SIZE].strip_suffix(b"\0")?).ok()?;
    let size = u64::from_str_radix(digits, 8).ok()?;
    (header(name, size) == *block).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_header_reads_back_and_no_changed_one_does(size in 0_u64..1 << 33, at in 0..BLOCK, bit in 0..8_u8) {
            let good = header("manifest.json", size);
            prop_assert_eq!(super::size(&good, "manifest.json"), Some(size));
            prop_assert_eq!(super::size(&good, "sbom.json"), None);
            let mut bad = good;
            bad[at] ^= 1 << bit;
            prop_assert_eq!(super::size(&bad, "manifest.json"), None);
        }
    }

    #[test]
    fn it_is_what_gnu_tar_writes() {
        let expected = header("evenkeel.efi", 5);
        assert_eq!(&expected[at::SIZE], b"00000000005\0");
        assert_eq!(&expected[at::CHECKSUM..at::KIND], b"011520\0 ", "by GNU tar 1.34");
    }
}
