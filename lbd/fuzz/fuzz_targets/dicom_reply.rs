//! A server that answers a health check with these bytes: nothing may panic, and how the bytes are cut into
//! segments must not matter.

#![no_main]

use std::mem::discriminant;

use lbd::config::AeTitle;
use lbd::health::dicom::answer::{EchoAnswer, parse_association_answer, parse_echo_answer};
use lbd::health::dicom::{Association, Titles, replay};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let title = AeTitle::try_from("DW_SCP").expect("a valid title");
    let titles = Titles { calling: &title, called: &title };
    let whole = replay(titles, data, 1024);
    let bytewise = replay(titles, data, 1);
    match (&whole, &bytewise) {
        // What is quoted of it depends on what has come by then.
        (Err(one), Err(other)) => assert_eq!(discriminant(one), discriminant(other)),
        _ => assert_eq!(whole, bytewise),
    }
    if let Err(failure) = whole {
        assert!(failure.to_string().len() < 400, "an unbounded text: {failure}");
    }
    let _ = parse_association_answer(data, titles);
    let _ = parse_echo_answer(data, 1);
    let _ = EchoAnswer::new(Association { context: 1 }).add(data);
});
