//! The beginning of a datagram of SNMP: never a panic, and a community is a part of the datagram.

#![no_main]

use lbd::snmp::envelope::{Envelope, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some(Envelope::V1(community) | Envelope::V2c(community)) = read(data) {
        assert!(community.len() < data.len());
    }
});
