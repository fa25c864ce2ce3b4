//! Whatever a client sends to the port of the DICOM rejection: nothing may panic, and how the bytes are cut into
//! segments must not matter.

#![no_main]

use lbd::fallback::rejection::{Next, Request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let whole = Request::default().add(data);
    let mut pieces = Request::default();
    let last = data.iter().map(|byte| pieces.add(&[*byte])).last().unwrap_or(Next::Receive);
    assert_eq!(whole, last);
});
