//! Where newer versions are looked for: the form behind the page Software Update.

use axum::Router;
use axum::routing::get;

use super::ask::{Ask, Pairs};
use super::change::{as_value, write_entry};
use super::section::SectionForm;
use super::tables::{ONLINE_UPDATES, fields};
use crate::web::Gateway;

const FORM: SectionForm = SectionForm {
    entry: "update",
    page: "/maintenance/update",
    edit: "/maintenance/update/settings",
    title: "Look for newer versions",
    lead: "The appliance only looks, and tells when there is one: nothing is downloaded or installed by itself.",
    why: "settings of updates changed",
    sections: ONLINE_UPDATES,
    read: |document| as_value(&document.update),
    write: |document, typed| write_entry(&mut document.update, fields(ONLINE_UPDATES), typed, ""),
    references: Vec::new,
};

pub(super) fn routes() -> Router<Gateway> {
    Router::new().route(
        FORM.edit,
        get(async |ask: Ask| FORM.ask(ask)).post(async |ask: Ask, pairs: Pairs| FORM.send(ask, pairs).await),
    )
}
