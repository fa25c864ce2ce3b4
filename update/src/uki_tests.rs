#[path = "../fixtures/system.rs"]
mod fixture;

use super::*;
use fixture::{around, system};
use proptest::prelude::*;

const FILES: [(&str, u32, &str); 5] = [
    ("bin", 0o040_755, ""),
    ("bin/lbd", 0o100_755, "a program"),
    ("dev/null", 0o020_600, ""),
    ("etc/os-release", 0o100_644, "IMAGE_VERSION=1.1\n"),
    ("etc/zone", 0o120_777, "UTC"),
];

fn unpacked(uki: &[u8]) -> Result<Vec<(Entry, String)>, String> {
    let mut found = Vec::new();
    let mut take = |entry: &Entry, content: &mut dyn Read| {
        let mut text = String::new();
        content.read_to_string(&mut text)?;
        found.push((entry.clone(), text));
        Ok(())
    };
    unpack(uki, &mut take).map_err(|error| error.to_string())?;
    Ok(found)
}

#[test]
fn every_file_comes_with_its_mode_and_content() {
    let found = unpacked(&system(&FILES)).unwrap();
    let told: Vec<_> =
        found.iter().map(|(entry, text)| (entry.path.as_str(), entry.mode, text.as_str())).collect();
    assert_eq!(told, FILES.map(|(path, mode, content)| (path, mode & 0o7777, content)));
    let kinds: Vec<_> = found.iter().map(|(entry, _)| entry.kind).collect();
    assert_eq!(kinds, [Kind::Folder, Kind::File, Kind::Other, Kind::File, Kind::Link]);
}

#[test]
fn what_nobody_takes_is_passed_over() {
    let mut paths = Vec::new();
    unpack(&system(&FILES), &mut |entry, _| {
        paths.push(entry.path.clone());
        Ok(())
    })
    .unwrap();
    assert_eq!(paths, FILES.map(|(path, ..)| path));
}

#[test]
fn what_is_no_system_of_ours_is_told() {
    let table = [
        (b"MZ no program".to_vec(), "no program for UEFI"),
        (around(".text", b"x"), "no section .initrd"),
        (around(".initrd", b"plain"), "compressed in another way"),
        (system(&[("../etc/passwd", 0o100_644, "")]), "leads out of it"),
        (system(&[("/etc/passwd", 0o100_644, "")]), "leads out of it"),
    ];
    for (uki, words) in table {
        let told = unpacked(&uki).unwrap_err();
        assert!(told.contains(words), "{told}");
    }
    let mut cut = system(&FILES);
    cut.truncate(0x410);
    assert!(unpacked(&cut).unwrap_err().contains("no section .initrd"), "it lies outside of the file");
}

proptest! {
    #[test]
    fn a_damaged_system_is_refused_or_read(at in 0_usize..2000, byte: u8) {
        let mut uki = system(&FILES);
        let at = at % uki.len();
        uki[at] = byte;
        let _ = unpacked(&uki);
    }

    #[test]
    fn any_archive_is_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = entries(&mut bytes.as_slice(), &mut |_, _| Ok(()));
        let _ = unpacked(&around(".initrd", &bytes));
    }
}
