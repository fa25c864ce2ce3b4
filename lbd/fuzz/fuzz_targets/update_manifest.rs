//! A manifest behind a good signature: what is taken is within its bounds and comes out as it went in.

#![no_main]

use evenkeel_update::manifest::{Manifest, Part};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(manifest) = Manifest::parse(data) else { return };
    assert!(manifest.uki.size <= Part::Uki.limit() && manifest.sbom.size <= Part::Sbom.limit());
    let running = manifest.minimum_version.clone();
    let _ = manifest.permitted_after(&running);
    assert!(manifest.permitted_after(&manifest.version).is_err(), "nothing is newer than itself");
    let again = serde_json::to_vec(&manifest).expect("plain values");
    assert_eq!(Manifest::parse(&again).expect("taken before"), manifest);
});
