//! An update archive in pieces: refused or whole, never a panic; nothing reaches the disk that no signature answers for.

#![no_main]

use evenkeel_update::archive::Reader;
use evenkeel_update::hash::Hasher;
use evenkeel_update::signature::Key;
use libfuzzer_sys::fuzz_target;

/// Whose signature the good one of the corpus has.
const KEY: &str = include_str!("../corpus/update_archive.pub");

fuzz_target!(|data: &[u8]| {
    let Some((piece, data)) = data.split_first() else { return };
    let key = Key::parse(KEY).expect("a good key");
    let mut reader = Reader::new(key, "1.0".parse().expect("a version"));
    let (mut kept, mut hasher) = (0, Hasher::default());
    let mut sink = |_, bytes: &[u8]| {
        kept += bytes.len() as u64;
        hasher.update(bytes);
        Ok(())
    };
    for piece in data.chunks(usize::from(*piece) + 1) {
        if reader.push(piece, &mut sink).is_err() {
            assert!(kept == 0 || reader.manifest().is_some());
            return;
        }
    }
    if let Ok(manifest) = reader.finish() {
        assert_eq!(kept, manifest.sbom.size + manifest.uki.size);
    }
});
