//! Directory entries of FAT32: short names, long names, checksums (Microsoft "FAT32 File System Specification" 1.03;
//! UEFI 2.10, 13.3). All times are FAT's first day: a valid date that no clock has set.

use std::collections::BTreeSet;

/// One slot of a folder.
pub type Slot = [u8; 32];

/// Bits of the attribute byte.
pub mod attribute {
    /// The volume's label.
    pub const VOLUME_ID: u8 = 0x08;
    /// A folder.
    pub const FOLDER: u8 = 0x10;
    /// A file.
    pub const ARCHIVE: u8 = 0x20;
    /// A part of a long name: read-only, hidden, system and volume id together.
    pub const LONG_NAME: u8 = 0x0f;
}

/// 1 January 1980.
const FIRST_DAY: [u8; 2] = 0x0021u16.to_le_bytes();

/// Characters of a long name in one slot, at these offsets.
const LONG_NAME_AT: [usize; 13] = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];

/// What an entry points to.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The attribute byte.
    pub attributes: u8,
    /// The first cluster, 0 for an empty file.
    pub cluster: u32,
    /// The size of a file, 0 for a folder.
    pub size: u32,
}

/// The slots of `name`: its long name, if it needs one, then the short one. `taken` holds the folder's short names.
pub fn slots(name: &str, target: Target, taken: &mut BTreeSet<[u8; 11]>) -> Option<Vec<Slot>> {
    if name.is_empty() || name.len() > 255 || !name.bytes().all(is_long_character) {
        return None;
    }
    if let Some(short) = exact_short(name) {
        return taken.insert(short).then(|| vec![short_slot(&short, target)]);
    }
    let short = (1..=9).map(|number| numbered_short(name, number)).find(|short| taken.insert(*short))?;
    let mut slots = long_slots(name, checksum(&short));
    slots.push(short_slot(&short, target));
    Some(slots)
}

/// How many slots [`slots`] will give.
pub fn slot_count(name: &str) -> usize {
    if exact_short(name).is_some() { 1 } else { name.len().div_ceil(LONG_NAME_AT.len()) + 1 }
}

/// The entry with a short name: also for the label and for `.` and `..`.
pub fn short_slot(name: &[u8; 11], target: Target) -> Slot {
    let mut slot = [0; 32];
    slot[..11].copy_from_slice(name);
    slot[11] = target.attributes;
    for date in [16, 18, 24] {
        slot[date..date + 2].copy_from_slice(&FIRST_DAY);
    }
    let cluster = target.cluster.to_le_bytes();
    slot[20..22].copy_from_slice(&cluster[2..]);
    slot[26..28].copy_from_slice(&cluster[..2]);
    slot[28..].copy_from_slice(&target.size.to_le_bytes());
    slot
}

/// Printable ASCII without what the specification forbids.
fn is_long_character(byte: u8) -> bool {
    (b' '..=b'~').contains(&byte) && !b"\"*/:<>?\\|".contains(&byte)
}

fn is_short_character(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"-_~".contains(&byte)
}

/// `BOOTX64.EFI` as the eleven bytes of a short name, if it is one as it stands.
fn exact_short(name: &str) -> Option<[u8; 11]> {
    let (base, extension) = name.split_once('.').unwrap_or((name, ""));
    let fits =
        (1..=8).contains(&base.len()) && extension.len() <= 3 && (extension.is_empty() != name.contains('.'));
    let plain = base.bytes().chain(extension.bytes()).all(is_short_character);
    (fits && plain).then(|| eleven(base, extension))
}

/// `evenkeel_1.0.efi` and 1 as `EVENKE~1EFI`.
fn numbered_short(name: &str, number: u8) -> [u8; 11] {
    let (base, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let clean = |text: &str, length: usize| -> String {
        let upper = text.bytes().map(|b| b.to_ascii_uppercase()).filter(|b| !b" .".contains(b));
        upper.map(|b| if is_short_character(b) { char::from(b) } else { '_' }).take(length).collect()
    };
    eleven(&format!("{}~{number}", clean(base, 6)), &clean(extension, 3))
}

fn eleven(base: &str, extension: &str) -> [u8; 11] {
    let mut short = [b' '; 11];
    short[..base.len()].copy_from_slice(base.as_bytes());
    short[8..8 + extension.len()].copy_from_slice(extension.as_bytes());
    short
}

/// The slots of a long name, the last part first. A name that does not fill its last slot ends with 0x0000, then
/// 0xffff.
fn long_slots(name: &str, checksum: u8) -> Vec<Slot> {
    let mut characters: Vec<u16> = name.bytes().map(u16::from).collect();
    let count = characters.len().div_ceil(LONG_NAME_AT.len());
    characters.push(0);
    characters.resize(characters.len().max(count * LONG_NAME_AT.len()), 0xffff);
    let parts = characters.chunks(LONG_NAME_AT.len()).take(count).zip(1u8..);
    let mut slots: Vec<Slot> = parts.map(|(part, number)| long_slot(part, number, checksum)).collect();
    if let Some(last) = slots.last_mut() {
        last[0] |= 0x40;
    }
    slots.reverse();
    slots
}

fn long_slot(part: &[u16], number: u8, checksum: u8) -> Slot {
    let mut slot = [0; 32];
    slot[0] = number;
    slot[11] = attribute::LONG_NAME;
    slot[13] = checksum;
    for (at, character) in LONG_NAME_AT.into_iter().zip(part) {
        slot[at..at + 2].copy_from_slice(&character.to_le_bytes());
    }
    slot
}

/// `ChkSum()` of the specification.
fn checksum(short: &[u8; 11]) -> u8 {
    short.iter().fold(0, |sum: u8, byte| sum.rotate_right(1).wrapping_add(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: Target = Target { attributes: attribute::ARCHIVE, cluster: 0x12_3456, size: 7 };

    #[test]
    fn a_short_name_needs_one_slot() {
        let slots = slots("BOOTX64.EFI", FILE, &mut BTreeSet::new()).unwrap();
        assert_eq!(slots.len(), 1);
        assert_eq!(&slots[0][..12], b"BOOTX64 EFI\x20");
        assert_eq!((&slots[0][20..22], &slots[0][26..32]), (&[0x12, 0][..], &[0x56, 0x34, 7, 0, 0, 0][..]));
    }

    #[test]
    fn a_long_name_comes_in_parts_last_first() {
        let slots = slots("evenkeel_1.0.efi", FILE, &mut BTreeSet::new()).unwrap();
        assert_eq!(slots.len(), 3);
        assert_eq!((slots[0][0], slots[1][0]), (0x42, 1));
        assert_eq!(&slots[2][..11], b"EVENKE~1EFI");
        assert!(slots[..2].iter().all(|slot| slot[13] == checksum(b"EVENKE~1EFI")));
    }

    #[test]
    fn short_names_in_a_folder_differ_and_run_out() {
        let mut taken = BTreeSet::new();
        let name = |n: usize| format!("evenkeel_{n}.efi");
        assert!((0..9).all(|n| slots(&name(n), FILE, &mut taken).is_some()));
        assert_eq!(taken.len(), 9);
        assert!(slots(&name(9), FILE, &mut taken).is_none());
    }

    #[test]
    fn counts_agree_and_bad_names_are_refused() {
        for name in ["EFI", "Linux", "loader.conf", "A.", ".b", "exactly13char", &"x".repeat(255)] {
            let made = slots(name, FILE, &mut BTreeSet::new()).unwrap();
            assert_eq!(made.len(), slot_count(name), "{name}");
        }
        for name in ["", "a/b", "a:b", "é", &"x".repeat(256)] {
            assert!(slots(name, FILE, &mut BTreeSet::new()).is_none(), "{name}");
        }
    }
}
