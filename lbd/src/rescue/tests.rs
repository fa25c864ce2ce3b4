use proptest::prelude::*;

use super::slot::{Write, decode, frame, writes};
use super::*;

const SLOT: u64 = 4 * BLOCK;
/// What a disk writes at once.
const SECTOR: usize = 512;

fn saved(text: &str) -> Saved {
    Saved {
        configuration: text.to_owned(),
        password_hash: Some("$argon2id$v=19$...".into()),
        password_must_change: false,
    }
}

/// A slot as its writes leave it on an empty disk.
fn slot_of(sequence: u64, saved: &Saved) -> Vec<u8> {
    let mut slot = vec![0; SLOT as usize];
    for write in writes(sequence, saved, SLOT).unwrap() {
        put(&mut slot, &write, |_| true);
    }
    slot
}

/// The sectors of a write that reach the disk.
fn put(slot: &mut [u8], write: &Write, mut arrives: impl FnMut(usize) -> bool) {
    let length = write.bytes.len() as u64;
    assert!(write.offset.is_multiple_of(BLOCK) && length.is_multiple_of(BLOCK), "not aligned");
    for (index, sector) in write.bytes.chunks(SECTOR).enumerate().filter(|(index, _)| arrives(*index)) {
        let start = write.offset as usize + index * SECTOR;
        slot[start..start + sector.len()].copy_from_slice(sector);
    }
}

fn partition() -> (tempfile::NamedTempFile, Rescue) {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(2 * SLOT).unwrap();
    let rescue = Rescue::open(file.path()).unwrap();
    (file, rescue)
}

#[test]
fn what_was_saved_last_is_loaded() {
    let (file, mut rescue) = partition();
    assert_eq!(rescue.load().unwrap(), None);
    for text in ["one", "two", "three", &"x".repeat(10_000)] {
        assert!(rescue.save(&saved(text)).unwrap());
        assert_eq!(rescue.load().unwrap(), Some(saved(text)));
        assert_eq!(Rescue::open(file.path()).unwrap().load().unwrap(), Some(saved(text)));
    }
}

#[test]
fn what_is_there_already_is_not_written_again() {
    let (file, mut rescue) = partition();
    assert!(rescue.save(&saved("same")).unwrap());
    let before = std::fs::read(file.path()).unwrap();
    assert!(!rescue.save(&saved("same")).unwrap());
    assert!(!Rescue::open(file.path()).unwrap().save(&saved("same")).unwrap());
    assert_eq!(std::fs::read(file.path()).unwrap(), before);
    assert!(rescue.save(&Saved { password_must_change: true, ..saved("same") }).unwrap());
}

#[test]
fn slots_are_written_in_turn() {
    let (file, mut rescue) = partition();
    for (round, text) in ["a", "b", "c", "d"].into_iter().enumerate() {
        rescue.save(&saved(text)).unwrap();
        let disk = std::fs::read(file.path()).unwrap();
        let newest = decode(&disk[(round % 2) * SLOT as usize..][..SLOT as usize]).unwrap();
        assert_eq!(newest, (round as u64 + 1, saved(text)));
    }
}

#[test]
fn a_slot_that_could_not_be_written_is_the_next_to_be_written() {
    let (file, mut rescue) = partition();
    rescue.save(&saved("good")).unwrap();
    rescue.save(&saved("newer")).unwrap();
    // As if the kernel showed what the disk did not take.
    rescue.failed = Some(1);
    assert!(rescue.save(&saved("newer")).unwrap(), "written again");
    let disk = std::fs::read(file.path()).unwrap();
    assert_eq!(decode(&disk[..SLOT as usize]).unwrap().1, saved("good"), "untouched");
    assert_eq!(rescue.load().unwrap(), Some(saved("newer")));
}

#[test]
fn errors_say_what_to_do() {
    let (file, mut rescue) = partition();
    rescue.save(&saved("small")).unwrap();
    let error = rescue.save(&saved(&"x".repeat(SLOT as usize))).unwrap_err().to_string();
    assert!(error.contains("make it smaller"), "{error}");
    assert_eq!(rescue.load().unwrap(), Some(saved("small")), "a refusal costs nothing");
    assert!(rescue.save(&saved("other")).unwrap());
    file.as_file().set_len(BLOCK).unwrap();
    let error = Rescue::open(file.path()).unwrap_err().to_string();
    assert!(error.contains("16 MB"), "{error}");
    assert!(rescue.load().unwrap_err().to_string().contains("cannot read the copy of the configuration on"));
    assert!(Rescue::open(Path::new("/nonexistent/rescue")).is_err());
}

#[test]
fn a_disk_that_takes_no_writes_is_read_all_the_same() {
    let (file, mut rescue) = partition();
    rescue.save(&saved("kept")).unwrap();
    rescue.file = File::open(file.path()).unwrap();
    assert_eq!(rescue.load().unwrap(), Some(saved("kept")));
    let error = rescue.save(&saved("new")).unwrap_err().to_string();
    assert!(error.contains("cannot write"), "{error}");
    assert_eq!(rescue.load().unwrap(), Some(saved("kept")));
}

#[test]
fn a_slot_cut_off_anywhere_is_none() {
    let slot = slot_of(7, &saved("a configuration"));
    let used = BLOCK as usize + serde_json::to_vec(&saved("a configuration")).unwrap().len();
    for length in 0..slot.len() {
        let mut torn = slot.clone();
        torn[length..].fill(0);
        assert_eq!(decode(&torn).is_some(), length >= used, "zeros from {length} on");
        assert!(decode(&slot[..length]).is_none() || length >= used, "ends at {length}");
    }
}

#[test]
fn the_corpus_is_what_it_says() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/rescue_slot");
    let slot = |name: &str| decode(&std::fs::read(format!("{folder}/{name}")).unwrap());
    let (sequence, saved) = slot("whole.bin").unwrap();
    assert_eq!(
        (sequence, saved.configuration.as_str()),
        (7, "schema = 1\n"),
        "the format of version 1 stays readable"
    );
    assert!(saved.password_must_change && saved.password_hash.is_some());
    for name in ["torn.bin", "payload.json", "least.json"] {
        assert_eq!(slot(name), None, "{name}");
    }
}

#[test]
fn a_slot_of_another_version_is_none() {
    let mut slot = slot_of(7, &saved("a configuration"));
    slot[8] = 2;
    assert_eq!(decode(&slot), None);
}

proptest! {
    #[test]
    fn content_survives(sequence in 0..u64::MAX, text in ".{0,2000}", hash in proptest::option::of(".{0,100}")) {
        let saved = Saved { configuration: text, password_hash: hash, password_must_change: sequence % 2 == 0 };
        prop_assert_eq!(decode(&slot_of(sequence, &saved)), Some((sequence, saved)));
    }

    #[test]
    fn a_flipped_bit_is_noticed(bit in 0..8 * 4200_usize) {
        let saved = saved(&"a configuration ".repeat(10));
        let used = BLOCK as usize + serde_json::to_vec(&saved).unwrap().len();
        let mut slot = slot_of(3, &saved);
        slot[bit / 8] ^= 1 << (bit % 8);
        let counts = bit / 8 < 56 || (BLOCK as usize..used).contains(&(bit / 8));
        prop_assert_eq!(decode(&slot).is_none(), counts);
    }

    #[test]
    fn garbage_is_none(garbage in proptest::collection::vec(any::<u8>(), 0..9000)) {
        prop_assert_eq!(decode(&garbage), None);
        // Garbage with a fitting checksum is none either, unless it happens to be JSON of the right form.
        let mut slot = vec![0; SLOT as usize];
        for write in frame(1, &garbage, SLOT).unwrap() {
            put(&mut slot, &write, |_| true);
        }
        prop_assert_eq!(decode(&slot), None);
    }

    /// Power is cut while the slot is written over: of what was not flushed yet, any sectors may have arrived,
    /// and one may be torn. The slot then is as before, whole and new, or none; the other one is not touched.
    #[test]
    fn a_power_cut_leaves_no_half_truth(
        step in 0..2_usize,
        arrived in proptest::collection::vec(any::<bool>(), 24),
        torn in proptest::option::of((0..24_usize, 1..SECTOR)),
        sizes in (0..8000_usize, 0..8000_usize),
    ) {
        let (old, new) = (saved(&"o".repeat(sizes.0)), saved(&"n".repeat(sizes.1)));
        let mut slot = slot_of(5, &old);
        let writes = writes(7, &new, SLOT).unwrap();
        for write in &writes[..step] {
            put(&mut slot, write, |_| true);
        }
        let write = &writes[step];
        put(&mut slot, write, |sector| arrived[sector]);
        if let Some((sector, length)) = torn
            && let Some(bytes) = write.bytes.chunks(SECTOR).nth(sector)
        {
            let start = write.offset as usize + sector * SECTOR;
            slot[start..start + length].copy_from_slice(&bytes[..length]);
        }
        let found = decode(&slot);
        prop_assert!(found.is_none() || found == Some((5, old)) || found == Some((7, new)), "{:?}", found);
    }
}
