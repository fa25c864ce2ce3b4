//! The entries of a folder of a FAT32 volume, in the form in which `image/src/fat_entry.rs` writes them (Microsoft
//! "FAT32 File System Specification" 1.03): the volume is new, so nothing in it was ever deleted or renamed.

/// Bits of the attribute byte.
const VOLUME_ID: u8 = 0x08;
const FOLDER: u8 = 0x10;
const ARCHIVE: u8 = 0x20;
/// A part of a long name.
const LONG_NAME: u8 = 0x0f;

/// Set in the number of a long name's last part, which comes first.
const LAST: u8 = 0x40;

/// A name has 255 characters at most.
const MAX_PARTS: usize = 20;

/// Characters of a long name in one slot, at these offsets.
const CHARACTERS_AT: [usize; 13] = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];

type Slot = [u8; 32];

/// A file or a folder in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its long name, or its short one where it has no other.
    pub name: String,
    /// It is a folder.
    pub is_folder: bool,
    /// Its first cluster; 0 for an empty file.
    pub cluster: u32,
    /// Bytes of a file.
    pub size: u32,
}

/// The entries in the bytes of a folder, without `.` and `..` and the volume's label; or what is odd about one.
pub fn entries(folder: &[u8]) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    let mut parts: Vec<&Slot> = Vec::new();
    for slot in folder.as_chunks::<32>().0 {
        match (slot[0], slot[11]) {
            (0, _) => break,
            (_, LONG_NAME) => parts.push(slot),
            (_, VOLUME_ID) | (b'.', FOLDER) => {}
            (_, FOLDER | ARCHIVE) => entries.push(entry(slot, &std::mem::take(&mut parts))?),
            (_, other) => return Err(format!("an entry has attributes {other:02x}")),
        }
    }
    match parts.is_empty() {
        true => Ok(entries),
        false => Err("a long name belongs to no entry".to_owned()),
    }
}

fn entry(slot: &Slot, parts: &[&Slot]) -> Result<Entry, String> {
    let short = short_name(slot)?;
    let name = if parts.is_empty() { short } else { long_name(parts, checksum(&slot[..11]))? };
    let half = |at: usize| u16::from_le_bytes([slot[at], slot[at + 1]]);
    let cluster = u32::from(half(20)) << 16 | u32::from(half(26));
    let size = u32::from(half(30)) << 16 | u32::from(half(28));
    Ok(Entry { name, is_folder: slot[11] == FOLDER, cluster, size })
}

/// `BOOTX64 EFI` as `BOOTX64.EFI`.
fn short_name(slot: &Slot) -> Result<String, String> {
    let plain = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"-_~ ".contains(byte);
    if !slot[..11].iter().all(plain) {
        return Err(format!("{:?} is no short name", slot[..11].escape_ascii().to_string()));
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    let (base, extension) = (text(&slot[..8]), text(&slot[8..11]));
    Ok(if extension.is_empty() { base } else { format!("{base}.{extension}") })
}

/// The name in `parts`, the last of which comes first.
fn long_name(parts: &[&Slot], checksum: u8) -> Result<String, String> {
    if parts.len() > MAX_PARTS {
        return Err(format!("a long name has {} parts, more than {MAX_PARTS}", parts.len()));
    }
    let mut characters = Vec::new();
    for (number, part) in (1..).zip(parts.iter().rev()) {
        let last = if usize::from(number) == parts.len() { LAST } else { 0 };
        if part[0] != number | last || part[13] != checksum {
            return Err("the parts of a long name do not belong together".to_owned());
        }
        characters.extend(CHARACTERS_AT.map(|at| u16::from_le_bytes([part[at], part[at + 1]])));
    }
    let name = characters.split(|&character| character == 0).next().unwrap_or_default();
    String::from_utf16(name).map_err(|error| format!("a long name is no text: {error}"))
}

/// `ChkSum()` of the specification.
fn checksum(short: &[u8]) -> u8 {
    short.iter().fold(0, |sum: u8, byte| sum.rotate_right(1).wrapping_add(*byte))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use evenkeel_image::fat_entry::{Target, attribute, slots};
    use proptest::prelude::*;

    use super::*;

    fn written(names: &[&str]) -> Vec<u8> {
        let mut taken = BTreeSet::new();
        let target = Target { attributes: attribute::ARCHIVE, cluster: 0x12_3456, size: 0x789_0123 };
        let slots = names.iter().flat_map(|name| slots(name, target, &mut taken).unwrap());
        let mut folder: Vec<u8> = slots.flatten().collect();
        folder.resize(4096, 0);
        folder
    }

    #[test]
    fn names_of_the_image_read_back() {
        let names = ["BOOTX64.EFI", "evenkeel_0.1.0.efi", "Linux", "EFI", "exactly13char", &"x".repeat(255)];
        let found = entries(&written(&names)).unwrap();
        assert_eq!(found.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), names);
        assert!(found.iter().all(|e| (e.is_folder, e.cluster, e.size) == (false, 0x12_3456, 0x789_0123)));
    }

    #[test]
    fn what_no_new_volume_has_is_refused() {
        let good = written(&["loader.conf"]);
        let changed = |at: usize, value: u8| {
            let mut folder = good.clone();
            folder[at] = value;
            entries(&folder).unwrap_err()
        };
        assert!(changed(32, 0xe5).contains("no short name"), "deleted");
        assert!(changed(32 + 11, 0x21).contains("attributes 21"));
        assert!(changed(0, 0x42).contains("belong together"));
        assert!(changed(13, 0).contains("belong together"));
        assert!(changed(32, 0).contains("no entry"));
    }

    proptest! {
        #[test]
        fn any_folder_is_read(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
            let _ = entries(&bytes);
        }

        #[test]
        fn any_damage_is_survived(damage in prop::collection::vec((0..160_usize, any::<u8>()), 1..8)) {
            let mut folder = written(&["evenkeel_0.1.0.efi", "EFI"]);
            damage.iter().for_each(|(at, value)| folder[*at] = *value);
            let _ = entries(&folder);
        }
    }
}
