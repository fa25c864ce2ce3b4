//! A file of the log of these bytes: never a panic, never more lines than were asked for and one, and each can be sent.

#![no_main]

use lbd::log::entry::Entry;
use lbd::log::files::find;
use lbd::log::syslog::frame;
use lbd::log::wanted::Wanted;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let wanted = Wanted { most: 3, ..Wanted::default() };
    let mut found: Vec<Entry> = Vec::new();
    find(data, &wanted, &mut found);
    assert!(found.len() <= 4);
    found.iter().for_each(|entry| assert!(frame(entry, "lbmaster").len() > entry.text.len()));
});
