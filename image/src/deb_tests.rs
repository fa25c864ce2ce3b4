//! Good, odd and hostile packages.

use super::*;
use proptest::prelude::*;
use std::io::Write;

fn tar_of(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, kind, content) in entries {
        let mut header = tar::Header::new_ustar();
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(*kind);
        let is_link = kind.is_symlink() || kind.is_hard_link();
        if is_link {
            header.as_mut_bytes()[157..157 + content.len()].copy_from_slice(content);
        }
        let data: &[u8] = if is_link { b"" } else { content };
        header.set_size(data.len() as u64);
        header.set_mode(0o755);
        header.set_cksum();
        builder.append(&header, data).unwrap();
    }
    builder.into_inner().unwrap()
}

fn deb_of(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut builder = ar::Builder::new(Vec::new());
    for (name, content) in members {
        let header = ar::Header::new(name.as_bytes().to_vec(), content.len() as u64);
        builder.append(&header, content.as_slice()).unwrap();
    }
    builder.into_inner().unwrap()
}

fn xz(data: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

const CONTROL: &[u8] = b"Package: a\nVersion: 1:2-3\nDescription: short\n long: not a field\n";

fn control() -> Vec<u8> {
    tar_of(&[("./control", tar::EntryType::Regular, CONTROL)])
}

fn good() -> Vec<u8> {
    let data = tar_of(&[
        ("./usr/", tar::EntryType::Directory, b""),
        ("./usr/a", tar::EntryType::Regular, b"content"),
        ("./usr/b", tar::EntryType::Symlink, b"a"),
        ("./usr/c", tar::EntryType::Link, b"./usr/a"),
    ]);
    deb_of(&[
        ("debian-binary", b"2.0\n".to_vec()),
        ("control.tar.xz", xz(&control())),
        ("data.tar.xz", xz(&data)),
    ])
}

fn deb_with_data(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
    deb_of(&[("control.tar", control()), ("data.tar", tar_of(entries))])
}

#[test]
fn unpacks_files_links_and_fields() {
    let package = Package::unpack(&good()).unwrap();
    assert_eq!(package.field("version"), Some("1:2-3"));
    assert_eq!(package.field("long"), None);
    let expected = [
        ("usr/a", Node::File(b"content".to_vec())),
        ("usr/b", Node::Link("a".into())),
        ("usr/c", Node::File(b"content".to_vec())),
    ];
    assert_eq!(package.files, expected.map(|(path, node)| (path.to_owned(), node)).into());
}

#[test]
fn takes_every_compression_that_dpkg_writes() {
    let zst = zstd::encode_all(control().as_slice(), 1).unwrap();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(&tar_of(&[("./x", tar::EntryType::Regular, b"x")])).unwrap();
    let deb = deb_of(&[("control.tar.zst", zst), ("data.tar.gz", gz.finish().unwrap())]);
    assert_eq!(Package::unpack(&deb).unwrap().files.len(), 1);
}

#[test]
fn refuses_paths_that_leave_the_archive() {
    for bad in ["/etc/passwd", "../x", "usr/../../x", "./a/..", "a\nb"] {
        let error = Package::unpack(&deb_with_data(&[(bad, tar::EntryType::Regular, b"x")])).unwrap_err();
        assert!(matches!(error, DebError::Path { .. }), "{bad}: {error}");
    }
    let dangling = deb_with_data(&[("a", tar::EntryType::Link, b"nowhere")]);
    assert!(matches!(Package::unpack(&dangling), Err(DebError::Path { .. })));
}

#[test]
fn refuses_an_unknown_form_and_missing_members() {
    let lzma = deb_of(&[("control.tar", control()), ("data.tar.lzma", b"x".to_vec())]);
    assert!(matches!(Package::unpack(&lzma), Err(DebError::Form { .. })));
    for deb in [b"".to_vec(), deb_of(&[("control.tar", control())]), deb_of(&[("data.tar", tar_of(&[]))])] {
        assert!(Package::unpack(&deb).is_err());
    }
}

#[test]
fn every_truncation_is_an_error() {
    let deb = good();
    let data_ends = deb.len() - 32; // ar may pad its last member, and xz's index says the same as its footer
    for length in (0..data_ends).step_by(7) {
        assert!(Package::unpack(&deb[..length]).is_err(), "{length} of {}", deb.len());
    }
}

proptest! {
    #[test]
    fn damaged_packages_never_panic(position in 0usize..2000, value: u8) {
        let mut deb = good();
        let position = position % deb.len();
        deb[position] = value;
        let _ = Package::unpack(&deb);
    }

    #[test]
    fn damaged_tars_never_panic(position in 0usize..4096, value: u8) {
        let mut data = tar_of(&[("./a", tar::EntryType::Regular, b"x"), ("./b", tar::EntryType::Symlink, b"a")]);
        let position = position % data.len();
        data[position] = value;
        let _ = Package::unpack(&deb_of(&[("control.tar", control()), ("data.tar", data)]));
    }

    #[test]
    fn garbage_never_panics(garbage in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Package::unpack(&garbage);
        let _ = Package::unpack(&deb_of(&[("control.tar.xz", garbage.clone()), ("data.tar.zst", garbage)]));
    }
}
