//! A server that answers a send-expect check with these bytes: it passes exactly when they hold what is expected.

#![no_main]

use lbd::config::CheckKind;
use lbd::config::check_kind::EscapedBytes;
use lbd::health::replay;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let bytes = |text: &str| EscapedBytes::try_from(text).expect("valid bytes");
    let kind = CheckKind::SendExpect { send: bytes("hello"), expect: bytes(r"+P\x00"), tls: None };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let outcome = runtime.block_on(replay(&kind, data));
    let holds = data.windows(3).any(|window| window == b"+P\0");
    assert_eq!(outcome.is_ok(), holds);
    if let Err(failure) = outcome {
        assert!(failure.to_string().len() < 400, "an unbounded text: {failure}");
    }
});
