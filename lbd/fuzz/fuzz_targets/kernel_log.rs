//! A record of the kernel's log: never a panic, and what is read is no longer than what came.

#![no_main]

use lbd::log::kernel::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some(record) = parse(data) {
        // A byte that is no UTF-8 becomes three.
        assert!(record.text.len() <= 3 * data.len() && !record.text.contains('\n'));
    }
});
