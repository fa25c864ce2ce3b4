//! Volumes are read back with crate `fatfs`.

use super::*;
use fatfs::{FatType, FileSystem, FsOptions};
use proptest::prelude::*;
use std::io::{Cursor, Read};

const SIZE: u64 = 40 << 20;

fn volume(files: &[(&str, &[u8])]) -> Result<Vec<u8>, FatError> {
    let mut out = Cursor::new(vec![0; SIZE as usize]);
    write(&mut out, &Volume { start: 0, size: SIZE, id: 0x1234_5678, label: b"LABEL      ", files })?;
    Ok(out.into_inner())
}

fn mounted(volume: Vec<u8>) -> FileSystem<Cursor<Vec<u8>>> {
    FileSystem::new(Cursor::new(volume), FsOptions::new()).unwrap()
}

fn content(fs: &FileSystem<Cursor<Vec<u8>>>, path: &str) -> Vec<u8> {
    let mut content = Vec::new();
    fs.root_dir().open_file(path).unwrap().read_to_end(&mut content).unwrap();
    content
}

#[test]
fn files_read_back_by_any_case() {
    let large = vec![7; 100_000];
    let fs = mounted(
        volume(&[("EFI/BOOT/BOOTX64.EFI", b"x"), ("EFI/Linux/evenkeel_1.0.efi", &large), ("e", b"")])
            .unwrap(),
    );
    assert_eq!(content(&fs, "efi/boot/bootx64.efi"), b"x");
    assert_eq!(content(&fs, "EFI/Linux/evenkeel_1.0.efi"), large);
    assert_eq!(content(&fs, "e"), b"");
    assert_eq!(
        (fs.fat_type(), fs.volume_id(), fs.volume_label()),
        (FatType::Fat32, 0x1234_5678, "LABEL".into())
    );
}

#[test]
fn free_clusters_are_counted_as_another_implementation_counts_them() {
    let bytes = volume(&[("a/b", &[1; 1000]), ("c", &[2; 513])]).unwrap();
    let stored = u32::from_le_bytes(bytes[512 + 488..][..4].try_into().unwrap());
    let mut unknown = bytes.clone();
    unknown[512 + 488..][..4].fill(0xff); // makes the reader count by itself
    let stats = mounted(unknown).stats().unwrap();
    assert_eq!(stats.free_clusters(), stored);
    assert_eq!(stats.total_clusters() - stored, 1 + 1 + 2 + 2); // root, a, a/b, c
}

#[test]
fn dot_entries_come_first_and_without_long_names() {
    let bytes = volume(&[("a/b/c", b"x")]).unwrap();
    let geometry = Geometry::of(SIZE).unwrap();
    let slot = |cluster, n: usize| &bytes[geometry.offset(cluster) as usize + n * 32..][..32];
    assert_eq!((&slot(3, 0)[..12], slot(3, 0)[26]), (&b".          \x10"[..], 3));
    assert_eq!((&slot(3, 1)[..12], slot(3, 1)[26]), (&b"..         \x10"[..], 0), "the root is 0");
    assert_eq!((&slot(4, 1)[..12], slot(4, 1)[26]), (&b"..         \x10"[..], 3));
}

#[test]
fn the_copies_of_headers_and_tables_are_equal() {
    let bytes = volume(&[("a", b"x")]).unwrap();
    assert_eq!(bytes[..1024], bytes[6 * 512..8 * 512]);
    let (start, length) = ((RESERVED * SECTOR) as usize, (Geometry::of(SIZE).unwrap().fat * SECTOR) as usize);
    assert!(bytes[start..start + length] == bytes[start + length..start + 2 * length]);
}

#[test]
fn what_cannot_be_is_refused() {
    assert!(matches!(volume(&[("a", b"x"), ("a", b"y")]), Err(FatError::Path(_))));
    assert!(matches!(volume(&[("a", b"x"), ("a/b", b"y")]), Err(FatError::Path(_))));
    assert!(matches!(volume(&[("a:b", b"x")]), Err(FatError::Path(_))));
    assert!(matches!(volume(&[("a", &vec![0; SIZE as usize])]), Err(FatError::Full)));
    assert!(Geometry::of(1 << 20).is_none() && Geometry::of(0).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_tree_reads_back(files in proptest::collection::btree_map(
        "[a-c]{1,2}/[A-Za-z0-9_.~-]{0,20}[a-z]", proptest::collection::vec(any::<u8>(), 0..3000), 0..9)) {
        // FAT knows no case: names that differ in nothing else are one name.
        let folded: BTreeSet<String> = files.keys().map(|path| path.to_uppercase()).collect();
        prop_assume!(folded.len() == files.len() && files.keys().all(|path| !path.contains("/.")));
        let list: Vec<(&str, &[u8])> = files.iter().map(|(path, data)| (path.as_str(), data.as_slice())).collect();
        let fs = mounted(volume(&list).unwrap());
        for (path, data) in &files {
            prop_assert_eq!(&content(&fs, path), data);
        }
    }
}
