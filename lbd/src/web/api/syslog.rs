//! Syslog servers as resources: each change of one is a change of the whole configuration, by the one way there is.

use axum::extract::{Extension, State};
use axum::http::Method;
use axum::routing::{delete, get, post, put};

use super::Operation;
use super::resource::{Basis, Body, Named, accepted};
use super::services::{Answer, Entry, add, change, created, position, remove, replace, shown_of};
use crate::config::Document;
use crate::config::document::SyslogServerDocument;
use crate::engine::Accepted;
use crate::web::{Caller, Gateway};

const SERVERS: &str = "/api/v1/syslog-servers";
const SERVER: &str = "/api/v1/syslog-servers/{server}";

impl Entry for SyslogServerDocument {
    const KIND: &str = "syslog server";
    fn label(&self) -> &str {
        &self.label
    }
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::read(SERVERS, "All syslog servers", get(list)).gives::<Vec<SyslogServerDocument>>(),
        Operation::write(Method::POST, SERVERS, "Add a syslog server", post(add_server))
            .takes::<SyslogServerDocument>()
            .gives::<Accepted>()
            .status(201)
            .changes(),
        Operation::read(SERVER, "A syslog server", get(show)).gives::<SyslogServerDocument>(),
        Operation::write(Method::PUT, SERVER, "Replace or rename a syslog server", put(replace_server))
            .takes::<SyslogServerDocument>()
            .gives::<Accepted>()
            .changes(),
        Operation::write(Method::DELETE, SERVER, "Remove a syslog server", delete(remove_server))
            .gives::<Accepted>()
            .changes(),
    ]
}

async fn list(State(gateway): State<Gateway>) -> Answer {
    shown_of(&gateway, |document| Ok(document.syslog_server.clone()))
}

async fn show(State(gateway): State<Gateway>, Named(label): Named<String>) -> Answer {
    shown_of(&gateway, |document| {
        let index = position(&document.syslog_server, &label)?;
        Ok(document.syslog_server[index].clone())
    })
}

fn entry(index: usize) -> String {
    format!("syslog_server[{index}]")
}

async fn add_server(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    basis: Basis,
    Body(server): Body<SyslogServerDocument>,
) -> Answer {
    let label = server.label.clone();
    let edit = |document: &mut Document| add(&mut document.syslog_server, server).map(entry);
    Ok(created(change(&gateway, &caller, basis, edit).await?, &["syslog-servers", &label]))
}

async fn replace_server(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Named(label): Named<String>,
    basis: Basis,
    Body(server): Body<SyslogServerDocument>,
) -> Answer {
    let edit = |document: &mut Document| replace(&mut document.syslog_server, &label, server).map(entry);
    Ok(accepted(change(&gateway, &caller, basis, edit).await?))
}

async fn remove_server(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Named(label): Named<String>,
    basis: Basis,
) -> Answer {
    let edit = |document: &mut Document| remove(&mut document.syslog_server, &label).map(|_| String::new());
    Ok(accepted(change(&gateway, &caller, basis, edit).await?))
}
