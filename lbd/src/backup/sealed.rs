//! A backup encrypted with a passphrase, in the format of age (age-encryption.org/v1) as text: `age -d FILE` reads it too.
//!
//! The header is looked at before the crate sees it: one stanza of the kind scrypt, of bounded cost. So no file can take
//! more time or memory than one of our own.

use std::io::{Read, Write};
use std::iter;

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::secrecy::SecretString;
use age::{Decryptor, Encryptor, scrypt};

use super::{LARGEST, Unusable};
use crate::config::values::Fault;

/// Two to the power of this times 1 KiB is the memory that a try at the passphrase takes, here as for whoever guesses: 64 MiB.
/// age's own choice takes 256 MiB, of which an appliance of the smallest profile has no plenty.
const WORK_FACTOR: u8 = 16;
const ARMOR: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";
const VERSION: &[u8] = b"age-encryption.org/v1";
/// Version, stanza, its body and the MAC take about 200 bytes.
const LONGEST_HEADER: usize = 512;
/// The file can be guessed at by whoever has it, for as long as they like.
const SHORTEST_PASSPHRASE: usize = 12;
const LONGEST_PASSPHRASE: usize = 256;

/// A passphrase that may protect secrets, or what is wrong with it, in words that do not repeat it.
pub fn check_passphrase(passphrase: &str) -> Result<(), Fault> {
    let length = passphrase.chars().count();
    if !(SHORTEST_PASSPHRASE..=LONGEST_PASSPHRASE).contains(&length) {
        let remedy = format!("give {SHORTEST_PASSPHRASE} to {LONGEST_PASSPHRASE}, for example five words");
        return Err(Fault::new(format!("the passphrase has {length} characters"), remedy));
    }
    if passphrase.chars().any(char::is_control) {
        return Err(Fault::new("the passphrase has control characters", "leave out tabs and line breaks"));
    }
    Ok(())
}

/// Whether a file is encrypted.
pub fn is_sealed(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(ARMOR) || bytes.starts_with(VERSION)
}

/// Encrypts a text. The error is for people.
pub fn seal(text: &str, passphrase: &str) -> Result<String, String> {
    let failed = |error: &dyn std::fmt::Display| format!("encrypting the backup: {error}");
    let mut recipient = scrypt::Recipient::new(SecretString::from(passphrase));
    recipient.set_work_factor(WORK_FACTOR);
    let encryptor = Encryptor::with_recipients(iter::once(&recipient as &dyn age::Recipient));
    let encryptor = encryptor.map_err(|error| failed(&error))?;
    let mut sealed = Vec::new();
    let write = || {
        let armor = ArmoredWriter::wrap_output(&mut sealed, Format::AsciiArmor)?;
        let mut writer = encryptor.wrap_output(armor)?;
        writer.write_all(text.as_bytes())?;
        writer.finish()?.finish()
    };
    write().map_err(|error: std::io::Error| failed(&error))?;
    String::from_utf8(sealed).map_err(|error| failed(&error))
}

/// Decrypts a file. Takes any bytes.
pub fn open(bytes: &[u8], passphrase: &str) -> Result<String, Unusable> {
    let binary = header(bytes)?;
    let decryptor = Decryptor::new_buffered(binary.as_slice()).map_err(|_| damaged())?;
    let mut identity = scrypt::Identity::new(SecretString::from(passphrase));
    identity.set_max_work_factor(WORK_FACTOR);
    let reader =
        decryptor.decrypt(iter::once(&identity as &dyn age::Identity)).map_err(|error| match error {
            age::DecryptError::DecryptionFailed
            | age::DecryptError::KeyDecryptionFailed
            | age::DecryptError::NoMatchingKeys => Unusable::passphrase(
                "the passphrase is wrong",
                "give the one with which this backup was made; nobody can read it without",
            ),
            _ => damaged(),
        })?;
    let mut text = String::new();
    reader.take(LARGEST as u64).read_to_string(&mut text).map_err(|_| damaged())?;
    Ok(text)
}

fn damaged() -> Unusable {
    Unusable::file("the encrypted backup is not whole, or was changed", "use another copy of it")
}

/// The file without its armour, if its header asks for one passphrase at a cost that we take. Takes any bytes.
pub fn header(bytes: &[u8]) -> Result<Vec<u8>, Unusable> {
    let mut binary = Vec::new();
    ArmoredReader::new(bytes).take(LARGEST as u64).read_to_end(&mut binary).map_err(|_| damaged())?;
    match stanza(&binary).ok_or_else(damaged)? {
        Stanza::Passphrase(..=WORK_FACTOR) => Ok(binary),
        Stanza::Passphrase(factor) => Err(Unusable::file(
            format!("reading this file takes the work factor {factor}, more than the {WORK_FACTOR} allowed"),
            "decrypt it with age first, or use a backup that was made here",
        )),
        Stanza::Other => Err(Unusable::file(
            "this file is encrypted for a key, not with a passphrase",
            "decrypt it with age first, or use a backup that was made here",
        )),
    }
}

/// What opens a file.
enum Stanza {
    /// A passphrase, at this cost.
    Passphrase(u8),
    /// Something else.
    Other,
}

/// The one stanza of a header (C2SP age, "scrypt recipient stanza": no other may stand beside it).
fn stanza(binary: &[u8]) -> Option<Stanza> {
    let mut lines = binary[..binary.len().min(LONGEST_HEADER)].split(|byte| *byte == b'\n');
    if lines.next()? != VERSION {
        return None;
    }
    let arguments = std::str::from_utf8(lines.next()?).ok()?.strip_prefix("-> ")?;
    let Some(arguments) = arguments.strip_prefix("scrypt ") else { return Some(Stanza::Other) };
    let (_salt, factor) = arguments.split_once(' ')?;
    let _body = lines.next()?;
    lines.next()?.starts_with(b"--- ").then_some(())?;
    factor.parse().ok().map(Stanza::Passphrase)
}
