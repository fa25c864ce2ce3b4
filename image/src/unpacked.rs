//! The files of all packages of an image together: finding one by its path, through links.

use crate::deb::{Node, Package};
use crate::lock::Locked;
use std::fmt;

/// The unpacked packages of an image.
#[derive(Debug, Default)]
pub struct Packages(pub Vec<(Locked, Package)>);

/// A file of a package, links followed.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// The package.
    pub package: &'a str,
    /// Where the file itself is, after all links.
    pub path: &'a str,
    /// Its bytes.
    pub content: &'a [u8],
}

impl Packages {
    /// The file at `path` in any of the packages. Follows links.
    pub fn find(&self, path: &str) -> Result<Found<'_>, Missing> {
        let missing = || Missing(path.to_owned());
        let mut wanted = path.to_owned();
        for _ in 0..8 {
            let (package, known, node) = self.node(&wanted).ok_or_else(missing)?;
            match node {
                Node::File(content) => return Ok(Found { package, path: known, content }),
                Node::Link(target) => wanted = resolve(known, target),
            }
        }
        Err(missing())
    }

    /// All files and links whose path starts so, in order.
    pub fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str, &'a Node)> {
        self.0.iter().flat_map(move |(locked, package)| {
            let inside = package
                .files
                .range(prefix.to_owned()..)
                .take_while(move |(path, _)| path.starts_with(prefix));
            inside.map(|(path, node)| (locked.name.as_str(), path.as_str(), node))
        })
    }

    fn node(&self, path: &str) -> Option<(&str, &str, &Node)> {
        self.0.iter().find_map(|(locked, package)| {
            let (known, node) = package.files.get_key_value(path)?;
            Some((locked.name.as_str(), known.as_str(), node))
        })
    }
}

/// Where a link in the folder of `path` leads.
fn resolve(path: &str, target: &str) -> String {
    let mut parts: Vec<&str> = if target.starts_with('/') { Vec::new() } else { path.split('/').collect() };
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// The kernel of the packages: its release (`uname -r`) and its file.
pub fn kernel(packages: &Packages) -> Result<(String, &[u8]), Missing> {
    let kernel = packages.below("boot/vmlinuz-").find_map(|(_, path, node)| match node {
        Node::File(content) => Some((path["boot/vmlinuz-".len()..].to_owned(), content.as_slice())),
        Node::Link(_) => None,
    });
    kernel.ok_or_else(|| Missing("boot/vmlinuz-*".into()))
}

/// No package of the lock has this file.
#[derive(Debug, PartialEq, Eq)]
pub struct Missing(pub String);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "looking for {}: no package of packages.lock has it; add the one that does to image/src/packages.rs and \
             run `make lock`",
            self.0
        )
    }
}

impl std::error::Error for Missing {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Sha;

    /// One package `p` with these files; a content that starts with `->` is a link.
    pub fn packages(files: &[(&str, &str)]) -> Packages {
        let node = |content: &str| match content.strip_prefix("->") {
            Some(target) => Node::Link(target.to_owned()),
            None => Node::File(content.as_bytes().to_vec()),
        };
        let files = files.iter().map(|(path, content)| ((*path).to_owned(), node(content))).collect();
        let locked = Locked { name: "p1".into(), version: "1".into(), sha256: Sha::of(b"") };
        Packages(vec![(locked, Package { files, ..Package::default() })])
    }

    #[test]
    fn links_are_followed_relative_absolute_and_never_for_ever() {
        let all = packages(&[
            ("usr/lib64/ld.so", "->../lib/x/ld-2.so"),
            ("usr/lib/x/ld-2.so", "loader"),
            ("usr/lib/abs", "->/usr/lib64/ld.so"),
            ("a", "->b"),
            ("b", "->a"),
            ("up", "->../../../usr/lib/x/ld-2.so"),
        ]);
        for path in ["usr/lib64/ld.so", "usr/lib/abs", "up"] {
            let found = all.find(path).unwrap();
            assert_eq!((found.path, found.content), ("usr/lib/x/ld-2.so", &b"loader"[..]), "{path}");
        }
        assert!(all.find("a").is_err());
        assert_eq!(all.find("nosuch").unwrap_err(), Missing("nosuch".into()));
    }

    #[test]
    fn the_kernel_is_known_by_its_file() {
        let all = packages(&[("boot/config-6.12", "x"), ("boot/vmlinuz-6.12", "kernel")]);
        assert_eq!(kernel(&all).unwrap(), ("6.12".to_owned(), &b"kernel"[..]));
        assert!(kernel(&packages(&[])).is_err());
    }
}
