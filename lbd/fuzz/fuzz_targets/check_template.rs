//! A template as somebody types it: what reads without fault is rendered as text that reads the same.

#![no_main]

use lbd::health::template::{parse, render};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match parse(text) {
        Ok(check) => assert_eq!(parse(&render(&check)).as_ref(), Ok(&check), "{}", render(&check)),
        Err(faults) => assert!(!faults.is_empty()),
    }
});
