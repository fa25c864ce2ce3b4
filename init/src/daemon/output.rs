//! What lbd writes to its standard output and error, line by line into the log.

use super::last_words::LastWords;
use crate::log;
use std::io::{ErrorKind, PipeReader, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// A longer line is cut in two; the log bounds its records below that anyway.
const LINE: usize = 2048;

/// In one go at most so much is read, so that an lbd that talks without end cannot hold up the loop.
const AT_ONCE: usize = 16 << 10;

/// One stream of one lbd.
#[derive(Debug)]
pub struct Output {
    pipe: PipeReader,
    lines: Lines,
}

impl Output {
    /// The reading end, which must not block.
    pub fn new(pipe: PipeReader) -> Self {
        Self { pipe, lines: Lines::default() }
    }

    /// Logs what has arrived, and has it remembered; false once the stream has ended.
    pub fn pass_on(&mut self, last_words: &mut LastWords, now: Duration) -> bool {
        let (lines, open) = self.read();
        for line in lines {
            log::write(log::level_of(&line), "lbd", &line);
            last_words.hear(&line, now);
        }
        open
    }

    /// The lines that are whole now, and whether more can come. The last one of all needs no end.
    fn read(&mut self) -> (Vec<String>, bool) {
        let mut buffer = [0; AT_ONCE];
        match self.pipe.read(&mut buffer) {
            Ok(length) if length > 0 => (self.lines.take(&buffer[..length]), true),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                (Vec::new(), true)
            }
            Ok(_) | Err(_) => (self.lines.rest().into_iter().collect(), false),
        }
    }
}

impl AsFd for Output {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

/// Cuts bytes into lines.
#[derive(Clone, Debug, Default)]
struct Lines(Vec<u8>);

impl Lines {
    /// The whole lines so far; empty ones are left out.
    fn take(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for byte in bytes {
            if *byte != b'\n' {
                self.0.push(*byte);
            }
            if *byte == b'\n' || self.0.len() >= LINE {
                lines.extend(self.rest());
            }
        }
        lines
    }

    fn rest(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.0);
        (!line.is_empty()).then(|| String::from_utf8_lossy(&line).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_in_pieces() {
        let mut lines = Lines::default();
        assert!(lines.take(b"on").is_empty());
        assert_eq!(lines.take(b"e\n\ntwo\nth"), ["one", "two"]);
        assert_eq!(lines.rest().as_deref(), Some("th"));
        assert_eq!(lines.rest(), None);
    }

    #[test]
    fn a_line_that_comes_in_pieces_is_one_line() {
        use std::io::Write;
        let (pipe, mut writer) = std::io::pipe().unwrap();
        let mut output = Output::new(pipe);
        let mut after = |piece: &str| {
            writer.write_all(piece.as_bytes()).unwrap();
            output.read()
        };
        assert_eq!(after("error: "), (vec![], true));
        assert_eq!(after("no such thing\nhe"), (vec!["error: no such thing".to_owned()], true));
        drop(writer);
        assert_eq!(output.read(), (vec!["he".to_owned()], false));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_lines_are_bounded(pieces in proptest::collection::vec("[a-z\n]{0,3000}", 0..5)) {
            let mut lines = Lines::default();
            let mut found: Vec<String> = pieces.iter().flat_map(|piece| lines.take(piece.as_bytes())).collect();
            found.extend(lines.rest());
            prop_assert!(found.iter().all(|line| line.len() <= LINE));
            prop_assert_eq!(found.concat(), pieces.concat().replace('\n', ""));
        }
    }
}
