//! What a data partition holds: pure. Only a blank one is ever formatted.

/// So much of the start is looked at.
pub const START: usize = 1 << 20;

/// The end of the partition that no file system of ours uses. It holds [`MARK`] while mke2fs works: a power cut in
/// between would else leave a partition that nobody understands.
pub const RESERVED: u64 = 64 << 10;

/// See [`RESERVED`].
pub const MARK: &[u8] = b"Evenkeel init is making the file system of this partition. It holds nothing yet.\n";

/// Where ext2, ext3 and ext4 have the superblock, where in it its magic number is, and that number
/// (`Documentation/filesystems/ext4/super.rst`).
const SUPERBLOCK: usize = 1024;
const MAGIC: (usize, u16) = (0x38, 0xEF53);

/// Its first copy, in a file system of 4 KiB blocks: at the start of block group 1.
pub const FIRST_COPY: u64 = 32768 * 4096;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Zeros, or a file system that was never finished.
    Blank,
    /// ext2, ext3 or ext4, perhaps with a damaged start.
    Ext,
    /// Something that is not ours, named for people.
    Other(&'static str),
}

/// `start`: the first [`START`] bytes; `copy`: the block at [`FIRST_COPY`]; `end`: the start of the last
/// [`RESERVED`] bytes. Each may be shorter on a small partition.
pub fn recognise(start: &[u8], copy: &[u8], end: &[u8]) -> Content {
    if end.starts_with(MARK) {
        return Content::Blank;
    }
    if has_magic(start.get(SUPERBLOCK..).unwrap_or_default()) || has_magic(copy) {
        return Content::Ext;
    }
    let other =
        OTHERS.iter().find(|(at, magic, _)| start.get(*at..).is_some_and(|rest| rest.starts_with(magic)));
    match other {
        Some((_, _, name)) => Content::Other(name),
        None if start.iter().all(|byte| *byte == 0) => Content::Blank,
        None => Content::Other("data of an unknown kind"),
    }
}

fn has_magic(superblock: &[u8]) -> bool {
    superblock.get(MAGIC.0..).is_some_and(|rest| rest.starts_with(&MAGIC.1.to_le_bytes()))
}

/// Offsets and magic numbers as in libblkid.
const OTHERS: &[(usize, &[u8], &str)] = &[
    (0, b"LUKS\xba\xbe", "an encrypted volume (LUKS)"),
    (0, b"XFSB", "an XFS file system"),
    (0x10040, b"_BHRfS_M", "a Btrfs file system"),
    (4086, b"SWAPSPACE2", "swap space"),
    (512, b"LABELONE", "an LVM volume"),
    (3, b"NTFS    ", "an NTFS file system"),
    (82, b"FAT32   ", "a FAT file system"),
    (54, b"FAT16   ", "a FAT file system"),
];

/// Size of an ext file system by its superblock (1024 bytes): blocks, and bytes a block.
pub fn size(superblock: &[u8]) -> Option<(u64, u64)> {
    let word = |at: usize| Some(u32::from_le_bytes(superblock.get(at..at + 4)?.try_into().ok()?));
    has_magic(superblock).then_some(())?;
    const WIDE: u32 = 0x80; // INCOMPAT_64BIT
    let high = if word(0x60)? & WIDE != 0 { word(0x150)? } else { 0 };
    let block = 1024u64.checked_shl(word(0x18)?).filter(|bytes| *bytes <= 65536)?;
    Some((u64::from(high) << 32 | u64::from(word(4)?), block))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with(at: usize, bytes: &[u8]) -> Vec<u8> {
        let mut start = vec![0; START];
        start[at..at + bytes.len()].copy_from_slice(bytes);
        start
    }

    #[test]
    fn only_zeros_and_what_was_never_finished_are_blank() {
        assert_eq!(recognise(&vec![0; START], &[0; 1024], &[0; 512]), Content::Blank);
        assert_eq!(recognise(&with(5000, b"group descriptors"), &[], MARK), Content::Blank);
        assert_eq!(recognise(&with(5000, b"x"), &[], &MARK[1..]), Content::Other("data of an unknown kind"));
        assert_eq!(recognise(&with(START - 1, b"x"), &[], &[]), Content::Other("data of an unknown kind"));
    }

    #[test]
    fn an_ext_file_system_is_known_by_either_superblock() {
        let magic = [0x53, 0xef];
        assert_eq!(recognise(&with(1024 + 0x38, &magic), &[], &[]), Content::Ext);
        assert_eq!(recognise(&vec![0; START], &with(0x38, &magic)[..1024], &[]), Content::Ext);
    }

    #[test]
    fn what_is_not_ours_is_named() {
        for (at, magic, name) in OTHERS {
            assert_eq!(recognise(&with(*at, magic), &[], &[]), Content::Other(name));
        }
    }

    #[test]
    fn sizes() {
        let mut block = with(0x38, &[0x53, 0xef]);
        block[4..8].copy_from_slice(&100u32.to_le_bytes());
        block[0x18] = 2;
        block[0x150] = 1;
        assert_eq!(size(&block), Some((100, 4096)));
        block[0x60] = 0x80;
        assert_eq!(size(&block), Some(((1 << 32) + 100, 4096)));
        block[0x18] = 7;
        assert_eq!(size(&block), None);
        assert_eq!(size(&[0; 1024]), None);
    }

    proptest! {
        #[test]
        fn any_bytes(start in proptest::collection::vec(any::<u8>(), 0..2048), copy in proptest::collection::vec(any::<u8>(), 0..64)) {
            size(&start);
            let found = recognise(&start, &copy, &copy);
            prop_assert!(found != Content::Blank || start.iter().all(|byte| *byte == 0));
        }
    }
}
