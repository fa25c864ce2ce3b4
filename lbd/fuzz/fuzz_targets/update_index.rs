//! An index behind a good signature: what is taken is within its bounds, leads to no place without https, and comes out as it
//! went in.

#![no_main]

use evenkeel_update::index::Index;
use evenkeel_update::manifest::LARGEST_ARCHIVE;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(index) = Index::parse(data) else { return };
    assert!((1..=LARGEST_ARCHIVE).contains(&index.archive.size));
    let url = &index.archive.url;
    assert!(url.bytes().all(|byte| byte.is_ascii_graphic()) && !url.starts_with("http:"));
    let again = serde_json::to_vec(&index).expect("plain values");
    assert_eq!(Index::parse(&again).expect("taken before"), index);
});
