//! The form that adds a virtual service together with its servers.

use axum::response::Response;
use serde_json::json;

use super::change::{Edited, write_entry};
use super::form::{About, Button, FormPage, Layout, Part};
use super::input::Source;
use super::new_check;
use super::tables::{SERVER_ROW, SERVICE, fields};
use super::typed::{Faults, Rejection, Typed};
use crate::config::document::{RealServerDocument, VirtualServiceDocument};
use crate::config::{Document, Label, Problem};
use crate::web::Published;
use crate::web::pages::frame::Frame;

/// The button that asks for another row.
pub(super) const MORE: &str = "more";
/// Rows to begin with: a pool of two is the usual one.
const ROWS: usize = 2;
/// More are added on the service's own page.
const MOST_ROWS: usize = 16;

fn prefix(row: usize) -> String {
    format!("real_server[{row}].")
}

fn name(row: usize, field: &str) -> String {
    prefix(row) + field
}

fn rows(typed: &Typed) -> usize {
    (0..MOST_ROWS).take_while(|row| typed.get(&name(*row, "address")).is_some()).count()
}

fn is_blank(typed: &Typed, row: usize) -> bool {
    ["label", "address"].iter().all(|field| typed.text(&name(row, field)).is_empty())
}

/// The same with the blank rows last, so that the rows are numbered as the servers will be.
pub(super) fn compacted(typed: &Typed) -> Typed {
    let count = rows(typed);
    let order =
        (0..count).filter(|row| !is_blank(typed, *row)).chain((0..count).filter(|row| is_blank(typed, *row)));
    order.enumerate().fold(typed.clone(), |made, (to, from)| {
        SERVER_ROW
            .iter()
            .fold(made, |made, field| made.with(&name(to, field.path), typed.text(&name(from, field.path))))
    })
}

/// Adds the service that was typed, compacted.
pub(super) fn add(document: &mut Document, typed: &Typed) -> Edited {
    let label = typed.text("label");
    let typed = &new_check::add_if_wanted(document, typed.clone(), label);
    let mut service = blank();
    let mut problems = write_entry(&mut service, fields(SERVICE), typed, "");
    for row in (0..rows(typed)).filter(|row| !is_blank(typed, *row)) {
        let mut server = blank_server();
        problems.extend(write_entry(&mut server, SERVER_ROW, typed, &prefix(row)));
        if server.label.is_empty() {
            server.label = usual_label(label, row);
        }
        service.real_server.push(server);
    }
    if service.real_server.is_empty() {
        problems.push(Problem {
            field: name(0, "address"),
            problem: "no real server is given".into(),
            remedy: "give the address of at least one".into(),
        });
    }
    document.virtual_service.push(service);
    Edited { entry: format!("virtual_service[{}]", document.virtual_service.len() - 1), problems }
}

/// Of a server for which none was typed; a mistake in the service's is not told once more.
fn usual_label(service: &str, row: usize) -> String {
    let node = format!("NODE{}", row + 1);
    let label = format!("{service}_{node}");
    if Label::try_from(label.as_str()).is_ok() { label } else { node }
}

fn blank() -> VirtualServiceDocument {
    serde_json::from_value(json!({"label": "", "addresses": [], "ports": "", "health_check": ""}))
        .expect("the settings that a service must have")
}

/// A server of which nothing is said yet.
pub(super) fn blank_server() -> RealServerDocument {
    serde_json::from_value(json!({"label": "", "address": ""})).expect("the settings that a server must have")
}

/// The form.
pub(super) fn page(
    frame: Frame,
    published: &Published,
    typed: Option<&Typed>,
    rejection: Option<Rejection>,
) -> Response {
    let document = &published.document;
    let mut rejection = rejection.map(|known| new_check::named_by_input(known, document));
    let source = Source {
        entry: &json!({}),
        typed,
        prefix: "",
        references: &new_check::choices(document, true),
        outdated: false,
    };
    let mut parts = new_check::service_parts(source, &mut rejection);
    let mut none = Faults::default();
    let faults = rejection.as_mut().map_or(&mut none, |known| &mut known.faults);
    let servers = server_parts(source, faults);
    // Everything that a service needs comes before what it may have.
    let advanced = parts.iter().position(|part| part.advanced).unwrap_or(parts.len());
    parts.splice(advanced..advanced, servers);
    // Without servers the rules of the configuration say the same once more.
    drop(faults.take("real_server"));
    let about = About {
        title: "Add a virtual service".into(),
        lead: "It takes effect at once: the appliance takes the address and checks the servers.".into(),
        action: "/cluster/services/_new".into(),
        back: "/cluster/services".into(),
        submit: "Add the service",
        ..About::default()
    };
    FormPage::new(frame, about, parts, typed, rejection)
        .answer(document, published.view.configuration_version)
}

fn server_parts(source: Source<'_>, faults: &mut Faults) -> Vec<Part> {
    let shown = source.typed.map_or(ROWS, |typed| rows(typed) + usize::from(typed.get(MORE).is_some()));
    let last = shown.clamp(1, MOST_ROWS) - 1;
    let part = |row: usize| {
        let prefix = prefix(row);
        let source = Source { prefix: &prefix, ..source };
        let more = (row == last && row + 1 < MOST_ROWS).then(|| Button {
            name: MORE,
            value: "1".into(),
            action: String::new(),
            words: "One more server".into(),
        });
        Part {
            title: format!("Real server {}", row + 1),
            layout: Layout::Row,
            inputs: SERVER_ROW.iter().map(|field| field.input(source, faults)).collect(),
            buttons: more.into_iter().collect(),
            ..Part::default()
        }
    };
    (0..=last).map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Format, validate};

    const EXAMPLE: &str = include_str!("../../../../../examples/datalink.toml");

    fn typed() -> Typed {
        Typed::new(&[
            ("label", "PACS"),
            ("addresses", "192.168.10.120"),
            ("ports", "104"),
            ("protocol", "tcp"),
            ("enabled", "on"),
            ("persistence.enabled", "on"),
            ("persistence.timeout_seconds", "300"),
            ("health_check", "+tcp"),
            ("real_server[0].label", ""),
            ("real_server[0].address", ""),
            ("real_server[1].label", ""),
            ("real_server[1].address", "192.168.10.121"),
            ("real_server[1].port", "11112"),
            ("real_server[1].weight", "100"),
        ])
    }

    #[test]
    fn a_service_is_added_with_its_check_and_its_servers() {
        let mut document = Document::parse(EXAMPLE, Format::Toml).unwrap();
        let edited = add(&mut document, &compacted(&typed()));
        assert_eq!((edited.entry.as_str(), edited.problems), ("virtual_service[3]", vec![]));
        let added = document.virtual_service.last().unwrap();
        assert_eq!((added.health_check.as_str(), added.protocol.as_deref()), ("PACS-check", None));
        let server = &added.real_server[0];
        assert_eq!((server.label.as_str(), server.port, server.weight), ("PACS_NODE1", Some(11112), None));
        validate(document).unwrap();
    }

    #[test]
    fn a_service_without_servers_says_so_beside_the_first_address() {
        let mut document = Document::parse(EXAMPLE, Format::Toml).unwrap();
        let edited = add(&mut document, &typed().with("real_server[1].address", ""));
        assert_eq!(edited.problems[0].field, "real_server[0].address");
    }
}
