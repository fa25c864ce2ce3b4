#[path = "../../../update/fixtures/system.rs"]
mod fixture;

use super::*;
use fixture::system;

const NEW: [(&str, u32, &str); 8] = [
    ("bin/lbd", 0o100_755, "new"),
    ("bin/nft", 0o100_755, "of the base"),
    ("etc/os-release", 0o100_644, "IMAGE_VERSION=1.1\n"),
    ("init", 0o100_755, "of the base"),
    ("usr/share/licenses", 0o040_755, ""),
    ("usr/share/licenses/a", 0o040_755, ""),
    ("usr/share/licenses/a/text", 0o100_644, "new"),
    ("usr/share/licenses/b", 0o120_777, "a"),
];

/// A root file system with an older lbd, and room for another one.
fn root() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, content) in [("bin/lbd", "old"), ("etc/os-release", "old"), ("usr/share/licenses/old", "old")]
    {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    root
}

#[test]
fn they_change_places_and_back_again() {
    let root = root();
    let (root, other) = (root.path(), root.path().join("other"));
    lay_out(&system(&NEW), &other).unwrap();
    assert!(!other.join("bin/nft").exists() && !other.join("init").exists());
    let used = || fs::read_to_string(root.join("bin/lbd")).unwrap();
    assert_eq!(used(), "old", "nothing is in use before it is exchanged");
    exchange(root, &other).unwrap();
    assert_eq!(used(), "new");
    assert_eq!(fs::metadata(root.join("bin/lbd")).unwrap().permissions().mode() & 0o7777, 0o755);
    assert_eq!(fs::read_to_string(root.join("usr/share/licenses/b/text")).unwrap(), "new");
    assert!(!root.join("usr/share/licenses/old").exists());
    exchange(root, &other).unwrap();
    assert_eq!(used(), "old");
    assert!(root.join("usr/share/licenses/old").exists());
    forget(&other).unwrap();
    assert!(!other.exists());
    forget(&other).unwrap();
}

#[test]
fn where_one_cannot_change_places_none_does() {
    let root = root();
    let (root, other) = (root.path(), root.path().join("other"));
    lay_out(&system(&NEW), &other).unwrap();
    fs::remove_dir_all(other.join("usr/share/licenses")).unwrap();
    assert!(exchange(root, &other).unwrap_err().to_string().contains("usr/share/licenses"));
    assert_eq!(fs::read_to_string(root.join("bin/lbd")).unwrap(), "old");
    assert_eq!(fs::read_to_string(root.join("etc/os-release")).unwrap(), "old");
}

#[test]
fn a_system_without_an_lbd_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other");
    for uki in [system(&NEW[1..]), b"no system".to_vec()] {
        assert!(lay_out(&uki, &other).unwrap_err().to_string().starts_with("reading the new system: "));
        assert!(!other.exists());
    }
}
