//! The audit log: who did what, from where.

use askama::Template;
use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use super::frame::Frame;
use super::words::time;
use super::{message, page_of};
use crate::audit::{Entry, MOST_ENTRIES};
use crate::web::Gateway;
use crate::web::api::ProblemDocument;

/// Where it is, for administrators.
pub(in crate::web) const PAGE: &str = "/audit";
/// What fits a page that opens at once; the API gives more.
const SHOWN: usize = 200;

pub(super) fn routes() -> Router<Gateway> {
    Router::new().route(PAGE, get(page))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wish {
    /// Only lines that hold this.
    q: String,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct Log {
    frame: Frame,
    q: String,
    rows: Vec<Row>,
    /// There are more.
    is_cut: bool,
}

struct Row {
    time: String,
    user: String,
    from: String,
    what: String,
}

async fn page(
    State(gateway): State<Gateway>,
    frame: Frame,
    wish: Result<Query<Wish>, QueryRejection>,
) -> Response {
    let Wish { q } = wish.map(|Query(wish)| wish).unwrap_or_default();
    let audit = gateway.access().audit().clone();
    let read = tokio::task::spawn_blocking(move || audit.read(MOST_ENTRIES)).await;
    match read.map_err(std::io::Error::other).flatten() {
        Ok(entries) => {
            let (rows, is_cut) = chosen(entries, &q);
            page_of(StatusCode::OK, &Log { frame, q, rows, is_cut })
        }
        Err(error) => {
            let why = format!("the audit log cannot be read: {error}");
            message::refused(frame, &ProblemDocument::of_disk(&why))
        }
    }
}

/// The lines that hold the text, as many as are shown, and whether there are more.
fn chosen(entries: Vec<Entry>, text: &str) -> (Vec<Row>, bool) {
    let text = text.trim().to_lowercase();
    let rows = entries.into_iter().map(|entry| Row {
        time: time(entry.time),
        user: entry.by.user,
        from: entry.by.from,
        what: entry.what,
    });
    let holds = |row: &Row| {
        [&row.time, &row.user, &row.from, &row.what].iter().any(|part| part.to_lowercase().contains(&text))
    };
    let mut rows: Vec<_> = rows.filter(holds).take(SHOWN + 1).collect();
    let is_cut = rows.len() > SHOWN;
    rows.truncate(SHOWN);
    (rows, is_cut)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::store::Author;

    #[test]
    fn lines_are_found_by_whatever_they_hold() {
        let entry = |user: &str, what: &str| Entry {
            time: Timestamp::UNIX_EPOCH,
            by: Author { user: user.into(), from: "192.0.2.1".into() },
            what: what.into(),
        };
        let entries = vec![entry("ann", "weight of NODE1 100 -> 50"), entry("bob", "logged in")];
        let found = |text: &str| {
            let (rows, _) = chosen(entries.clone(), text);
            rows.into_iter().map(|row| row.user).collect::<Vec<_>>()
        };
        assert_eq!(found("node1"), ["ann"]);
        assert_eq!(found(" BOB "), ["bob"]);
        assert_eq!((found(""), found("192.0.2").len()), (vec!["ann".to_owned(), "bob".to_owned()], 2));
        assert!(chosen(vec![entry("ann", "x"); SHOWN + 1], "").1);
    }
}
