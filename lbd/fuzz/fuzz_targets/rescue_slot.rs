//! A slot of the rescue partition of these bytes, and one whose payload they are: whole or none, never a panic;
//! what is whole comes out of writing as it went in.

#![no_main]

use lbd::rescue::slot::{BLOCK, Write, decode, frame, writes};
use libfuzzer_sys::fuzz_target;

const SLOT: u64 = 1 << 20;

fuzz_target!(|data: &[u8]| {
    let _ = decode(data);
    // The fuzzer does not guess checksums: it gets one that fits.
    let Ok(framed) = frame(data.len() as u64, data, SLOT) else { return };
    let slot = slot(&framed);
    if let Some((sequence, saved)) = decode(&slot) {
        let again = writes(sequence, &saved, 2 * SLOT).expect("not much larger than it was");
        assert_eq!(decode(&self::slot(&again)), Some((sequence, saved)));
    }
});

fn slot(writes: &[Write]) -> Vec<u8> {
    let end = writes.iter().map(|write| write.offset as usize + write.bytes.len()).max().unwrap_or(0);
    let mut slot = vec![0; end.max(2 * BLOCK as usize)];
    for write in writes {
        slot[write.offset as usize..][..write.bytes.len()].copy_from_slice(&write.bytes);
    }
    slot
}
