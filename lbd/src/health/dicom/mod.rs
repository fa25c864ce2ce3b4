//! The requestor's side of a DICOM association that does one C-ECHO, without I/O.
//!
//! [`Dialogue`] holds the order of things (DICOM PS3.8, section 9.2); [`request`] writes, [`answer`] reads,
//! [`reason`] knows what the codes mean. Nothing that a peer sends makes any of it panic, loop, or hold more
//! than one PDU of at most [`MAX_ASSOCIATION_ANSWER`] bytes.

pub mod answer;
pub mod reason;
pub mod request;

#[cfg(test)]
mod tests;

use crate::config::AeTitle;

use super::failure::{Failure, FirstBytes, Step};
use answer::{EchoAnswer, parse_association_answer};
use reason::PduKind;
pub use request::{ABORT, RELEASE_REQUEST};
use request::{association_request, echo_request};

/// PDU type, a reserved byte, and the length of what follows (DICOM PS3.8, section 9.3.1).
pub const HEADER: usize = 6;
/// The largest answer to an association request. Usual ones take 200 bytes; a server that answers every kind
/// of negotiation stays below 2 KiB.
pub const MAX_ASSOCIATION_ANSWER: usize = 64 * 1024;
/// The largest P-DATA-TF that we announce to accept (DICOM PS3.8, section D.1).
pub const MAX_PDU: u32 = 16 * 1024;

/// The one presentation context of the association; odd, as DICOM demands.
const CONTEXT_ID: u8 = 1;
/// The one message of the association.
const MESSAGE_ID: u16 = 1;

/// The two names of an association.
#[derive(Debug, Clone, Copy)]
pub struct Titles<'a> {
    /// Our AE title.
    pub calling: &'a AeTitle,
    /// The server's AE title.
    pub called: &'a AeTitle,
}

/// An established association in which a C-ECHO may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Association {
    /// The accepted presentation context.
    pub context: u8,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Send this PDU.
    Send(Vec<u8>),
    /// Wait for bytes and give them to [`Dialogue::receive`].
    Receive,
    /// The server has answered the C-ECHO with success.
    Passed,
}

/// An association from the request to the C-ECHO answer.
#[derive(Debug)]
pub struct Dialogue<'a> {
    titles: Titles<'a>,
    state: State,
    received: Vec<u8>,
}

#[derive(Debug)]
enum State {
    Fresh,
    Requested,
    Asked(EchoAnswer),
    Passed,
}

impl<'a> Dialogue<'a> {
    /// Nothing has been said yet.
    pub fn new(titles: Titles<'a>) -> Self {
        Self { titles, state: State::Fresh, received: Vec::new() }
    }

    /// What is being waited for.
    pub fn step(&self) -> Step {
        match self.state {
            State::Fresh | State::Requested => Step::AssociationAnswer,
            State::Asked(_) | State::Passed => Step::EchoAnswer,
        }
    }

    /// True while a part of an answer has come and the rest has not.
    pub fn is_midway(&self) -> bool {
        match &self.state {
            State::Asked(answer) if answer.has_begun() => true,
            _ => !self.received.is_empty(),
        }
    }

    /// Takes what the server has sent. Call [`Self::advance`] before the next time: it keeps the memory
    /// bounded.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
    }

    /// Goes as far as the received bytes allow.
    pub fn advance(&mut self) -> Result<Next, Failure> {
        let step = self.step();
        match &mut self.state {
            State::Fresh => {
                self.state = State::Requested;
                Ok(Next::Send(association_request(self.titles)?))
            }
            State::Requested => {
                let Some(pdu) = take_pdu(&mut self.received, step)? else { return Ok(Next::Receive) };
                let association = parse_association_answer(&pdu, self.titles)?;
                self.state = State::Asked(EchoAnswer::new(association));
                Ok(Next::Send(echo_request(association)?))
            }
            State::Asked(answer) => {
                while let Some(pdu) = take_pdu(&mut self.received, step)? {
                    if answer.add(&pdu)? {
                        self.state = State::Passed;
                        return Ok(Next::Passed);
                    }
                }
                Ok(Next::Receive)
            }
            State::Passed => Ok(Next::Passed),
        }
    }
}

/// What a recorded stream of answers amounts to when it arrives in pieces of `piece` bytes: `Receive` if more
/// is needed. For tests and fuzzing, which so go the way of real answers.
pub fn replay(titles: Titles<'_>, stream: &[u8], piece: usize) -> Result<Next, Failure> {
    let mut dialogue = Dialogue::new(titles);
    for bytes in stream.chunks(piece.max(1)) {
        while let Next::Send(_) = dialogue.advance()? {}
        dialogue.receive(bytes);
    }
    loop {
        match dialogue.advance()? {
            Next::Send(_) => {}
            other => return Ok(other),
        }
    }
}

/// Takes the first PDU off `received` once it is complete.
fn take_pdu(received: &mut Vec<u8>, step: Step) -> Result<Option<Vec<u8>>, Failure> {
    let Some(length) = pdu_length(received, step)? else { return Ok(None) };
    if received.len() < length {
        return Ok(None);
    }
    let rest = received.split_off(length);
    Ok(Some(std::mem::replace(received, rest)))
}

/// The length of the PDU that begins with `bytes`, header included, as soon as it can be told; refused as
/// soon as it cannot be a PDU or is larger than `step` allows.
pub fn pdu_length(bytes: &[u8], step: Step) -> Result<Option<usize>, Failure> {
    let limit = match step {
        Step::EchoAnswer => EchoAnswer::LIMIT,
        _ => MAX_ASSOCIATION_ANSWER,
    };
    match *bytes {
        [kind, ..] if !PduKind(kind).is_known() => Err(Failure::NotDicom(FirstBytes::of(bytes))),
        [_, _, a, b, c, d, ..] => {
            let size = HEADER as u64 + u64::from(u32::from_be_bytes([a, b, c, d]));
            match usize::try_from(size) {
                Ok(length) if length <= limit => Ok(Some(length)),
                _ => Err(Failure::TooLarge { step, size, limit }),
            }
        }
        _ => Ok(None),
    }
}
