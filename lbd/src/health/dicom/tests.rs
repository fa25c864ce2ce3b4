//! Golden bytes of what we send; what becomes of real, broken and hostile answers.

use std::path::Path;

use dicom_ul::pdu::{Pdu, read_pdu};
use proptest::prelude::*;

use super::answer::{EchoAnswer, parse_association_answer, parse_echo_answer};
use super::reason::{Abort, ContextResult, PduKind, Rejection};
use super::request::{association_request, echo_request};
use super::*;

const ASSOCIATION: Association = Association { context: CONTEXT_ID };

fn title(text: &str) -> AeTitle {
    AeTitle::try_from(text).unwrap()
}

fn with_titles<T>(work: impl FnOnce(Titles<'_>) -> T) -> T {
    work(Titles { calling: &title("EVENKEEL"), called: &title("DW_SCP") })
}

fn answer_to_association(pdu: &[u8]) -> Result<Association, Failure> {
    with_titles(|titles| parse_association_answer(pdu, titles))
}

fn replayed(stream: &[u8], piece: usize) -> Result<Next, Failure> {
    with_titles(|titles| replay(titles, stream, piece))
}

fn recorded(name: &str) -> Vec<u8> {
    std::fs::read(corpus().join(name)).unwrap()
}

fn corpus() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/dicom_reply")
}

fn pdu(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind, 0], length.as_slice(), body].concat()
}

/// One presentation data value with its header: length, context, flags (1: command, 2: last).
fn fragment(context: u8, flags: u8, data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len() + 2).unwrap().to_be_bytes();
    [length.as_slice(), &[context, flags], data].concat()
}

fn element(number: u16, value: &[u8]) -> Vec<u8> {
    let length = u32::try_from(value.len()).unwrap().to_le_bytes();
    [&[0, 0], number.to_le_bytes().as_slice(), &length, value].concat()
}

fn echo_answer(field: u16, answered: u16, status: u16) -> Vec<u8> {
    [(0x0100, field), (0x0120, answered), (0x0800, 0x0101), (0x0900, status)]
        .map(|(number, value)| element(number, &value.to_le_bytes()))
        .concat()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_association_request_is_these_bytes() {
    let request = with_titles(association_request).unwrap();
    let expected = concat!(
        "0100000000d700010000",
        "44575f53435020202020202020202020", // DW_SCP
        "4556454e4b45454c2020202020202020", // EVENKEEL
        "0000000000000000000000000000000000000000000000000000000000000000",
        "10000015312e322e3834302e31303030382e332e312e312e31",
        "2000002e01000000",
        "30000011312e322e3834302e31303030382e312e31",
        "40000011312e322e3834302e31303030382e312e32",
        "50000044",
        "5100000400004000",
        "5200002c322e32352e333330313433313337313534303735323234343034373934343739343337393239313538333437",
        "550000084556454e4b45454c",
    );
    assert_eq!(hex(&request), expected);
}

#[test]
fn the_echo_request_is_these_bytes() {
    let expected = concat!(
        "04000000004a", // P-DATA-TF
        "000000460103", // one command fragment, the last, in context 1
        "000000000400000038000000",
        "0000020012000000312e322e3834302e31303030382e312e3100",
        "00000001020000003000",
        "00001001020000000100",
        "00000008020000000101",
    );
    assert_eq!(hex(&echo_request(ASSOCIATION).unwrap()), expected);
}

#[test]
fn another_implementation_reads_what_we_send() {
    let request = with_titles(association_request).unwrap();
    let Some(Pdu::AssociationRQ(read)) = read_pdu(&request[..], MAX_PDU, true).unwrap() else { panic!() };
    assert_eq!((read.calling_ae_title.as_str(), read.called_ae_title.as_str()), ("EVENKEEL", "DW_SCP"));
    assert_eq!(read_pdu(&RELEASE_REQUEST[..], MAX_PDU, true).unwrap(), Some(Pdu::ReleaseRQ));
    assert!(matches!(read_pdu(&ABORT[..], MAX_PDU, true).unwrap(), Some(Pdu::AbortRQ { .. })));
}

#[test]
fn recorded_answers_are_understood() {
    let rejected = |result, source, reason| Failure::Rejected {
        rejection: Rejection { result, source, reason },
        calling: title("EVENKEEL"),
        called: title("DW_SCP"),
    };
    let step = Step::EchoAnswer;
    let expected = [
        ("dcmtk-storescp-success.bin", Ok(Next::Passed)),
        ("pynetdicom-success.bin", Ok(Next::Passed)),
        ("fragmented-one-byte-per-pdu.bin", Ok(Next::Passed)),
        ("fragmented-two-in-one-pdu.bin", Ok(Next::Passed)),
        ("dcmtk-storescp-refuse.bin", Err(rejected(1, 1, 1))),
        ("dcmtk-dcmqrscp-called-unknown.bin", Err(rejected(1, 1, 7))),
        ("pynetdicom-called-unknown.bin", Err(rejected(1, 1, 7))),
        ("pynetdicom-calling-unknown.bin", Err(rejected(1, 1, 3))),
        ("pynetdicom-limit-exceeded.bin", Err(rejected(2, 3, 2))),
        ("pynetdicom-context-refused.bin", Err(Failure::ContextRefused(ContextResult(3)))),
        ("pynetdicom-syntax-refused.bin", Err(Failure::ContextRefused(ContextResult(4)))),
        ("refused-without-syntax.bin", Err(Failure::ContextRefused(ContextResult(3)))),
        ("pynetdicom-bad-status.bin", Err(Failure::BadStatus(0x0122))),
        ("pynetdicom-abort.bin", Err(Failure::Aborted { step, abort: Abort { source: 0, reason: 0 } })),
        (
            "abort-by-provider.bin",
            Err(Failure::Aborted { step: Step::AssociationAnswer, abort: Abort { source: 2, reason: 2 } }),
        ),
        ("release-request-instead.bin", Err(Failure::UnexpectedPdu { step, kind: PduKind::RELEASE_RQ })),
    ];
    for (name, outcome) in expected {
        assert_eq!(replayed(&recorded(name), 1024), outcome, "{name}");
        assert_eq!(replayed(&recorded(name), 1), outcome, "{name}, byte by byte");
    }
}

/// Corpus files that a fuzzer has left here join in.
#[test]
fn every_file_of_the_corpus_is_survived() {
    let mut files = 0;
    for entry in std::fs::read_dir(corpus()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let _ = (replayed(&bytes, 1), replayed(&bytes, 7), replayed(&bytes, 1024));
        files += 1;
    }
    assert!(files >= 17, "only {files} files");
}

#[test]
fn an_answer_cut_short_waits_for_the_rest() {
    for name in ["dcmtk-storescp-success.bin", "fragmented-one-byte-per-pdu.bin"] {
        let whole = recorded(name);
        for length in 0..whole.len() {
            assert_eq!(replayed(&whole[..length], 1024), Ok(Next::Receive), "{name} cut to {length}");
        }
    }
}

#[test]
fn a_pdu_that_is_shorter_than_its_content_demands_is_refused() {
    let stream = recorded("dcmtk-storescp-success.bin");
    let acceptance = &stream[..HEADER + usize::from(stream[5])];
    for length in HEADER..acceptance.len() {
        let cut = pdu(2, &acceptance[HEADER..length]);
        // Cut after the item that answers our context, nothing is missing that matters to us.
        if !matches!(length, 128) {
            let failure = answer_to_association(&cut).unwrap_err();
            assert!(matches!(failure, Failure::Malformed { .. }), "{length}: {failure}");
        }
    }
    for (kind, complete) in [(3, 4), (7, 4)] {
        for length in 0..complete {
            let failure = answer_to_association(&pdu(kind, &vec![1; length])).unwrap_err();
            assert!(matches!(failure, Failure::Malformed { .. }), "{kind} {length}: {failure}");
        }
    }
}

#[test]
fn a_command_set_cut_anywhere_is_refused() {
    let command = echo_answer(0x8030, MESSAGE_ID, 0);
    assert_eq!(parse_echo_answer(&command, MESSAGE_ID), Ok(()));
    for length in 0..command.len() {
        let failure = parse_echo_answer(&command[..length], MESSAGE_ID).unwrap_err();
        assert!(matches!(failure, Failure::Malformed { .. }), "{length}: {failure}");
    }
}

#[test]
fn an_answer_to_something_else_is_refused() {
    for (field, answered) in [(0x0030, MESSAGE_ID), (0x8001, MESSAGE_ID), (0x8030, 77)] {
        let failure = parse_echo_answer(&echo_answer(field, answered, 0), MESSAGE_ID).unwrap_err();
        assert!(matches!(failure, Failure::Malformed { .. }), "{failure}");
    }
}

#[test]
fn a_length_that_overflows_is_refused() {
    let mut command = element(0x0002, b"");
    command[4..8].fill(0xff);
    assert!(matches!(parse_echo_answer(&command, MESSAGE_ID), Err(Failure::Malformed { .. })));
    let fragment_of_4_gib = pdu(4, &[0xff, 0xff, 0xff, 0xff, 1, 3, 0, 0]);
    let mut answer = EchoAnswer::new(ASSOCIATION);
    assert!(matches!(answer.add(&fragment_of_4_gib), Err(Failure::Malformed { .. })));
}

#[test]
fn a_fragment_of_another_kind_is_refused() {
    let command = echo_answer(0x8030, MESSAGE_ID, 0);
    for (context, flags) in [(3, 3), (CONTEXT_ID, 2)] {
        let stray = pdu(4, &fragment(context, flags, &command));
        let failure = EchoAnswer::new(ASSOCIATION).add(&stray).unwrap_err();
        assert!(matches!(failure, Failure::Malformed { .. }), "{failure}");
    }
}

#[test]
fn size_is_refused_as_soon_as_it_is_announced() {
    let header = |length: u32| [[4, 0].as_slice(), &length.to_be_bytes()].concat();
    for (step, limit) in
        [(Step::AssociationAnswer, MAX_ASSOCIATION_ANSWER), (Step::EchoAnswer, EchoAnswer::LIMIT)]
    {
        let most = u32::try_from(limit - HEADER).unwrap();
        assert_eq!(pdu_length(&header(most), step), Ok(Some(limit)));
        for length in [most + 1, u32::MAX] {
            let size = u64::from(length) + 6;
            assert_eq!(pdu_length(&header(length), step), Err(Failure::TooLarge { step, size, limit }));
        }
    }
}

#[test]
fn endless_fragments_are_refused() {
    for body in [vec![], fragment(CONTEXT_ID, 1, b""), fragment(CONTEXT_ID, 1, &[0; 100])] {
        let mut answer = EchoAnswer::new(ASSOCIATION);
        let piece = pdu(4, &body);
        let failure = (0..=EchoAnswer::LIMIT / piece.len()).find_map(|_| answer.add(&piece).err());
        assert!(matches!(failure, Some(Failure::TooLarge { .. })), "{failure:?}");
    }
}

proptest! {
    #[test]
    fn no_answer_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = answer_to_association(&bytes);
        let _ = parse_echo_answer(&bytes, MESSAGE_ID);
        let _ = EchoAnswer::new(ASSOCIATION).add(&bytes);
    }

    #[test]
    fn no_body_panics(kind in 1_u8..8, body in prop::collection::vec(any::<u8>(), 0..300)) {
        let bytes = pdu(kind, &body);
        let _ = answer_to_association(&bytes);
        let _ = EchoAnswer::new(ASSOCIATION).add(&bytes);
    }

    #[test]
    fn a_damaged_answer_is_understood_alike_however_it_arrives(
        place in 0_usize..280, value: u8, piece in 1_usize..300
    ) {
        let mut stream = recorded("dcmtk-storescp-success.bin");
        stream[place] = value;
        let (whole, pieces) = (replayed(&stream, 1024), replayed(&stream, piece));
        let same = whole == pieces
            || matches!((&whole, &pieces), (Err(Failure::NotDicom(_)), Err(Failure::NotDicom(_))));
        prop_assert!(same, "{whole:?} but {pieces:?}");
    }
}
