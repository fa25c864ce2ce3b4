//! The log: records for `/dev/kmsg`, so that they are in order with the kernel's own, on every console.

use crate::places;
use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::Write;

/// Levels of syslog(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Something does not work.
    Error = 3,
    /// Something works less well than it should.
    Warning = 4,
    /// What an administrator at the console wants to see.
    Notice = 5,
    /// The rest; kept in the kernel's buffer, not printed.
    Info = 6,
}

/// Facility "daemon" of syslog(3): tells these records from the kernel's.
const FACILITY: u8 = 3 << 3;

/// Longer records are refused by the kernel (`PRINTKRB_RECORD_MAX`, 1024); the rest is for the prefix.
const RECORD: usize = 900;

/// Records up to this level (exclusive) are printed on the consoles, the kernel's too: notices while the machine starts
/// and ends; errors while people may be typing there.
const NOTICES: u8 = 6;
const ERRORS: u8 = 4;

/// The levels (`Documentation/admin-guide/sysctl/kernel.rst`): the first is the consoles'.
const PRINTK: &str = "/proc/sys/kernel/printk";

/// Writes one record of init's own.
pub fn say(level: Level, text: impl Display) {
    write(level, "init", &text.to_string());
}

/// Writes one record of `who`. Without a kernel log (before `/dev` is mounted) it goes to standard error.
pub fn write(level: Level, who: &str, text: &str) {
    let record = record(level, who, text);
    let written =
        OpenOptions::new().write(true).open(places::KERNEL_LOG).and_then(|mut log| log.write_all(&record));
    if written.is_err() {
        // The console itself may be gone; there is nobody left to tell.
        let _ = std::io::stderr().write_all(&record);
    }
}

/// Lets every record through, and notices onto the consoles. To be called once `/proc` is there.
pub fn open_the_gates() {
    // A kernel without these files prints less; nothing else changes.
    let _ = std::fs::write("/proc/sys/kernel/printk_devkmsg", "on");
    if console_level().is_some_and(|level| level < NOTICES) {
        show_notices();
    }
}

fn console_level() -> Option<u8> {
    let levels = std::fs::read_to_string(PRINTK).ok()?;
    levels.split_whitespace().next()?.parse().ok()
}

/// Notices are printed on the consoles again: the machine ends.
pub fn show_notices() {
    let _ = std::fs::write(PRINTK, NOTICES.to_string());
}

/// Nothing but errors is printed on the consoles any more. Where the kernel's command line asks for everything
/// (`debug`), that stays.
pub fn show_errors_only() {
    if console_level().is_some_and(|level| level <= NOTICES) {
        let _ = std::fs::write(PRINTK, ERRORS.to_string());
    }
}

/// One record as `/dev/kmsg` takes it (`Documentation/ABI/testing/dev-kmsg`): one line, bounded, printable.
fn record(level: Level, who: &str, text: &str) -> Vec<u8> {
    let clean: String = text.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut record = format!("<{}>{who}: {clean}", FACILITY | level as u8);
    if record.len() > RECORD {
        let end = record.floor_char_boundary(RECORD - 3);
        record.truncate(end);
        record.push_str("...");
    }
    record.push('\n');
    record.into_bytes()
}

/// The level of a line that lbd wrote: the second word of its log lines, or what its end looks like.
pub fn level_of(line: &str) -> Level {
    match line.split_whitespace().nth(1) {
        Some("ERROR") => Level::Error,
        Some("WARN") => Level::Warning,
        _ if line.starts_with("lbd: ") || line.contains("panicked at") => Level::Error,
        _ => Level::Info,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_record_has_facility_level_and_name() {
        assert_eq!(record(Level::Notice, "init", "up\n"), b"<29>init: up\n");
    }

    #[test]
    fn control_characters_cannot_forge_a_second_record() {
        assert_eq!(record(Level::Info, "lbd", "a\n<0>b\x1b[2J"), b"<30>lbd: a <0>b [2J\n");
    }

    #[test]
    fn levels_of_lbds_lines() {
        let table = [
            ("2026-11-23T07:00:00.1Z ERROR lbd::run: x", Level::Error),
            ("2026-11-23T07:00:00.1Z  WARN lbd::run: x", Level::Warning),
            ("2026-11-23T07:00:00.1Z  INFO lbd::run: ERROR", Level::Info),
            ("lbd: cannot listen", Level::Error),
            ("thread 'main' (1) panicked at x.rs:1:1:", Level::Error),
            ("", Level::Info),
        ];
        for (line, level) in table {
            assert_eq!(level_of(line), level, "{line}");
        }
    }

    proptest! {
        #[test]
        fn every_record_is_one_bounded_line(text in any::<String>()) {
            let record = record(Level::Error, "lbd", &text);
            prop_assert!(record.len() <= RECORD + 1);
            prop_assert_eq!(record.iter().filter(|byte| **byte == b'\n').count(), 1);
            prop_assert!(String::from_utf8(record).is_ok());
        }
    }
}
