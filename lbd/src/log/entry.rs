//! A line of the log.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bytes of a text; what is longer is cut off. RFC 5424 section 6.1: a syslog server takes 2,048 octets at least.
pub const LONGEST_TEXT: usize = 1900;
const CUT_OFF: &str = "...";

/// How grave it is, the gravest first (RFC 5424 table 2).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Severity {
    /// The system is unusable.
    Emergency,
    /// Somebody must act at once.
    Alert,
    /// Critical.
    Critical,
    /// Something does not work.
    Error,
    /// Something works less well than it should.
    Warning,
    /// Normal, but worth knowing.
    Notice,
    /// The course of things.
    Info,
    /// For who looks for a fault.
    Debug,
}

impl Severity {
    /// All of them, the gravest first.
    pub const ALL: [Self; 8] = [
        Self::Emergency,
        Self::Alert,
        Self::Critical,
        Self::Error,
        Self::Warning,
        Self::Notice,
        Self::Info,
        Self::Debug,
    ];

    /// As it is written everywhere.
    pub fn name(self) -> &'static str {
        match self {
            Self::Emergency => "emergency",
            Self::Alert => "alert",
            Self::Critical => "critical",
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }

    /// The lowest three bits of a syslog priority.
    pub fn of_priority(priority: u8) -> Self {
        Self::ALL[usize::from(priority & 7)]
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Severity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|severity| severity.name() == text);
        found.ok_or_else(|| format!("use one of {}", Self::ALL.map(Self::name).join(", ")))
    }
}

/// Who says it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The daemon.
    Lbd,
    /// The first process of the appliance.
    Init,
    /// The kernel.
    Kernel,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Lbd, Self::Init, Self::Kernel];

    /// As it is written everywhere.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lbd => "lbd",
            Self::Init => "init",
            Self::Kernel => "kernel",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|source| source.name() == text);
        found.ok_or_else(|| format!("use one of {}", Self::ALL.map(Self::name).join(", ")))
    }
}

/// Where a record stands in the kernel's buffer, so that none is taken twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Position {
    /// The kernel's name for this boot (`/proc/sys/kernel/random/boot_id`).
    pub boot: String,
    /// Number of the record since then.
    pub number: u64,
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "LogLine")]
pub struct Entry {
    /// When.
    pub time: Timestamp,
    /// How grave it is.
    pub severity: Severity,
    /// Who says it.
    pub source: Source,
    /// What, in one line.
    pub text: String,
    /// Where it stands in the kernel's buffer, if it comes from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub position: Option<Position>,
}

impl Entry {
    /// One whose text is a single line of bounded length: control characters become blanks, so that no text can forge
    /// a second line or speak to a terminal.
    pub fn new(time: Timestamp, severity: Severity, source: Source, text: &str) -> Self {
        let mut text: String =
            text.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        if text.len() > LONGEST_TEXT {
            text.truncate(text.floor_char_boundary(LONGEST_TEXT - CUT_OFF.len()));
            text.push_str(CUT_OFF);
        }
        Self { time, severity, source, text, position: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        assert!(Severity::ALL.iter().all(|severity| severity.name().parse() == Ok(*severity)));
        assert!(Source::ALL.iter().all(|source| source.name().parse() == Ok(*source)));
        assert_eq!("Loud".parse::<Severity>().unwrap_err().split(", ").count(), 8);
        assert!(Severity::Emergency < Severity::Error && Severity::Error < Severity::Debug);
        assert_eq!([Severity::of_priority(30), Severity::of_priority(3)], [Severity::Info, Severity::Error]);
    }

    proptest! {
        #[test]
        fn every_text_is_one_bounded_line(text in any::<String>(), times in 1_usize..400) {
            let entry = Entry::new(Timestamp::UNIX_EPOCH, Severity::Info, Source::Lbd, &text.repeat(times));
            prop_assert!(entry.text.len() <= LONGEST_TEXT && !entry.text.chars().any(char::is_control));
            let written = serde_json::to_string(&entry).unwrap();
            prop_assert_eq!(serde_json::from_str::<Entry>(&written).unwrap(), entry);
        }
    }
}
