//! A backup with these bytes: refused with reasons, or taken, and then written and read again the same.

#![no_main]

use lbd::backup::{file, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    match read(data, None) {
        Ok(backup) => {
            let again = file::parse(&file::text(&backup)).expect("it was taken before");
            assert_eq!(again, backup);
        }
        Err(unusable) => assert!(!unusable.0.is_empty(), "refused without a reason"),
    }
    // What is encrypted is bounded before it is decrypted; a try at the passphrase takes too long for a fuzzer.
    let _ = lbd::backup::sealed::header(data);
});
