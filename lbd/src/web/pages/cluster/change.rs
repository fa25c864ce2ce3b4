//! A change that a form asks for: by the one way there is, with the answer that its page shows.

use axum::response::{IntoResponse, Redirect, Response};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ask::Ask;
use super::field::{Field, write_all};
use super::typed::{COMMENT, Rejection, Typed};
use crate::config::{Document, Problem, validate};
use crate::engine::{Accepted, Refusal};
use crate::web::pages::trial::after_change;
use crate::web::{Caller, Gateway};

/// What an edit has touched.
#[derive(Debug, Default)]
pub(super) struct Edited {
    /// Path of the entry, for example `virtual_service[1]`.
    pub(super) entry: String,
    /// What could not be written, named within the entry.
    pub(super) problems: Vec<Problem>,
}

/// What is in force now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Saved {
    version: u64,
    is_new: bool,
    /// Set where the change is on trial.
    confirm_until: Option<Timestamp>,
}

impl Saved {
    /// Leads to a page that says so.
    pub(super) fn then(self, path: &str) -> Response {
        let word = if self.is_new { "saved" } else { "same" };
        Redirect::to(&format!("{path}?{word}={}", self.version)).into_response()
    }

    /// The same; of a change on trial it says first where it is to be confirmed.
    pub(super) fn then_confirm(self, ask: Ask, path: &str) -> Response {
        match self.confirm_until {
            Some(_) => {
                let accepted = Accepted { version: self.version, confirm_until: self.confirm_until };
                after_change(ask.frame, &ask.gateway, accepted, path)
            }
            None => self.then(path),
        }
    }
}

/// What the page that follows a change has to say.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Told {
    saved: Option<u64>,
    same: Option<u64>,
}

impl Told {
    /// In words; nothing where the address speaks of a version that there is not.
    pub(super) fn notice(&self, in_force: u64) -> Option<String> {
        match (self.saved, self.same) {
            (Some(version), _) if version == in_force => Some(format!(
                "Saved: version {version} is in force. The way back to the one before it: View Configuration."
            )),
            (Some(version), _) if version < in_force => {
                Some(format!("Saved as version {version}; version {in_force} is in force by now."))
            }
            (None, Some(version)) if version <= in_force => {
                Some(format!("Nothing was different: version {version} stays in force."))
            }
            _ => None,
        }
    }
}

/// Edits the configuration as `typed` asks for, based on the version that the form showed. `why` is the comment where
/// none was typed.
pub(super) async fn make(
    gateway: &Gateway,
    caller: &Caller,
    typed: &Typed,
    why: &str,
    edit: impl FnOnce(&mut Document) -> Result<Edited, Refusal> + Send,
) -> Result<Saved, Rejection> {
    let comment = Some(typed.text(COMMENT)).filter(|comment| !comment.is_empty()).unwrap_or(why);
    let mut entry = String::new();
    let noting = |document: &mut Document| {
        let edited = edit(document)?;
        entry.clone_from(&edited.entry);
        all_problems(edited, document)
    };
    let before = gateway.latest().view.configuration_version;
    let made = gateway.edit(caller.author(), comment.to_owned(), typed.based_on(), noting).await;
    let accepted = made.map_err(|refusal| Rejection::new(refusal, &entry))?;
    let Accepted { version, confirm_until } = accepted;
    Ok(Saved { version, is_new: version != before, confirm_until })
}

/// Whoever mistyped a number should not have to come back for each further mistake.
fn all_problems(edited: Edited, document: &Document) -> Result<(), Refusal> {
    if edited.problems.is_empty() {
        return Ok(());
    }
    let further = validate(document.clone()).err().unwrap_or_default();
    let known = |problem: &Problem| {
        let field = problem.field.strip_prefix(&edited.entry).unwrap_or(&problem.field);
        edited.problems.iter().any(|known| known.field == field.trim_start_matches('.'))
    };
    let further: Vec<_> = further.into_iter().filter(|problem| !known(problem)).collect();
    Err(Refusal::Invalid(edited.problems.into_iter().chain(further).collect()))
}

/// The configuration on which a form was based, where somebody else was faster; as long as it is kept.
pub(super) async fn basis(gateway: &Gateway, typed: &Typed, rejection: &Rejection) -> Option<Document> {
    let version = typed.based_on().filter(|_| rejection.is_outdated())?;
    gateway.version(version).await.ok().map(|stored| stored.document)
}

/// What was not touched in the form, which showed `before`, follows what is in force `now`.
pub(super) fn follow<'f>(
    fields: impl IntoIterator<Item = &'f Field>,
    typed: Typed,
    before: &Value,
    now: &Value,
) -> Typed {
    fields.into_iter().fold(typed, |typed, field| {
        let was_touched = typed.of(field.path, field.kind).is_none_or(|text| text != field.shown(before));
        if was_touched { typed } else { typed.put(field.path, field.kind, &field.shown(now)) }
    })
}

/// An entry of the document as the tables of fields see it.
pub(super) fn as_value(entry: &impl Serialize) -> Value {
    serde_json::to_value(entry).unwrap_or_default()
}

/// Writes what was typed into an entry. Settings that are not in `fields` stay as they are.
pub(super) fn write_entry<'f, T: Serialize + DeserializeOwned>(
    entry: &mut T,
    fields: impl IntoIterator<Item = &'f Field>,
    typed: &Typed,
    prefix: &str,
) -> Vec<Problem> {
    let mut value = as_value(entry);
    let mut problems = write_all(fields, typed, prefix, &mut value);
    match serde_json::from_value(value) {
        Ok(written) => *entry = written,
        Err(error) => problems.push(Problem {
            field: String::new(),
            problem: format!("the form does not fit the configuration: {error}"),
            remedy: "make this change over the API".into(),
        }),
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Format;
    use crate::web::pages::cluster::tables::{SERVICE, fields};

    const EXAMPLE: &str = include_str!("../../../../../examples/datalink.toml");

    fn document() -> Document {
        Document::parse(EXAMPLE, Format::Toml).unwrap()
    }

    #[test]
    fn a_form_that_is_sent_as_it_was_shown_changes_nothing() {
        for service in document().virtual_service {
            let value = as_value(&service);
            let shown: Vec<_> =
                fields(SERVICE).map(|field| (field.path.to_owned(), field.shown(&value))).collect();
            let mut written = service.clone();
            assert_eq!(write_entry(&mut written, fields(SERVICE), &shown.into(), ""), []);
            assert_eq!(written, service);
        }
    }

    #[test]
    fn what_was_mistyped_is_told_together_with_what_breaks_rules() {
        let mut document = document();
        let typed = Typed::new(&[
            ("ports", "many"),
            ("persistence.enabled", "on"),
            ("persistence.timeout_seconds", "5 min"),
            ("enabled", "on"),
        ]);
        let problems = write_entry(&mut document.virtual_service[0], fields(SERVICE), &typed, "");
        let edited = Edited { entry: "virtual_service[0]".into(), problems };
        let Err(Refusal::Invalid(problems)) = all_problems(edited, &document) else { panic!("it was taken") };
        let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(fields, ["persistence.timeout_seconds", "virtual_service[0].ports"]);
    }

    #[test]
    fn what_the_slower_one_had_not_touched_follows_the_faster_one() {
        let before = document().virtual_service.remove(0);
        let mut now = before.clone();
        (now.ports, now.enabled, now.scheduler) = ("2009".into(), Some(false), Some("source-hash".into()));
        let (before, now) = (as_value(&before), as_value(&now));
        let shown: Vec<_> =
            fields(SERVICE).map(|field| (field.path.to_owned(), field.shown(&before))).collect();
        let typed = Typed::from(shown).with("ports", "2010");
        let followed = follow(fields(SERVICE), typed, &before, &now);
        let text = |name| followed.get(name);
        assert_eq!(
            (text("ports"), text("scheduler"), text("enabled")),
            (Some("2010"), Some("source-hash"), None)
        );
    }

    #[test]
    fn only_versions_that_exist_are_spoken_of() {
        let told = |saved, same| Told { saved, same }.notice(7);
        assert!(told(Some(7), None).unwrap().contains("version 7 is in force"));
        assert!(told(Some(6), None).unwrap().contains("by now"));
        assert!(told(None, Some(7)).unwrap().contains("Nothing was different"));
        assert_eq!((told(Some(8), None), told(None, None)), (None, None));
    }
}
