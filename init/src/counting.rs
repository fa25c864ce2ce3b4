//! Boot counting by file name: pure. "Automatic Boot Assessment" of systemd (`AUTOMATIC_BOOT_ASSESSMENT.md`), UAPI
//! "Boot Loader Specification": `x+3.efi` has three tries left, `x+2-1.efi` two and one failed; `x.efi` is good.

/// The efivarfs(5) name of the variable that systemd-boot sets in a counted boot. It vanishes with the power.
pub const VARIABLE: &str = "LoaderBootCountPath-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";

/// A path of the ESP is shorter; FAT takes 255 characters a name.
const LONGEST: usize = 1024;

/// The UKI of a boot that is on trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Its folder below the ESP: `EFI/Linux`.
    pub folder: String,
    /// Its name now: `evenkeel_1.1+2-1.efi`.
    pub name: String,
    /// Its name without the counter: `evenkeel_1.1.efi`.
    pub blessed: String,
}

/// Reads the variable: four bytes of attributes (`Documentation/filesystems/efivarfs.rst`), then UTF-16LE text
/// such as `\EFI\Linux\x+2-1.efi`. None when it does not name a counted file.
pub fn parse_variable(bytes: &[u8]) -> Option<Counted> {
    let (pairs, _) = bytes.get(4..)?.as_chunks::<2>();
    let units: Vec<u16> =
        pairs.iter().map(|pair| u16::from_le_bytes(*pair)).take_while(|unit| *unit != 0).collect();
    let path = String::from_utf16(&units).ok()?.replace('\\', "/");
    let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
    let (name, folders) = parts.split_last()?;
    let climbs = folders.iter().any(|part| *part == ".." || *part == ".");
    if climbs || path.len() > LONGEST {
        return None;
    }
    Some(Counted { folder: folders.join("/"), name: (*name).to_owned(), blessed: blessed(name)? })
}

/// `x+3.efi`, `x+2-1.efi` -> `x.efi`; none without a counter.
pub fn blessed(name: &str) -> Option<String> {
    split(name).map(|(blessed, _)| blessed)
}

/// The tries of a counted file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tries {
    /// Left.
    pub left: u32,
    /// Failed.
    pub failed: u32,
}

/// Name without the counter, and the counter; none without one.
pub fn split(name: &str) -> Option<(String, Tries)> {
    let (stem, extension) = name.rsplit_once('.')?;
    let (stem, counter) = stem.rsplit_once('+')?;
    let number = |text: &str| {
        let is_number = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| is_number)
    };
    let (left, failed) = match counter.split_once('-') {
        Some((left, failed)) => (number(left)?, number(failed)?),
        None => (number(counter)?, 0),
    };
    (!stem.is_empty()).then(|| (format!("{stem}.{extension}"), Tries { left, failed }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn variable(path: &str) -> Vec<u8> {
        let text = path.encode_utf16().chain([0]).flat_map(u16::to_le_bytes);
        [6, 0, 0, 0].into_iter().chain(text).collect()
    }

    #[test]
    fn names() {
        let table = [
            ("evenkeel_1.1+3.efi", Some("evenkeel_1.1.efi")),
            ("evenkeel_1.1+2-1.efi", Some("evenkeel_1.1.efi")),
            ("a+b+0-3.efi", Some("a+b.efi")),
            ("evenkeel_1.1.efi", None),
            ("evenkeel_1.1+.efi", None),
            ("evenkeel_1.1+2-.efi", None),
            ("evenkeel_1.1+x.efi", None),
            ("evenkeel_1.1+2-1-1.efi", None),
            ("+3.efi", None),
            ("evenkeel+3", None),
            ("", None),
        ];
        for (name, expected) in table {
            assert_eq!(blessed(name).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn the_variable() {
        let counted = parse_variable(&variable("\\EFI\\Linux\\evenkeel_1.1+2-1.efi")).unwrap();
        assert_eq!(counted.folder, "EFI/Linux");
        assert_eq!(
            (counted.name.as_str(), counted.blessed.as_str()),
            ("evenkeel_1.1+2-1.efi", "evenkeel_1.1.efi")
        );
        for bad in ["", "\\EFI\\Linux\\evenkeel_1.1.efi", "\\..\\x+1.efi", "\\"] {
            assert_eq!(parse_variable(&variable(bad)), None, "{bad}");
        }
        assert_eq!(parse_variable(&[6, 0]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            parse_variable(&bytes);
        }

        #[test]
        fn blessing_removes_the_counter_and_nothing_else(stem in "[a-z+._-]{1,12}", left in 0u32..99, done in proptest::option::of(0u32..99)) {
            let counter = done.map_or(format!("+{left}"), |done| format!("+{left}-{done}"));
            prop_assert_eq!(blessed(&format!("{stem}{counter}.efi")), Some(format!("{stem}.efi")));
        }
    }
}
