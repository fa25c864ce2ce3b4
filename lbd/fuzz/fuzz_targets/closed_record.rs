//! A file of closed connections of these bytes, and one whose checksums fit: never a panic, and what is read can be
//! written and read again.

#![no_main]

use lbd::conntrack::record::{Content, SLOT, read, sealed};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = read(data).count();
    for slot in data.chunks_exact(SLOT) {
        // The fuzzer does not guess checksums: it gets one that fits.
        let slot = sealed(slot.try_into().expect("chunks of this size"));
        if let Some(content) = Content::decode(&slot) {
            let again = Content::decode(&content.encode());
            assert_eq!(again.as_ref(), Some(&content));
        }
    }
});
