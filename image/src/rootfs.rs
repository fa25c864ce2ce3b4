//! Puts the root file system together: which file of which package goes where.

use crate::deb::Node;
use crate::elf::{self, ElfError};
use crate::module_list::MODULES;
use crate::modules::{ModuleError, Modules, builtin_names, name_of};
use crate::packages::{FILES, LIBRARY_FOLDER, LOADER, PROGRAMS};
use crate::tree::{Clash, OWN, Tree};
use crate::unpacked::{Missing, Packages, kernel};
use crate::update::within;
use crate::version::Version;
use evenkeel_update::{DEVELOPMENT_MARK, TRUSTED_KEY};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Read;

/// Everything of the image but `init`, `lbd` and the licences.
pub fn assemble(packages: &Packages, version: &Version) -> Result<Tree, RootfsError> {
    let mut tree = Tree::default();
    skeleton(&mut tree, version)?;
    for path in PROGRAMS {
        program(&mut tree, packages, path)?;
    }
    for path in FILES {
        let found = packages.find(path)?;
        tree.file(path, 0o644, &owner(found.package), found.content)?;
    }
    certificates(&mut tree, packages)?;
    zones(&mut tree, packages)?;
    kernel_modules(&mut tree, packages, &MODULES.concat())?;
    Ok(tree)
}

/// Adds one of our own programs, which must be static.
pub fn own_program(tree: &mut Tree, path: &str, owner: &str, content: &[u8]) -> Result<(), RootfsError> {
    elf::require_static(content).map_err(|error| RootfsError::Elf { path: path.to_owned(), error })?;
    Ok(tree.file(path, 0o755, owner, content)?)
}

/// Whose updates the image takes: this key's (minisign) and nobody else's. A development build says what it is.
pub fn trust(tree: &mut Tree, key: &[u8], is_development: bool) -> Result<(), Clash> {
    tree.file(within(TRUSTED_KEY), 0o644, OWN, key)?;
    if is_development {
        tree.file(within(DEVELOPMENT_MARK), 0o644, OWN, "It trusts the updates of one developer.\n")?;
    }
    Ok(())
}

/// The text of `/etc/os-release` (`os-release(5)`), also the UKI's `.osrel`.
pub fn os_release(version: &Version) -> String {
    format!(
        "ID=evenkeel\nNAME=Evenkeel\nPRETTY_NAME=\"Evenkeel {version}\"\nVERSION_ID={version}\n\
         IMAGE_ID=evenkeel\nIMAGE_VERSION={version}\n"
    )
}

/// Folders, the two devices that exist before init mounts `/dev`, and the small files of `/etc`.
fn skeleton(tree: &mut Tree, version: &Version) -> Result<(), Clash> {
    for (path, mode) in [("boot", 0o700), ("data", 0o755), ("mnt", 0o700), ("proc", 0o555), ("root", 0o700)] {
        tree.folder(path, mode)?;
    }
    for (path, mode) in [("run", 0o755), ("sys", 0o555), ("tmp", 0o1777)] {
        tree.folder(path, mode)?;
    }
    tree.device("dev/console", 0o600, 5, 1)?;
    tree.device("dev/null", 0o666, 1, 3)?;
    for (path, content) in ETC {
        tree.file(path, 0o644, OWN, *content)?;
    }
    tree.file("etc/os-release", 0o644, OWN, os_release(version))
}

/// Nobody can log in as any of these: there is no shell. `evenkeel` is lbd's user.
const ETC: &[(&str, &str)] = &[
    ("etc/group", "root:x:0:\nevenkeel:x:900:\nnogroup:x:65534:\n"),
    ("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"),
    ("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\nprotocols: files\nservices: files\n"),
    (
        "etc/passwd",
        "root:x:0:0:root:/root:/nonexistent\nevenkeel:x:900:900:Evenkeel:/data:/nonexistent\n\
         nobody:x:65534:65534:nobody:/nonexistent:/nonexistent\n",
    ),
];

/// A program, its loader and, one after the other, all libraries that they ask for.
fn program(tree: &mut Tree, packages: &Packages, path: &str) -> Result<(), RootfsError> {
    let found = packages.find(path)?;
    tree.file(path, 0o755, &owner(found.package), found.content)?;
    let needs = needs(path, found.content)?;
    if let Some(interpreter) = &needs.interpreter {
        if interpreter.trim_start_matches('/') != LOADER {
            return Err(Missing(interpreter.clone()).into());
        }
        let loader = packages.find(&format!("usr/{LOADER}"))?;
        tree.file(LOADER, 0o755, &owner(loader.package), loader.content)?;
    }
    let mut queue = needs.libraries;
    while let Some(name) = queue.pop() {
        let path = format!("{LIBRARY_FOLDER}/{name}");
        if !LOADER.ends_with(&name) && tree.get(&path).is_none() {
            let library = packages.find(&path)?;
            tree.file(&path, 0o755, &owner(library.package), library.content)?;
            queue.extend(self::needs(&path, library.content)?.libraries);
        }
    }
    Ok(())
}

fn needs(path: &str, content: &[u8]) -> Result<elf::Needs, RootfsError> {
    elf::needs(content).map_err(|error| RootfsError::Elf { path: path.to_owned(), error })
}

/// One bundle of all certificates, as `update-ca-certificates(8)` would write it.
fn certificates(tree: &mut Tree, packages: &Packages) -> Result<(), RootfsError> {
    let mut bundle = Vec::new();
    for (_, _, node) in packages.below("usr/share/ca-certificates/mozilla/") {
        if let Node::File(content) = node {
            bundle.extend_from_slice(content.trim_ascii_end());
            bundle.push(b'\n');
        }
    }
    if bundle.is_empty() {
        return Err(Missing("usr/share/ca-certificates/mozilla/*".into()).into());
    }
    Ok(tree.file("etc/ssl/certs/ca-certificates.crt", 0o644, "deb:ca-certificates", bundle)?)
}

/// Time zones and the tables of their names. Left out: the copies with leap seconds (`right`), the copies
/// without (`posix`), the sources (`tzdata.zi`, `leap*`), the machine's own zone (`localtime`).
fn zones(tree: &mut Tree, packages: &Packages) -> Result<(), RootfsError> {
    const FOLDER: &str = "usr/share/zoneinfo/";
    const LEFT_OUT: &[&str] = &["right/", "posix/", "tzdata.zi", "leap", "localtime"];
    for (package, path, node) in packages.below(FOLDER) {
        if LEFT_OUT.iter().any(|prefix| path[FOLDER.len()..].starts_with(prefix)) {
            continue;
        }
        match node {
            Node::File(content) => tree.file(path, 0o644, &owner(package), content.clone())?,
            Node::Link(target) => tree.link(path, &owner(package), target)?,
        }
    }
    Ok(())
}

/// The modules with these names and what they depend on, uncompressed (the kernel's loader then needs no help), and
/// their tables.
pub fn kernel_modules(tree: &mut Tree, packages: &Packages, wanted: &[&str]) -> Result<(), RootfsError> {
    let (release, _) = kernel(packages)?;
    let folder = format!("usr/lib/modules/{release}/");
    let names = packages.below(&folder).filter_map(|(package, path, node)| match node {
        Node::File(content) => Some((name_of(path)?, (package, path, content))),
        Node::Link(_) => None,
    });
    let files: BTreeMap<String, (&str, &str, &Vec<u8>)> = names.collect();
    let builtin_path = format!("{folder}modules.builtin");
    let builtin = String::from_utf8_lossy(packages.find(&builtin_path)?.content);
    let load = |name: &str| {
        let Some((_, path, packed)) = files.get(name) else { return Ok(None) };
        let path = path[folder.len()..].trim_end_matches(".xz").to_owned();
        Ok(Some((path, unpack(name, packed)?)))
    };
    let wanted: BTreeSet<&str> = wanted.iter().copied().collect();
    let modules = Modules::choose(wanted, &builtin_names(&builtin), load)?;
    let package = files.values().next().map_or(OWN.to_owned(), |(package, _, _)| owner(package));
    let target = format!("lib/modules/{release}");
    for module in modules.iter() {
        tree.file(&format!("{target}/{}", module.path), 0o644, &package, module.content.clone())?;
    }
    tree.file(&format!("{target}/modules.dep"), 0o644, OWN, modules.dep_table())?;
    tree.file(&format!("{target}/modules.alias"), 0o644, OWN, modules.alias_table())?;
    Ok(tree.file(&format!("{target}/modules.builtin"), 0o644, &package, builtin.as_bytes())?)
}

/// `.ko.xz` as Debian ships it, or a plain `.ko`.
fn unpack(name: &str, content: &[u8]) -> Result<Vec<u8>, ModuleError> {
    if !content.starts_with(b"\xfd7zXZ\0") {
        return Ok(content.to_vec());
    }
    let mut plain = Vec::new();
    let mut decoder = liblzma::read::XzDecoder::new(content).take(crate::deb::LIMIT);
    decoder.read_to_end(&mut plain).map_err(|error| ModuleError::read(name, error))?;
    Ok(plain)
}

/// How the file list names a Debian package.
pub fn owner(package: &str) -> String {
    format!("deb:{package}")
}

/// Why the root file system cannot be put together.
#[derive(Debug)]
pub enum RootfsError {
    /// No package has a file that is needed.
    Missing(Missing),
    /// A program or library is not what it should be.
    Elf {
        /// Where it is or would go.
        path: String,
        /// What is wrong with it.
        error: ElfError,
    },
    /// The kernel modules do not fit together.
    Module(ModuleError),
    /// Two files want the same place.
    Clash(Clash),
}

impl From<Missing> for RootfsError {
    fn from(error: Missing) -> Self {
        Self::Missing(error)
    }
}

impl From<ModuleError> for RootfsError {
    fn from(error: ModuleError) -> Self {
        Self::Module(error)
    }
}

impl From<Clash> for RootfsError {
    fn from(error: Clash) -> Self {
        Self::Clash(error)
    }
}

impl fmt::Display for RootfsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(error) => error.fmt(f),
            Self::Elf { path, error } => write!(f, "adding /{path}: {error}"),
            Self::Module(error) => error.fmt(f),
            Self::Clash(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RootfsError {}

#[cfg(test)]
#[path = "rootfs_tests.rs"]
mod tests;
