//! What a server shows as its certificate: read or not, in bounded words without control characters.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some(certificate) = lbd::health::certificate::read(data) {
        for name in [certificate.subject, certificate.issuer] {
            assert!(name.chars().count() <= 80 && !name.contains(char::is_control), "{name:?}");
        }
    }
});
