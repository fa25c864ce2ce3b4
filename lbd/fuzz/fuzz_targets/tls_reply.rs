//! A server that answers the beginning of a TLS handshake with these bytes: nothing may panic, and every text is bounded.

#![no_main]

use lbd::config::CheckKind;
use lbd::config::check_kind::{Tls, Verify};
use lbd::health::replay;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let kind = CheckKind::Tls(Tls { verify: Verify::Nothing, server_name: None });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    match runtime.block_on(replay(&kind, data)) {
        Ok(()) => panic!("a handshake without our keys"),
        Err(failure) => assert!(failure.to_string().len() < 400, "an unbounded text: {failure}"),
    }
});
