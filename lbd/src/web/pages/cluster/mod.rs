//! Cluster Configuration: virtual services, real servers, health checks; and what has forms of the same kind.
//!
//! [`field`], [`tables`] and [`network_tables`] say what the forms ask for, [`typed`] what was answered, [`input`] and [`form`] show both, [`change`]
//! carries the change out. Names that begin with `_` in a path are no labels: those begin with a letter or digit.

mod advanced;
mod ask;
mod change;
mod check_form;
mod check_test;
mod checks;
mod clock;
mod confirm;
mod entry;
mod field;
mod form;
mod guide;
mod input;
mod mail;
mod network;
mod network_tables;
mod new_check;
mod new_service;
mod online_updates;
mod persistence;
mod section;
mod security;
mod security_tables;
mod servers;
mod services;
mod snmp;
mod snmp_trap;
mod snmp_user;
mod syslog;
mod tables;
mod tools;
mod typed;

pub(in crate::web) use checks::TEST_PATHS;
pub(in crate::web) use clock::ORDER_PATH as CLOCK_ORDER_PATH;
pub(in crate::web) use mail::ORDER_PATH as MAIL_ORDER_PATH;
pub(in crate::web) use persistence::PATH as PERSISTENCE_PATH;
pub(in crate::web) use security::RESTART_PATH;
pub(in crate::web) use snmp::ORDER_PATH as SNMP_ORDER_PATH;
pub(in crate::web) use tools::PATH as TOOLS_PATH;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::response::Response;

use super::frame::Frame;
use super::message;
use crate::web::{Caller, Gateway, Role};

/// A check's template is the largest thing that is typed (64 KiB), each byte written as `%XX`.
const LARGEST_FORM: usize = 256 * 1024;

/// All pages of this section that do their work already.
pub(super) fn routes() -> Router<Gateway> {
    services::routes()
        .merge(persistence::routes())
        .merge(servers::routes())
        .merge(checks::routes())
        .merge(guide::routes())
        .merge(advanced::routes())
        .merge(syslog::routes())
        .merge(mail::routes())
        .merge(clock::routes())
        .merge(snmp::routes())
        .merge(snmp_user::routes())
        .merge(snmp_trap::routes())
        .merge(network::routes())
        .merge(security::routes())
        .merge(online_updates::routes())
        .merge(tools::routes())
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
}

/// For forms whose answer would be refused anyway.
fn for_administrators(frame: Frame, caller: &Caller) -> Response {
    let text = format!(
        "{} is {} {}; the configuration is changed by administrators. Ask one of them.",
        caller.user,
        if caller.role == Role::Operator { "an" } else { "a" },
        caller.role
    );
    message::said(frame, StatusCode::FORBIDDEN, "You may not change this", &text)
}

/// An entry that is not there, or not any more.
fn missing(frame: Frame, what: &str, label: &str) -> Response {
    let text = format!(
        "There is no {what} {}; it may have been removed or renamed. The System Overview shows everything there is.",
        crate::config::values::quoted(label)
    );
    message::said(frame, StatusCode::NOT_FOUND, "There is nothing of that name", &text)
}
