//! A section of the configuration that is edited as a whole, in a form of its own.

use axum::response::Response;
use serde_json::Value;

use super::ask::{Ask, Pairs, typed};
use super::change::{Edited, basis, follow, make};
use super::field::Section;
use super::for_administrators;
use super::form::{About, FormPage};
use super::input::{Choosable, Source};
use super::tables::fields;
use super::typed::{Rejection, Typed};
use crate::config::{Document, Problem};

/// Where it stands, and how it is asked for.
pub(super) struct SectionForm {
    /// As the document calls it.
    pub(super) entry: &'static str,
    /// The page that shows it.
    pub(super) page: &'static str,
    /// Where the form is.
    pub(super) edit: &'static str,
    /// The heading of the form.
    pub(super) title: &'static str,
    /// A sentence or two.
    pub(super) lead: &'static str,
    /// The comment where none is typed.
    pub(super) why: &'static str,
    /// What is asked for.
    pub(super) sections: &'static [Section],
    /// The section in a document.
    pub(super) read: fn(&Document) -> Value,
    /// Writes what was typed.
    pub(super) write: fn(&mut Document, &Typed) -> Vec<Problem>,
    /// What may be referred to.
    pub(super) references: fn() -> Vec<Choosable>,
}

impl SectionForm {
    /// Each setting with what holds now.
    pub(super) fn told(&self, document: &Document) -> Vec<(&'static str, String)> {
        let value = (self.read)(document);
        fields(self.sections).map(|field| (field.label, field.told(&value))).collect()
    }

    /// The form.
    pub(super) fn ask(&self, ask: Ask) -> Response {
        if !ask.may_change() {
            return for_administrators(ask.frame, &ask.caller);
        }
        self.form(ask, None, None)
    }

    /// Carries out what was sent.
    pub(super) async fn send(&self, ask: Ask, pairs: Pairs) -> Response {
        let typed = typed(pairs);
        let edit = |document: &mut Document| {
            let problems = (self.write)(document, &typed);
            Ok(Edited { entry: self.entry.into(), problems })
        };
        match make(&ask.gateway, &ask.caller, &typed, self.why, edit).await {
            Ok(saved) => saved.then_confirm(ask, self.page),
            Err(rejection) => {
                let before = basis(&ask.gateway, &typed, &rejection).await;
                let now = (self.read)(&ask.latest().document);
                let typed = match before {
                    Some(before) => follow(fields(self.sections), typed, &(self.read)(&before), &now),
                    None => typed,
                };
                self.form(ask, Some(&typed), Some(rejection))
            }
        }
    }

    fn form(&self, ask: Ask, typed: Option<&Typed>, mut rejection: Option<Rejection>) -> Response {
        let published = ask.latest();
        let references = (self.references)();
        let source = Source {
            entry: &(self.read)(&published.document),
            typed,
            prefix: "",
            references: &references,
            outdated: rejection.as_ref().is_some_and(Rejection::is_outdated),
        };
        let mut none = Default::default();
        let faults = rejection.as_mut().map_or(&mut none, |known| &mut known.faults);
        let parts = self.sections.iter().map(|section| section.part(source, faults)).collect();
        let about = About {
            title: self.title.into(),
            lead: self.lead.into(),
            action: self.edit.into(),
            back: self.page.into(),
            submit: "Save",
            ..About::default()
        };
        FormPage::new(ask.frame, about, parts, typed, rejection)
            .answer(&published.document, published.view.configuration_version)
    }
}
