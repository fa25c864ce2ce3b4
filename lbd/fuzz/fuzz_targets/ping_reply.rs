//! A datagram that comes back to a ping: only one with what was sent is the answer.

#![no_main]

use lbd::health::ping::Echo;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let nonce = *b"0123456789abcdef";
    for is_ipv6 in [false, true] {
        let is_answer = Echo::new(nonce, is_ipv6).is_answered_by(data);
        assert!(!is_answer || data.windows(nonce.len()).any(|window| window == nonce));
    }
});
