//! A configuration with these bytes, in both formats: accepted or refused with reasons, never a panic.

#![no_main]

use lbd::config::{Document, Format, validate};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for format in [Format::Toml, Format::Json] {
        let problems = Document::parse(text, format).and_then(validate).err();
        assert!(problems.is_none_or(|problems| !problems.is_empty()), "refused without a reason");
    }
});
