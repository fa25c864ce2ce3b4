//! An OVF environment document of these bytes: read or refused with reasons, and whatever is read of it makes a
//! configuration that is valid.

#![no_main]

use lbd::config::validate;
use lbd::zero_touch::{initial_document, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| match parse(data) {
    Ok(settings) => {
        for problem in &settings.problems {
            let told = problem.to_string();
            assert!(!problem.remedy.is_empty() && told.len() < 1500, "no remedy, or without bound: {told}");
        }
        assert!(settings.notes.len() <= 300);
        let valid = validate(initial_document(&settings));
        assert!(valid.is_ok(), "an initial configuration that is refused: {:?}", valid.err());
    }
    Err(problems) => assert!(!problems.is_empty(), "refused without a reason"),
});
