//! A mail to one recipient, as it waits in the queue and as it is sent.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::{Address, Message};
use serde::{Deserialize, Serialize};

/// What gives way first when there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Urgency {
    /// Says what was said before.
    Reminder,
    /// Says that something is over, or tries the way.
    Relief,
    /// Says that something is wrong.
    Alarm,
}

/// A mail to one recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// Unique for ever, of `a-z 0-9 - .`: the name of its file, and the left part of its Message-ID, by which a letter
    /// that arrives twice is recognised.
    pub id: String,
    /// From whom.
    pub from: String,
    /// To whom.
    pub to: String,
    /// One line.
    pub subject: String,
    /// Lines of plain text.
    pub text: String,
    /// When it was written.
    pub written: Timestamp,
    /// What gives way first.
    pub urgency: Urgency,
}

/// Longest subject, in characters: longer ones are cut by mail programs anyway.
const LONGEST_SUBJECT: usize = 150;

/// A subject that fits one line of every mail program.
pub fn subject(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match line.char_indices().nth(LONGEST_SUBJECT) {
        None => line,
        Some(_) => line.chars().take(LONGEST_SUBJECT - 3).chain("...".chars()).collect(),
    }
}

impl Letter {
    /// The message as it is sent (RFC 5322), always the same one. The error is for people.
    pub fn message(&self) -> Result<Message, String> {
        let address = |text: &str| {
            let address = text.parse::<Address>();
            address.map_err(|error| format!("{text} is not a mail address: {error}"))
        };
        let (from, to) = (address(&self.from)?, address(&self.to)?);
        let domain = from.domain().to_owned();
        let since_epoch = u64::try_from(self.written.as_second()).unwrap_or(0);
        let written = SystemTime::UNIX_EPOCH + Duration::from_secs(since_epoch);
        Message::builder()
            .from(from.into())
            .to(to.into())
            .subject(subject(&self.subject))
            .date(written)
            .message_id(Some(format!("<{}@{domain}>", self.id)))
            // Keeps holiday notices from answering (RFC 3834 section 5).
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".into(),
            ))
            .header(ContentType::TEXT_PLAIN)
            .body(self.text.clone())
            .map_err(|error| format!("the mail cannot be written: {error}"))
    }
}

#[cfg(test)]
pub(super) fn letter(id: &str, urgency: Urgency) -> Letter {
    Letter {
        id: id.into(),
        from: "lb@h.example".into(),
        to: "pacs@h.example".into(),
        subject: "Server down: N\u{fc}rnberg".into(),
        text: "a\n.\nb\n".into(),
        written: Timestamp::from_second(1_800_000_000).unwrap(),
        urgency,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_letter_is_always_the_same_message() {
        let letter = letter("x-1", Urgency::Alarm);
        let text = String::from_utf8(letter.message().unwrap().formatted()).unwrap();
        assert_eq!(text, String::from_utf8(letter.message().unwrap().formatted()).unwrap());
        for line in [
            "Message-ID: <x-1@h.example>",
            "Auto-Submitted: auto-generated",
            "Date: Fri, 15 Jan 2027 08:00:00 +0000",
            "From: lb@h.example",
            "To: pacs@h.example",
        ] {
            assert!(text.contains(&format!("{line}\r\n")), "{line} is missing in {text}");
        }
        assert!(text.is_ascii(), "every server takes it: {text}");
    }

    #[test]
    fn a_subject_is_one_short_line() {
        assert_eq!(subject("a\r\nBcc: x@y.example"), "a  Bcc: x@y.example");
        assert_eq!(subject(&"x".repeat(200)).chars().count(), LONGEST_SUBJECT);
    }
}
