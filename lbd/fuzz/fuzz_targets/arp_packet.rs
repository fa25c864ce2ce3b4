//! A frame that comes while lbd asks whether an address is free.

#![no_main]

use std::net::Ipv4Addr;

use lbd::network::probe::user;
use libfuzzer_sys::fuzz_target;

const OWN: [u8; 6] = [2, 0, 0, 0, 0, 1];

fuzz_target!(|data: &[u8]| {
    let address = Ipv4Addr::new(192, 0, 2, 1);
    if let Some(other) = user(data, OWN, address) {
        assert_ne!(other, OWN);
        assert!(data.windows(4).any(|window| window == address.octets()));
    }
});
