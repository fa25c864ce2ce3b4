//! Random disks survive the way to VMDK and back; random bytes are judged, never a panic.

#![allow(clippy::unwrap_used, reason = "a test may, and so may its helpers")]

mod common;

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::LazyLock;

use evenkeel_ova::disk::RawDisk;
use evenkeel_ova::extract;
use evenkeel_ova::manifest::Manifest;
use evenkeel_ova::ovf::Node;
use evenkeel_ova::verify::{broken, passed};
use evenkeel_ova::vmdk::{Fields, GRAIN_BYTES, Header, walk, write};
use proptest::prelude::*;

/// 64 MB and a little: two grain tables and the beginning of a third.
const SMALL: u64 = (64 << 20) + 3 * GRAIN_BYTES as u64;

/// A piece of a disk: where, how long, and what: one byte repeated, or noise.
#[derive(Debug, Clone)]
struct Piece {
    at: u64,
    data: Vec<u8>,
}

fn piece() -> impl Strategy<Value = Piece> {
    let noise = prop::collection::vec(any::<u8>(), 1..300_000);
    let same = (any::<u8>(), 1..200_000_usize).prop_map(|(byte, length)| vec![byte; length]);
    let at = prop_oneof![0..SMALL, Just(0), Just(SMALL - 1), Just(65_536), Just(33_554_432)];
    (at, prop_oneof![noise, same]).prop_map(|(at, mut data)| {
        data.truncate((SMALL - at) as usize);
        Piece { at, data }
    })
}

fn disk_of(pieces: &[Piece], path: &Path) {
    let file = File::create(path).unwrap();
    file.set_len(SMALL).unwrap();
    pieces.iter().for_each(|piece| file.write_all_at(&piece.data, piece.at).unwrap());
}

/// Writes the disk as a VMDK, and reads it back by way of the grains and by way of the tables.
fn round_trip(folder: &Path) -> (Vec<u8>, Vec<u8>) {
    let path = folder.join("disk.vmdk");
    let mut out = File::options().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
    let mut raw = RawDisk::open(&folder.join("disk.raw")).unwrap();
    let written = write(&mut raw, &mut out, &path, "disk.vmdk").unwrap();
    let vmdk = fs::read(&path).unwrap();
    assert_eq!(vmdk.len() as u64, written.bytes);

    let layout = Header::decode(vmdk[..512].try_into().unwrap()).layout().unwrap();
    let mut by_grains = vec![0; SMALL as usize];
    let mut input = &vmdk[(layout.overhead * 512) as usize..];
    let stream = walk::<std::io::Error>(&mut input, &layout, written.bytes / 512, |grain, data| {
        assert!(!grain.zero);
        by_grains[(grain.lba * 512) as usize..][..GRAIN_BYTES].copy_from_slice(data);
        Ok(())
    })
    .unwrap();
    assert_eq!((stream.stopped, stream.markers.len(), stream.grains.len() as u64), (None, 1, written.grains));
    (by_grains, by_tables(&vmdk))
}

/// Reads a VMDK as a program does that seeks: directory, table, grain. Shares no code with the walk.
fn by_tables(vmdk: &[u8]) -> Vec<u8> {
    let word = |at: usize| u32::from_le_bytes(vmdk[at..at + 4].try_into().unwrap()) as usize;
    let mut disk = vec![0; SMALL as usize];
    for (number, grain) in disk.chunks_mut(GRAIN_BYTES).enumerate() {
        let table = word(21 * 512 + 4 * (number / 512));
        let at = 512 * word(512 * table + 4 * (number % 512));
        if at != 0 {
            assert_eq!(word(at), 128 * number);
            let stream = &vmdk[at + 12..at + 12 + word(at + 8)];
            grain.copy_from_slice(&miniz_oxide::inflate::decompress_to_vec_zlib(stream).unwrap());
        }
    }
    disk
}

/// The bytes of a good OVA, packed once.
static GOOD: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    fs::read(common::sample_ova(folder.path())).unwrap()
});

/// Places worth damaging: headers, descriptor, manifest, VMDK header, tables, grains, end.
fn place() -> impl Strategy<Value = usize> {
    let size = GOOD.len();
    let vmdk = GOOD.windows(4).position(|window| window == b"KDMV").unwrap();
    let end = size - 150_000;
    prop_oneof![0..600_usize, 0..vmdk, vmdk..vmdk + 12_000, vmdk + 10_000..vmdk + 20_000, end..size, 0..size]
}

/// Bytes of the disk that say something: MBR and tables, boot sectors, FATs, folders, the programs' headers.
fn system_place() -> impl Strategy<Value = u64> {
    use common::system::{ESP, FAT, FOLDERS};
    let end = evenkeel_ova::product::DISK_BYTES;
    prop_oneof![
        440..1600_u64,
        end - 33 * 512..end,
        ESP..ESP + 1024,
        FAT..FAT + 400,
        FOLDERS..FOLDERS + 0x1_0000,
    ]
}

fn judge(bytes: &[u8]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.ova");
    fs::write(&path, bytes).unwrap();
    let findings = common::findings(&path);
    findings.iter().for_each(|finding| assert!(finding.to_string().lines().count() == 1));
    let extracted = extract::disk(&path, &folder.path().join("out.raw"));
    if let Err(error) = &extracted {
        assert!(!error.to_string().is_empty());
    }
    let _ = extract::vmdk(&path, &folder.path().join("out.vmdk"));
    passed(&findings)
}

/// So many cases, or as many as `PROPTEST_CASES` asks for in a longer run.
fn config(cases: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(cases), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(24))]

    #[test]
    fn a_disk_survives_the_round_trip(pieces in prop::collection::vec(piece(), 0..6)) {
        let folder = tempfile::tempdir().unwrap();
        let raw = folder.path().join("disk.raw");
        disk_of(&pieces, &raw);
        let expected = fs::read(&raw).unwrap();
        let (by_grains, by_tables) = round_trip(folder.path());
        prop_assert!(by_grains == expected, "read by grains");
        prop_assert!(by_tables == expected, "read by tables");
    }
}

proptest! {
    #![proptest_config(config(200))]

    /// A change of any byte breaks at least one rule: nothing in an OVA is unguarded.
    #[test]
    fn a_damaged_ova_is_failed(changes in prop::collection::vec((place(), 1..=255_u8), 1..4)) {
        let mut bytes = GOOD.clone();
        changes.iter().for_each(|(at, bits)| bytes[*at] ^= bits);
        prop_assume!(bytes != *GOOD);
        prop_assert!(!judge(&bytes));
    }

    #[test]
    fn a_cut_ova_is_failed(at in place()) {
        let cut = &GOOD[..at];
        // All that may be missing is what fills the archive up.
        let only_filling = GOOD[at..].iter().all(|&byte| byte == 0);
        prop_assert!(!judge(cut) || only_filling);
    }

    #[test]
    fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..4000)) {
        prop_assert!(!judge(&bytes));
    }

    /// The parsers by themselves: the checksums of an archive keep most damage away from them.
    #[test]
    fn any_text_is_parsed(bytes in prop::collection::vec(any::<u8>(), 0..4000)) {
        let text = String::from_utf8_lossy(&bytes);
        let _ = Node::parse(&text);
        let _ = Manifest::parse(&text);
        let _ = Fields::parse(&bytes);
    }

    #[test]
    fn any_stream_is_walked(
        bytes in prop::collection::vec(prop_oneof![4 => Just(0), 1 => any::<u8>()], 512..20_000),
        capacity in any::<u64>(),
    ) {
        let mut header: [u8; 512] = bytes[..512].try_into().unwrap();
        let _ = Header::decode(&header).layout();
        header[12..20].copy_from_slice(&(capacity >> (capacity % 64)).to_le_bytes());
        let _ = Header::decode(&header).layout();
        let layout = evenkeel_ova::vmdk::Layout::new(131_072).unwrap();
        let sectors = layout.overhead + bytes.len() as u64 / 512;
        let walked = walk::<std::io::Error>(&mut bytes.as_slice(), &layout, sectors, |_, _| Ok(())).unwrap();
        prop_assert!(walked.grains.len() as u64 <= layout.grains + 1);
    }
}

proptest! {
    #![proptest_config(config(64))]

    /// What is on the disk is anybody's: tables, chains, folders and programs that lead nowhere or in circles.
    #[test]
    fn a_damaged_system_is_judged(changes in prop::collection::vec((system_place(), any::<u8>()), 1..6)) {
        let folder = tempfile::tempdir().unwrap();
        let disk = common::sample_disk(folder.path());
        let file = File::options().write(true).open(&disk).unwrap();
        changes.iter().for_each(|(at, byte)| file.write_all_at(&[*byte], *at).unwrap());
        let findings = common::findings(&common::pack_disk(&disk, folder.path()));
        findings.iter().for_each(|finding| assert!(finding.to_string().lines().count() == 1));
        let packaging = |name: &&str| name.starts_with("vmdk") || name.starts_with("tar");
        prop_assert_eq!(broken(&findings).into_iter().find(packaging), None);
    }
}

/// The worst that deflate meets stays below what VMware's converter reads.
#[test]
fn noise_fits_a_stored_grain() {
    let folder = tempfile::tempdir().unwrap();
    let mut noise = vec![0; 4 << 20];
    File::open("/dev/urandom").unwrap().read_exact(&mut noise).unwrap();
    disk_of(&[Piece { at: 0, data: noise }], &folder.path().join("disk.raw"));
    let expected = fs::read(folder.path().join("disk.raw")).unwrap();
    assert!(round_trip(folder.path()).0 == expected);
}
