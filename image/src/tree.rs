//! The root file system before it is packed: paths with content, mode and the package or crate they come from.
//! Everything belongs to root; times and inode numbers do not exist here, so they cannot differ.

use std::collections::BTreeMap;
use std::fmt;

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Folder,
    /// A regular file.
    File(Vec<u8>),
    /// A symbolic link.
    Link(String),
    /// A character device: major and minor number.
    Device(u32, u32),
}

/// One path of the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Permission bits.
    pub mode: u32,
    /// Where it comes from: `deb:<package>`, `crate:<name>` or `evenkeel` for what this program writes.
    pub owner: String,
}

impl Entry {
    /// The size of the content.
    pub fn size(&self) -> u64 {
        match &self.kind {
            Kind::File(bytes) => bytes.len() as u64,
            Kind::Link(target) => target.len() as u64,
            Kind::Folder | Kind::Device(..) => 0,
        }
    }
}

/// Paths (relative, no leading `/`) in byte order: a folder comes before what it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree(BTreeMap<String, Entry>);

/// The owner of what this program itself writes.
pub const OWN: &str = "evenkeel";

impl Tree {
    /// Adds a file; the folders above it appear by themselves.
    pub fn file(
        &mut self,
        path: &str,
        mode: u32,
        owner: &str,
        content: impl Into<Vec<u8>>,
    ) -> Result<(), Clash> {
        self.add(path, Entry { kind: Kind::File(content.into()), mode, owner: owner.to_owned() })
    }

    /// Adds a folder.
    pub fn folder(&mut self, path: &str, mode: u32) -> Result<(), Clash> {
        self.add(path, Entry { kind: Kind::Folder, mode, owner: OWN.to_owned() })
    }

    /// Adds a symbolic link.
    pub fn link(&mut self, path: &str, owner: &str, target: &str) -> Result<(), Clash> {
        self.add(path, Entry { kind: Kind::Link(target.to_owned()), mode: 0o777, owner: owner.to_owned() })
    }

    /// Adds a character device.
    pub fn device(&mut self, path: &str, mode: u32, major: u32, minor: u32) -> Result<(), Clash> {
        self.add(path, Entry { kind: Kind::Device(major, minor), mode, owner: OWN.to_owned() })
    }

    /// What is at `path`.
    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.0.get(path)
    }

    /// All paths in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.0.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    /// The file list that goes beside an image: path, mode, size, owner, separated by tabs.
    pub fn listing(&self) -> String {
        let line = |(path, entry): (&str, &Entry)| {
            let (kind, target) = match &entry.kind {
                Kind::Folder => ('d', String::new()),
                Kind::File(_) => ('-', String::new()),
                Kind::Link(target) => ('l', format!(" -> {target}")),
                Kind::Device(major, minor) => ('c', format!(" {major}:{minor}")),
            };
            format!("/{path}{target}\t{kind}{:04o}\t{}\t{}\n", entry.mode, entry.size(), entry.owner)
        };
        self.iter().map(line).collect()
    }

    fn add(&mut self, path: &str, entry: Entry) -> Result<(), Clash> {
        for (end, _) in path.match_indices('/') {
            let parent = Entry { kind: Kind::Folder, mode: 0o755, owner: OWN.to_owned() };
            let there = self.0.entry(path[..end].to_owned()).or_insert(parent);
            if there.kind != Kind::Folder {
                return Err(Clash { path: path.to_owned(), with: path[..end].to_owned() });
            }
        }
        match self.0.insert(path.to_owned(), entry.clone()) {
            Some(before) if before != entry => Err(Clash { path: path.to_owned(), with: path.to_owned() }),
            _ => Ok(()),
        }
    }
}

/// Two parts of the image want the same path with different content.
#[derive(Debug, PartialEq, Eq)]
pub struct Clash {
    path: String,
    with: String,
}

impl fmt::Display for Clash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "adding /{} to the image: /{} is there already and differs; drop one of the two",
            self.path, self.with
        )
    }
}

impl std::error::Error for Clash {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_come_first_and_by_themselves() {
        let mut tree = Tree::default();
        tree.file("usr/lib/a", 0o644, "deb:x", "abc").unwrap();
        tree.link("usr/b", "deb:x", "lib/a").unwrap();
        tree.device("dev/null", 0o666, 1, 3).unwrap();
        assert_eq!(
            tree.listing(),
            "/dev\td0755\t0\tevenkeel\n/dev/null 1:3\tc0666\t0\tevenkeel\n/usr\td0755\t0\tevenkeel\n\
             /usr/b -> lib/a\tl0777\t5\tdeb:x\n/usr/lib\td0755\t0\tevenkeel\n/usr/lib/a\t-0644\t3\tdeb:x\n"
        );
    }

    #[test]
    fn the_same_twice_is_fine_and_a_difference_is_not() {
        let mut tree = Tree::default();
        tree.file("a", 0o644, "deb:x", "1").unwrap();
        tree.file("a", 0o644, "deb:x", "1").unwrap();
        assert!(tree.file("a", 0o644, "deb:x", "2").is_err());
        assert!(tree.file("a/b", 0o644, "deb:x", "2").is_err());
    }
}
