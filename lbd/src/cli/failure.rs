//! Why a command did not do what it should, for the person and for scripts.

use std::fmt;
use std::process::ExitCode;

/// What is told, and the exit code: 1 where it was refused or failed, 3 where lbd was not reached. A command that is
/// not understood ends with 2, as clap says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandError {
    text: String,
    code: u8,
}

const FAILED: u8 = 1;
const UNREACHED: u8 = 3;

impl CommandError {
    /// Nobody answered.
    pub(super) fn unreached(text: impl Into<String>) -> Self {
        Self { text: text.into(), code: UNREACHED }
    }

    /// lbd's answer is not what this command expects.
    pub(super) fn not_understood(error: impl fmt::Display) -> Self {
        format!("lbd's answer is not understood: {error}; is it of the same version?").into()
    }

    /// For the caller's script.
    pub fn exit_code(&self) -> ExitCode {
        self.code.into()
    }
}

impl From<String> for CommandError {
    fn from(text: String) -> Self {
        Self { text, code: FAILED }
    }
}

impl From<&str> for CommandError {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
