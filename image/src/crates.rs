//! The crates inside `init` and `lbd`, from `cargo metadata` and `Cargo.lock`.

use crate::hash::Sha;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fmt, fs, io};

/// The programs whose crates are shipped.
pub const ROOTS: &[&str] = &["evenkeel-init", "lbd"];

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// One crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crate {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its licence as an SPDX expression, if it names one.
    pub licence: Option<String>,
    /// Who wrote it, if it says so.
    pub authors: Vec<String>,
    /// Where its source lives, if it says so.
    pub repository: Option<String>,
    /// SHA-256 of the packed crate; none for the project's own.
    pub sha256: Option<Sha>,
    /// The folder of its source.
    pub folder: PathBuf,
}

impl Crate {
    /// Its licence as SPDX writes it: old crates write "MIT/Apache-2.0", which is no SPDX expression.
    pub fn expression(&self) -> Option<String> {
        self.licence.as_ref().map(|licence| licence.replace('/', " OR "))
    }
}

/// Asks cargo about the workspace in the folder of `cargo_lock`.
pub fn read(cargo_lock: &Path) -> Result<Vec<Crate>, CratesError> {
    let lock = fs::read_to_string(cargo_lock)
        .map_err(|error| CratesError::File { path: cargo_lock.to_owned(), error })?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--locked", "--offline", "--format-version", "1", "--filter-platform", TARGET])
        .arg("--manifest-path")
        .arg(cargo_lock.with_file_name("Cargo.toml"))
        .output()
        .map_err(|error| CratesError::Cargo { why: error.to_string() })?;
    if !output.status.success() {
        return Err(CratesError::Cargo { why: String::from_utf8_lossy(&output.stderr).into_owned() });
    }
    let metadata =
        serde_json::from_slice(&output.stdout).map_err(|e| CratesError::Cargo { why: e.to_string() })?;
    let crates = shipped(&metadata, &checksums(&lock)?);
    match ROOTS.iter().find(|root| !crates.iter().any(|one| one.name == **root)) {
        Some(root) => Err(CratesError::Root { root }),
        None => Ok(crates),
    }
}

/// Checksums of `Cargo.lock` by name and version.
fn checksums(lock: &str) -> Result<BTreeMap<(String, String), Sha>, CratesError> {
    let table: toml::Table =
        lock.parse().map_err(|e: toml::de::Error| CratesError::Lock { why: e.to_string() })?;
    let packages =
        table.get("package").and_then(toml::Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let entry = |package: &toml::Value| {
        let field = |name| package.get(name).and_then(toml::Value::as_str).map(str::to_owned);
        Some(((field("name")?, field("version")?), Sha::parse(&field("checksum")?)?))
    };
    Ok(packages.iter().filter_map(entry).collect())
}

/// What [`ROOTS`] link: normal dependencies, and theirs. Build scripts, tests and procedural macros run on the
/// build machine only.
fn shipped(metadata: &Value, checksums: &BTreeMap<(String, String), Sha>) -> Vec<Crate> {
    let packages: BTreeMap<&str, &Value> =
        items(&metadata["packages"]).map(|p| (str_of(p, "id"), p)).collect();
    let nodes: BTreeMap<&str, &Value> =
        items(&metadata["resolve"]["nodes"]).map(|n| (str_of(n, "id"), n)).collect();
    let is_root = |package: &Value| ROOTS.contains(&str_of(package, "name"));
    let mut queue: Vec<&str> =
        packages.iter().filter(|(_, package)| is_root(package)).map(|(id, _)| *id).collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = queue.pop() {
        if packages.get(id).is_some_and(|package| !is_macro(package)) && seen.insert(id) {
            let dependencies = nodes.get(id).into_iter().flat_map(|node| items(&node["deps"]));
            queue.extend(dependencies.filter(|dep| is_linked(dep)).map(|dep| str_of(dep, "pkg")));
        }
    }
    let mut crates: Vec<Crate> = seen.iter().map(|id| describe(packages[id], checksums)).collect();
    crates.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    crates
}

fn describe(package: &Value, checksums: &BTreeMap<(String, String), Sha>) -> Crate {
    let (name, version) = (str_of(package, "name").to_owned(), str_of(package, "version").to_owned());
    let optional = |field| package[field].as_str().map(str::to_owned);
    let manifest = Path::new(str_of(package, "manifest_path"));
    Crate {
        sha256: checksums.get(&(name.clone(), version.clone())).copied(),
        licence: optional("license"),
        authors: items(&package["authors"]).filter_map(Value::as_str).map(str::to_owned).collect(),
        repository: optional("repository"),
        folder: manifest.parent().unwrap_or(Path::new("")).to_owned(),
        name,
        version,
    }
}

/// A dependency of kind `null` is a normal one.
fn is_linked(dependency: &Value) -> bool {
    items(&dependency["dep_kinds"]).any(|kind| kind["kind"].is_null())
}

fn is_macro(package: &Value) -> bool {
    items(&package["targets"]).any(|target| items(&target["kind"]).any(|kind| kind == "proc-macro"))
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn str_of<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

/// The texts of a crate's licence, with their names: those that it carries, else those that SPDX has of what it names.
/// The project's own crates have none. Fails where there is no text at all.
pub fn licence_texts(one: &Crate) -> Result<Vec<(String, String)>, CratesError> {
    let carried = carried_texts(&one.folder)?;
    if !carried.is_empty() || one.sha256.is_none() {
        return Ok(carried);
    }
    let none = || CratesError::Licence { name: one.name.clone() };
    let texts = standard_texts(one).ok_or_else(none)?;
    if texts.is_empty() { Err(none()) } else { Ok(texts) }
}

fn standard_texts(one: &Crate) -> Option<Vec<(String, String)>> {
    let expression = spdx::Expression::parse(&one.expression()?).ok()?;
    let authors = if one.authors.is_empty() { "its authors".to_owned() } else { one.authors.join(", ") };
    let text = |named: &spdx::expression::ExpressionReq| {
        let licence = named.req.license.id()?;
        let text = licence.text().replace("<year> <copyright holders>", &authors);
        let says = format!(
            "{} {}, by {authors}, is published without the text of its licence. This is the text that SPDX has of {}.",
            one.name, one.version, licence.name
        );
        Some((format!("{}.txt", licence.name), format!("{says}\n\n{text}")))
    };
    expression.requirements().map(text).collect()
}

/// What lies in a crate's folder, or in its folder `LICENSES` (as REUSE has it): files whose name says so, in order.
fn carried_texts(folder: &Path) -> Result<Vec<(String, String)>, CratesError> {
    let mut texts = texts_in(folder, is_licence)?;
    let reuse = folder.join("LICENSES");
    if reuse.is_dir() {
        texts.extend(texts_in(&reuse, |_| true)?);
    }
    Ok(texts)
}

fn is_licence(name: &str) -> bool {
    const STARTS: &[&str] = &["licen", "copying", "copyright", "notice", "unlicense"];
    STARTS.iter().any(|start| name.starts_with(start)) && !name.ends_with(".rs")
}

fn texts_in(folder: &Path, is_one: impl Fn(&str) -> bool) -> Result<Vec<(String, String)>, CratesError> {
    let fail = |error| CratesError::File { path: folder.to_owned(), error };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        if path.is_file() && is_one(&name) {
            paths.push(path);
        }
    }
    paths.sort();
    let read = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        fs::read(path).map(|bytes| (name, String::from_utf8_lossy(&bytes).into_owned()))
    };
    paths.iter().map(read).collect::<io::Result<_>>().map_err(fail)
}

/// Why the crates cannot be listed.
#[derive(Debug)]
pub enum CratesError {
    /// A file or folder cannot be read.
    File {
        /// Which one.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// `cargo metadata` failed.
    Cargo {
        /// What it said.
        why: String,
    },
    /// The workspace has no such program.
    Root {
        /// Its name.
        root: &'static str,
    },
    /// There is no text of its licence.
    Licence {
        /// Whose.
        name: String,
    },
    /// `Cargo.lock` is no TOML.
    Lock {
        /// Why not.
        why: String,
    },
}

impl fmt::Display for CratesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("listing the crates of init and lbd: ")?;
        match self {
            Self::File { path, error } => {
                write!(f, "reading {}: {error}; run `cargo fetch --locked`", path.display())
            }
            Self::Cargo { why } => {
                write!(f, "cargo metadata: {}; run `cargo fetch --locked`", why.trim_end())
            }
            Self::Root { root } => {
                write!(f, "the workspace has no crate {root}; correct ROOTS in image/src/crates.rs")
            }
            Self::Licence { name } => write!(
                f,
                "{name} carries no text of its licence, and names none that SPDX knows; do not ship it, or keep its text here"
            ),
            Self::Lock { why } => {
                write!(f, "Cargo.lock cannot be read: {why}; restore it from version control")
            }
        }
    }
}

impl std::error::Error for CratesError {}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn package(name: &str, kind: &str) -> Value {
        json!({"id": name, "name": name, "version": "1.0.0", "license": "MIT", "repository": null,
               "manifest_path": format!("/src/{name}/Cargo.toml"), "targets": [{"kind": [kind]}]})
    }

    fn dependency(name: &str, kind: Option<&str>) -> Value {
        json!({"pkg": name, "dep_kinds": [{"kind": kind}]})
    }

    #[test]
    fn only_what_is_linked_is_shipped() {
        let names = ["lbd", "linked", "deeper", "build-only", "test-only", "unrelated"];
        let mut packages: Vec<Value> = names.iter().map(|name| package(name, "lib")).collect();
        packages.push(package("derive", "proc-macro"));
        let metadata = json!({"packages": packages, "resolve": {"nodes": [
            {"id": "lbd", "deps": [dependency("linked", None), dependency("test-only", Some("dev")),
                                            dependency("build-only", Some("build")), dependency("derive", None)]},
            {"id": "linked", "deps": [dependency("deeper", None)]},
            {"id": "derive", "deps": [dependency("unrelated", None)]},
        ]}});
        let sums = checksums(&format!(
            "[[package]]\nname = \"deeper\"\nversion = \"1.0.0\"\nchecksum = \"{}\"\n",
            Sha::of(b"x")
        ));
        let crates = shipped(&metadata, &sums.unwrap());
        let found: Vec<_> = crates.iter().map(|c| (c.name.as_str(), c.sha256.is_some())).collect();
        assert_eq!(found, [("deeper", true), ("lbd", false), ("linked", false)]);
        assert_eq!(crates[0].folder, Path::new("/src/deeper"));
    }

    #[test]
    fn odd_metadata_gives_nothing_and_a_broken_lock_is_an_error() {
        assert_eq!(shipped(&json!({"packages": 3}), &BTreeMap::new()), []);
        assert!(checksums("[[package").is_err());
    }

    #[test]
    fn licence_files_are_found_by_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["LICENSE-MIT", "COPYING", "license.rs", "README.md"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        fs::create_dir(folder.path().join("LICENSES")).unwrap();
        fs::write(folder.path().join("LICENSES/MIT.txt"), "MIT.txt").unwrap();
        let three = ["COPYING", "LICENSE-MIT", "MIT.txt"].map(|name| (name.to_owned(), name.to_owned()));
        assert_eq!(carried_texts(folder.path()).unwrap(), three);
    }

    #[test]
    fn a_crate_without_a_text_gets_that_of_the_licence_that_it_names() {
        let folder = tempfile::tempdir().unwrap();
        let published = |licence: Option<&str>| Crate {
            name: "io_tee".into(),
            version: "0.1.1".into(),
            licence: licence.map(str::to_owned),
            authors: vec!["Ann".into()],
            repository: None,
            sha256: Some(Sha::of(b"x")),
            folder: folder.path().to_owned(),
        };
        let texts = licence_texts(&published(Some("MIT/Apache-2.0"))).unwrap();
        let names: Vec<_> = texts.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["MIT.txt", "Apache-2.0.txt"]);
        assert!(
            texts[0].1.contains("Copyright (c) Ann") && texts[0].1.contains("io_tee 0.1.1"),
            "{}",
            texts[0].1
        );
        for licence in [None, Some("LicenseRef-Other"), Some("no licence")] {
            assert!(licence_texts(&published(licence)).is_err(), "{licence:?}");
        }
        let own = Crate { sha256: None, ..published(Some("LicenseRef-Evenkeel")) };
        assert_eq!(licence_texts(&own).unwrap(), []);
    }
}
