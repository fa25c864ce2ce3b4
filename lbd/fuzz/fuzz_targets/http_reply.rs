//! A web server that answers a health check with these bytes: nothing may panic, and every text is bounded.

#![no_main]

use lbd::config::CheckKind;
use lbd::config::check_kind::{EscapedBytes, HttpPath, HttpRequest, StatusRanges};
use lbd::health::replay;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let request = HttpRequest {
        path: HttpPath::try_from("/").expect("a valid path"),
        host: None,
        expected_status: StatusRanges::usual(),
        expected_body: EscapedBytes::try_from("well").ok(),
    };
    let kind = CheckKind::Http { request, tls: None };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    if let Err(failure) = runtime.block_on(replay(&kind, data)) {
        assert!(failure.to_string().len() < 400, "an unbounded text: {failure}");
    }
});
