//! Unpacks a `.deb` in memory: `deb(5)`, an `ar` archive of `debian-binary`, `control.tar.*`, `data.tar.*`.
//! The input is checked against the lock before; even so nothing in it can make this panic, write to the disk or
//! take more memory than [`LIMIT`].

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};

/// The largest unpacked member. The kernel's is 105 MB.
pub const LIMIT: u64 = 512 << 20;

/// A file of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A regular file with its bytes; hard links are resolved.
    File(Vec<u8>),
    /// A symbolic link with its target.
    Link(String),
}

/// An unpacked package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Package {
    /// The fields of the control file (`deb-control(5)`), names in lower case, continuation lines left out.
    pub control: BTreeMap<String, String>,
    /// Files by path, without a leading `/` or `./`. Folders and device nodes are left out.
    pub files: BTreeMap<String, Node>,
}

impl Package {
    /// Unpacks the bytes of a `.deb` file.
    pub fn unpack(deb: &[u8]) -> Result<Self, DebError> {
        let mut package = Self::default();
        let (mut control, mut data) = (false, false);
        let mut archive = ar::Archive::new(deb);
        while let Some(member) = archive.next_entry() {
            let member = member.map_err(|e| DebError::read("the ar archive", e))?;
            let name = String::from_utf8_lossy(member.header().identifier()).into_owned();
            match name.split_once(".tar") {
                Some(("control", form)) => {
                    package.control = control_fields(&unpack_tar(&name, &decompress(&name, form, member)?)?)?;
                    control = true;
                }
                Some(("data", form)) => {
                    package.files = unpack_tar(&name, &decompress(&name, form, member)?)?;
                    data = true;
                }
                _ => {}
            }
        }
        if control && data { Ok(package) } else { Err(DebError::Incomplete) }
    }

    /// A field of the control file.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.control.get(name).map(String::as_str)
    }
}

fn decompress(member: &str, form: &str, packed: impl Read) -> Result<Vec<u8>, DebError> {
    let fail = |e| DebError::read(member, e);
    match form {
        "" => limited(member, packed),
        ".xz" => limited(member, liblzma::read::XzDecoder::new(packed)),
        ".gz" => limited(member, flate2::read::GzDecoder::new(packed)),
        ".zst" => limited(member, zstd::Decoder::new(packed).map_err(fail)?),
        _ => Err(DebError::Form { member: member.to_owned() }),
    }
}

/// Reads all of it, but never more than [`LIMIT`].
fn limited(member: &str, from: impl Read) -> Result<Vec<u8>, DebError> {
    let mut bytes = Vec::new();
    from.take(LIMIT + 1).read_to_end(&mut bytes).map_err(|e| DebError::read(member, e))?;
    if bytes.len() as u64 > LIMIT {
        return Err(DebError::TooLarge { member: member.to_owned() });
    }
    Ok(bytes)
}

fn unpack_tar(member: &str, tar: &[u8]) -> Result<BTreeMap<String, Node>, DebError> {
    let fail = |e| DebError::read(member, e);
    let mut files = BTreeMap::new();
    let mut archive = tar::Archive::new(tar);
    for entry in archive.entries().map_err(fail)? {
        let mut entry = entry.map_err(fail)?;
        let path =
            clean_path(&entry.path_bytes()).ok_or_else(|| DebError::path(member, &entry.path_bytes()))?;
        let kind = entry.header().entry_type();
        if kind.is_file() {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(fail)?;
            files.insert(path, Node::File(bytes));
        } else if kind.is_symlink() || kind.is_hard_link() {
            let target = entry.link_name_bytes().unwrap_or_default();
            let node =
                link(kind.is_hard_link(), &target, &files).ok_or_else(|| DebError::path(member, &target))?;
            files.insert(path, node);
        }
    }
    Ok(files)
}

/// A symbolic link keeps its text; a hard link becomes a copy of the earlier file it names.
fn link(hard: bool, target: &[u8], earlier: &BTreeMap<String, Node>) -> Option<Node> {
    if hard {
        return earlier.get(&clean_path(target)?).cloned();
    }
    let text = String::from_utf8(target.to_vec()).ok()?;
    (!text.is_empty()).then_some(Node::Link(text))
}

/// `./usr/bin/x` as `usr/bin/x`; none when the path leaves the archive or is not plain text.
fn clean_path(raw: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(raw).ok()?;
    if text.starts_with('/') || text.contains(|c: char| c.is_control()) {
        return None;
    }
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    (!parts.contains(&"..")).then(|| parts.join("/"))
}

fn control_fields(files: &BTreeMap<String, Node>) -> Result<BTreeMap<String, String>, DebError> {
    let Some(Node::File(bytes)) = files.get("control") else { return Err(DebError::Incomplete) };
    let text = std::str::from_utf8(bytes).map_err(|_| DebError::path("control", b"control"))?;
    let field = |line: &str| {
        let (name, value) = line.split_once(':').filter(|_| !line.starts_with([' ', '\t']))?;
        Some((name.to_lowercase(), value.trim().to_owned()))
    };
    Ok(text.lines().filter_map(field).collect())
}

/// Why a `.deb` file cannot be unpacked. [`crate::build`] adds which package it was.
#[derive(Debug)]
pub enum DebError {
    /// A member cannot be read.
    Read {
        /// Which one.
        member: String,
        /// Why not.
        source: io::Error,
    },
    /// A path or link of a member is absolute, leaves the archive, or is no plain text.
    Path {
        /// Which member.
        member: String,
        /// The path.
        path: String,
    },
    /// A member unpacks to more than [`LIMIT`].
    TooLarge {
        /// Which one.
        member: String,
    },
    /// A member is compressed in a way that is not known here.
    Form {
        /// Which one.
        member: String,
    },
    /// The control or the data member is missing.
    Incomplete,
}

impl DebError {
    fn read(member: &str, source: io::Error) -> Self {
        Self::Read { member: member.to_owned(), source }
    }

    fn path(member: &str, path: &[u8]) -> Self {
        Self::Path { member: member.to_owned(), path: String::from_utf8_lossy(path).into_owned() }
    }
}

impl fmt::Display for DebError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { member, source } => {
                write!(f, "{member} cannot be read: {source}; delete the file and fetch again")
            }
            Self::Path { member, path } => {
                write!(f, "{member} holds the unsafe path {path:?}; do not use this package")
            }
            Self::TooLarge { member } => {
                write!(
                    f,
                    "{member} unpacks to more than {} MB; raise deb::LIMIT if that is right",
                    LIMIT >> 20
                )
            }
            Self::Form { member } => {
                write!(f, "{member} is not compressed with xz, zstd or gzip; teach deb.rs its form")
            }
            Self::Incomplete => {
                f.write_str("it lacks its control or its data part; delete the file and fetch again")
            }
        }
    }
}

impl std::error::Error for DebError {}

#[cfg(test)]
#[path = "deb_tests.rs"]
mod tests;
