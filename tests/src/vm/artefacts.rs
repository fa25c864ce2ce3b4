//! What `make appliance` left: the OVA, and beside it the UKI and the list of its files.

use std::path::PathBuf;

/// The OVA under test: `EVENKEEL_OVA`, which the Makefile sets.
///
/// # Panics
/// When it is not set or not there.
pub fn ova() -> PathBuf {
    let path = std::env::var_os("EVENKEEL_OVA").map(PathBuf::from);
    let path = path.expect("EVENKEEL_OVA names the OVA to test; `make test` builds it and sets this");
    assert!(path.is_file(), "EVENKEEL_OVA={} is missing: run `make appliance`", path.display());
    path
}

/// The UKI that is in the OVA.
pub fn uki() -> PathBuf {
    beside("efi")
}

/// The list of the files in the UKI: path, kind, owner.
pub fn file_list() -> PathBuf {
    beside("files.txt")
}

/// The disk that was packed into the OVA.
pub fn raw_disk() -> PathBuf {
    beside("raw")
}

/// Its bill of materials.
pub fn sbom() -> PathBuf {
    beside("sbom.json")
}

/// The folder of the Debian packages that it is made of.
pub fn packages() -> PathBuf {
    ova().with_file_name("packages")
}

/// The folder of `init` and `lbd` that are in the OVA.
pub fn programs() -> PathBuf {
    ova().with_file_name("bare")
}

/// The key whose updates the OVA trusts, of a development build: its `key` or `pub` half.
pub fn key(half: &str) -> PathBuf {
    let path = ova().with_file_name("development").with_extension(half);
    assert!(path.is_file(), "{} is missing: run `make update`", path.display());
    path
}

/// The update archive of the same system.
pub fn update() -> PathBuf {
    beside("update")
}

fn beside(extension: &str) -> PathBuf {
    let path = ova().with_extension(extension);
    assert!(path.is_file(), "{} is missing: run `make appliance`", path.display());
    path
}
