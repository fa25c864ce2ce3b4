//! The forms of managers that are told of alerts by traps.

use axum::Router;

use super::change::{Edited, as_value, write_entry};
use super::entry::{EntryForm, place_in, remove_from};
use super::snmp::PAGE;
use super::tables::{SNMP_TRAP, fields};
use crate::config::document::SnmpTrapDocument;
use crate::web::Gateway;

const FORM: EntryForm = EntryForm {
    what: "destination of traps",
    page: PAGE,
    new: "/local/snmp/traps/_new",
    place: |name, step| format!("/local/snmp/traps/{name}/{step}"),
    key: "label",
    add: ("Add a destination of traps", "Add the destination"),
    lead: "It is told of all alerts from the moment at which it is saved.",
    sections: SNMP_TRAP,
    read: |document, name| document.snmp.as_ref()?.trap.iter().find(|trap| is(trap, name)).map(as_value),
    write: |document, name, typed| {
        let traps = &mut document.snmp.get_or_insert_default().trap;
        let index = place_in(traps, name, is)?;
        let problems = write_entry(&mut traps[index], fields(SNMP_TRAP), typed, "");
        Some(Edited { entry: format!("snmp.trap[{index}]"), problems })
    },
    remove: |document, name| {
        remove_from(&mut document.snmp.get_or_insert_default().trap, |trap| is(trap, name))
    },
    losses: |name| vec![format!("{name} is told of nothing any more.")],
};

fn is(trap: &SnmpTrapDocument, name: &str) -> bool {
    trap.label == name
}

pub(super) fn routes() -> Router<Gateway> {
    FORM.routes()
}
