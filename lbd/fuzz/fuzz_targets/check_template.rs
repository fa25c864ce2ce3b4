//! A template as somebody types it: what reads without fault is rendered as text that means the same.

#![no_main]

use lbd::health::template::{parse, render};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match parse(text) {
        Ok(check) => {
            let shown = render(&check);
            // A line break within a value is written as its escape from then on.
            let again = parse(&shown).expect("what was rendered reads without fault");
            assert_eq!(render(&again), shown);
        }
        Err(faults) => assert!(!faults.is_empty()),
    }
});
