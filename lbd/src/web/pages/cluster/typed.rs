//! What somebody typed into a form, and what is wrong with it.

use axum::http::StatusCode;

use super::field::{Kind, lines};
use crate::config::{Document, Problem};
use crate::engine::Refusal;
use crate::web::api::ProblemDocument;
use crate::web::pages::words::sentence;

/// The hidden input that holds the version on which a form is based.
pub(super) const BASED_ON: &str = "based_on";
/// The input that asks why.
pub(super) const COMMENT: &str = "comment";

/// A form as it was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Typed(Vec<(String, String)>);

impl From<Vec<(String, String)>> for Typed {
    fn from(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }
}

impl Typed {
    /// For tests.
    #[cfg(test)]
    pub(super) fn new(pairs: &[(&str, &str)]) -> Self {
        Self(pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect())
    }

    /// What stands in an input, without the spaces around it; nothing where it was not sent.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, text)| text.trim())
    }

    /// The same, empty where it was not sent.
    pub(super) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// The same for a kind of field: browsers do not send a switch that is off.
    pub(super) fn of(&self, name: &str, kind: Kind) -> Option<String> {
        match kind {
            Kind::Switch => Some(if self.get(name).is_some() { "on" } else { "off" }.to_owned()),
            Kind::Area => self.get(name).map(lines),
            _ => self.get(name).map(str::to_owned),
        }
    }

    /// With something else in an input.
    pub(super) fn with(mut self, name: &str, text: impl Into<String>) -> Self {
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.to_owned(), text.into()));
        self
    }

    /// With something else in the input of a field.
    pub(super) fn put(mut self, name: &str, kind: Kind, text: &str) -> Self {
        if matches!(kind, Kind::Switch) && text == "off" {
            self.0.retain(|(known, _)| known != name);
            return self;
        }
        self.with(name, text)
    }

    /// The version on which the form was based.
    pub(super) fn based_on(&self) -> Option<u64> {
        self.text(BASED_ON).parse().ok()
    }

    /// Everything that was sent, in its order.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }
}

/// A problem whose input is still to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    /// As its input is called, if there is one.
    name: String,
    /// With its whole path.
    problem: Problem,
}

/// Problems whose inputs are still to be found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    /// Of the entry at the path `entry`, whose inputs are called as its fields are.
    fn within(problems: Vec<Problem>, entry: &str) -> Self {
        let name = |problem: &Problem| {
            let rest = problem.field.strip_prefix(entry).filter(|_| !entry.is_empty());
            rest.map_or(problem.field.as_str(), |rest| rest.trim_start_matches('.')).to_owned()
        };
        Self(problems.into_iter().map(|problem| Fault { name: name(&problem), problem }).collect())
    }

    /// What is wrong with an input, or with a part of what it holds; a sentence a line.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let concerns = |fault: &Fault| {
            let rest = fault.name.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['[', '.']))
        };
        let (ours, others) = std::mem::take(&mut self.0).into_iter().partition::<Vec<_>, _>(concerns);
        self.0 = others;
        let told: Vec<_> = ours.iter().map(|fault| sentence(&fault.problem)).collect();
        (!told.is_empty()).then(|| told.join("\n"))
    }

    /// With the problem of the field `field` beside the input `name`.
    pub(super) fn renamed(mut self, field: &str, name: &str) -> Self {
        for fault in self.0.iter_mut().filter(|fault| fault.name == field) {
            name.clone_into(&mut fault.name);
        }
        self
    }

    /// What no input asks for, each in a sentence.
    pub(super) fn rest(self, document: &Document) -> Vec<String> {
        let told = |Fault { problem, .. }: Fault| {
            let place = place_in_words(document, &problem.field);
            let words = sentence(&problem);
            if place.is_empty() { words } else { format!("{place}: {words}") }
        };
        self.0.into_iter().map(told).collect()
    }
}

/// Why nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rejection {
    /// Of the answer.
    pub(super) status: StatusCode,
    /// In a few words.
    pub(super) title: &'static str,
    /// What to do, where no field is to blame.
    pub(super) detail: String,
    /// What changed meanwhile.
    pub(super) changed: Vec<String>,
    /// Beside their fields.
    pub(super) faults: Faults,
}

impl Rejection {
    /// Of a change of the entry at `entry`, for example `virtual_service[1]`: its fields are named within it.
    pub(super) fn new(refusal: Refusal, entry: &str) -> Self {
        let (changed, problems, is_outdated) = match &refusal {
            Refusal::Outdated { changed, .. } => (changed.clone(), Vec::new(), true),
            Refusal::Invalid(problems) => (Vec::new(), problems.clone(), false),
            _ => Default::default(),
        };
        let document = ProblemDocument::from(refusal);
        let detail = match (is_outdated, problems.is_empty()) {
            (true, _) => {
                "Nothing was changed, and what you typed is still below; what you had not touched follows \
                          what is in force now. Look at it, then save again."
                    .to_owned()
            }
            (_, true) => document.sentences(),
            (_, false) => String::new(),
        };
        let title = if problems.is_empty() { document.title() } else { "Nothing was changed yet" };
        Self { status: document.status(), title, detail, changed, faults: Faults::within(problems, entry) }
    }

    /// Fields that break rules, named as their inputs are.
    pub(super) fn invalid(problems: Vec<Problem>) -> Self {
        Self::new(Refusal::Invalid(problems), "")
    }

    /// Whether somebody else was faster.
    pub(super) fn is_outdated(&self) -> bool {
        self.status == StatusCode::PRECONDITION_FAILED
    }
}

/// `virtual_service[1].real_server[0].weight` as `DATALINK_POOL2, DATALINK_POOL2_NODE1, weight`.
fn place_in_words(document: &Document, field: &str) -> String {
    let mut words = Vec::new();
    let mut rest = field;
    if let Some((index, within)) = indexed(field, "virtual_service") {
        if let Some(service) = document.virtual_service.get(index) {
            (words, rest) = (vec![service.label.clone()], within);
            if let Some((index, within)) = indexed(within, "real_server")
                && let Some(server) = service.real_server.get(index)
            {
                words.push(server.label.clone());
                rest = within;
            }
        }
    } else if let Some((index, within)) = indexed(field, "health_check")
        && let Some(check) = document.health_check.get(index)
    {
        (words, rest) = (vec![check.label.clone()], within);
    }
    words.push(rest.replace(['_', '.'], " "));
    words.retain(|word| !word.is_empty());
    words.join(", ")
}

/// The index in `list[index].rest`, and the rest.
fn indexed<'a>(field: &'a str, list: &str) -> Option<(usize, &'a str)> {
    let (index, rest) = field.strip_prefix(list)?.strip_prefix('[')?.split_once(']')?;
    Some((index.parse().ok()?, rest.trim_start_matches('.')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Format;

    const EXAMPLE: &str = include_str!("../../../../../examples/datalink.toml");

    fn problem(field: &str) -> Problem {
        Problem { field: field.into(), problem: "it is wrong".into(), remedy: "write another".into() }
    }

    #[test]
    fn problems_stand_beside_the_input_that_they_concern_and_all_others_on_top() {
        let refusal = Refusal::Invalid(vec![
            problem("virtual_service[1].ports"),
            problem("virtual_service[1].addresses[2]"),
            problem("virtual_service[1].persistence.timeout_seconds"),
            problem("virtual_service[0].ports"),
            problem("virtual_service[10].ports"),
            problem("virtual_service[1].real_server[0].address"),
        ]);
        let mut faults = Rejection::new(refusal, "virtual_service[1]").faults;
        let told = "It is wrong; write another.";
        assert_eq!(faults.take("ports").as_deref(), Some(told));
        assert_eq!(faults.take("addresses").as_deref(), Some(told));
        assert_eq!(faults.take("persistence.timeout_seconds").as_deref(), Some(told));
        assert_eq!(faults.take("address"), None);
        let document = Document::parse(EXAMPLE, Format::Toml).unwrap();
        let rest = faults.rest(&document);
        assert_eq!(rest[0], "DATALINK_POOL1, ports: It is wrong; write another.");
        assert_eq!(rest[2], "DATALINK_POOL2, DATALINK_POOL2_NODE1, address: It is wrong; write another.");
        assert_eq!(rest.len(), 3);
    }

    #[test]
    fn who_comes_second_is_told_what_changed() {
        let refusal = Refusal::Outdated { in_force: 3, changed: vec!["version 3 by x: y".into()] };
        let rejection = Rejection::new(refusal, "virtual_service[1]");
        assert!(rejection.is_outdated() && rejection.detail.contains("still below"));
        assert_eq!(rejection.changed, ["version 3 by x: y"]);
    }
}
