//! Licences: every component that the appliance ships, and the text of each licence.

use askama::Template;
use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use super::frame::Frame;
use super::{message, page_of};
use crate::licences::{Component, Shipped};
use crate::web::Gateway;
use crate::web::login::encoded;

const PAGE: &str = "/licences";
const TEXT: &str = "/licences/text";
/// Of the components that share a text, so many are named.
const NAMED: usize = 8;

pub(super) fn routes() -> Router<Gateway> {
    Router::new().route(PAGE, get(page)).route(TEXT, get(text))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wish {
    /// Only components that hold this.
    q: String,
}

#[derive(Template)]
#[template(path = "licences.html")]
struct List {
    frame: Frame,
    q: String,
    /// How many there are in all.
    count: usize,
    /// Of the text about the sources.
    sources: String,
    rows: Vec<Row>,
    /// Why there is no list.
    problem: String,
}

struct Row {
    name: String,
    kind: &'static str,
    version: String,
    licence: String,
    /// Address and title of each text.
    texts: Vec<(String, String)>,
}

async fn page(
    State(gateway): State<Gateway>,
    frame: Frame,
    wish: Result<Query<Wish>, QueryRejection>,
) -> Response {
    let Wish { q } = wish.map(|Query(wish)| wish).unwrap_or_default();
    let (sources, components, problem) = match gateway.shipped().await {
        Ok(Shipped { sources, components }) => (address(&sources), components, String::new()),
        Err(problem) => (String::new(), Vec::new(), problem.sentences()),
    };
    let count = components.len();
    page_of(StatusCode::OK, &List { frame, count, sources, rows: chosen(components, &q), q, problem })
}

/// Those whose name, licence or kind holds the text.
fn chosen(components: Vec<Component>, text: &str) -> Vec<Row> {
    let text = text.trim().to_lowercase();
    let rows = components.into_iter().map(|one| Row {
        kind: one.kind.name(),
        name: one.name,
        version: one.version,
        licence: one.licence.unwrap_or_else(|| "see its text".into()),
        texts: one.texts.into_iter().map(|text| (address(&text.file), text.title)).collect(),
    });
    let holds = |row: &Row| {
        [&row.name, &row.licence, row.kind].iter().any(|part| part.to_lowercase().contains(&text))
    };
    rows.filter(holds).collect()
}

fn address(file: &str) -> String {
    format!("{TEXT}?file={}", encoded(file))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    file: String,
}

#[derive(Template)]
#[template(path = "licence.html")]
struct Text {
    frame: Frame,
    title: String,
    /// Whose licence it is.
    of: String,
    text: String,
}

async fn text(
    State(gateway): State<Gateway>,
    frame: Frame,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Response {
    let Wanted { file } = wanted.map(|Query(wanted)| wanted).unwrap_or_default();
    let read = async {
        let shipped = gateway.shipped().await?;
        let text = gateway.licence_text(file.clone()).await?;
        Ok((shipped, text))
    };
    match read.await {
        Ok((shipped, text)) => {
            let (title, of) = heading(&shipped, &file);
            page_of(StatusCode::OK, &Text { frame, title, of, text })
        }
        Err(problem) => message::refused(frame, &problem),
    }
}

/// The title of a text, and the components that have it.
fn heading(shipped: &Shipped, file: &str) -> (String, String) {
    if file == shipped.sources {
        return ("Source code".into(), String::new());
    }
    let title = shipped.with(file).next().map(|(_, title)| title.to_owned()).unwrap_or_default();
    let mut names: Vec<_> =
        shipped.with(file).map(|(one, _)| format!("{} {}", one.name, one.version)).collect();
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    (title, format!("Of {}{more}.", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped() -> Shipped {
        serde_json::from_str(include_str!("../../../../image/fixtures/COMPONENTS.json")).unwrap()
    }

    #[test]
    fn components_are_found_by_name_licence_and_kind() {
        let found = |text: &str| {
            chosen(shipped().components, text).into_iter().map(|row| row.name).collect::<Vec<_>>()
        };
        assert_eq!(found("LINUX"), ["linux-image"]);
        assert_eq!(found(" 0bsd "), ["htmx.org"]);
        assert_eq!(found("debian"), ["linux-image"]);
        assert_eq!((found("").len(), found("nothing").len()), (6, 0));
    }

    #[test]
    fn a_text_is_called_as_its_components_call_it() {
        let mut list = shipped();
        assert_eq!(heading(&list, "SOURCES.txt").0, "Source code");
        let gpl = || ("GPL-2".to_owned(), "Of linux-image 1-1.".to_owned());
        assert_eq!(heading(&list, "common/GPL-2"), gpl());
        list.components = vec![list.components[0].clone(); NAMED + 2];
        assert!(heading(&list, "common/GPL-2").1.ends_with("linux-image 1-1 and 2 more."));
        assert_eq!(address("debian/linux-6+1.txt"), "/licences/text?file=debian/linux-6%2B1.txt");
    }
}
