//! The forms of users of SNMP version 3.

use axum::Router;
use axum::extract::Query;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use serde_json::json;

use super::ask::{Ask, Pairs, typed};
use super::change::{Edited, as_value, basis, follow, make, write_entry};
use super::confirm::Removal;
use super::form::{About, FormPage};
use super::input::Source;
use super::snmp::PAGE;
use super::tables::{SNMP_USER, fields};
use super::typed::{Faults, Rejection, Typed};
use super::{for_administrators, missing};
use crate::config::Document;
use crate::config::document::SnmpUserDocument;
use crate::config::values::quoted;
use crate::engine::Refusal;
use crate::web::Gateway;

const NEW: &str = "/local/snmp/user";
const EDIT: &str = "/local/snmp/user/edit";
const REMOVE: &str = "/local/snmp/user/remove";

pub(super) fn routes() -> Router<Gateway> {
    Router::new()
        .route(NEW, get(ask_new).post(add))
        .route(EDIT, get(ask_edit).post(edit))
        .route(REMOVE, get(ask_remove).post(remove))
}

/// A name has signs that have meanings in paths.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Who {
    user: String,
}

fn position(document: &Document, name: &str) -> Option<usize> {
    document.snmp.as_ref()?.user.iter().position(|user| user.name == name)
}

fn user<'a>(document: &'a Document, name: &str) -> Option<&'a SnmpUserDocument> {
    document.snmp.as_ref()?.user.iter().find(|user| user.name == name)
}

fn gone(name: &str) -> Refusal {
    Refusal::NoEntry(format!("SNMP user {}", quoted(name)))
}

/// As a part of an address.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let signs = text.bytes().map(|byte| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    });
    signs.collect()
}

async fn ask_new(ask: Ask) -> Response {
    if !ask.may_change() {
        return for_administrators(ask.frame, &ask.caller);
    }
    form(ask, None, None, None)
}

async fn add(ask: Ask, pairs: Pairs) -> Response {
    let typed = typed(pairs);
    let why = format!("SNMP user {} added", typed.text("name"));
    let edit = |document: &mut Document| {
        let mut new = SnmpUserDocument::default();
        let problems = write_entry(&mut new, fields(SNMP_USER), &typed, "");
        let users = &mut document.snmp.get_or_insert_default().user;
        users.push(new);
        Ok(Edited { entry: format!("snmp.user[{}]", users.len() - 1), problems })
    };
    match make(&ask.gateway, &ask.caller, &typed, &why, edit).await {
        Ok(saved) => saved.then(PAGE),
        Err(rejection) => form(ask, None, Some(&typed), Some(rejection)),
    }
}

async fn ask_edit(ask: Ask, Query(Who { user }): Query<Who>) -> Response {
    if !ask.may_change() {
        return for_administrators(ask.frame, &ask.caller);
    }
    form(ask, Some(&user), None, None)
}

async fn edit(ask: Ask, Query(Who { user: name }): Query<Who>, pairs: Pairs) -> Response {
    let typed = typed(pairs);
    let why = format!("SNMP user {name} changed");
    let edit = |document: &mut Document| {
        let index = position(document, &name).ok_or_else(|| gone(&name))?;
        let users = &mut document.snmp.get_or_insert_default().user;
        let problems = write_entry(&mut users[index], fields(SNMP_USER), &typed, "");
        Ok(Edited { entry: format!("snmp.user[{index}]"), problems })
    };
    match make(&ask.gateway, &ask.caller, &typed, &why, edit).await {
        Ok(saved) => saved.then(PAGE),
        Err(rejection) => {
            let before = basis(&ask.gateway, &typed, &rejection).await;
            let before = before.as_ref().and_then(|document| user(document, &name)).map(as_value);
            let now = user(&ask.latest().document, &name).map(as_value);
            let typed = match (before, now) {
                (Some(before), Some(now)) => follow(fields(SNMP_USER), typed, &before, &now),
                _ => typed,
            };
            form(ask, Some(&name), Some(&typed), Some(rejection))
        }
    }
}

/// Of a new user, or of the one of this name.
fn form(ask: Ask, name: Option<&str>, typed: Option<&Typed>, mut rejection: Option<Rejection>) -> Response {
    let published = ask.latest();
    let document = &published.document;
    let entry = match name.map(|name| (name, user(document, name))) {
        None => json!({}),
        Some((_, Some(user))) => as_value(user),
        Some((name, None)) => return missing(ask.frame, "SNMP user", name),
    };
    let outdated = name.is_some() && rejection.as_ref().is_some_and(Rejection::is_outdated);
    let mut none = Faults::default();
    let faults = rejection.as_mut().map_or(&mut none, |known| &mut known.faults);
    let source = Source { entry: &entry, typed, prefix: "", references: &[], outdated };
    let parts = SNMP_USER.iter().map(|section| section.part(source, faults)).collect();
    FormPage::new(ask.frame, about(name), parts, typed, rejection)
        .answer(document, published.view.configuration_version)
}

fn about(name: Option<&str>) -> About {
    let known = About {
        lead: "They are answered once their passphrases are set, on the page SNMP Configuration.".into(),
        back: PAGE.into(),
        ..About::default()
    };
    match name {
        None => {
            About { title: "Add an SNMP user".into(), action: NEW.into(), submit: "Add the user", ..known }
        }
        Some(name) => About {
            title: format!("Edit {name}"),
            action: format!("{EDIT}?user={}", encoded(name)),
            submit: "Save",
            ..known
        },
    }
}

async fn ask_remove(ask: Ask, Query(Who { user }): Query<Who>) -> Response {
    if !ask.may_change() {
        return for_administrators(ask.frame, &ask.caller);
    }
    remove_page(ask, &user, None)
}

async fn remove(ask: Ask, Query(Who { user: name }): Query<Who>, pairs: Pairs) -> Response {
    let typed = typed(pairs);
    let why = format!("SNMP user {name} removed");
    let edit = |document: &mut Document| {
        let index = position(document, &name).ok_or_else(|| gone(&name))?;
        document.snmp.get_or_insert_default().user.remove(index);
        Ok(Edited::default())
    };
    match make(&ask.gateway, &ask.caller, &typed, &why, edit).await {
        Ok(saved) => saved.then(PAGE),
        Err(rejection) => remove_page(ask, &name, Some((typed, rejection))),
    }
}

fn remove_page(ask: Ask, name: &str, refused: Option<(Typed, Rejection)>) -> Response {
    let published = ask.latest();
    if user(&published.document, name).is_none() {
        return missing(ask.frame, "SNMP user", name);
    }
    let removal = Removal {
        title: format!("Remove the SNMP user {name}?"),
        label: name.to_owned(),
        losses: vec![format!("Managers that ask as {name} are not answered any more.")],
        action: format!("{REMOVE}?user={}", encoded(name)),
        back: PAGE.into(),
        ..Removal::default()
    };
    removal.page(ask.frame, &published, refused)
}
