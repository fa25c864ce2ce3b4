use super::*;
use evenkeel_update::hash::Sha;
use evenkeel_update::manifest::{Base, Content, FORMAT, PRODUCT};
use evenkeel_update::write::write as write_archive;
use minisign::KeyPair;
use std::io::Cursor;
use std::sync::LazyLock;

static KEYS: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate_unencrypted_keypair().unwrap());

fn key() -> Key {
    Key::parse(&KEYS.pk.to_box().unwrap().to_string()).unwrap()
}

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn archive_of(version_text: &str, uki: &[u8]) -> Vec<u8> {
    let digest = Sha::of(b"x");
    let manifest = Manifest {
        format: FORMAT,
        product: PRODUCT.into(),
        version: version(version_text),
        minimum_version: version("1.0"),
        notes: "New".into(),
        development: false,
        sbom: Content::of(b"{}"),
        uki: Content::of(uki),
        base: Base { kernel: digest, init: digest, files: digest },
    };
    let text = serde_json::to_vec(&manifest).unwrap();
    let signature =
        minisign::sign(Some(&KEYS.pk), &KEYS.sk, text.as_slice(), None, None).unwrap().into_string();
    let mut out = Vec::new();
    write_archive(&mut out, &text, signature.as_bytes(), b"{}", uki).unwrap();
    out
}

/// A folder with these files, each holding its name.
fn folder(names: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    names.iter().for_each(|name| fs::write(folder.path().join(name), name).unwrap());
    folder
}

fn names(folder: &tempfile::TempDir) -> Vec<String> {
    let mut names: Vec<_> = folder
        .path()
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn try_install(bytes: Vec<u8>, folder: &tempfile::TempDir) -> Result<String, String> {
    let installed = install(&mut Cursor::new(bytes), &key(), &version("1.0"), folder.path());
    installed.map(|manifest| manifest.version.into()).map_err(|failure| failure.to_string())
}

#[test]
fn the_new_one_stands_beside_what_runs_whatever_was_left_there() {
    let all = [
        "evenkeel_1.0.efi",
        "evenkeel_0.9.efi",
        "evenkeel_1.1+0-3.efi",
        "evenkeel_1.1+1-2.efi",
        "evenkeel.new",
    ];
    let folder = folder(&all);
    assert_eq!(try_install(archive_of("1.1", b"system"), &folder), Ok("1.1".into()));
    assert_eq!(names(&folder), ["evenkeel_1.0.efi", "evenkeel_1.1+3.efi"]);
    assert_eq!(fs::read(folder.path().join("evenkeel_1.1+3.efi")).unwrap(), b"system");
    assert_eq!(try_install(archive_of("1.2", b"again"), &folder), Ok("1.2".into()));
    assert_eq!(names(&folder), ["evenkeel_1.0.efi", "evenkeel_1.2+3.efi"]);
}

#[test]
fn what_is_refused_changes_nothing() {
    let good = archive_of("1.1", &[7; 3000]);
    let mut damaged = good.clone();
    let middle = damaged.len() - 3000;
    damaged[middle] ^= 1;
    let table = [
        (damaged, "not what its manifest says"),
        (good[..good.len() - 2000].to_vec(), "cut off"),
        ([good.as_slice(), b"x"].concat(), "something follows"),
        (archive_of("1.0", b"system"), "not newer than 1.0"),
        (b"no archive".repeat(100), "no update archive"),
    ];
    let all = ["evenkeel_0.9.efi", "evenkeel_1.0.efi", "evenkeel_1.1+0-3.efi"];
    for (bytes, words) in table {
        let folder = folder(&all);
        let told = try_install(bytes, &folder).unwrap_err();
        assert!(told.contains(words), "{told}");
        assert_eq!(names(&folder), all, "{words}");
    }
}

#[test]
fn on_trial_nothing_is_installed() {
    let folder = folder(&["evenkeel_0.9.efi", "evenkeel_1.0+2-1.efi"]);
    let told = try_install(archive_of("1.1", b"system"), &folder).unwrap_err();
    assert!(told.contains("still proving itself"), "{told}");
    assert_eq!(names(&folder).len(), 2);
}

#[test]
fn without_room_nothing_is_removed() {
    let folder = folder(&["evenkeel_1.0.efi"]);
    let told =
        require_room(folder.path(), &["evenkeel_1.0.efi".into()], u64::MAX - SPARE).unwrap_err().to_string();
    assert!(told.contains("MiB are free"), "{told}");
    assert!(require_room(folder.path(), &[], 1000).is_ok());
}

#[test]
fn back_and_forth() {
    let folder = folder(&["evenkeel_1.0.efi", "evenkeel_1.1.efi"]);
    assert_eq!(go_back(&version("1.1"), folder.path()).map(String::from), Ok("1.0".into()));
    assert_eq!(names(&folder), ["evenkeel_1.0+3.efi", "evenkeel_1.1+0.efi"]);
    fs::rename(folder.path().join("evenkeel_1.0+3.efi"), folder.path().join("evenkeel_1.0.efi")).unwrap();
    assert_eq!(go_back(&version("1.0"), folder.path()).map(String::from), Ok("1.1".into()));
    assert_eq!(names(&folder), ["evenkeel_1.0.efi", "evenkeel_1.1+3.efi"]);
}

#[test]
fn what_is_given_up_does_not_start_next() {
    let folder = folder(&["evenkeel_1.0.efi", "evenkeel_1.1+3.efi"]);
    assert_eq!(give_up(&version("1.1"), folder.path()), Ok(()));
    assert_eq!(names(&folder), ["evenkeel_1.0.efi", "evenkeel_1.1+0-3.efi"]);
    assert!(give_up(&version("1.1"), folder.path()).unwrap_err().to_string().contains("does not wait"));
}
