use super::*;
use crate::hash::Sha;
use crate::manifest::{Base, Content, FORMAT, PRODUCT};
use crate::write::write;
use minisign::KeyPair;
use proptest::prelude::*;
use std::sync::LazyLock;

const UKI: &[u8] = &[0xe5; 1700];
const SBOM: &[u8] = b"{}";

/// Making keys takes its time.
static KEYS: LazyLock<[KeyPair; 2]> =
    LazyLock::new(|| std::array::from_fn(|_| KeyPair::generate_unencrypted_keypair().unwrap()));

fn key(of: &KeyPair) -> Key {
    Key::parse(&of.pk.to_box().unwrap().to_string()).unwrap()
}

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn manifest() -> Manifest {
    let digest = Sha::of(b"x");
    Manifest {
        format: FORMAT,
        product: PRODUCT.into(),
        version: version("1.1"),
        minimum_version: version("1.0"),
        notes: "New".into(),
        development: false,
        sbom: Content::of(SBOM),
        uki: Content::of(UKI),
        base: Base { kernel: digest, init: digest, files: digest },
    }
}

fn sign(keys: &KeyPair, text: &[u8]) -> String {
    minisign::sign(Some(&keys.pk), &keys.sk, text, None, None).unwrap().into_string()
}

/// An archive of these parts, signed by the first key.
fn archive(manifest: &Manifest, sbom: &[u8], uki: &[u8]) -> Vec<u8> {
    let text = serde_json::to_vec(manifest).unwrap();
    let mut out = Vec::new();
    write(&mut out, &text, sign(&KEYS[0], &text).as_bytes(), sbom, uki).unwrap();
    out
}

fn good() -> Vec<u8> {
    archive(&manifest(), SBOM, UKI)
}

/// Reads it in pieces of this size. What came through, or why not.
fn read_by(key: Key, bytes: &[u8], piece: usize) -> Result<(Manifest, Vec<u8>, Vec<u8>), String> {
    let mut reader = Reader::new(key, version("1.0"));
    let (mut sbom, mut uki) = (Vec::new(), Vec::new());
    let mut sink = |part, bytes: &[u8]| {
        match part {
            Part::Uki => uki.extend_from_slice(bytes),
            _ => sbom.extend_from_slice(bytes),
        }
        Ok(())
    };
    for piece in bytes.chunks(piece) {
        reader.push(piece, &mut sink).map_err(|fault| fault.to_string())?;
    }
    let manifest = reader.finish().map_err(|fault| fault.to_string())?;
    Ok((manifest, sbom, uki))
}

fn read(bytes: &[u8]) -> Result<(Manifest, Vec<u8>, Vec<u8>), String> {
    read_by(key(&KEYS[0]), bytes, 1000)
}

#[test]
fn a_good_one_comes_through_whole_in_pieces_of_any_size() {
    let bytes = good();
    for piece in [1, 7, 511, 512, 513, 4096, bytes.len()] {
        let (read, sbom, uki) = read_by(key(&KEYS[0]), &bytes, piece).unwrap();
        assert_eq!((read, sbom.as_slice(), uki.as_slice()), (manifest(), SBOM, UKI), "{piece}");
    }
}

#[test]
fn another_key_and_another_manifest_are_told_apart() {
    let told = read_by(key(&KEYS[1]), &good(), 1000).unwrap_err();
    assert!(told.contains("another key than this system trusts"), "{told}");

    let text = serde_json::to_vec(&manifest()).unwrap();
    let mut other = manifest();
    other.version = version("1.2");
    let other = serde_json::to_vec(&other).unwrap();
    for signature in [sign(&KEYS[0], &other), "nothing".into(), String::new()] {
        let mut out = Vec::new();
        write(&mut out, &text, signature.as_bytes(), SBOM, UKI).unwrap();
        let told = read(&out).unwrap_err();
        assert!(told.contains("signature of the update archive is wrong"), "{told}");
    }
}

#[test]
fn nothing_unsigned_reaches_the_sink() {
    let mut reader = Reader::new(key(&KEYS[1]), version("1.0"));
    let mut sink = |_, _: &[u8]| panic!("nobody has signed this");
    assert!(reader.push(&good(), &mut sink).is_err());
}

#[test]
fn every_cut_is_told_and_so_is_what_follows() {
    let bytes = good();
    for end in [0, 1, 511, 512, 600, bytes.len() - 1025, bytes.len() - 1] {
        assert!(read(&bytes[..end]).unwrap_err().contains("cut off"), "{end}");
    }
    let told = read(&[bytes.as_slice(), b"\0"].concat()).unwrap_err();
    assert!(told.contains("something follows"), "{told}");
}

#[test]
fn another_content_or_size_than_the_manifest_says() {
    let mut uki = UKI.to_vec();
    uki[3] = 0;
    let told = read(&archive(&manifest(), SBOM, &uki)).unwrap_err();
    assert!(told.contains("evenkeel.efi in the update archive is not what its manifest says"), "{told}");
    let told = read(&archive(&manifest(), b"{ }", UKI)).unwrap_err();
    assert!(told.contains("sbom.json in the update archive has another size"), "{told}");
}

#[test]
fn the_rules_of_versions_count_before_the_system_comes() {
    let mut reader = Reader::new(key(&KEYS[0]), version("2.0"));
    let mut sink = |_, _: &[u8]| panic!("it is too old");
    let told = reader.push(&good(), &mut sink).unwrap_err().to_string();
    assert!(told.contains("1.1 is not newer than 2.0"), "{told}");
}

#[test]
fn a_size_beyond_all_bounds_is_refused_by_its_header() {
    let mut reader = Reader::new(key(&KEYS[0]), version("1.0"));
    let header = crate::header::header("manifest.json", 4 << 30);
    let told = reader.push(&header, &mut |_, _| Ok(())).unwrap_err().to_string();
    assert!(told.contains("4294967296 bytes, more than the 65536"), "{told}");
    assert!(reader.held.capacity() < 4096);
}

#[test]
fn a_sink_that_fails_is_told() {
    let mut reader = Reader::new(key(&KEYS[0]), version("1.0"));
    let full = &mut |_, _: &[u8]| Err(io::Error::from(io::ErrorKind::StorageFull));
    assert!(matches!(reader.push(&good(), full), Err(Fault::NotKept(_))));
}

proptest! {
    /// A changed bit anywhere but in the unsigned comment of the signature is found, and nothing panics.
    #[test]
    fn no_changed_bit_passes(at in any::<prop::sample::Index>(), bit in 0..8_u8, piece in 1..600_usize) {
        let mut bytes = good();
        let comment = bytes.windows(18).position(|window| window == b"untrusted comment:").unwrap();
        let at = at.index(bytes.len());
        prop_assume!(!(comment..comment + 80).contains(&at));
        bytes[at] ^= 1 << bit;
        prop_assert!(read_by(key(&KEYS[0]), &bytes, piece).is_err(), "bit {} of byte {}", bit, at);
    }

    #[test]
    fn anything_else_is_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..3000), piece in 1..600_usize) {
        prop_assert!(read_by(key(&KEYS[0]), &bytes, piece).is_err());
    }
}
