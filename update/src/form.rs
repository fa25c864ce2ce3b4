//! What manifest and index have in common: JSON that says first of which product and form it is, with notes for people.

use crate::manifest::PRODUCT;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Read first: of another form nothing else is understood.
#[derive(Deserialize)]
struct Head {
    format: u32,
    product: String,
}

/// What to do about a document that is not for this version, in a few words.
pub(crate) struct Remedies {
    /// It is of another product.
    pub product: &'static str,
    /// It has another form.
    pub format: &'static str,
}

/// Reads a document of our product in the form that is known. The error is for people.
pub(crate) fn read<T: DeserializeOwned>(json: &[u8], known: u32, remedies: &Remedies) -> Result<T, String> {
    let head: Head = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    if head.product != PRODUCT {
        return Err(format!("it is of another product; {}", remedies.product));
    }
    if head.format != known {
        let Remedies { format: remedy, .. } = remedies;
        return Err(format!("it has the form {}, and this version knows {known}; {remedy}", head.format));
    }
    serde_json::from_slice(json).map_err(|error| error.to_string())
}

/// Notes are shown on terminals too: nothing in them moves a cursor.
pub(crate) fn check_notes(notes: &str) -> Result<(), String> {
    let is_text = |letter: char| letter == '\n' || !letter.is_control();
    if notes.chars().all(is_text) { Ok(()) } else { Err("its notes are no plain text".into()) }
}
