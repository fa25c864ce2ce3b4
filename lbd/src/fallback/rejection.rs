//! The protocol of the rejection: what an association request looks like from outside, and the answer.

/// A-ASSOCIATE-RJ (DICOM PS3.8, section 9.3.4): rejected-transient (2), by the presentation-related function of the
/// service-provider (3), for temporary congestion (1). The sender is told to try again later.
pub const REJECTION: [u8; 10] = [3, 0, 0, 0, 0, 4, 0, 2, 3, 1];

/// PDU type of A-ASSOCIATE-RQ (section 9.3.2).
const ASSOCIATE_REQUEST: u8 = 1;
/// Type, a reserved byte and the length of what follows (section 9.3.1).
const HEADER: usize = 6;
/// Fixed fields that follow the header of an A-ASSOCIATE-RQ: version, reserved, both titles, reserved (section 9.3.2).
const FIXED_FIELDS: usize = 68;
/// The longest request that is read to its end: 128 presentation contexts with every transfer syntax there is take
/// about half of it.
const LONGEST_REQUEST: usize = 256 << 10;

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Wait for more.
    Receive,
    /// The request is complete: send [`REJECTION`].
    Reject,
    /// This is no association request.
    Close,
}

/// A request as it comes in. Only its header is kept.
#[derive(Debug, Clone, Default)]
pub struct Request {
    header: Vec<u8>,
    received: usize,
}

impl Request {
    /// Takes the next bytes, however they are cut.
    pub fn add(&mut self, bytes: &[u8]) -> Next {
        self.received = self.received.saturating_add(bytes.len());
        let missing = HEADER.saturating_sub(self.header.len());
        self.header.extend(bytes.iter().take(missing));
        match *self.header.as_slice() {
            [kind, ..] if kind != ASSOCIATE_REQUEST => Next::Close,
            [_, _, a, b, c, d] => self.judge(u32::from_be_bytes([a, b, c, d])),
            _ => Next::Receive,
        }
    }

    fn judge(&self, length: u32) -> Next {
        match usize::try_from(length) {
            Ok(length) if !(FIXED_FIELDS..=LONGEST_REQUEST).contains(&length) => Next::Close,
            Ok(length) if self.received >= HEADER + length => Next::Reject,
            Ok(_) => Next::Receive,
            Err(_) => Next::Close,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(length: u32) -> Vec<u8> {
        let mut bytes = vec![ASSOCIATE_REQUEST, 0];
        bytes.extend(length.to_be_bytes());
        bytes.resize(HEADER + length.min(1 << 20) as usize, 7);
        bytes
    }

    #[test]
    fn a_whole_request_is_rejected_and_anything_else_is_not() {
        assert_eq!(Request::default().add(&request(200)), Next::Reject);
        assert_eq!(Request::default().add(&request(200)[..205]), Next::Receive);
        assert_eq!(Request::default().add(b"GET / HTTP/1.1\r\n\r\n"), Next::Close);
        assert_eq!(Request::default().add(&[]), Next::Receive);
        assert_eq!(Request::default().add(&request(67)), Next::Close, "shorter than its fixed fields");
        assert_eq!(
            Request::default().add(&request(u32::MAX)),
            Next::Close,
            "nobody waits for four gigabytes"
        );
    }

    /// The other end of the table: what a real peer makes of it is told by the story of the fallback.
    #[test]
    fn the_rejection_says_what_the_standard_names() {
        assert_eq!(REJECTION[0], 3, "A-ASSOCIATE-RJ");
        assert_eq!(u32::from_be_bytes([REJECTION[2], REJECTION[3], REJECTION[4], REJECTION[5]]), 4);
        assert_eq!(REJECTION[7..], [2, 3, 1], "transient, provider (presentation), temporary congestion");
    }

    #[test]
    fn the_corpus_is_what_its_names_say() {
        let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/association_request");
        let named = |name: &str| Request::default().add(&std::fs::read(corpus.join(name)).unwrap());
        assert_eq!(named("whole.bin"), Next::Reject);
        assert_eq!(named("short.bin"), Next::Receive);
        assert_eq!((named("http.bin"), named("huge.bin")), (Next::Close, Next::Close));
    }

    proptest! {
        /// How the bytes are cut does not matter, and no bytes make it panic or keep more than the header.
        #[test]
        fn the_cut_does_not_matter(bytes in prop::collection::vec(any::<u8>(), 0..400), asks in any::<bool>(), cut in 1_usize..50) {
            let bytes = if asks { [&request(120)[..6], &bytes].concat() } else { bytes };
            let whole = Request::default().add(&bytes);
            let mut pieces = Request::default();
            let mut last = Next::Receive;
            for piece in bytes.chunks(cut) {
                last = pieces.add(piece);
                prop_assert!(pieces.header.len() <= HEADER);
            }
            prop_assert_eq!(whole, last);
        }
    }
}
