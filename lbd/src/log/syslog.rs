//! A line of the log as a syslog message (RFC 5424), and as it stands in a stream (RFC 6587). Pure.

use super::entry::{Entry, Source};

/// RFC 5424 table 1.
const KERNEL: u8 = 0;
/// The same: system daemons.
const DAEMON: u8 = 3;
/// RFC 5424 section 6: of HOSTNAME.
const LONGEST_HOST_NAME: usize = 255;
/// What is not known (NILVALUE).
const NOTHING: &str = "-";

/// The message, without any frame: what a datagram holds (RFC 5426 section 3.1).
pub fn message(entry: &Entry, host_name: &str) -> String {
    let facility = if entry.source == Source::Kernel { KERNEL } else { DAEMON };
    let priority = facility << 3 | entry.severity as u8;
    let host: String = host_name.chars().filter(char::is_ascii_graphic).take(LONGEST_HOST_NAME).collect();
    let host = if host.is_empty() { NOTHING } else { &host };
    // Six digits of a second are the most that the RFC allows.
    format!("<{priority}>1 {:.6} {host} {} - - - {}", entry.time, entry.source, entry.text)
}

/// The message as it stands in a stream: its length in octets, a blank, and itself (RFC 6587 section 3.4.1).
pub fn frame(entry: &Entry, host_name: &str) -> Vec<u8> {
    let message = message(entry, host_name);
    format!("{} {message}", message.len()).into_bytes()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::super::entry::Severity;
    use super::*;

    #[test]
    fn messages_are_those_of_the_rfc() {
        let time = Timestamp::from_nanosecond(1_764_129_600_123_456_789).unwrap();
        let entry = Entry::new(time, Severity::Error, Source::Kernel, "Out of memory");
        let expected = "<3>1 2025-11-26T04:00:00.123456Z lbmaster kernel - - - Out of memory";
        assert_eq!(message(&entry, "lbmaster"), expected);
        assert_eq!(frame(&entry, "lbmaster"), format!("{} {expected}", expected.len()).into_bytes());
        let entry = Entry::new(time, Severity::Notice, Source::Init, "R\u{f6}ntgen");
        assert!(
            message(&entry, "").starts_with("<29>1 2025-11-26T04:00:00.123456Z - init - - - R\u{f6}ntgen")
        );
    }

    proptest! {
        /// A receiver that counts octets finds the end of each message.
        #[test]
        fn a_stream_falls_into_its_messages(texts in prop::collection::vec(any::<String>(), 0..5), host in any::<String>()) {
            let entries: Vec<_> = texts
                .iter()
                .map(|text| Entry::new(Timestamp::UNIX_EPOCH, Severity::Info, Source::Lbd, text))
                .collect();
            let stream: Vec<u8> = entries.iter().flat_map(|entry| frame(entry, &host)).collect();
            let mut rest = stream.as_slice();
            for entry in &entries {
                let blank = rest.iter().position(|byte| *byte == b' ').unwrap();
                let length: usize = std::str::from_utf8(&rest[..blank]).unwrap().parse().unwrap();
                let (this, after) = rest[blank + 1..].split_at(length);
                prop_assert!(this == message(entry, &host).as_bytes());
                rest = after;
            }
            prop_assert!(rest.is_empty());
        }
    }
}
