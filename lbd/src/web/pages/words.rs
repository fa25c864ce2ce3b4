//! How the pages say states, times and numbers.

use jiff::{Timestamp, Unit};

use crate::clock::zone;
use crate::config::Problem;
use crate::view::{FallbackServerView, ServerState, ServerView, ServiceState};

/// How a state is shown: the class gives colour and icon, the word says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Badge {
    /// Of the style sheet.
    pub(super) class: &'static str,
    /// For people.
    pub(super) word: &'static str,
}

/// Nothing is known yet.
pub(super) const CHECKING: Badge = Badge { class: "checking", word: "checking" };

/// Of a service, or of all of them.
pub(super) fn service_badge(state: ServiceState) -> Badge {
    let (class, word) = match state {
        ServiceState::Up => ("up", "up"),
        ServiceState::Checking => ("checking", "checking"),
        ServiceState::Degraded => ("degraded", "degraded"),
        ServiceState::Down => ("down", "down"),
        ServiceState::Off => ("off", "off"),
    };
    Badge { class, word }
}

/// Of a real server. Nobody has drained one that is full; one that still has connections is not yet drained.
pub(super) fn server_badge(server: &ServerView) -> Badge {
    let (class, word) = match server.state {
        _ if server.full => ("drained", "full"),
        ServerState::Up => ("up", "up"),
        ServerState::Checking => ("checking", "checking"),
        ServerState::Down => ("down", "down"),
        ServerState::Drained if server.traffic.connections_now > Some(0) => ("drained", "draining"),
        ServerState::Drained => ("drained", "drained"),
        ServerState::Halted => ("off", "halted"),
        ServerState::Off => ("off", "off"),
    };
    Badge { class, word }
}

/// Of a fallback server, whom nobody checks.
pub(super) fn fallback_badge(server: &FallbackServerView) -> Badge {
    match server.serving {
        true => Badge { class: "fallback", word: "serving" },
        false => Badge { class: "off", word: "waiting" },
    }
}

/// Date and time, to the second, in the zone of the configuration.
pub(in crate::web) fn time(instant: Timestamp) -> String {
    zone::time(instant, &zone::of_request())
}

/// A length of time as people say it: its two largest units.
pub fn ago(since: Timestamp, now: Timestamp) -> String {
    duration(now.since((Unit::Second, since)).map_or(0, |span| span.get_seconds()))
}

/// The same of so many seconds.
pub(crate) fn duration(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// A count with its digits in groups of three.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let first = digits.len() % 3;
    let (head, tail) = digits.split_at(first);
    let groups = tail.as_bytes().chunks(3).map(|chunk| String::from_utf8_lossy(chunk).into_owned());
    let head = (!head.is_empty()).then(|| head.to_owned());
    head.into_iter().chain(groups).collect::<Vec<_>>().join("\u{202f}")
}

/// A number of bytes in its largest decimal unit (IEC 80000-13).
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{count} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// A number of bytes a second in bits, as networks are measured, in their largest decimal unit.
pub(super) fn bit_rate(bytes_per_second: f64) -> String {
    const UNITS: [&str; 4] = ["bit/s", "kbit/s", "Mbit/s", "Gbit/s"];
    let mut value = bytes_per_second.max(0.0) * 8.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && value < 9.95);
    format!("{value:.digits$} {}", UNITS[unit])
}

/// What is wrong and what to do about it, to stand beside its field.
pub(in crate::web) fn sentence(problem: &Problem) -> String {
    let text = format!("{}; {}.", problem.problem, problem.remedy);
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// `1 service`, `2 services`.
pub(super) fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_told_in_two_units() {
        let start = Timestamp::UNIX_EPOCH;
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (61, "1 min 1 s"),
            (3_660, "1 h 1 min"),
            (90_000, "1 d 1 h"),
            (-5, "0 s"),
        ] {
            assert_eq!(ago(start, Timestamp::from_second(seconds).unwrap()), text);
        }
    }

    #[test]
    fn bytes_have_their_unit() {
        for (count, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_500, "1.5 kB"),
            (999_960, "1.0 MB"),
            (7_000_000_000_000_000, "7000.0 TB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }

    #[test]
    fn rates_are_told_in_bits() {
        for (rate, text) in [
            (0.0, "0 bit/s"),
            (100.0, "800 bit/s"),
            (125.0, "1.0 kbit/s"),
            (12_500.0, "100 kbit/s"),
            (1_250_000.0, "10 Mbit/s"),
            (3e12, "24000 Gbit/s"),
        ] {
            assert_eq!(bit_rate(rate), text);
        }
    }

    #[test]
    fn large_counts_are_grouped() {
        for (count, text) in [(0, "0"), (999, "999"), (1_000, "1 000"), (1_234_567, "1 234 567")] {
            assert_eq!(grouped(count).replace('\u{202f}', " "), text);
        }
    }
}
