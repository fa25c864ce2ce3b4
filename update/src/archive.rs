//! Reads an archive as it comes, in pieces of any size.

use crate::fault::Fault;
use crate::hash::Hasher;
use crate::header::{BLOCK, END, size};
use crate::manifest::{Manifest, Part};
use crate::signature::Key;
use crate::version::Version;
use std::io;

/// Takes the bytes of the bill of materials and of the system: they belong to a manifest that is verified, but whether
/// they are what it says is known only at the end of the part.
pub type Sink<'a> = &'a mut dyn FnMut(Part, &[u8]) -> io::Result<()>;

/// Where the reader is.
#[derive(Debug)]
enum State {
    /// In the header of this part.
    Header(Part),
    /// In its content, with so many bytes to come, and then so many of padding.
    Content { part: Part, left: u64, padding: usize },
    /// In the zeros behind it.
    Padding { part: Part, left: usize },
    /// In the zeros that end the archive.
    End { left: usize },
}

/// Reads an archive.
#[derive(Debug)]
pub struct Reader {
    key: Key,
    running: Version,
    state: State,
    /// A header, the manifest or the signature as far as it has come; bounded by [`Part::limit`].
    held: Vec<u8>,
    /// The manifest as it came, until its signature is there.
    unsigned: Vec<u8>,
    hasher: Hasher,
    manifest: Option<Manifest>,
}

impl Reader {
    /// Of an archive that `key` must have signed and that may be installed where `running` runs.
    pub fn new(key: Key, running: Version) -> Self {
        Self {
            key,
            running,
            state: State::Header(Part::Manifest),
            held: Vec::new(),
            unsigned: Vec::new(),
            hasher: Hasher::default(),
            manifest: None,
        }
    }

    /// The manifest, as soon as it is verified.
    pub fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref()
    }

    /// The next piece. After a fault the reader is of no use any more.
    pub fn push(&mut self, mut bytes: &[u8], sink: Sink<'_>) -> Result<(), Fault> {
        while !bytes.is_empty() {
            match self.state {
                State::Header(part) => {
                    take(&mut bytes, BLOCK - self.held.len(), |taken| self.held.extend_from_slice(taken));
                    if self.held.len() == BLOCK {
                        self.begin(part)?;
                    }
                }
                State::Content { part, left, padding } => {
                    let most = usize::try_from(left).unwrap_or(usize::MAX);
                    let taken = take(&mut bytes, most, |taken| {
                        self.content(part, taken, sink).map(|()| taken.len() as u64)
                    })?;
                    self.go_on(part, left - taken, padding)?;
                }
                State::Padding { part, left } => {
                    let taken = zeros(&mut bytes, left).ok_or(Fault::NotAnArchive(part))?;
                    self.state = match (left - taken, following(part)) {
                        (0, Some(next)) => State::Header(next),
                        (0, None) => State::End { left: END },
                        (left, _) => State::Padding { part, left },
                    };
                }
                State::End { left: 0 } => return Err(Fault::Trailing),
                State::End { left } => {
                    let taken = zeros(&mut bytes, left).ok_or(Fault::Trailing)?;
                    self.state = State::End { left: left - taken };
                }
            }
        }
        Ok(())
    }

    /// What the archive was, when it has come to its end.
    pub fn finish(self) -> Result<Manifest, Fault> {
        match (self.state, self.manifest) {
            (State::End { left: 0 }, Some(manifest)) => Ok(manifest),
            _ => Err(Fault::Truncated),
        }
    }

    /// A whole header is held.
    fn begin(&mut self, part: Part) -> Result<(), Fault> {
        let held = std::mem::take(&mut self.held);
        let block = held.as_slice().try_into().map_err(|_| Fault::NotAnArchive(part))?;
        let size = size(block, part.name()).ok_or(Fault::NotAnArchive(part))?;
        if size > part.limit() {
            return Err(Fault::TooLarge { part, size });
        }
        let expected = self.manifest.as_ref().and_then(|manifest| manifest.content(part));
        if expected.is_some_and(|content| content.size != size) {
            return Err(Fault::Size(part));
        }
        let padding = (BLOCK - (size % BLOCK as u64) as usize) % BLOCK;
        self.hasher = Hasher::default();
        self.go_on(part, size, padding)
    }

    fn content(&mut self, part: Part, bytes: &[u8], sink: Sink<'_>) -> Result<(), Fault> {
        match part {
            Part::Manifest | Part::Signature => {
                self.held.extend_from_slice(bytes);
                Ok(())
            }
            Part::Sbom | Part::Uki => {
                self.hasher.update(bytes);
                sink(part, bytes).map_err(Fault::NotKept)
            }
        }
    }

    fn go_on(&mut self, part: Part, left: u64, padding: usize) -> Result<(), Fault> {
        if left > 0 {
            self.state = State::Content { part, left, padding };
            return Ok(());
        }
        self.end(part)?;
        self.state = match (padding, following(part)) {
            (0, Some(next)) => State::Header(next),
            (0, None) => State::End { left: END },
            (left, _) => State::Padding { part, left },
        };
        Ok(())
    }

    /// A whole part has come.
    fn end(&mut self, part: Part) -> Result<(), Fault> {
        match part {
            Part::Manifest => self.unsigned = std::mem::take(&mut self.held),
            Part::Signature => {
                self.key.verify(&self.unsigned, &std::mem::take(&mut self.held))?;
                let manifest = Manifest::parse(&std::mem::take(&mut self.unsigned))?;
                manifest.permitted_after(&self.running)?;
                self.manifest = Some(manifest);
            }
            Part::Sbom | Part::Uki => {
                let expected = self.manifest.as_ref().and_then(|manifest| manifest.content(part));
                let found = std::mem::take(&mut self.hasher).finish();
                if expected.is_none_or(|content| content.sha256 != found) {
                    return Err(Fault::Content(part));
                }
            }
        }
        Ok(())
    }
}

fn following(part: Part) -> Option<Part> {
    let at = Part::ALL.iter().position(|known| *known == part)?;
    Part::ALL.get(at + 1).copied()
}

/// Hands on at most `most` bytes; gives what that gives.
fn take<T>(bytes: &mut &[u8], most: usize, hand_on: impl FnOnce(&[u8]) -> T) -> T {
    let (taken, rest) = bytes.split_at(most.min(bytes.len()));
    *bytes = rest;
    hand_on(taken)
}

/// Passes at most `most` bytes, all of which must be zero; gives how many.
fn zeros(bytes: &mut &[u8], most: usize) -> Option<usize> {
    take(bytes, most, |taken| taken.iter().all(|byte| *byte == 0).then_some(taken.len()))
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
