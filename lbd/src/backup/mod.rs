//! Backups: one file with the configuration and, where a passphrase encrypts it, everything secret too.
//!
//! [`file`] is the file's text (pure), [`sealed`] its encryption (age, pure but for random numbers), [`secrets`] what is kept
//! apart from the configuration, [`own`] what an appliance keeps of its own when it takes another one's backup (pure), [`kept`] those that it makes and keeps by
//! itself.

pub mod file;
pub mod kept;
pub mod own;
pub mod sealed;
pub mod secrets;

use crate::config::Problem;
use crate::config::values::Fault;

pub use file::{About, Backup};
pub use secrets::Secrets;

/// Largest file that is made or looked at, in bytes: 1,000 services of 10 servers take about 1.7 MB encrypted.
pub const LARGEST: usize = 4 << 20;

/// Names the file in what is said of it.
const BACKUP: &str = "backup";
/// Names the passphrase.
const PASSPHRASE: &str = "passphrase";

/// Why a file cannot be restored: each field that is at fault, `backup`, `passphrase`, or one of the configuration in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable(pub Vec<Problem>);

impl Unusable {
    fn of(field: &str, Fault { problem, remedy }: Fault) -> Self {
        Self(vec![Problem { field: field.into(), problem, remedy }])
    }

    fn file(problem: impl Into<String>, remedy: &str) -> Self {
        Self::of(BACKUP, Fault::new(problem.into(), remedy))
    }

    fn passphrase(problem: &str, remedy: &str) -> Self {
        Self::of(PASSPHRASE, Fault::new(problem, remedy))
    }
}

/// What a file holds, with the passphrase that it may need; any bytes may be given. An encrypted one takes a quarter of a
/// second and 64 MiB.
pub fn read(bytes: &[u8], passphrase: Option<&str>) -> Result<Backup, Unusable> {
    if bytes.len() > LARGEST {
        let problem = format!("{} bytes are more than the {LARGEST} allowed", bytes.len());
        return Err(Unusable::file(problem, "choose the file that was made as a backup"));
    }
    if !sealed::is_sealed(bytes) {
        let text = std::str::from_utf8(bytes).map_err(|_| file::foreign())?;
        return file::parse(text);
    }
    let Some(passphrase) = passphrase.filter(|passphrase| !passphrase.is_empty()) else {
        return Err(Unusable::passphrase(
            "this backup is encrypted",
            "give the passphrase with which it was made",
        ));
    };
    file::parse(&sealed::open(bytes, passphrase)?)
}

/// The file of a backup, encrypted where there is a passphrase, which is the only way for secrets. The error is for people.
pub fn write(backup: &Backup, passphrase: Option<&str>) -> Result<String, String> {
    let text = match passphrase {
        Some(passphrase) => sealed::seal(&file::text(backup), passphrase)?,
        None => file::text(&Backup { secrets: None, ..backup.clone() }),
    };
    match text.len() {
        ..=LARGEST => Ok(text),
        size => Err(format!(
            "the backup would have {size} bytes, more than the {LARGEST} that can be restored; shorten fallback pages"
        )),
    }
}

#[cfg(test)]
mod tests;
