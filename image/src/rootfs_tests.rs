//! Small packages made by hand; the real ones are built by `image build` itself.

use super::*;
use crate::deb::Package;
use crate::hash::Sha;
use crate::lock::Locked;

fn packages(files: &[(&str, &[u8])]) -> Packages {
    let files =
        files.iter().map(|(path, content)| ((*path).to_owned(), Node::File(content.to_vec()))).collect();
    let locked = Locked { name: "p1".into(), version: "1".into(), sha256: Sha::of(b"") };
    Packages(vec![(locked, Package { files, ..Package::default() })])
}

fn text<'a>(tree: &'a Tree, path: &str) -> &'a str {
    match &tree.get(path).unwrap().kind {
        crate::tree::Kind::File(bytes) => std::str::from_utf8(bytes).unwrap(),
        other => panic!("{path} is {other:?}"),
    }
}

#[test]
fn certificates_become_one_bundle_in_order() {
    let mut tree = Tree::default();
    let folder = "usr/share/ca-certificates/mozilla/";
    let (a, b) = (format!("{folder}a.crt"), format!("{folder}b.crt"));
    certificates(&mut tree, &packages(&[(&b, b"two"), (&a, b"one\n\n")])).unwrap();
    assert_eq!(text(&tree, "etc/ssl/certs/ca-certificates.crt"), "one\ntwo\n");
    assert!(certificates(&mut tree, &packages(&[])).is_err());
}

#[test]
fn zones_without_their_sources_and_doubles() {
    let mut tree = Tree::default();
    let names = [
        "Europe/Berlin",
        "right/UTC",
        "posix/UTC",
        "tzdata.zi",
        "leapseconds",
        "leap-seconds.list",
        "zone1970.tab",
    ];
    let paths = names.map(|name| format!("usr/share/zoneinfo/{name}"));
    let files: Vec<(&str, &[u8])> = paths.iter().map(|path| (path.as_str(), &b"x"[..])).collect();
    zones(&mut tree, &packages(&files)).unwrap();
    let found: Vec<_> = tree.iter().filter(|(_, e)| e.size() > 0).map(|(path, _)| path).collect();
    assert_eq!(found, ["usr/share/zoneinfo/Europe/Berlin", "usr/share/zoneinfo/zone1970.tab"]);
}

#[test]
fn a_program_brings_loader_and_libraries_or_names_what_is_missing() {
    let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let mut tree = Tree::default();
    let all = packages(&[("usr/sbin/nft", &own), ("usr/lib64/ld-linux-x86-64.so.2", b"loader")]);
    let error = program(&mut tree, &all, "usr/sbin/nft").unwrap_err();
    assert!(error.to_string().contains("usr/lib/x86_64-linux-gnu/lib"), "{error}");
    assert_eq!(text(&tree, LOADER), "loader");
}

#[test]
fn our_own_programs_must_be_static() {
    let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let error = own_program(&mut Tree::default(), "init", "crate:evenkeel-init", &own).unwrap_err();
    assert!(error.to_string().contains("must be static"), "{error}");
}

#[test]
fn skeleton_is_as_it_was() {
    let mut tree = Tree::default();
    skeleton(&mut tree, &"1.2".parse().unwrap()).unwrap();
    assert_eq!(tree.get("tmp").unwrap().mode, 0o1777);
    assert!(text(&tree, "etc/passwd").lines().all(|line| line.ends_with(":/nonexistent")));
    assert!(text(&tree, "etc/os-release").contains("\nVERSION_ID=1.2\n"));
}

#[test]
fn modules_may_be_packed_or_plain() {
    use std::io::Write;
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(b"module").unwrap();
    assert_eq!(unpack("m", &encoder.finish().unwrap()).unwrap(), b"module");
    assert_eq!(unpack("m", b"plain").unwrap(), b"plain");
    assert!(unpack("m", b"\xfd7zXZ\0damaged").is_err());
}
