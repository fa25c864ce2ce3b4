//! What a kernel module says about itself in its `.modinfo` section: `key=value` strings, each ended by a zero
//! byte (`include/linux/moduleparam.h`, `scripts/mod/modpost.c` in the kernel).

use object::{Endianness, elf::FileHeader64, read::elf::FileHeader};
use std::fmt;

/// The facts that loading needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModInfo {
    /// Modules whose symbols it uses.
    pub depends: Vec<String>,
    /// Modules (or aliases) to load before, if there are any: `softdep=pre: ...`.
    pub before: Vec<String>,
    /// Device and name patterns that it answers to.
    pub aliases: Vec<String>,
}

/// Module names know no difference between `-` and `_`.
pub fn canonical(name: &str) -> String {
    name.replace('-', "_")
}

impl ModInfo {
    /// Reads the section of an uncompressed `.ko` file.
    pub fn read(ko: &[u8]) -> Result<Self, BadModule> {
        Ok(Self::parse(section(ko)?.ok_or(BadModule(None))?))
    }

    /// Reads the section's content.
    fn parse(content: &[u8]) -> Self {
        let mut info = Self::default();
        for field in content.split(|byte| *byte == 0) {
            let text = String::from_utf8_lossy(field);
            match text.split_once('=') {
                Some(("depends", list)) => {
                    info.depends.extend(list.split(',').filter(|name| !name.is_empty()).map(canonical));
                }
                Some(("softdep", rule)) => info.before.extend(softdep_before(rule)),
                Some(("alias", alias)) => info.aliases.push(alias.to_owned()),
                _ => {}
            }
        }
        info
    }
}

/// `pre: a b post: c` -> `a`, `b` (`modprobe.d(5)`).
fn softdep_before(rule: &str) -> Vec<String> {
    let mut inside = false;
    let mut names = Vec::new();
    for word in rule.split_whitespace() {
        match word {
            "pre:" => inside = true,
            "post:" => inside = false,
            name if inside => names.push(canonical(name)),
            _ => {}
        }
    }
    names
}

fn section(ko: &[u8]) -> Result<Option<&[u8]>, object::read::Error> {
    let header = FileHeader64::<Endianness>::parse(ko)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, ko)?;
    match sections.section_by_name(endian, b".modinfo") {
        Some((_, section)) => Ok(Some(object::read::elf::SectionHeader::data(section, endian, ko)?)),
        None => Ok(None),
    }
}

/// A `.ko` file that is none: damaged, or without `.modinfo`.
#[derive(Debug)]
pub struct BadModule(Option<object::read::Error>);

impl From<object::read::Error> for BadModule {
    fn from(error: object::read::Error) -> Self {
        Self(Some(error))
    }
}

impl fmt::Display for BadModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(error) => write!(f, "it is no whole ELF file: {error}"),
            None => f.write_str("it has no .modinfo section"),
        }
    }
}

impl std::error::Error for BadModule {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_the_fields_that_matter() {
        let content = b"license=GPL\0softdep=pre: crypto-crc32c x post: y\0alias=fs-ext4\0depends=jbd2,crc16,a-b\0name=ext4\0";
        let info = ModInfo::parse(content);
        assert_eq!(info.depends, ["jbd2", "crc16", "a_b"]);
        assert_eq!(info.before, ["crypto_crc32c", "x"]);
        assert_eq!(info.aliases, ["fs-ext4"]);
    }

    #[test]
    fn no_dependency_is_an_empty_list() {
        assert_eq!(ModInfo::parse(b"depends=\0"), ModInfo::default());
    }

    proptest! {
        #[test]
        fn garbage_never_panics(garbage in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = ModInfo::parse(&garbage);
            let _ = ModInfo::read(&garbage);
        }
    }
}
