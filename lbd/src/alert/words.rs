//! Notices in words: for a mail, and in a line for logs. Pure.

use std::fmt::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::topic::{Kind, Notice, Severity, Topic};
use crate::config::alerting::Subjects;
use crate::web::pages::duration;

/// Notices that are told in full; of more people read one line each.
const IN_FULL: usize = 20;
/// Lines of further ones.
const MOST_LINES: usize = 500;

/// Who speaks.
#[derive(Debug, Clone)]
pub struct Speaker<'a> {
    /// Name of the appliance.
    pub host_name: &'a str,
    /// Where its WebUI is.
    pub url: &'a str,
    /// How subjects are worded.
    pub subjects: Subjects,
    /// In which times are told.
    pub zone: &'a TimeZone,
}

/// One notice in a line, without its details: `NODE1 of POOL (192.0.2.1:2001) is down`.
pub fn line(notice: &Notice) -> String {
    let trouble = &notice.trouble;
    let name = &trouble.name;
    match notice.kind {
        Kind::Began => format!("{name} {}", trouble.state),
        Kind::Flaps => format!("{name} flaps: {}", often(notice)),
        Kind::Lasts => format!("{name} still {}, for {}", trouble.state, duration(notice.seconds)),
        Kind::Ended if notice.times >= super::episode::FLAPS => {
            format!("{name} {} and steady; it flapped: {}", trouble.over, often(notice))
        }
        Kind::Ended => format!("{name} {} after {}", trouble.over, duration(notice.seconds)),
        Kind::Withdrawn => format!("{name} is not watched any more: {}", notice.now),
        Kind::Happened if notice.times > 1 => {
            format!("{name} {}, {} times more", trouble.state, notice.times)
        }
        Kind::Happened => format!("{name} {}", trouble.state),
    }
}

/// `it failed 100 times within 59 s`.
fn often(notice: &Notice) -> String {
    format!("it failed {} times within {}", notice.times, duration(notice.span_seconds.max(1)))
}

/// A mail about these notices, which are in their order: subject and text.
pub fn mail(notices: &[Notice], at: Timestamp, speaker: &Speaker<'_>) -> (String, String) {
    (subject(notices, speaker), text(notices, at, speaker))
}

fn subject(notices: &[Notice], speaker: &Speaker<'_>) -> String {
    if speaker.subjects == Subjects::Ldirectord
        && let Some(subject) = ldirectord_subject(notices)
    {
        return subject;
    }
    let Some(first) = notices.first() else { return String::new() };
    let word = match (first.kind, first.trouble.severity) {
        (Kind::Ended, _) => "OK",
        (Kind::Withdrawn, _) => "Not watched",
        (Kind::Lasts, _) => "Reminder",
        (_, Severity::Critical) => "CRITICAL",
        (_, Severity::Warning) => "Warning",
        (_, Severity::Information) => "Information",
    };
    let more = match notices.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("[{}] {word}: {}{more}", speaker.host_name, line(first))
}

/// As ldirectord words it: `Deleted real server: ADDRESS:PORT (VIP)`, `Added real server: ...`.
fn ldirectord(notice: &Notice) -> Option<String> {
    let word = match notice.kind {
        Kind::Began | Kind::Flaps | Kind::Lasts => "Deleted",
        Kind::Ended => "Added",
        Kind::Withdrawn | Kind::Happened => return None,
    };
    let place = notice.trouble.place.as_ref()?;
    Some(format!("{word} real server: {} ({})", place.server, place.service))
}

fn ldirectord_subject(notices: &[Notice]) -> Option<String> {
    let mut lines = notices.iter().filter_map(ldirectord);
    let first = lines.next()?;
    Some(match lines.count() {
        0 => first,
        more => format!("{first} and {more} more"),
    })
}

fn text(notices: &[Notice], at: Timestamp, speaker: &Speaker<'_>) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    for notice in notices.iter().take(IN_FULL) {
        let _ = writeln!(text, "{}\n{}", line(notice), details(notice, speaker));
    }
    let further = notices.get(IN_FULL..).unwrap_or_default();
    if !further.is_empty() {
        let _ = writeln!(text, "Also:");
        for notice in further.iter().take(MOST_LINES) {
            let _ = writeln!(text, "- {}", line(notice));
        }
        if further.len() > MOST_LINES {
            let _ = writeln!(text, "- and {} more", further.len() - MOST_LINES);
        }
        text.push('\n');
    }
    if speaker.subjects == Subjects::Ldirectord {
        for line in notices.iter().take(MOST_LINES).filter_map(ldirectord) {
            let _ = writeln!(text, "{line}");
        }
        text.push('\n');
    }
    let Speaker { host_name, url, .. } = speaker;
    let _ = writeln!(text, "Told by {host_name} at {}. How it is now: {url}", time(at, speaker));
    text
}

/// What a person needs to know, an item a line.
fn details(notice: &Notice, speaker: &Speaker<'_>) -> String {
    let trouble = &notice.trouble;
    let since = match (notice.kind, notice.until) {
        (Kind::Ended, Some(until)) => format!("{} to {}", time(notice.since, speaker), time(until, speaker)),
        _ => time(notice.since, speaker),
    };
    let is_over = matches!(notice.kind, Kind::Ended | Kind::Withdrawn);
    let (why, effect, look_at) = match is_over {
        true => ("Why it was", "Now", String::new()),
        false => ("Why", "Effect", trouble.look_at.clone()),
    };
    let effect_words = if is_over { notice.now.clone() } else { trouble.effect.clone() };
    let when = match notice.kind {
        Kind::Happened => "When",
        Kind::Ended => "From",
        _ => "Since",
    };
    let items = [
        (when, since),
        (why, trouble.why.clone()),
        (effect, if notice.kind == Kind::Withdrawn { String::new() } else { effect_words }),
        ("Look at", look_at),
    ];
    let mut text = String::new();
    for (name, words) in items.into_iter().filter(|(_, words)| !words.is_empty()) {
        let _ = writeln!(text, "  {:<12}{words}", format!("{name}:"));
    }
    text
}

fn time(instant: Timestamp, speaker: &Speaker<'_>) -> String {
    crate::clock::zone::time(instant, speaker.zone)
}

/// What another notice of the same message says already: that a service is not whole, where it is down as well.
pub fn is_said_by_others(notice: &Notice, all: &[Notice]) -> bool {
    let Topic::ServiceDegraded { service } = &notice.topic else { return false };
    all.iter().any(|other| {
        let is_of_service = other.topic.service() == Some(service);
        let says_more = matches!(other.topic, Topic::ServiceDown { .. } | Topic::Server { .. });
        is_of_service && says_more && other.kind == notice.kind
    })
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
