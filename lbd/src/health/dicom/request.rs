//! What we say: association request, C-ECHO request, release request and abort.

use dicom_ul::pdu::{
    AssociationRQ, PDataValue, PDataValueType, Pdu, PresentationContextProposed, UserVariableItem, write_pdu,
};

use super::{Association, CONTEXT_ID, MAX_PDU, MESSAGE_ID, Titles};
use crate::health::failure::Failure;

/// The DICOM application context (DICOM PS3.7, annex A.2.1).
const APPLICATION_CONTEXT: &str = "1.2.840.10008.3.1.1.1";
/// The Verification SOP class (DICOM PS3.4, annex A.4).
const VERIFICATION: &str = "1.2.840.10008.1.1";
/// The one transfer syntax that every DICOM implementation takes (DICOM PS3.5, section 10.1).
const IMPLICIT_VR_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2";
/// Names this implementation (DICOM PS3.7, section D.3.3.2). Made from a random UUID (DICOM PS3.5, annex
/// B.2), so that nobody else can have it; it never changes.
const IMPLEMENTATION_CLASS: &str = "2.25.330143137154075224404794479437929158347";
const IMPLEMENTATION_VERSION: &str = "EVENKEEL";

/// A-RELEASE-RQ (DICOM PS3.8, section 9.3.6).
pub const RELEASE_REQUEST: [u8; 10] = [5, 0, 0, 0, 0, 4, 0, 0, 0, 0];
/// A-ABORT by the service-user (DICOM PS3.8, section 9.3.8).
pub const ABORT: [u8; 10] = [7, 0, 0, 0, 0, 4, 0, 0, 0, 0];

/// A-ASSOCIATE-RQ with Verification as the only presentation context (DICOM PS3.8, section 9.3.2).
pub fn association_request(titles: Titles<'_>) -> Result<Vec<u8>, Failure> {
    encode(&Pdu::AssociationRQ(AssociationRQ {
        protocol_version: 1,
        calling_ae_title: titles.calling.as_str().to_owned(),
        called_ae_title: titles.called.as_str().to_owned(),
        application_context_name: APPLICATION_CONTEXT.to_owned(),
        presentation_contexts: vec![PresentationContextProposed {
            id: CONTEXT_ID,
            abstract_syntax: VERIFICATION.to_owned(),
            transfer_syntaxes: vec![IMPLICIT_VR_LITTLE_ENDIAN.to_owned()],
        }],
        user_variables: vec![
            UserVariableItem::MaxLength(MAX_PDU),
            UserVariableItem::ImplementationClassUID(IMPLEMENTATION_CLASS.to_owned()),
            UserVariableItem::ImplementationVersionName(IMPLEMENTATION_VERSION.to_owned()),
        ],
    }))
}

/// C-ECHO-RQ in one P-DATA-TF (DICOM PS3.8, section 9.3.5).
pub fn echo_request(association: Association) -> Result<Vec<u8>, Failure> {
    encode(&Pdu::PData {
        data: vec![PDataValue {
            presentation_context_id: association.context,
            value_type: PDataValueType::Command,
            is_last: true,
            data: echo_command(),
        }],
    })
}

/// The command set of a C-ECHO-RQ (DICOM PS3.7, section 9.3.5.1), in Implicit VR Little Endian as every
/// command set (section 6.3.1).
fn echo_command() -> Vec<u8> {
    let mut sop_class = VERIFICATION.as_bytes().to_vec();
    sop_class.push(0); // UIDs are padded to even length (DICOM PS3.5, section 9.1).
    let mut elements = Vec::with_capacity(64);
    put_element(&mut elements, 0x0002, &sop_class); // Affected SOP Class UID
    put_element(&mut elements, 0x0100, &0x0030_u16.to_le_bytes()); // Command Field: C-ECHO-RQ
    put_element(&mut elements, 0x0110, &MESSAGE_ID.to_le_bytes()); // Message ID
    put_element(&mut elements, 0x0800, &0x0101_u16.to_le_bytes()); // Command Data Set Type: none follows
    let mut command = Vec::with_capacity(elements.len() + 12);
    put_element(&mut command, 0x0000, &(elements.len() as u32).to_le_bytes()); // Command Group Length
    command.extend(elements);
    command
}

fn put_element(command: &mut Vec<u8>, element: u16, value: &[u8]) {
    command.extend(0x0000_u16.to_le_bytes());
    command.extend(element.to_le_bytes());
    command.extend((value.len() as u32).to_le_bytes());
    command.extend(value);
}

/// Only an AE title that is blank or too long could not be written, and the type excludes both.
fn encode(pdu: &Pdu) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::with_capacity(256);
    write_pdu(&mut bytes, pdu).map_err(|_| Failure::Unaskable)?;
    Ok(bytes)
}
