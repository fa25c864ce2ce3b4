//! A datagram about connections or persistence entries, from the kernel: never a panic, and reading ends.

#![no_main]

use lbd::conntrack::entry::{Entry, delete_one};
use lbd::conntrack::wire::{attributes, messages};
use lbd::persistence::wire::{Map, entries};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let count = messages(data)
        .inspect(|message| {
            let _ = message.reply();
            for map in [Map::Ipv4, Map::Ipv6(1)] {
                assert!(entries(message, map).count() <= data.len());
            }
            if let Some(entry) = Entry::read(message.body) {
                // What is asked about it is a message that is whole.
                assert_eq!(messages(&delete_one(1, &entry)).count(), 1);
            }
        })
        .count();
    assert!(count <= data.len() && attributes(data).count() <= data.len());
});
