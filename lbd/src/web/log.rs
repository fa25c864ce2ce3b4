//! The log over the API: the newest lines that are wanted, and every line as it comes.

use std::convert::Infallible;
use std::sync::{Arc, LazyLock};

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Duration, Instant, timeout_at};

use super::api::{Operation, ProblemDocument};
use super::{Gateway, Role};
use crate::config::values::quoted;
use crate::log::entry::Entry;
use crate::log::journal::Journal;
use crate::log::wanted::{MOST_LINES, Wanted};

/// Questions that look through the files at the same time: each may take a tenth of a second of a processor.
const READS: usize = 2;
/// Streams at the same time.
const STREAMS: usize = 16;
/// Then the client asks anew, by itself: with a session that has ended meanwhile it gets no further.
const LONGEST_STREAM: Duration = Duration::from_secs(100);
/// Lines where nobody says how many.
const USUAL: usize = 200;

/// Lines of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LogList {
    /// The newest first.
    pub lines: Vec<Entry>,
    /// There are more that are older.
    pub is_cut: bool,
    /// Why the disk lacks lines, in a sentence; null where it does not.
    pub trouble: Option<String>,
}

/// `/api/v1/log` and what is below it.
pub(super) fn operations() -> Vec<Operation> {
    let wanted = |operation: Operation| {
        operation
            .least(Role::Administrator)
            .query("severity", false, "only lines as grave as this or graver: emergency, alert, critical, error, warning, notice, info or debug")
            .query("source", false, "only lines of lbd, init or kernel")
            .query("text", false, "only lines that hold this, however it is capitalised")
            .fails(&[503])
    };
    vec![
        wanted(Operation::read(
            "/api/v1/log",
            "What lbd, init and the kernel have to say, the newest first",
            get(list),
        ))
        .gives::<LogList>()
        .query("since", false, "not older than this moment (RFC 3339)")
        .query("until", false, "not newer than this moment (RFC 3339)")
        .query("most", true, "so many lines at most: 1 to 1000, usually 200"),
        wanted(Operation::read(
            "/api/v1/log/events",
            "Every line of the log as it comes, as server-sent events named \"line\"",
            get(events),
        ))
        .gives_text("text/event-stream"),
    ]
}

/// What the question says; everything in it is text, so that each mistake can be named.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    severity: Option<String>,
    source: Option<String>,
    text: Option<String>,
    since: Option<String>,
    until: Option<String>,
    most: Option<String>,
}

impl Question {
    fn wanted(self) -> Result<Wanted, ProblemDocument> {
        let usual = Wanted::default();
        let moment = "a moment such as 2026-11-26T03:00:00Z";
        let most = parsed("most", self.most, &format!("a number from 1 to {MOST_LINES}"))?.unwrap_or(USUAL);
        if !(1..=MOST_LINES).contains(&most) {
            return Err(wrong(format!("most={most} is out of range: give a number from 1 to {MOST_LINES}")));
        }
        Ok(Wanted {
            severity: parsed(
                "severity",
                self.severity,
                "emergency, alert, critical, error, warning, notice, info or debug",
            )?
            .unwrap_or(usual.severity),
            source: parsed("source", self.source, "lbd, init or kernel")?,
            text: self.text.unwrap_or_default(),
            since: parsed::<Timestamp>("since", self.since, moment)?,
            until: parsed::<Timestamp>("until", self.until, moment)?,
            most,
        })
    }
}

fn parsed<T: std::str::FromStr>(
    name: &str,
    text: Option<String>,
    remedy: &str,
) -> Result<Option<T>, ProblemDocument> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    text.parse()
        .map(Some)
        .map_err(|_| wrong(format!("{name} {} is not understood: give {remedy}", quoted(&text))))
}

fn understood(question: Result<Query<Question>, QueryRejection>) -> Result<Wanted, ProblemDocument> {
    let question = question.map(|Query(question)| question).map_err(|rejection| {
        wrong(format!("{}; use severity, source, text, since, until and most", rejection.body_text()))
    });
    question?.wanted()
}

async fn list(
    State(gateway): State<Gateway>,
    question: Result<Query<Question>, QueryRejection>,
) -> Result<Json<LogList>, ProblemDocument> {
    lines(gateway.journal(), understood(question)?).await.map(Json)
}

/// What is wanted, for API and pages alike. Where the disk cannot be read it is what memory has.
pub(super) async fn lines(journal: &Journal, wanted: Wanted) -> Result<LogList, ProblemDocument> {
    static ROOM: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(READS));
    let place = ROOM.acquire().await.map_err(|_| busy("the log is not read any more"))?;
    let (reader, asked) = (journal.clone(), wanted.clone());
    let read = tokio::task::spawn_blocking(move || reader.read(&asked)).await;
    drop(place);
    match read.map_err(std::io::Error::other).flatten() {
        Ok((lines, is_cut)) => Ok(LogList { lines, is_cut, trouble: journal.trouble() }),
        Err(error) => {
            let recent = journal.recent().into_iter().rev().filter(|entry| wanted.matches(entry));
            let why =
                format!("The log on disk cannot be read ({error}): these are the latest lines, from memory");
            Ok(LogList { lines: recent.take(wanted.most).collect(), is_cut: true, trouble: Some(why) })
        }
    }
}

/// A stream that is under way.
struct Listener {
    entries: broadcast::Receiver<Entry>,
    wanted: Wanted,
    until: Instant,
    _place: OwnedSemaphorePermit,
}

async fn events(
    State(gateway): State<Gateway>,
    question: Result<Query<Question>, QueryRejection>,
) -> Result<Response, ProblemDocument> {
    static ROOM: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(STREAMS)));
    let wanted = understood(question)?;
    let place = Arc::clone(&ROOM).try_acquire_owned();
    let place =
        place.map_err(|_| busy("too many follow the log already; close some, or ask for /api/v1/log"))?;
    let (entries, until) = (gateway.journal().follow(), Instant::now() + LONGEST_STREAM);
    let listener = Listener { entries, wanted, until, _place: place };
    let events = stream::unfold(listener, next_line);
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

/// `None` ends the stream.
async fn next_line(mut listener: Listener) -> Option<(Result<Event, Infallible>, Listener)> {
    loop {
        let event = match timeout_at(listener.until, listener.entries.recv()).await.ok()? {
            Ok(entry) if !listener.wanted.matches(&entry) => continue,
            Ok(entry) => Event::default().event("line").json_data(&entry).ok()?,
            Err(RecvError::Lagged(missed)) => Event::default().event("missed").data(missed.to_string()),
            Err(RecvError::Closed) => return None,
        };
        return Some((Ok(event), listener));
    }
}

fn wrong(detail: impl Into<String>) -> ProblemDocument {
    ProblemDocument::new(StatusCode::BAD_REQUEST, "The question about the log is not understood", detail)
}

fn busy(why: &str) -> ProblemDocument {
    let detail = format!("The log is not followed: {why}.");
    ProblemDocument::new(StatusCode::SERVICE_UNAVAILABLE, "Too many streams at once", detail).retry_after(10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::entry::{Severity, Source};

    #[test]
    fn each_mistake_in_a_question_is_named() {
        let question = |severity: &str, most: &str| Question {
            severity: Some(severity.into()),
            source: Some("kernel".into()),
            most: Some(most.into()),
            ..Question::default()
        };
        let wanted = question("warning", "7").wanted().unwrap_or_default();
        assert_eq!(
            (wanted.severity, wanted.source, wanted.most),
            (Severity::Warning, Some(Source::Kernel), 7)
        );
        for (wrong, named) in
            [(question("loud", "7"), "severity"), (question("", "0"), "most"), (question("", "x"), "most")]
        {
            let problem = wrong.wanted().unwrap_err();
            assert!(format!("{problem:?}").contains(named), "{problem:?}");
        }
        let since = Question { since: Some("yesterday".into()), ..Question::default() };
        assert!(format!("{:?}", since.wanted().unwrap_err()).contains("2026-11-26T03:00:00Z"));
    }
}
