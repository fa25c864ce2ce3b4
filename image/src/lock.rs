//! `packages.lock`: which Debian packages an image is made of. One line each: name, version, SHA-256.

use crate::hash::Sha;
use std::collections::BTreeMap;
use std::fmt;

/// One locked package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locked {
    /// Debian's binary package name.
    pub name: String,
    /// The full version, with epoch and revision.
    pub version: String,
    /// SHA-256 of the `.deb` file.
    pub sha256: Sha,
}

/// The locked packages by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock(BTreeMap<String, Locked>);

const HEADER: &str = "\
# The Debian packages (trixie, amd64) that the image is made of: name, version, SHA-256 of the .deb file.
# Written by `make lock`; a build takes exactly these and nothing else.
";

impl Lock {
    /// A lock of these packages; of two with one name the later counts.
    pub fn new(packages: impl IntoIterator<Item = Locked>) -> Self {
        Self(packages.into_iter().map(|package| (package.name.clone(), package)).collect())
    }

    /// Reads the text of a lock file.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        let mut lock = Self::default();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let locked = parse_line(line).map_err(|why| LockError::Line { number: index + 1, why })?;
            if lock.0.contains_key(&locked.name) {
                return Err(LockError::Line { number: index + 1, why: "this package is there twice" });
            }
            lock.0.insert(locked.name.clone(), locked);
        }
        Ok(lock)
    }

    /// The packages in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Locked> {
        self.0.values()
    }
}

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEADER)?;
        self.iter().try_for_each(|p| writeln!(f, "{} {} {}", p.name, p.version, p.sha256))
    }
}

fn parse_line(line: &str) -> Result<Locked, &'static str> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [name, version, sha256] = fields[..] else { return Err("a line is: name, version, SHA-256") };
    if !is_name(name) {
        return Err("the first field is no Debian package name");
    }
    if !is_version(version) {
        return Err("the second field is no Debian version");
    }
    let sha256 = Sha::parse(sha256).ok_or("the third field is no SHA-256 (64 lower-case digits)")?;
    Ok(Locked { name: name.into(), version: version.into(), sha256 })
}

/// Debian policy 5.6.1: lower-case letters, digits, `+`, `-`, `.`, starting with a letter or digit.
pub fn is_name(text: &str) -> bool {
    text.len() > 1
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b))
}

/// Debian policy 5.6.12: letters, digits and `. + - : ~`, starting with a digit.
pub fn is_version(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".+-:~".contains(&b))
}

/// Why a lock file cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub enum LockError {
    /// A line is not as it should be.
    Line {
        /// Its number, from 1.
        number: usize,
        /// What is wrong.
        why: &'static str,
    },
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Line { number, why } = self;
        write!(f, "reading packages.lock, line {number}: {why}; renew the file with `make lock`")
    }
}

impl std::error::Error for LockError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn locked(name: &str, version: &str) -> Locked {
        Locked { name: name.into(), version: version.into(), sha256: Sha::of(name.as_bytes()) }
    }

    #[test]
    fn reads_what_it_wrote_in_order_of_names() {
        let lock = Lock::new([locked("nftables", "1.1.3-1"), locked("e2fsprogs", "1:1.47.2-3+b12")]);
        let text = lock.to_string();
        assert!(text.find("e2fsprogs") < text.find("nftables"));
        assert_eq!(Lock::parse(&text), Ok(lock));
    }

    #[test]
    fn names_the_line_that_is_wrong() {
        let good = locked("nftables", "1.1.3-1");
        let line = format!("nftables 1.1.3-1 {}", good.sha256);
        for bad in
            ["nftables", "nftables 1 zz", "../x 1 aa", "nftables ;rm aa", &format!("{line} more"), &line]
        {
            let error = Lock::parse(&format!("{line}\n# comment\n{bad}\n")).unwrap_err();
            assert!(error.to_string().contains("line 3"), "{bad}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,200}") {
            let _ = Lock::parse(&text);
        }
    }
}
