//! Looks for bytes in an answer that comes in pieces. Pure, and bounded.

/// The most of an answer that is looked at: a page that says how a server feels is far smaller.
pub(super) const MOST_LOOKED_AT: usize = 64 * 1024;

/// What has come so far, and what is looked for in it.
#[derive(Debug)]
pub(super) struct Finder<'a> {
    wanted: &'a [u8],
    received: Vec<u8>,
}

impl<'a> Finder<'a> {
    /// Nothing has come yet.
    pub(super) fn new(wanted: &'a [u8]) -> Self {
        Self { wanted, received: Vec::new() }
    }

    /// Takes the next piece, of which what is beyond the bound is dropped; true when the bytes have been found.
    pub(super) fn receive(&mut self, piece: &[u8]) -> bool {
        let begin = (self.received.len() + 1).saturating_sub(self.wanted.len());
        let room = MOST_LOOKED_AT.saturating_sub(self.received.len());
        self.received.extend_from_slice(&piece[..piece.len().min(room)]);
        let wanted = self.wanted;
        wanted.is_empty()
            || self.received[begin.min(self.received.len())..].windows(wanted.len()).any(|w| w == wanted)
    }

    /// No more is looked at.
    pub(super) fn is_full(&self) -> bool {
        self.received.len() >= MOST_LOOKED_AT
    }

    /// What has come.
    pub(super) fn received(&self) -> &[u8] {
        &self.received
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_endless_answer_takes_bounded_memory() {
        let mut finder = Finder::new(b"never");
        for _ in 0..100 {
            assert!(!finder.receive(&[b'n'; 4096]));
        }
        assert!(finder.is_full() && finder.received().len() == MOST_LOOKED_AT);
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(text in "[ab]{0,40}", wanted in "[ab]{0,4}", piece in 1_usize..9) {
            let mut finder = Finder::new(wanted.as_bytes());
            let found = text.as_bytes().chunks(piece).any(|bytes| finder.receive(bytes));
            prop_assert_eq!(found || wanted.is_empty(), text.contains(&wanted));
        }
    }
}
