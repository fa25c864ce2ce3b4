//! Whom a system trusts: one key of minisign's (Ed25519), which is part of the image.

use crate::fault::Fault;
use minisign_verify::{Error, PublicKey, Signature};

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(PublicKey);

impl Key {
    /// Reads a public key as minisign writes it (`minisign.pub`).
    pub fn parse(text: &str) -> Result<Self, Fault> {
        PublicKey::decode(text)
            .map(Self)
            .map_err(|error| Fault::NoKey(format!("it is no key of minisign's: {error}")))
    }

    /// Checks that `signature`, the text of a `.minisig` file, is this key's and of `message`.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Fault> {
        let text = std::str::from_utf8(signature).map_err(|_| Fault::Forged)?;
        let signature = Signature::decode(text).map_err(|_| Fault::Forged)?;
        // Not the form that older versions of minisign wrote: this product never did.
        self.0.verify(message, &signature, false).map_err(|error| match error {
            Error::UnexpectedKeyId => Fault::OtherKey,
            _ => Fault::Forged,
        })
    }
}
