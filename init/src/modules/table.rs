//! `modules.dep`: where each module is, and what must be loaded before it.

use super::alias::canonical;
use std::collections::BTreeMap;

/// Names of modules, each with files in the order in which they must be loaded; its own is the last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dependencies(BTreeMap<String, Vec<String>>);

impl Dependencies {
    /// Reads lines `path: path ...`; of what follows the colon the last is loaded first (depmod(8)).
    pub fn parse(text: &str) -> Self {
        let line = |line: &str| {
            let (path, before) = line.split_once(':')?;
            let mut files: Vec<_> = before.split_whitespace().rev().map(str::to_owned).collect();
            files.push(path.trim().to_owned());
            Some((name_of(path)?, files))
        };
        Self(text.lines().filter_map(line).collect())
    }

    /// The files for a module, in loading order; none for a module that the image does not have.
    pub fn files(&self, name: &str) -> Option<&[String]> {
        self.0.get(&canonical(name)).map(Vec::as_slice)
    }
}

/// `kernel/fs/nls/nls-x.ko` -> `nls_x`; none when it is no module.
pub fn name_of(path: &str) -> Option<String> {
    Some(canonical(path.trim().rsplit('/').next()?.strip_suffix(".ko")?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_module_needs_comes_before_it() {
        let table = "kernel/fs/ext4/ext4.ko: kernel/fs/jbd2/jbd2.ko kernel/lib/crc16.ko\nkernel/fs/jbd2/jbd2.ko:\nnonsense\n";
        let table = Dependencies::parse(table);
        let expected = ["kernel/lib/crc16.ko", "kernel/fs/jbd2/jbd2.ko", "kernel/fs/ext4/ext4.ko"];
        assert_eq!(table.files("ext4").unwrap(), expected);
        assert_eq!(table.files("jbd2").unwrap(), ["kernel/fs/jbd2/jbd2.ko"]);
        assert_eq!(table.files("btrfs"), None);
    }

    #[test]
    fn names_are_found_with_dash_or_underscore() {
        let table = Dependencies::parse("kernel/drivers/hid/hid-generic.ko:\n");
        assert_eq!(table.files("hid_generic"), table.files("hid-generic"));
        assert!(table.files("hid_generic").is_some());
    }

    proptest! {
        #[test]
        fn any_text_is_read_and_every_module_ends_with_itself(text in "([a-c/]{1,4}(\\.ko)?[: \n]{0,2}){0,20}") {
            for (name, files) in Dependencies::parse(&text).0 {
                prop_assert_eq!(name_of(files.last().unwrap()), Some(name));
            }
        }
    }
}
