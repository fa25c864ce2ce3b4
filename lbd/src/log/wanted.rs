//! Which lines of the log somebody wants.

use jiff::Timestamp;

use super::entry::{Entry, Severity, Source};

/// The most that is given at once.
pub const MOST_LINES: usize = 1000;

/// Which lines are wanted; the newest of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// As grave as this, or graver.
    pub severity: Severity,
    /// From this source only.
    pub source: Option<Source>,
    /// With this in their text, however it is capitalised.
    pub text: String,
    /// Not older.
    pub since: Option<Timestamp>,
    /// Not newer.
    pub until: Option<Timestamp>,
    /// So many at most.
    pub most: usize,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            severity: Severity::Debug,
            source: None,
            text: String::new(),
            since: None,
            until: None,
            most: MOST_LINES,
        }
    }
}

impl Wanted {
    /// Whether this is one.
    pub fn matches(&self, entry: &Entry) -> bool {
        entry.severity <= self.severity
            && self.source.is_none_or(|source| source == entry.source)
            && self.since.is_none_or(|since| entry.time >= since)
            && self.until.is_none_or(|until| entry.time <= until)
            && (self.text.is_empty() || entry.text.to_lowercase().contains(&self.text.to_lowercase()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_condition_counts() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let entry = Entry::new(at(100), Severity::Warning, Source::Kernel, "Out of Memory");
        let all = Wanted::default();
        assert!(all.matches(&entry));
        for wanted in [
            Wanted { severity: Severity::Error, ..all.clone() },
            Wanted { source: Some(Source::Lbd), ..all.clone() },
            Wanted { text: "disk".into(), ..all.clone() },
            Wanted { since: Some(at(101)), ..all.clone() },
            Wanted { until: Some(at(99)), ..all.clone() },
        ] {
            assert!(!wanted.matches(&entry), "{wanted:?}");
        }
        let text = "out OF".to_owned();
        let close =
            Wanted { severity: Severity::Warning, text, since: Some(at(100)), until: Some(at(100)), ..all };
        assert!(close.matches(&entry));
    }
}
