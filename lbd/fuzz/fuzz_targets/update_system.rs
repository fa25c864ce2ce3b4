//! The system in an update: refused or read, never a panic; no path leads out of the folder that it is unpacked into.

#![no_main]

use evenkeel_update::uki::unpack;
use libfuzzer_sys::fuzz_target;

/// Of one content: what is unpacked may be far larger than what came.
const MOST: u64 = 1 << 20;

fuzz_target!(|data: &[u8]| {
    let _ = unpack(data, &mut |entry, content| {
        assert!(entry.path.split('/').all(|part| !["", ".", ".."].contains(&part)));
        std::io::copy(&mut std::io::Read::take(content, MOST), &mut std::io::sink()).map(|_| ())
    });
});
