//! The forms of users of SNMP version 3.

use axum::Router;
use axum::extract::Query;
use axum::routing::get;
use serde::Deserialize;

use super::ask::{Ask, Pairs};
use super::change::{Edited, as_value, write_entry};
use super::entry::{EntryForm, place_in, remove_from};
use super::snmp::PAGE;
use super::tables::{SNMP_USER, fields};
use crate::config::document::SnmpUserDocument;
use crate::web::Gateway;

const FORM: EntryForm = EntryForm {
    what: "SNMP user",
    page: PAGE,
    new: "/local/snmp/user",
    place: |name, step| format!("/local/snmp/user/{step}?user={}", encoded(name)),
    key: "name",
    add: ("Add an SNMP user", "Add the user"),
    lead: "They are answered once their passphrases are set, on the page SNMP Configuration.",
    sections: SNMP_USER,
    read: |document, name| document.snmp.as_ref()?.user.iter().find(|user| is(user, name)).map(as_value),
    write: |document, name, typed| {
        let users = &mut document.snmp.get_or_insert_default().user;
        let index = place_in(users, name, is)?;
        let problems = write_entry(&mut users[index], fields(SNMP_USER), typed, "");
        Some(Edited { entry: format!("snmp.user[{index}]"), problems })
    },
    remove: |document, name| {
        remove_from(&mut document.snmp.get_or_insert_default().user, |user| is(user, name))
    },
    losses: |name| vec![format!("Managers that ask as {name} are not answered any more.")],
};

fn is(user: &SnmpUserDocument, name: &str) -> bool {
    user.name == name
}

/// A name has signs that have meanings in paths.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Who {
    user: String,
}

pub(super) fn routes() -> Router<Gateway> {
    type Of = Query<Who>;
    let add = get(async |ask: Ask| FORM.ask_new(ask))
        .post(async |ask: Ask, pairs: Pairs| FORM.add(ask, pairs).await);
    let edit = get(async |ask: Ask, Query(who): Of| FORM.ask_edit(ask, &who.user))
        .post(async |ask: Ask, Query(who): Of, pairs: Pairs| FORM.edit(ask, &who.user, pairs).await);
    let remove = get(async |ask: Ask, Query(who): Of| FORM.ask_remove(ask, &who.user))
        .post(async |ask: Ask, Query(who): Of, pairs: Pairs| FORM.remove(ask, &who.user, pairs).await);
    Router::new()
        .route(FORM.new, add)
        .route("/local/snmp/user/edit", edit)
        .route("/local/snmp/user/remove", remove)
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
