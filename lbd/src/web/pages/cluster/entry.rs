//! An entry of a list of the configuration: the forms that add, edit and remove it.

use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};

use super::ask::{Ask, Pairs, typed};
use super::change::{Edited, basis, follow, make};
use super::confirm::Removal;
use super::field::Section;
use super::form::{About, FormPage};
use super::input::Source;
use super::tables::fields;
use super::typed::{Faults, Rejection, Typed};
use super::{for_administrators, missing};
use crate::config::Document;
use crate::config::values::quoted;
use crate::engine::Refusal;
use crate::web::Gateway;

/// Which list, and how an entry of it is asked for.
pub(super) struct EntryForm {
    /// In the singular, for people.
    pub(super) what: &'static str,
    /// The page that shows the list.
    pub(super) page: &'static str,
    /// Path of the form of a new entry.
    pub(super) new: &'static str,
    /// Path of the form that does this, `edit` or `remove`, to the entry of this name.
    pub(super) place: fn(&str, &str) -> String,
    /// The field that names an entry.
    pub(super) key: &'static str,
    /// Title and button of the form of a new entry.
    pub(super) add: (&'static str, &'static str),
    /// A sentence or two.
    pub(super) lead: &'static str,
    /// What is asked for.
    pub(super) sections: &'static [Section],
    /// The entry of this name.
    pub(super) read: fn(&Document, &str) -> Option<Value>,
    /// Writes what was typed into the entry of this name, or a new one; `None` where it is not there.
    pub(super) write: fn(&mut Document, Option<&str>, &Typed) -> Option<Edited>,
    /// Removes the entry of this name; false where it is not there.
    pub(super) remove: fn(&mut Document, &str) -> bool,
    /// What is lost with the entry of this name, a sentence each.
    pub(super) losses: fn(&str) -> Vec<String>,
}

/// Where the entry of this name stands in a list; without a name at its end, as a new one.
pub(super) fn place_in<T: Default>(
    all: &mut Vec<T>,
    name: Option<&str>,
    is: impl Fn(&T, &str) -> bool,
) -> Option<usize> {
    if name.is_none() {
        all.push(T::default());
    }
    name.map_or(all.len().checked_sub(1), |name| all.iter().position(|entry| is(entry, name)))
}

/// Removes the entry of this name; false where it is not there.
pub(super) fn remove_from<T>(all: &mut Vec<T>, is: impl Fn(&T) -> bool) -> bool {
    all.iter().position(is).map(|index| all.remove(index)).is_some()
}

impl EntryForm {
    /// For entries whose name is a step of the path.
    pub(super) fn routes(&'static self) -> Router<Gateway> {
        type Name = Path<String>;
        let add = get(async move |ask: Ask| self.ask_new(ask))
            .post(async move |ask: Ask, pairs: Pairs| self.add(ask, pairs).await);
        let edit = get(async move |ask: Ask, Path(name): Name| self.ask_edit(ask, &name))
            .post(async move |ask: Ask, Path(name): Name, pairs: Pairs| self.edit(ask, &name, pairs).await);
        let remove = get(async move |ask: Ask, Path(name): Name| self.ask_remove(ask, &name))
            .post(async move |ask: Ask, Path(name): Name, pairs: Pairs| self.remove(ask, &name, pairs).await);
        let of_any = |step| (self.place)("{name}", step);
        Router::new().route(self.new, add).route(&of_any("edit"), edit).route(&of_any("remove"), remove)
    }

    /// A network is one step of a path: the slash before its prefix is written as `_` there.
    fn shown(&self, name: &str) -> String {
        if self.key == "destination" { name.replace('_', "/") } else { name.to_owned() }
    }

    fn gone(&self, name: &str) -> Refusal {
        Refusal::NoEntry(format!("{} {}", self.what, quoted(name)))
    }

    /// The form of a new entry.
    pub(super) fn ask_new(&self, ask: Ask) -> Response {
        match ask.may_change() {
            true => self.form(ask, None, None, None),
            false => for_administrators(ask.frame, &ask.caller),
        }
    }

    /// Adds what was sent.
    pub(super) async fn add(&self, ask: Ask, pairs: Pairs) -> Response {
        let typed = typed(pairs);
        let why = format!("{} {} added", self.what, typed.text(self.key));
        let edit = |document: &mut Document| Ok((self.write)(document, None, &typed).unwrap_or_default());
        match make(&ask.gateway, &ask.caller, &typed, &why, edit).await {
            Ok(saved) => saved.then_confirm(ask, self.page),
            Err(rejection) => self.form(ask, None, Some(&typed), Some(rejection)),
        }
    }

    /// The form of an entry.
    pub(super) fn ask_edit(&self, ask: Ask, name: &str) -> Response {
        match ask.may_change() {
            true => self.form(ask, Some(name), None, None),
            false => for_administrators(ask.frame, &ask.caller),
        }
    }

    /// Writes what was sent.
    pub(super) async fn edit(&self, ask: Ask, name: &str, pairs: Pairs) -> Response {
        let typed = typed(pairs);
        let why = format!("{} {name} changed", self.what);
        let edit = |document: &mut Document| {
            (self.write)(document, Some(name), &typed).ok_or_else(|| self.gone(name))
        };
        match make(&ask.gateway, &ask.caller, &typed, &why, edit).await {
            Ok(saved) => saved.then_confirm(ask, self.page),
            Err(rejection) => {
                let before = basis(&ask.gateway, &typed, &rejection).await;
                let before = before.as_ref().and_then(|document| (self.read)(document, name));
                let typed = match (before, (self.read)(&ask.latest().document, name)) {
                    (Some(before), Some(now)) => follow(fields(self.sections), typed, &before, &now),
                    _ => typed,
                };
                self.form(ask, Some(name), Some(&typed), Some(rejection))
            }
        }
    }

    fn form(
        &self,
        ask: Ask,
        name: Option<&str>,
        typed: Option<&Typed>,
        mut rejection: Option<Rejection>,
    ) -> Response {
        let published = ask.latest();
        let document = &published.document;
        let entry = match name.map(|name| (name, (self.read)(document, name))) {
            None => json!({}),
            Some((_, Some(entry))) => entry,
            Some((name, None)) => return missing(ask.frame, self.what, name),
        };
        let outdated = name.is_some() && rejection.as_ref().is_some_and(Rejection::is_outdated);
        let mut none = Faults::default();
        let faults = rejection.as_mut().map_or(&mut none, |known| &mut known.faults);
        let source = Source { entry: &entry, typed, prefix: "", references: &[], outdated };
        let parts = self.sections.iter().map(|section| section.part(source, faults)).collect();
        FormPage::new(ask.frame, self.about(name), parts, typed, rejection)
            .answer(document, published.view.configuration_version)
    }

    fn about(&self, name: Option<&str>) -> About {
        let known = About { lead: self.lead.into(), back: self.page.into(), ..About::default() };
        match name {
            None => {
                let (title, submit) = self.add;
                About { title: title.into(), action: self.new.into(), submit, ..known }
            }
            Some(name) => About {
                title: format!("Edit {}", self.shown(name)),
                action: (self.place)(name, "edit"),
                submit: "Save",
                ..known
            },
        }
    }

    /// Asks before an entry is removed.
    pub(super) fn ask_remove(&self, ask: Ask, name: &str) -> Response {
        match ask.may_change() {
            true => self.remove_page(ask, name, None),
            false => for_administrators(ask.frame, &ask.caller),
        }
    }

    /// Removes an entry.
    pub(super) async fn remove(&self, ask: Ask, name: &str, pairs: Pairs) -> Response {
        let typed = typed(pairs);
        let why = format!("{} {name} removed", self.what);
        let edit = |document: &mut Document| match (self.remove)(document, name) {
            true => Ok(Edited::default()),
            false => Err(self.gone(name)),
        };
        match make(&ask.gateway, &ask.caller, &typed, &why, edit).await {
            Ok(saved) => saved.then_confirm(ask, self.page),
            Err(rejection) => self.remove_page(ask, name, Some((typed, rejection))),
        }
    }

    fn remove_page(&self, ask: Ask, name: &str, refused: Option<(Typed, Rejection)>) -> Response {
        let published = ask.latest();
        if (self.read)(&published.document, name).is_none() {
            return missing(ask.frame, self.what, name);
        }
        let removal = Removal {
            title: format!("Remove the {} {}?", self.what, self.shown(name)),
            label: self.shown(name),
            losses: (self.losses)(name),
            action: (self.place)(name, "remove"),
            back: self.page.into(),
            ..Removal::default()
        };
        removal.page(ask.frame, &published, refused)
    }
}
