//! The password of the smart host: in a file of its own, in no answer, no log and no version of the configuration.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::values::Fault;
use crate::web::secret::SecretFile;

/// RFC 4954 knows no limit; nobody has a longer one.
const LONGEST: usize = 255;

#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Stored {
    #[serde(default)]
    password: Option<String>,
}

/// Where it is kept. Every method waits for the disk.
#[derive(Clone)]
pub struct PasswordFile(SecretFile);

impl fmt::Debug for PasswordFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PasswordFile {
    /// Below the state directory.
    pub fn below(state_directory: &Path) -> Self {
        Self(SecretFile::below(state_directory, "mail.json"))
    }

    /// The password, if there is one. The error is for people.
    pub fn load(&self) -> Result<Option<String>, String> {
        let stored: Stored =
            self.0.load().map_err(|error| format!("the password cannot be read: {error}"))?;
        Ok(stored.password)
    }

    /// Sets it, or forgets it. The error is for people.
    pub fn set(&self, password: Option<String>) -> Result<(), String> {
        self.0.update(|stored: &mut Stored| {
            stored.password = password;
            Ok(())
        })
    }
}

/// A password that a mail server can be given, or what is wrong with it.
pub fn check(password: &str) -> Result<(), Fault> {
    let is_given = !password.is_empty() && password.len() <= LONGEST;
    if is_given && !password.chars().any(char::is_control) {
        return Ok(());
    }
    let remedy = format!("give 1 to {LONGEST} characters, in one line");
    Err(Fault::new("this is no password", remedy))
}
