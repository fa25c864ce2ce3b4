//! Tables of fields: what a form asks for, where that stands in an entry of the configuration, how it is said.
//!
//! A field works on the entry as JSON, so that a new setting of the document costs one line of a table, and one
//! that no table knows is kept as it is. What is not changed in the form is not touched either: a default that was
//! never written stays unwritten. Pure.

use serde_json::{Map, Value, json};

use super::typed::Typed;
use crate::config::Problem;
use crate::config::values::quoted;

/// A value of a list, and what it means.
pub(super) type Choice = (&'static str, &'static str);

/// What may stand in a field.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// One line.
    Text,
    /// Many lines.
    Area,
    /// A whole number of this unit.
    Number(&'static str),
    /// One or more values with commas or spaces between them.
    List,
    /// One of these; the first is the default.
    Choice(&'static [Choice]),
    /// One of the entries that the page offers.
    Reference,
    /// On or off.
    Switch,
}

/// A field of a form.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    /// Its place within the entry, for example `persistence.timeout_seconds`; also the name of its input.
    pub(super) path: &'static str,
    /// For people.
    pub(super) label: &'static str,
    /// What may stand there.
    pub(super) kind: Kind,
    /// What counts where the entry says nothing.
    pub(super) usual: &'static str,
    /// What a blank field means; empty where it may not be blank.
    pub(super) blank: &'static str,
    /// Shown in the empty input.
    pub(super) example: &'static str,
    /// One sentence of help.
    pub(super) hint: &'static str,
}

/// Fields that belong together.
#[derive(Debug)]
pub(super) struct Section {
    /// Its heading.
    pub(super) title: &'static str,
    /// Folded away until somebody asks for it.
    pub(super) advanced: bool,
    /// In the order of the form.
    pub(super) fields: &'static [Field],
}

impl Field {
    const fn new(path: &'static str, label: &'static str, kind: Kind, usual: &'static str) -> Self {
        Self { path, label, kind, usual, blank: "", example: "", hint: "" }
    }

    /// One line of text.
    pub(super) const fn text(path: &'static str, label: &'static str) -> Self {
        Self::new(path, label, Kind::Text, "")
    }

    /// Many lines of text.
    pub(super) const fn area(path: &'static str, label: &'static str) -> Self {
        Self::new(path, label, Kind::Area, "")
    }

    /// A whole number.
    pub(super) const fn number(path: &'static str, label: &'static str, unit: &'static str) -> Self {
        Self::new(path, label, Kind::Number(unit), "")
    }

    /// Several values.
    pub(super) const fn list(path: &'static str, label: &'static str) -> Self {
        Self::new(path, label, Kind::List, "")
    }

    /// One of `choices`, of which the first is the default.
    pub(super) const fn choice(path: &'static str, label: &'static str, choices: &'static [Choice]) -> Self {
        Self::new(path, label, Kind::Choice(choices), choices[0].0)
    }

    /// An entry elsewhere in the configuration.
    pub(super) const fn reference(path: &'static str, label: &'static str) -> Self {
        Self::new(path, label, Kind::Reference, "")
    }

    /// On where nothing is said.
    pub(super) const fn switch(path: &'static str, label: &'static str) -> Self {
        Self::new(path, label, Kind::Switch, "on")
    }

    /// With what counts where nothing is said.
    pub(super) const fn usual(self, usual: &'static str) -> Self {
        Self { usual, ..self }
    }

    /// May be left blank, which means this.
    pub(super) const fn blank(self, blank: &'static str) -> Self {
        Self { blank, ..self }
    }

    /// With an example.
    pub(super) const fn example(self, example: &'static str) -> Self {
        Self { example, ..self }
    }

    /// With help.
    pub(super) const fn hint(self, hint: &'static str) -> Self {
        Self { hint, ..self }
    }

    /// Whether something has to stand there.
    pub(super) fn is_needed(&self) -> bool {
        self.blank.is_empty() && self.usual.is_empty()
    }

    /// What the input shows for an entry.
    pub(super) fn shown(&self, entry: &Value) -> String {
        match at(entry, self.path) {
            None | Some(Value::Null) => self.usual.to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Bool(on)) => if *on { "on" } else { "off" }.to_owned(),
            Some(Value::Array(items)) => {
                items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
            }
            Some(other) => other.to_string(),
        }
    }

    /// The same as people say it, for pages that only tell.
    pub(super) fn told(&self, entry: &Value) -> String {
        let shown = self.shown(entry);
        match self.kind {
            _ if shown.is_empty() => self.blank.to_owned(),
            Kind::Number(unit) => format!("{shown} {unit}").trim_end().to_owned(),
            // A word in place of a text.
            Kind::Area if !self.usual.is_empty() && !shown.contains('\n') => shown,
            Kind::Area => format!("a text of {} characters", shown.chars().count()),
            Kind::Choice(choices) => choices
                .iter()
                .find(|(value, _)| *value == shown)
                .map_or(shown, |(_, words)| (*words).to_owned()),
            _ => shown,
        }
    }

    /// Writes what was typed into the entry, if it is not what the entry says already.
    fn write(&self, text: &str, entry: &mut Value) -> Result<(), Problem> {
        // The end of a text, and how its lines end, are lost on the way through a form.
        let is_same =
            |shown: &str| text == shown || matches!(self.kind, Kind::Area) && text == lines(shown.trim());
        if is_same(&self.shown(entry)) {
            return Ok(());
        }
        let value = match self.kind {
            Kind::Switch => Some(json!(text == "on")),
            Kind::List => Some(json!(parts(text))),
            _ if text.is_empty() => self.is_needed().then(|| json!("")),
            Kind::Number(_) => Some(json!(self.number_in(text)?)),
            Kind::Text | Kind::Area | Kind::Choice(_) | Kind::Reference => Some(json!(text)),
        };
        set(entry, self.path, value);
        Ok(())
    }

    fn number_in(&self, text: &str) -> Result<i64, Problem> {
        text.parse().map_err(|_| Problem {
            field: self.path.to_owned(),
            problem: format!("{} is not a whole number", quoted(text)),
            remedy: match self.usual {
                "" => "write digits only".to_owned(),
                usual => format!("write digits only, for example {usual}"),
            },
        })
    }
}

/// Writes everything that was typed into an entry; the names of the inputs begin with `prefix`. What cannot be
/// written is told, and leaves the entry as it was there.
pub(super) fn write_all<'f>(
    fields: impl IntoIterator<Item = &'f Field>,
    typed: &Typed,
    prefix: &str,
    entry: &mut Value,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for field in fields {
        let text = typed.of(&format!("{prefix}{}", field.path), field.kind);
        if let Some(mut problem) = text.and_then(|text| field.write(&text, entry).err()) {
            problem.field.insert_str(0, prefix);
            problems.push(problem);
        }
    }
    problems
}

/// A text whose lines end as ours do: those of a form end with CR and LF.
pub(super) fn lines(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// The values of a list as it was typed.
pub(super) fn parts(text: &str) -> Vec<&str> {
    text.split(|c: char| c == ',' || c == ';' || c.is_whitespace()).filter(|part| !part.is_empty()).collect()
}

fn at<'a>(entry: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(entry, |value, key| value.get(key))
}

/// `None` removes the setting, and the table around it once that is empty.
fn set(entry: &mut Value, path: &str, value: Option<Value>) {
    if !entry.is_object() {
        *entry = Value::Object(Map::new());
    }
    let Some(fields) = entry.as_object_mut() else { return };
    match (path.split_once('.'), value) {
        (Some((first, rest)), value) => {
            let inner = fields.entry(first).or_insert(Value::Null);
            set(inner, rest, value);
            if inner.as_object().is_some_and(Map::is_empty) {
                fields.remove(first);
            }
        }
        (None, Some(value)) => drop(fields.insert(path.to_owned(), value)),
        (None, None) => drop(fields.remove(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [Field; 5] = [
        Field::text("label", "Label"),
        Field::list("addresses", "Addresses"),
        Field::number("persistence.timeout_seconds", "Time-out", "s").usual("300"),
        Field::number("port", "Port", "").blank("the same port"),
        Field::switch("enabled", "In service"),
    ];

    fn written(entry: &Value, typed: &[(&str, &str)]) -> (Value, Vec<String>) {
        let mut entry = entry.clone();
        let problems = write_all(&FIELDS, &Typed::new(typed), "", &mut entry);
        (entry, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn what_is_not_changed_is_not_written_and_what_is_unknown_is_kept() {
        let entry = json!({"label": "A", "addresses": ["192.0.2.1"], "new_setting": {"x": 1}});
        let same = [
            ("label", "A"),
            ("addresses", "192.0.2.1"),
            ("persistence.timeout_seconds", "300"),
            ("port", ""),
            ("enabled", "on"),
        ];
        assert_eq!(written(&entry, &same), (entry.clone(), vec![]));
        assert_eq!(written(&entry, &[("enabled", "on")]).0, entry, "fields that were not sent");
    }

    #[test]
    fn what_is_changed_stands_in_the_type_of_the_document() {
        let entry = json!({"label": "A", "addresses": ["192.0.2.1"], "port": 80});
        let typed = [
            ("label", ""),
            ("addresses", " 192.0.2.1;fd00::1,\n192.0.2.3 "),
            ("persistence.timeout_seconds", " 60 "),
            ("port", ""),
        ];
        let expected = json!({
            "label": "", "addresses": ["192.0.2.1", "fd00::1", "192.0.2.3"],
            "persistence": {"timeout_seconds": 60}, "enabled": false
        });
        assert_eq!(written(&entry, &typed), (expected.clone(), vec![]));
        let back = [("persistence.timeout_seconds", ""), ("enabled", "on")];
        let expected_back =
            json!({"label": "", "addresses": ["192.0.2.1", "fd00::1", "192.0.2.3"], "enabled": true});
        assert_eq!(written(&expected, &back).0, expected_back);
    }

    #[test]
    fn a_number_that_is_none_is_told_and_changes_nothing() {
        let entry = json!({"port": 80});
        let (after, problems) = written(&entry, &[("port", "http"), ("enabled", "on")]);
        assert_eq!(after, entry);
        assert_eq!(problems, ["port: \"http\" is not a whole number; write digits only"]);
    }

    #[test]
    fn a_text_that_went_through_a_form_unchanged_is_not_touched() {
        let area = [Field::area("page", "Page").blank("none")];
        let entry = json!({"page": "<h1>\r\nCall 4711\n</h1>\n"});
        let sent = |text: &str| {
            let mut written = entry.clone();
            write_all(&area, &Typed::new(&[("page", text)]), "", &mut written);
            written
        };
        assert_eq!(sent("<h1>\r\nCall 4711\r\n</h1>\r\n"), entry);
        assert_eq!(sent("Call\r\n4712"), json!({"page": "Call\n4712"}));
        assert_eq!(sent(" "), json!({}));
        assert_eq!(area[0].told(&json!({"page": "Call"})), "a text of 4 characters");
    }

    #[test]
    fn values_are_told_in_words() {
        let choice = Field::choice("scheduler", "Scheduler", &[("a", "in turn"), ("b", "by address")]);
        assert_eq!(choice.told(&json!({})), "in turn");
        assert_eq!(choice.told(&json!({"scheduler": "b"})), "by address");
        assert_eq!(choice.told(&json!({"scheduler": "newer"})), "newer");
        assert_eq!(FIELDS[2].told(&json!({})), "300 s");
        assert_eq!(FIELDS[3].told(&json!({})), "the same port");
    }
}
