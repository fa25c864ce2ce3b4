//! GUIDs as GPT stores them, fixed or derived from a text, so that two builds have the same ones.

use crate::hash::Sha;

/// A GUID in the byte order of the disk: the first three fields little-endian (UEFI 2.10, appendix A).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Guid(pub [u8; 16]);

impl Guid {
    /// From the number that the usual text shows: `0xC12A7328_F81F_11D2_BA4B_00A0C93EC93B`.
    pub const fn from_text_order(number: u128) -> Self {
        let b = number.to_be_bytes();
        Self([
            b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
            b[15],
        ])
    }

    /// A GUID of RFC 9562 version 8 ("custom"): the first 122 free bits of the SHA-256 of `text`.
    pub fn derived(text: &str) -> Self {
        Self::from_text_order(derived_number(text))
    }
}

/// The number behind [`Guid::derived`], for places that write a UUID as text.
pub fn derived_number(text: &str) -> u128 {
    let digest = Sha::of(text.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.bytes()[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    u128::from_be_bytes(bytes)
}

/// The derived UUID as text, lower case.
pub fn derived_text(text: &str) -> String {
    let hex = format!("{:032x}", derived_number(text));
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixed_endian_as_uefi_wants() {
        let esp = Guid::from_text_order(0xC12A7328_F81F_11D2_BA4B_00A0C93EC93B);
        assert_eq!(esp.0[..8], [0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11]);
        assert_eq!(esp.0[8..], [0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b]);
    }

    #[test]
    fn derived_is_stable_and_marked_as_version_8() {
        let text = derived_text("evenkeel 1.0 disk");
        assert_eq!(text, derived_text("evenkeel 1.0 disk"));
        assert_ne!(text, derived_text("evenkeel 1.1 disk"));
        assert_eq!(text.as_bytes()[14], b'8');
        assert!(b"89ab".contains(&text.as_bytes()[19]));
    }
}
