//! What the server says: the answer to the association request, and the answer to the C-ECHO.
//!
//! Every function takes any bytes and ends with a value or a [`Failure`]. The association answer is walked
//! here and not by dicom-ul, which refuses what the standard allows a server to send: items of unknown types
//! (to be ignored: DICOM PS3.8, section 9.3.1), a refused presentation context without a transfer syntax, and
//! reserved codes in a rejection or an abort.

use dicom_ul::pdu::{PDataValue, PDataValueType, Pdu, read_pdu};

use super::reason::{Abort, ContextResult, PduKind, Rejection};
use super::{Association, CONTEXT_ID, HEADER, MAX_PDU, MESSAGE_ID, Titles};
use crate::health::failure::{Failure, FirstBytes, Step};

/// Protocol version, reserved bytes and AE titles, none of which is to be tested (DICOM PS3.8, table 9-17).
const ACCEPTANCE_FIXED_PART: usize = 68;
/// Presentation Context Item of an A-ASSOCIATE-AC (DICOM PS3.8, section 9.3.3.2).
const PRESENTATION_CONTEXT_ITEM: u8 = 0x21;

/// Reads the PDU that answers an association request: A-ASSOCIATE-AC, A-ASSOCIATE-RJ or A-ABORT
/// (DICOM PS3.8, sections 9.3.3, 9.3.4 and 9.3.8).
pub fn parse_association_answer(pdu: &[u8], titles: Titles<'_>) -> Result<Association, Failure> {
    let step = Step::AssociationAnswer;
    let (kind, body) = split(pdu, step)?;
    match kind {
        PduKind::ASSOCIATE_AC => parse_acceptance(body),
        PduKind::ASSOCIATE_RJ => match *body {
            [_, result, source, reason, ..] => Err(Failure::Rejected {
                rejection: Rejection { result, source, reason },
                calling: titles.calling.clone(),
                called: titles.called.clone(),
            }),
            _ => Err(Failure::Malformed { step, what: "an A-ASSOCIATE-RJ is cut short" }),
        },
        PduKind::ABORT => Err(aborted(body, step)),
        kind => Err(Failure::UnexpectedPdu { step, kind }),
    }
}

fn split(pdu: &[u8], step: Step) -> Result<(PduKind, &[u8]), Failure> {
    match (pdu.first(), pdu.get(HEADER..)) {
        (Some(&kind), _) if !PduKind(kind).is_known() => Err(Failure::NotDicom(FirstBytes::of(pdu))),
        (Some(&kind), Some(body)) => Ok((PduKind(kind), body)),
        _ => Err(Failure::Malformed { step, what: "a PDU is cut short" }),
    }
}

fn aborted(body: &[u8], step: Step) -> Failure {
    match *body {
        [_, _, source, reason, ..] => Failure::Aborted { step, abort: Abort { source, reason } },
        _ => Failure::Malformed { step, what: "an A-ABORT is cut short" },
    }
}

/// Looks for the result of our presentation context among the items of an A-ASSOCIATE-AC. Its transfer
/// syntax does not matter: command sets have one of their own (DICOM PS3.7, section 6.3.1).
fn parse_acceptance(body: &[u8]) -> Result<Association, Failure> {
    let malformed = |what| Failure::Malformed { step: Step::AssociationAnswer, what };
    let mut rest = body.get(ACCEPTANCE_FIXED_PART..).ok_or(malformed("an A-ASSOCIATE-AC is cut short"))?;
    let mut found = None;
    while !rest.is_empty() {
        let (kind, content, others) = next_item(rest).ok_or(malformed("an item is longer than the PDU"))?;
        if let (PRESENTATION_CONTEXT_ITEM, &[CONTEXT_ID, _, result, ..]) = (kind, content) {
            found = found.or(Some(ContextResult(result)));
        }
        rest = others;
    }
    match found {
        Some(ContextResult::ACCEPTANCE) => Ok(Association { context: CONTEXT_ID }),
        Some(refusal) => Err(Failure::ContextRefused(refusal)),
        None => Err(malformed("the presentation context that was asked for is not answered")),
    }
}

/// Splits `bytes` after their first item: its type, its content, what follows (DICOM PS3.8, section 9.3.1).
fn next_item(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[kind, _, high, low], rest) = bytes.split_first_chunk()?;
    let (content, others) = rest.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
    Some((kind, content, others))
}

/// Puts the C-ECHO answer together, which may come in several fragments (DICOM PS3.8, annex E).
#[derive(Debug)]
pub struct EchoAnswer {
    association: Association,
    command: Vec<u8>,
    received: usize,
}

impl EchoAnswer {
    /// The largest answer with all its wrapping. A C-ECHO answer takes about 90 bytes, cut into fragments of
    /// one byte each less than 2 KiB.
    pub const LIMIT: usize = 16 * 1024;

    /// Nothing has been received yet.
    pub fn new(association: Association) -> Self {
        Self { association, command: Vec::new(), received: 0 }
    }

    /// True once a first PDU has come.
    pub fn has_begun(&self) -> bool {
        self.received > 0
    }

    /// Takes the next PDU; true when the answer is complete and says success.
    pub fn add(&mut self, pdu: &[u8]) -> Result<bool, Failure> {
        let step = Step::EchoAnswer;
        self.received = self.received.saturating_add(pdu.len());
        if self.received > Self::LIMIT {
            return Err(Failure::TooLarge { step, size: self.received as u64, limit: Self::LIMIT });
        }
        match split(pdu, step)? {
            (PduKind::P_DATA_TF, _) => self.add_fragments(pdu),
            (PduKind::ABORT, body) => Err(aborted(body, step)),
            (kind, _) => Err(Failure::UnexpectedPdu { step, kind }),
        }
    }

    fn add_fragments(&mut self, pdu: &[u8]) -> Result<bool, Failure> {
        let malformed = |what| Failure::Malformed { step: Step::EchoAnswer, what };
        let Ok(Some(Pdu::PData { data: fragments })) = read_pdu(pdu, MAX_PDU, true) else {
            return Err(malformed("a P-DATA-TF does not add up"));
        };
        for PDataValue { presentation_context_id, value_type, is_last, data } in fragments {
            if presentation_context_id != self.association.context {
                return Err(malformed("the answer is in a presentation context that was not asked for"));
            }
            if value_type != PDataValueType::Command {
                return Err(malformed("a data set came where a command was due"));
            }
            self.command.extend(data);
            if is_last {
                return parse_echo_answer(&self.command, MESSAGE_ID).map(|()| true);
            }
        }
        Ok(false)
    }
}

/// Reads the command set of a C-ECHO-RSP (DICOM PS3.7, section 9.3.5.2): an answer to the message
/// `message_id` that says success, or why not.
pub fn parse_echo_answer(command: &[u8], message_id: u16) -> Result<(), Failure> {
    const C_ECHO_RSP: u16 = 0x8030;
    let malformed = |what| Failure::Malformed { step: Step::EchoAnswer, what };
    let (mut field, mut answered, mut status) = (None, None, None);
    let mut rest = command;
    while !rest.is_empty() {
        let (tag, value, others) = next_element(rest).ok_or(malformed("a command set does not add up"))?;
        match tag {
            (0x0000, 0x0100) => field = Some(short(value).ok_or(malformed("a bad Command Field"))?),
            (0x0000, 0x0120) => answered = Some(short(value).ok_or(malformed("a bad Message ID"))?),
            (0x0000, 0x0900) => status = Some(short(value).ok_or(malformed("a bad Status"))?),
            _ => {}
        }
        rest = others;
    }
    if field != Some(C_ECHO_RSP) {
        return Err(malformed("the message is not a C-ECHO answer"));
    }
    if answered != Some(message_id) {
        return Err(malformed("the C-ECHO answer belongs to another message"));
    }
    match status {
        Some(0) => Ok(()),
        Some(status) => Err(Failure::BadStatus(status)),
        None => Err(malformed("the C-ECHO answer has no status")),
    }
}

/// Group and element number.
type Tag = (u16, u16);

/// The first element of `bytes`: tag, value, what follows (Implicit VR Little Endian: DICOM PS3.5, A.1).
fn next_element(bytes: &[u8]) -> Option<(Tag, &[u8], &[u8])> {
    let (&[g0, g1, e0, e1, l0, l1, l2, l3], rest) = bytes.split_first_chunk()?;
    let length = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).ok()?;
    let (value, others) = rest.split_at_checked(length)?;
    Some(((u16::from_le_bytes([g0, g1]), u16::from_le_bytes([e0, e1])), value, others))
}

fn short(value: &[u8]) -> Option<u16> {
    Some(u16::from_le_bytes(value.try_into().ok()?))
}
