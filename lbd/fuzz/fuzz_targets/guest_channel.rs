//! A hypervisor that answers anything in VMware's channel: every step of the guest services ends, and what it takes is
//! bounded.

#![no_main]

use std::time::Duration;

use lbd::guest_services::channel::{Port, Registers};
use lbd::guest_services::facts::Facts;
use lbd::guest_services::services::Services;
use lbd::guest_services::session::Session;
use libfuzzer_sys::fuzz_target;

/// Sixteen bytes a call; without more, a channel that has failed.
struct Anything<'a> {
    rest: &'a [u8],
    calls: usize,
}

impl Port for Anything<'_> {
    fn call(&mut self, _: Registers) -> Registers {
        self.calls += 1;
        let Some((words, rest)) = self.rest.split_at_checked(16) else { return Registers::default() };
        self.rest = rest;
        let word = |index: usize| {
            let bytes = words.get(index * 4..index * 4 + 4).and_then(|bytes| bytes.try_into().ok());
            bytes.map_or(0, u32::from_le_bytes)
        };
        Registers { ebx: word(0), ecx: word(1), edx: word(2), esi: word(3), ..Registers::default() }
    }
}

fuzz_target!(|data: &[u8]| {
    let facts = Facts { host_name: String::from_utf8_lossy(data).into_owned(), ..Facts::default() };
    let mut session = Session::new(Anything { rest: data, calls: 0 }, Services::new(facts));
    for _ in 0..4 {
        let _ = session.step(Duration::ZERO);
    }
    assert!(session.port().calls <= data.len() / 16 + 100, "calls without an answer");
});
