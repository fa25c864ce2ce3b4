//! The beginning of a datagram of SNMP: version, and the community where there is one. Pure.
//!
//! Just as much of BER as is needed for that; whether the rest is right is the agent's business.

/// What a datagram says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Envelope<'a> {
    /// Version 1 (RFC 1157) and its community.
    V1(&'a [u8]),
    /// Version 2c (RFC 1901) and its community.
    V2c(&'a [u8]),
    /// Version 3 (RFC 3412).
    V3,
    /// A version that there is not.
    Other,
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
/// Lengths of more octets are of no datagram.
const LONGEST_LENGTH: usize = 4;

/// Reads it; `None` for what is no SNMP at all.
pub fn read(datagram: &[u8]) -> Option<Envelope<'_>> {
    let (message, _) = element(datagram, SEQUENCE)?;
    let (version, rest) = element(message, INTEGER)?;
    let community = || element(rest, OCTET_STRING).map(|(community, _)| community);
    Some(match number(version)? {
        0 => Envelope::V1(community()?),
        1 => Envelope::V2c(community()?),
        3 => Envelope::V3,
        _ => Envelope::Other,
    })
}

/// What is in the element of this type with which `bytes` begins, and what follows it.
fn element(bytes: &[u8], kind: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        _ => {
            let octets = usize::from(first & 0x7f);
            if octets == 0 || octets > LONGEST_LENGTH {
                return None;
            }
            let (octets, rest) = rest.split_at_checked(octets)?;
            (octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)), rest)
        }
    };
    (found == kind).then(|| rest.split_at_checked(length))?
}

/// A small whole number that is not negative, in any length.
fn number(octets: &[u8]) -> Option<u64> {
    let is_small = (1..=8).contains(&octets.len()) && octets[0] & 0x80 == 0;
    is_small.then(|| octets.iter().fold(0, |number, octet| number << 8 | u64::from(*octet)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(version: u8, community: &[u8]) -> Vec<u8> {
        let mut inner = vec![INTEGER, 1, version, OCTET_STRING, u8::try_from(community.len()).unwrap()];
        inner.extend(community);
        inner.extend([0xa0, 0]);
        let mut all = vec![SEQUENCE, u8::try_from(inner.len()).unwrap()];
        all.extend(inner);
        all
    }

    #[test]
    fn version_and_community_are_read() {
        assert_eq!(read(&message(0, b"public")), Some(Envelope::V1(b"public")));
        assert_eq!(read(&message(1, b"")), Some(Envelope::V2c(b"")));
        assert_eq!(read(&message(3, b"")), Some(Envelope::V3));
        assert_eq!(read(&message(2, b"x")), Some(Envelope::Other));
    }

    #[test]
    fn lengths_in_several_octets_are_read_too() {
        let mut long = vec![SEQUENCE, 0x82, 0, 9, INTEGER, 0x81, 1, 1, OCTET_STRING, 0x83, 0, 0, 1];
        assert_eq!(read(&long), None, "one octet is missing");
        long.push(b'c');
        long[3] = 10;
        assert_eq!(read(&long), Some(Envelope::V2c(b"c")));
    }

    #[test]
    fn what_is_cut_off_is_nothing() {
        let whole = message(1, b"public");
        for length in 0..whole.len() {
            assert_eq!(read(&whole[..length]), None, "{length}");
        }
        assert_eq!(read(&[SEQUENCE, 0x85, 1, 1, 1, 1, 1]), None, "a length of five octets");
        assert_eq!(read(&[SEQUENCE, 0x80, 0, 0]), None, "an indefinite length");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(Envelope::V1(community) | Envelope::V2c(community)) = read(&bytes) {
                prop_assert!(community.len() < bytes.len());
            }
        }
    }
}
