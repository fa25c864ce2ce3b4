use proptest::prelude::*;

use super::super::wire::messages;
use super::*;

/// The end of a translated connection as Linux 6.18 told it.
const END: &[u8] = include_bytes!("../../fuzz/corpus/conntrack/end-of-a-connection.bin");

#[test]
fn the_end_of_a_connection_is_read() {
    let all: Vec<_> = messages(END).collect();
    let [message] = all.as_slice() else { panic!("{all:?}") };
    assert!(is_end(message) && message.cause == 0);
    let entry = Entry::read(message.body).unwrap();
    insta::assert_debug_snapshot!(entry);
    assert!(entry.is_translated() && !entry.is_open());
}

#[test]
fn a_request_to_forget_never_means_everything() {
    assert_eq!(delete_marked(1, 0), None);
    let bytes = delete_marked(1, 0x0001_0002).unwrap();
    let message = messages(&bytes).next().unwrap();
    let fields: Vec<_> = attributes(&message.body[FAMILY_HEADER..]).collect();
    assert_eq!(fields, [(kind::MARK, &[0, 1, 0, 2][..]), (kind::MARK_MASK, &[0xff; 4][..])]);
}

#[test]
fn a_request_about_one_connection_names_it_as_the_kernel_did() {
    let message = messages(END).next().unwrap();
    let entry = Entry::read(message.body).unwrap();
    let bytes = delete_one(1, &entry);
    let request = messages(&bytes).next().unwrap();
    let field = |body: &[u8], wanted| {
        let found = attributes(&body[FAMILY_HEADER..]).find(|(kind, _)| *kind == wanted);
        found.map(|(_, value)| value.to_vec()).unwrap()
    };
    let tuple = |body: &[u8]| Tuple::read(&field(body, kind::TUPLE_ORIGINAL));
    assert_eq!(tuple(request.body), tuple(message.body));
    assert_eq!(field(request.body, kind::ID), field(message.body, kind::ID));
}

proptest! {
    #[test]
    fn whatever_the_bytes_reading_ends(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Entry::read(&bytes);
    }

    #[test]
    fn whatever_is_changed_in_an_event_reading_ends(at in 0..END.len(), byte: u8, cut in 0..END.len()) {
        let mut bytes = END.to_vec();
        bytes[at] = byte;
        bytes.truncate(cut);
        for message in messages(&bytes) {
            let _ = Entry::read(message.body);
        }
    }
}
