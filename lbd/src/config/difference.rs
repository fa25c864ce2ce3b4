//! What distinguishes two configurations, in words for people. Pure.
//!
//! It works on the documents' own fields, so that a setting that is added later is compared from the first day:
//! entries of a list are matched by their label (or name), everything else by its place.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Map, Value};

use super::Document;

/// One sentence a difference, in the order of the documents; empty exactly when they are equal.
///
/// For example `DATALINK_POOL1: weight of NODE1 100 -> 50` or `virtual service X removed`.
pub fn difference(old: &Document, new: &Document) -> Vec<String> {
    let value = |document| serde_json::to_value(document).unwrap_or_default();
    let mut words = Words::default();
    words.values(&Place::default(), &value(old), &value(new));
    words.lines
}

/// The first few sentences as one, for logs: at most `most`, then how many more there are.
pub fn summary(lines: &[String], most: usize) -> String {
    let mut text = lines.iter().take(most).cloned().collect::<Vec<_>>().join("; ");
    if lines.len() > most {
        // Writing to a String cannot fail.
        let _ = write!(text, "; and {} more", lines.len() - most);
    }
    text
}

/// Where in the document: the entry that stands before the colon, and what of it.
#[derive(Clone, Default)]
struct Place {
    /// For example `DATALINK_POOL1` or `health check Y`.
    entry: String,
    /// For example `persistence timeout`.
    field: String,
    /// For example `NODE1`, an entry within the entry.
    of: String,
    /// The unit of the field's numbers.
    unit: &'static str,
}

impl Place {
    fn below(&self, key: &str) -> Self {
        let units = [("_seconds", " s"), ("_milliseconds", " ms")];
        let named = units.into_iter().find_map(|(suffix, unit)| Some((key.strip_suffix(suffix)?, unit)));
        let (name, unit) = named.unwrap_or((key, ""));
        let name = name.replace('_', " ");
        let field = if self.field.is_empty() { name } else { format!("{} {name}", self.field) };
        Self { field, unit, ..self.clone() }
    }

    /// An entry of a list that stands here.
    fn entry(&self, label: &str) -> Self {
        let kind = self.kind();
        if !self.entry.is_empty() {
            return Self { field: String::new(), of: label.to_owned(), ..self.clone() };
        }
        // A virtual service is what people talk about most: its label is enough.
        let entry = if kind == "virtual service" { label.to_owned() } else { format!("{kind} {label}") };
        Self { entry, ..Self::default() }
    }

    /// What an entry of this list is called.
    fn kind(&self) -> String {
        self.field.clone()
    }

    fn line(&self, what: &str) -> String {
        let mut text = String::new();
        if !self.entry.is_empty() {
            text = format!("{}: ", self.entry);
        }
        text += &self.field;
        if !self.of.is_empty() {
            let _ = write!(text, " of {}", self.of);
        }
        format!("{text} {what}")
    }

    /// An entry that came or went: `virtual service X removed`, `DATALINK_POOL1: real server NODE1 added`.
    fn whole(&self, label: &str, what: &str) -> String {
        let list = if self.entry.is_empty() { String::new() } else { format!("{}: ", self.entry) };
        let of = if self.of.is_empty() { String::new() } else { format!(" of {}", self.of) };
        format!("{list}{} {label}{of} {what}", self.kind())
    }
}

/// A longer text, or one of several lines, is told by its beginning.
const LONGEST_TEXT: usize = 200;
const SHOWN_OF_TEXT: usize = 30;

#[derive(Default)]
struct Words {
    lines: Vec<String>,
}

impl Words {
    fn values(&mut self, place: &Place, old: &Value, new: &Value) {
        if old == new {
            return;
        }
        match (old, new) {
            (Value::Object(old), Value::Object(new)) => self.objects(place, old, new),
            (Value::Object(old), Value::Null) => self.objects(place, old, &Map::new()),
            (Value::Null, Value::Object(new)) => self.objects(place, &Map::new(), new),
            (Value::Array(old), Value::Array(new)) => self.lists(place, old, new),
            (Value::Array(old), Value::Null) => self.lists(place, old, &[]),
            (Value::Null, Value::Array(new)) => self.lists(place, &[], new),
            _ => {
                let what = format!("{} -> {}", shown(old, place.unit), shown(new, place.unit));
                self.lines.push(place.line(&what));
            }
        }
    }

    fn objects(&mut self, place: &Place, old: &Map<String, Value>, new: &Map<String, Value>) {
        let before = self.lines.len();
        let mut keys: Vec<_> = old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))).collect();
        // The parts of an entry before its own entries: what is said first is what people look for.
        keys.sort_by_key(|key| old.get(*key).or(new.get(*key)).is_some_and(Value::is_array));
        for key in keys {
            let get = |map: &Map<String, Value>| map.get(key).cloned().unwrap_or_default();
            self.values(&place.below(key), &get(old), &get(new));
        }
        if self.lines.len() == before {
            // An empty table differs from none at all.
            let what = if old.is_empty() { "section added" } else { "section removed" };
            self.lines.push(place.line(what));
        }
    }

    fn lists(&mut self, place: &Place, old: &[Value], new: &[Value]) {
        let (Some(old_labels), Some(new_labels)) = (labelled(old), labelled(new)) else {
            return self.plain_lists(place, old, new);
        };
        let position = |labels: &[&str]| -> BTreeMap<String, usize> {
            labels.iter().enumerate().map(|(index, label)| ((*label).to_owned(), index)).collect()
        };
        let (old_at, new_at) = (position(&old_labels), position(&new_labels));
        for (label, value) in old_labels.iter().zip(old) {
            match new_at.get(*label) {
                Some(index) => self.values(&place.entry(label), value, &new[*index]),
                None => self.lines.push(place.whole(label, "removed")),
            }
        }
        for label in new_labels.iter().filter(|label| !old_at.contains_key(**label)) {
            self.lines.push(place.whole(label, "added"));
        }
        let kept_old = old_labels.iter().filter(|label| new_at.contains_key(**label));
        let kept_new = new_labels.iter().filter(|label| old_at.contains_key(**label));
        // New entries may stand anywhere; where they stand is part of the document.
        let added_last = new_labels.iter().skip_while(|label| old_at.contains_key(**label));
        let added_last = added_last.clone().all(|label| !old_at.contains_key(*label));
        if !kept_old.eq(kept_new) || !added_last && self.lines.is_empty() {
            self.lines.push(place.line("order changed"));
        }
    }

    /// Lists without labels are told whole where they are short, else entry by entry.
    fn plain_lists(&mut self, place: &Place, old: &[Value], new: &[Value]) {
        if old.iter().chain(new).all(|value| !value.is_object() && !value.is_array()) {
            let text = |list: &[Value]| {
                let entries: Vec<_> = list.iter().map(|value| shown(value, place.unit)).collect();
                if entries.is_empty() { "none".to_owned() } else { entries.join(", ") }
            };
            return self.lines.push(place.line(&format!("{} -> {}", text(old), text(new))));
        }
        for index in 0..old.len().max(new.len()) {
            let nth = format!("number {}", index + 1);
            match (old.get(index), new.get(index)) {
                (Some(old), Some(new)) => self.values(&place.entry(&nth), old, new),
                (Some(_), None) => self.lines.push(place.whole(&nth, "removed")),
                _ => self.lines.push(place.whole(&nth, "added")),
            }
        }
    }
}

/// The labels of a list whose entries all have one, each its own.
fn labelled(list: &[Value]) -> Option<Vec<&str>> {
    let labels: Vec<_> = list.iter().filter_map(label).collect();
    (labels.len() == list.len()).then_some(())?;
    let mut sorted = labels.clone();
    sorted.sort_unstable();
    sorted.windows(2).all(|pair| pair[0] != pair[1]).then_some(labels)
}

/// What an entry is called by; a pin by its client, a route by its destination.
fn label(value: &Value) -> Option<&str> {
    ["label", "name", "client", "destination"].into_iter().find_map(|key| value.get(key))?.as_str()
}

fn shown(value: &Value, unit: &str) -> String {
    match value {
        Value::Null => "(default)".into(),
        Value::Bool(true) => "on".into(),
        Value::Bool(false) => "off".into(),
        Value::String(text) if text.is_empty() => "\"\"".into(),
        Value::String(text) if text.len() > LONGEST_TEXT || text.contains('\n') => {
            let start: String = text.chars().filter(|c| !c.is_control()).take(SHOWN_OF_TEXT).collect();
            format!("a text of {} characters ({start}...)", text.chars().count())
        }
        Value::String(text) => text.clone(),
        Value::Number(number) => format!("{number}{unit}"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::Format;

    const EXAMPLE: &str = include_str!("../../../examples/datalink.toml");

    fn document(text: &str) -> Document {
        Document::parse(text, Format::Toml).unwrap()
    }

    fn after(old: &str, new: &str) -> Vec<String> {
        assert!(EXAMPLE.contains(old), "{old}");
        difference(&document(EXAMPLE), &document(&EXAMPLE.replacen(old, new, 1)))
    }

    #[test]
    fn each_kind_of_difference_reads_as_people_say_it() {
        assert_eq!(
            after("weight = 100", "weight = 50"),
            ["DATALINK_POOL1: weight of DATALINK_POOL1_NODE1 100 -> 50"]
        );
        assert_eq!(after("https_port = 9443", "https_port = 9444"), ["management https port 9443 -> 9444"]);
        let mut without = document(EXAMPLE);
        let gone = without.virtual_service.remove(1);
        assert_eq!(difference(&document(EXAMPLE), &without), ["virtual service DATALINK_POOL2 removed"]);
        assert_eq!(difference(&without, &document(EXAMPLE)), ["virtual service DATALINK_POOL2 added"]);
        without.virtual_service.push(gone);
        assert_eq!(difference(&document(EXAMPLE), &without), ["virtual service order changed"]);
        let mut other = document(EXAMPLE);
        other.health_check[0].interval_seconds = Some(10);
        other.virtual_service[0].real_server.pop();
        let told = difference(&document(EXAMPLE), &other);
        assert!(told[0].starts_with("health check ") && told[0].ends_with(" -> 10 s"), "{told:?}");
        assert_eq!(told[1], "DATALINK_POOL1: real server DATALINK_POOL1_NODE2 removed");
    }

    #[test]
    fn settings_that_come_are_told_with_their_units_and_lists_without_brackets() {
        for (new, told) in [
            ("fallback_server = \"192.168.10.120\"", "fallback server (default) -> 192.168.10.120"),
            ("idle_timeout_seconds = 900", "idle timeout (default) -> 900 s"),
            (
                "snat_pool = [\"10.0.0.1-10.0.0.4\", \"10.0.0.9\"]",
                "snat pool none -> 10.0.0.1-10.0.0.4, 10.0.0.9",
            ),
        ] {
            let text = format!("{new}\nports = \"2001\"");
            assert_eq!(after("ports = \"2001\"", &text), [format!("DATALINK_POOL1: {told}")]);
        }
    }

    #[test]
    fn a_pin_is_called_by_its_client() {
        let with = |server: &str| {
            let pin =
                format!("ports = \"2001\"\npin = [{{ client = \"10.1.0.0/16\", server = \"{server}\" }}]");
            document(&EXAMPLE.replacen("ports = \"2001\"", &pin, 1))
        };
        assert_eq!(difference(&with("A"), &with("B")), ["DATALINK_POOL1: server of 10.1.0.0/16 A -> B"]);
        assert_eq!(difference(&document(EXAMPLE), &with("B")), ["DATALINK_POOL1: pin 10.1.0.0/16 added"]);
    }

    #[test]
    fn a_section_that_comes_empty_is_told() {
        let mut other = document(EXAMPLE);
        other.virtual_service[0].persistence = Some(crate::config::document::PersistenceDocument::default());
        let mut before = document(EXAMPLE);
        before.virtual_service[0].persistence = None;
        assert_eq!(difference(&before, &other), ["DATALINK_POOL1: persistence section added"]);
    }

    #[test]
    fn a_page_is_told_by_its_length_and_beginning() {
        let mut other = document(EXAMPLE);
        other.virtual_service[0].fallback_page = Some(format!("<h1>\n{}", "x".repeat(5_000)));
        let told = "DATALINK_POOL1: fallback page (default) -> a text of 5005 characters (<h1>xxxxxxxxxxxxxxxxxxxxxxxxxx...)";
        assert_eq!(difference(&document(EXAMPLE), &other), [told]);
    }

    #[test]
    fn a_long_difference_is_cut_for_the_log() {
        let lines: Vec<_> = ["a", "b", "c"].map(str::to_owned).to_vec();
        assert_eq!(summary(&lines, 2), "a; b; and 1 more");
        assert_eq!(summary(&lines, 3), "a; b; c");
    }

    fn services() -> impl Strategy<Value = Document> {
        let label = prop::sample::select(vec!["A", "B", "C", ""]);
        let server = (label.clone(), prop::option::of(0..3_i64), prop::option::of(0..2_i64)).prop_map(
            |(label, weight, port)| {
                let mut server = document(EXAMPLE).virtual_service[0].real_server[0].clone();
                (server.label, server.weight, server.port) = (label.into(), weight, port);
                server
            },
        );
        let service = (label, prop::collection::vec(server, 0..4), any::<Option<bool>>()).prop_map(
            |(label, servers, persistence)| {
                let mut service = document(EXAMPLE).virtual_service[0].clone();
                service.label = label.into();
                service.real_server = servers;
                service.persistence = persistence.map(|on| crate::config::document::PersistenceDocument {
                    enabled: on.then_some(true),
                    ..Default::default()
                });
                service
            },
        );
        prop::collection::vec(service, 0..4).prop_map(|services| {
            let mut all = document(EXAMPLE);
            all.virtual_service = services;
            all
        })
    }

    proptest! {
        #[test]
        fn there_is_something_to_say_exactly_when_documents_differ(old in services(), new in services()) {
            prop_assert_eq!(difference(&old, &new).is_empty(), old == new);
            prop_assert!(difference(&old, &old).is_empty());
        }
    }
}
