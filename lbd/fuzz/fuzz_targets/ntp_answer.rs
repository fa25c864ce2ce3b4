//! Anybody answers a question about the time, and the time daemon says anything of itself: nothing may panic, and every
//! number can be told.

#![no_main]

use std::time::Duration;

use jiff::Timestamp;
use lbd::clock::{daemon, packet, standing};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let number = data.get(24..32).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes);
    if let Ok(answer) = packet::read(data, number, Timestamp::UNIX_EPOCH, Duration::from_millis(20)) {
        assert!(answer.offset_seconds.is_finite() && answer.round_trip_seconds >= 0.0, "{answer:?}");
        assert!(standing::off_by(answer.offset_seconds).len() < 40);
    }
    let _ = daemon::read_observation(data);
});
