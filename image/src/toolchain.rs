//! What the build machine itself puts into `init` and `lbd`: the C library and the compiler's own library, linked
//! statically, and Rust's standard library. Each is asked of the tool that links it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fmt, fs, io};

/// One file of each Debian package that a static program takes code from: the C library, the compiler's unwinder.
const LINKED: &[&str] = &["libc.a", "libgcc_eh.a"];

/// A Debian package of the build machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linked {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its source package, and the version of that.
    pub source: (String, String),
    /// The text of its copyright file.
    pub copyright: String,
}

/// Rust's standard library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standard {
    /// The compiler's version.
    pub version: String,
    /// Its notice and licence texts, by file name.
    pub texts: Vec<(&'static str, String)>,
}

/// Everything that the build machine adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    /// Debian packages, by name.
    pub linked: Vec<Linked>,
    /// Rust's part.
    pub standard: Standard,
}

/// Asks the compilers and dpkg.
pub fn read() -> Result<Toolchain, ToolchainError> {
    let mut linked = LINKED.iter().map(|file| linked(file)).collect::<Result<Vec<_>, _>>()?;
    linked.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Toolchain { linked, standard: standard()? })
}

fn linked(file: &str) -> Result<Linked, ToolchainError> {
    let path = ask("cc", &[&format!("-print-file-name={file}")])?;
    let path = fs::canonicalize(path.trim()).map_err(ToolchainError::reading(path.trim()))?;
    let owner = ask("dpkg-query", &["--search", &path.to_string_lossy()])?;
    let package = owning_package(&owner).ok_or(ToolchainError::Answer { program: "dpkg-query" })?;
    let fields = ask("dpkg-query", &["--show", &format!("--showformat={FIELDS}"), &package])?;
    let copyright = format!("/usr/share/doc/{}/copyright", package.split(':').next().unwrap_or_default());
    let copyright = fs::read_to_string(&copyright).map_err(ToolchainError::reading(&copyright))?;
    described(&fields, copyright).ok_or(ToolchainError::Answer { program: "dpkg-query" })
}

const FIELDS: &str = "${Package}\\n${Version}\\n${source:Package}\\n${source:Version}\\n";

/// `libc6-dev:amd64: /usr/lib/x86_64-linux-gnu/libc.a`.
fn owning_package(answer: &str) -> Option<String> {
    answer.lines().next()?.split_once(": ").map(|(package, _)| package.to_owned())
}

fn described(fields: &str, copyright: String) -> Option<Linked> {
    let mut lines = fields.lines().map(str::to_owned);
    let (name, version) = (lines.next()?, lines.next()?);
    Some(Linked { name, version, source: (lines.next()?, lines.next()?), copyright })
}

fn standard() -> Result<Standard, ToolchainError> {
    let version = ask("rustc", &["--version", "--verbose"])?;
    let version = release(&version).ok_or(ToolchainError::Answer { program: "rustc" })?;
    let folder = Path::new(ask("rustc", &["--print", "sysroot"])?.trim()).join("share/doc/rust");
    let text = |name: &&'static str| {
        let path = folder.join(name);
        Ok((*name, fs::read_to_string(&path).map_err(ToolchainError::reading(&path))?))
    };
    Ok(Standard { version, texts: STANDARD_TEXTS.iter().map(text).collect::<Result<_, _>>()? })
}

/// Of Rust's standard library (SPDX).
pub const STANDARD_LICENCE: &str = "MIT OR Apache-2.0";

/// The notice of the standard library and the licences that it names, where the compiler's own package has them.
const STANDARD_TEXTS: &[&str] = &[
    "COPYRIGHT-library.html",
    "licenses/Apache-2.0.txt",
    "licenses/BSD-2-Clause.txt",
    "licenses/MIT.txt",
    "licenses/Unicode-3.0.txt",
];

fn release(answer: &str) -> Option<String> {
    answer.lines().find_map(|line| line.strip_prefix("release: ")).map(str::to_owned)
}

fn ask(program: &'static str, arguments: &[&str]) -> Result<String, ToolchainError> {
    let fail = |why| ToolchainError::Program { program, why };
    let output = Command::new(program).args(arguments).env("LC_ALL", "C").output();
    let output = output.map_err(|error| fail(error.to_string()))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(fail(String::from_utf8_lossy(&output.stderr).trim_end().to_owned())),
    }
}

/// Why it is not known what the build machine adds.
#[derive(Debug)]
pub enum ToolchainError {
    /// A program cannot be run, or fails.
    Program {
        /// Which one.
        program: &'static str,
        /// What it said.
        why: String,
    },
    /// A program answers something that is not understood.
    Answer {
        /// Which one.
        program: &'static str,
    },
    /// A file cannot be read.
    File {
        /// Which one.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
}

impl ToolchainError {
    fn reading(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |error| Self::File { path, error }
    }
}

impl fmt::Display for ToolchainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("finding out which libraries of this machine are linked into init and lbd: ")?;
        match self {
            Self::Program { program, why } => write!(f, "{program}: {why}; run `make setup`"),
            Self::Answer { program } => write!(f, "{program} answers something unknown; build on Debian"),
            Self::File { path, error } => write!(
                f,
                "reading {}: {error}; install the package it belongs to again, with its documentation",
                path.display()
            ),
        }
    }
}

impl std::error::Error for ToolchainError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_the_tools() {
        let owner = "libc6-dev:amd64: /usr/lib/x86_64-linux-gnu/libc.a\n";
        assert_eq!(owning_package(owner).unwrap(), "libc6-dev:amd64");
        assert_eq!(owning_package("nothing"), None);
        let one = described("libc6-dev\n2.36-9\nglibc\n2.36-8\n", "text".into()).unwrap();
        assert_eq!((one.name.as_str(), one.version.as_str()), ("libc6-dev", "2.36-9"));
        assert_eq!(one.source, ("glibc".into(), "2.36-8".into()));
        assert_eq!(described("libc6-dev\n", String::new()), None);
        assert_eq!(release("rustc 1.95.0\nrelease: 1.95.0\nhost: x\n").unwrap(), "1.95.0");
    }

    #[test]
    fn this_machine_says_what_it_links() {
        let toolchain = read().unwrap();
        let sources: Vec<_> = toolchain.linked.iter().map(|one| one.source.0.as_str()).collect();
        assert!(sources.contains(&"glibc"), "{sources:?}");
        assert!(toolchain.linked.iter().all(|one| one.copyright.contains("icen")));
        assert!(toolchain.standard.texts[0].1.contains("Rust"));
    }
}
