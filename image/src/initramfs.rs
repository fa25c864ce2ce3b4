//! Packs a [`Tree`] as the kernel wants it: a `newc` cpio archive (`initramfs/buffer-format` in the kernel's
//! documentation), then zstd (the kernel has `CONFIG_RD_ZSTD=y`).

use crate::tree::{Entry, Kind, Tree};
use cpio::newc::{Builder, ModeFileType, trailer};
use evenkeel_update::uki::WINDOW_LOG;
use std::io::{self, Write};

/// zstd's level. Measured on the image without lbd (35 MiB): level 12 gives 7.66 MB, 15 7.62, 19 6.87, 22 6.84.
const LEVEL: i32 = 19;

/// The archive, uncompressed. Inode numbers count up, times are 0, owners are root.
pub fn archive(tree: &Tree) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    for (number, (path, entry)) in (1..).zip(tree.iter()) {
        out = write_entry(out, number, path, entry)?;
    }
    trailer(out)
}

fn write_entry(out: Vec<u8>, inode: u32, path: &str, entry: &Entry) -> io::Result<Vec<u8>> {
    let header = Builder::new(path).ino(inode).mode(entry.mode);
    let (header, data): (_, &[u8]) = match &entry.kind {
        Kind::Folder => (header.nlink(2).set_mode_file_type(ModeFileType::Directory), b""),
        Kind::File(bytes) => (header.set_mode_file_type(ModeFileType::Regular), bytes),
        Kind::Link(target) => (header.set_mode_file_type(ModeFileType::Symlink), target.as_bytes()),
        Kind::Device(major, minor) => {
            (header.rdev_major(*major).rdev_minor(*minor).set_mode_file_type(ModeFileType::Char), b"")
        }
    };
    let size =
        u32::try_from(data.len()).map_err(|_| io::Error::other(format!("/{path} is larger than 4 GB")))?;
    let mut writer = header.write(out, size);
    writer.write_all(data)?;
    writer.finish()
}

/// Compresses with one thread: the number of threads would show in the bytes.
pub fn compress(data: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), LEVEL)?;
    encoder.window_log(WINDOW_LOG)?;
    encoder.set_pledged_src_size(Some(data.len() as u64))?;
    encoder.include_contentsize(true)?;
    encoder.include_checksum(true)?;
    encoder.write_all(data)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cpio::newc::Reader;
    use proptest::prelude::*;
    use std::io::Read;

    fn sample() -> Tree {
        let mut tree = Tree::default();
        tree.file("init", 0o755, "crate:init", "program").unwrap();
        tree.folder("tmp", 0o1777).unwrap();
        tree.link("etc/a", "x", "../init").unwrap();
        tree.device("dev/console", 0o600, 5, 1).unwrap();
        tree
    }

    /// Name, mode, device and content of every entry, as another implementation of the format would see them.
    fn read_back(mut archive: &[u8]) -> Vec<(String, u32, u32, Vec<u8>)> {
        let mut entries = Vec::new();
        loop {
            let mut reader = Reader::new(archive).unwrap();
            if reader.entry().is_trailer() {
                return entries;
            }
            let entry = reader.entry();
            let (name, mode, minor) = (entry.name().to_owned(), entry.mode(), entry.rdev_minor());
            assert_eq!((entry.uid(), entry.gid(), entry.mtime()), (0, 0, 0), "{name}");
            let mut content = Vec::new();
            reader.read_to_end(&mut content).unwrap();
            entries.push((name, mode, minor, content));
            archive = reader.finish().unwrap();
        }
    }

    #[test]
    fn reads_back_with_types_modes_and_content() {
        let expected = [
            ("dev", 0o040755, 0, ""),
            ("dev/console", 0o020600, 1, ""),
            ("etc", 0o040755, 0, ""),
            ("etc/a", 0o120777, 0, "../init"),
            ("init", 0o100755, 0, "program"),
            ("tmp", 0o041777, 0, ""),
        ]
        .map(|(name, mode, minor, data)| (name.to_owned(), mode, minor, data.as_bytes().to_vec()));
        assert_eq!(read_back(&archive(&sample()).unwrap()), expected);
    }

    #[test]
    fn two_builds_are_equal_and_unpack_to_the_archive() {
        let first = compress(&archive(&sample()).unwrap()).unwrap();
        assert_eq!(first, compress(&archive(&sample()).unwrap()).unwrap());
        assert_eq!(zstd::decode_all(first.as_slice()).unwrap(), archive(&sample()).unwrap());
    }

    proptest! {
        #[test]
        fn any_content_survives(contents in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..6)) {
            let mut tree = Tree::default();
            for (index, content) in contents.iter().enumerate() {
                tree.file(&format!("f{index}"), 0o644, "x", content.clone()).unwrap();
            }
            let found: Vec<_> = read_back(&archive(&tree).unwrap()).into_iter().map(|entry| entry.3).collect();
            prop_assert_eq!(found, contents);
        }
    }
}
