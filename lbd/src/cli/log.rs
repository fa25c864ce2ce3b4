//! `lbd log`: what lbd, init and the kernel have to say.

use std::time::Duration;

use clap::Args;
use jiff::Timestamp;

use super::client;
use super::failure::CommandError;
use super::print::{Common, encoded};
use crate::log::entry::{Entry, Severity, Source};
use crate::web::LogList;

const EXAMPLES: &str = "Examples:
  lbd log --severity warning                 # the latest warnings and errors
  lbd log --text DATALINK_POOL1 --follow     # and what comes from now on
  lbd log --source kernel --since 2026-11-26T03:00:00Z --json";

/// How often it is asked for what has come.
const FOLLOW_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Log {
    /// Only lines as grave as this or graver
    #[arg(long, value_enum)]
    severity: Option<Severity>,
    /// Only lines of this one
    #[arg(long, value_enum)]
    source: Option<Source>,
    /// Only lines that hold this, however it is capitalised
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// Not older than this moment, such as 2026-11-26T03:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Not newer than this moment
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// So many lines at most, up to 1000
    #[arg(long, value_name = "COUNT", default_value_t = 200)]
    most: u32,
    /// Go on with what comes, until interrupted
    #[arg(long, conflicts_with_all = ["until", "json"])]
    follow: bool,
    #[command(flatten)]
    common: Common,
}

pub(super) fn show(question: &Log) -> Result<(), CommandError> {
    let answer = client::get(&question.common.way, &path(question, question.since.as_deref()))?;
    if question.common.json {
        println!("{answer}");
        return Ok(());
    }
    let mut list = read(&answer)?;
    if let Some(trouble) = &list.trouble {
        eprintln!("{trouble}");
    }
    let mut latest: Vec<Entry> = Vec::new();
    loop {
        let fresh: Vec<_> = list.lines.iter().rev().filter(|entry| !latest.contains(entry)).collect();
        fresh.iter().for_each(|entry| println!("{}", line(entry)));
        if !question.follow {
            return Ok(());
        }
        if !list.lines.is_empty() {
            latest = at_the_last_moment(list.lines);
        }
        std::thread::sleep(FOLLOW_INTERVAL);
        let since = latest.first().map(|entry| entry.time.to_string()).or_else(|| question.since.clone());
        list = read(&client::get(&question.common.way, &path(question, since.as_deref()))?)?;
    }
}

/// Those of the latest moment: more of that moment may come.
fn at_the_last_moment(lines: Vec<Entry>) -> Vec<Entry> {
    let last: Option<Timestamp> = lines.first().map(|entry| entry.time);
    lines.into_iter().filter(|entry| Some(entry.time) == last).collect()
}

fn read(answer: &str) -> Result<LogList, CommandError> {
    serde_json::from_str(answer).map_err(CommandError::not_understood)
}

fn path(question: &Log, since: Option<&str>) -> String {
    let given = [
        ("severity", question.severity.map(|severity| severity.to_string())),
        ("source", question.source.map(|source| source.to_string())),
        ("text", question.text.clone()),
        ("since", since.map(str::to_owned)),
        ("until", question.until.clone()),
        ("most", Some(question.most.to_string())),
    ];
    let pairs = given.iter().filter_map(|(name, value)| Some(format!("{name}={}", encoded(value.as_ref()?))));
    format!("/api/v1/log?{}", pairs.collect::<Vec<_>>().join("&"))
}

fn line(entry: &Entry) -> String {
    format!("{:.3} {:<7} {:<6} {}", entry.time, entry.severity.name(), entry.source.name(), entry.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_columns() {
        let entry = Entry::new(Timestamp::UNIX_EPOCH, Severity::Error, Source::Kernel, "Out of memory");
        assert_eq!(line(&entry), "1970-01-01T00:00:00.000Z error   kernel Out of memory");
    }

    #[test]
    fn only_the_latest_moment_is_kept() {
        let at = |second, text: &str| {
            Entry::new(Timestamp::from_second(second).unwrap(), Severity::Info, Source::Lbd, text)
        };
        let kept = at_the_last_moment(vec![at(2, "c"), at(2, "b"), at(1, "a")]);
        assert_eq!(kept.iter().map(|entry| entry.text.as_str()).collect::<Vec<_>>(), ["c", "b"]);
    }
}
