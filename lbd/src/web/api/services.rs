//! Virtual services, their real servers, and health checks as resources: each change of one is a change of the
//! whole configuration, by the one way there is.

use std::net::IpAddr;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::header::LOCATION;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::resource::{Basis, Body, Named, accepted, tagged};
use super::{Least, Operation, ProblemDocument};
use crate::config::Document;
use crate::config::document::{HealthCheckDocument, RealServerDocument, VirtualServiceDocument};
use crate::engine::{Accepted, Refusal};
use crate::web::server_state::{Wanted, at_address, of_server};
use crate::web::{Caller, Gateway, Role};

const SERVICES: &str = "/api/v1/services";
const SERVICE: &str = "/api/v1/services/{service}";
const SERVERS: &str = "/api/v1/services/{service}/servers";
const SERVER: &str = "/api/v1/services/{service}/servers/{server}";
const SERVER_STATE: &str = "/api/v1/services/{service}/servers/{server}/state";
const ADDRESS_STATE: &str = "/api/v1/servers/{address}/state";
const CHECKS: &str = "/api/v1/health-checks";
const CHECK: &str = "/api/v1/health-checks/{check}";

pub(super) fn operations() -> Vec<Operation> {
    [service_operations(), server_operations(), state_operations(), check_operations()].concat()
}

fn service_operations() -> Vec<Operation> {
    vec![
        Operation::read(SERVICES, "All virtual services", get(services))
            .gives::<Vec<VirtualServiceDocument>>(),
        Operation::write(Method::POST, SERVICES, "Add a virtual service", post(add_service))
            .takes::<VirtualServiceDocument>()
            .gives::<Accepted>()
            .status(201)
            .changes(),
        Operation::read(SERVICE, "A virtual service", get(service)).gives::<VirtualServiceDocument>(),
        Operation::write(Method::PUT, SERVICE, "Replace or rename a virtual service", put(replace_service))
            .takes::<VirtualServiceDocument>()
            .gives::<Accepted>()
            .changes(),
        Operation::write(Method::DELETE, SERVICE, "Remove a virtual service", delete(remove_service))
            .gives::<Accepted>()
            .changes(),
    ]
}

fn server_operations() -> Vec<Operation> {
    vec![
        Operation::read(SERVERS, "The real servers of a service", get(servers))
            .gives::<Vec<RealServerDocument>>(),
        Operation::write(Method::POST, SERVERS, "Add a real server", post(add_server))
            .takes::<RealServerDocument>()
            .gives::<Accepted>()
            .status(201)
            .changes(),
        Operation::read(SERVER, "A real server", get(server)).gives::<RealServerDocument>(),
        Operation::write(Method::PUT, SERVER, "Replace or rename a real server", put(replace_server))
            .takes::<RealServerDocument>()
            .gives::<Accepted>()
            .changes(),
        Operation::write(Method::DELETE, SERVER, "Remove a real server", delete(remove_server))
            .gives::<Accepted>()
            .changes(),
    ]
}

/// For operators too.
fn state_operations() -> Vec<Operation> {
    let order = |path, summary, handler| {
        Operation::new(Method::PUT, path, Least::Role(Role::Operator), summary, handler)
            .takes::<StateDocument>()
            .gives::<Accepted>()
            .changes()
    };
    vec![
        order(SERVER_STATE, "Take a server of a service online, drain or halt it", put(order_server)),
        order(
            ADDRESS_STATE,
            "Take the server at an address online, drain or halt it, in all services at once",
            put(order_address),
        ),
    ]
}

fn check_operations() -> Vec<Operation> {
    vec![
        Operation::read(CHECKS, "All health checks", get(checks)).gives::<Vec<HealthCheckDocument>>(),
        Operation::write(Method::POST, CHECKS, "Add a health check", post(add_check))
            .takes::<HealthCheckDocument>()
            .gives::<Accepted>()
            .status(201)
            .changes(),
        Operation::read(CHECK, "A health check", get(check)).gives::<HealthCheckDocument>(),
        Operation::write(
            Method::PUT,
            CHECK,
            "Replace or rename a health check; the services that use it follow",
            put(replace_check),
        )
        .takes::<HealthCheckDocument>()
        .gives::<Accepted>()
        .changes(),
        Operation::write(Method::DELETE, CHECK, "Remove a health check", delete(remove_check))
            .gives::<Accepted>()
            .changes(),
    ]
}

/// An entry of a list in the document.
pub(super) trait Entry {
    const KIND: &str;
    fn label(&self) -> &str;
}

impl Entry for VirtualServiceDocument {
    const KIND: &str = "virtual service";
    fn label(&self) -> &str {
        &self.label
    }
}

impl Entry for RealServerDocument {
    const KIND: &str = "real server";
    fn label(&self) -> &str {
        &self.label
    }
}

impl Entry for HealthCheckDocument {
    const KIND: &str = "health check";
    fn label(&self) -> &str {
        &self.label
    }
}

/// The label came with the request: it may be long.
fn shown<E: Entry>(label: &str) -> String {
    format!("{} {}", E::KIND, crate::config::values::quoted(label))
}

pub(super) fn position<E: Entry>(list: &[E], label: &str) -> Result<usize, Refusal> {
    let found = list.iter().position(|entry| entry.label() == label);
    found.ok_or_else(|| Refusal::NoEntry(shown::<E>(label)))
}

pub(super) fn add<E: Entry>(list: &mut Vec<E>, entry: E) -> Result<usize, Refusal> {
    if position(list, entry.label()).is_ok() {
        return Err(Refusal::Exists(shown::<E>(entry.label())));
    }
    list.push(entry);
    Ok(list.len() - 1)
}

pub(super) fn replace<E: Entry>(list: &mut [E], label: &str, entry: E) -> Result<usize, Refusal> {
    let index = position(list, label)?;
    if entry.label() != label && position(list, entry.label()).is_ok() {
        return Err(Refusal::Exists(shown::<E>(entry.label())));
    }
    list[index] = entry;
    Ok(index)
}

pub(super) fn remove<E: Entry>(list: &mut Vec<E>, label: &str) -> Result<usize, Refusal> {
    let index = position(list, label)?;
    list.remove(index);
    Ok(index)
}

fn servers_of<'a>(
    document: &'a mut Document,
    service: &str,
) -> Result<(usize, &'a mut Vec<RealServerDocument>), Refusal> {
    let index = position(&document.virtual_service, service)?;
    Ok((index, &mut document.virtual_service[index].real_server))
}

/// Edits the document; fields in a refusal are named within the entry that `edit` returns the path of.
pub(super) async fn change(
    gateway: &Gateway,
    caller: &Caller,
    Basis { based_on, comment }: Basis,
    edit: impl FnOnce(&mut Document) -> Result<String, Refusal> + Send,
) -> Result<Accepted, ProblemDocument> {
    let mut entry = String::new();
    let note = |document: &mut Document| {
        entry = edit(document)?;
        Ok(())
    };
    let changed = gateway.edit(caller.author(), comment.unwrap_or_default(), based_on, note).await;
    changed.map_err(|refusal| ProblemDocument::from(refusal).within(&entry))
}

/// What was added, and where it is from now on.
pub(super) fn created(accepted_change: Accepted, path: &[&str]) -> Response {
    let encoded: Vec<_> = path.iter().map(|part| percent_encoded(part)).collect();
    let location = format!("/api/v1/{}", encoded.join("/"));
    (StatusCode::CREATED, [(LOCATION, location)], accepted(accepted_change)).into_response()
}

/// Accepted labels have no characters that need it; a path in a header must be ASCII whatever comes.
fn percent_encoded(part: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    part.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// One entry or a list of them, out of the configuration in force.
pub(super) fn shown_of<T: Serialize>(
    gateway: &Gateway,
    pick: impl FnOnce(&Document) -> Result<T, Refusal>,
) -> Result<Response, ProblemDocument> {
    let latest = gateway.latest();
    let picked = pick(&latest.document)?;
    Ok(tagged(latest.view.configuration_version, Json(picked)))
}

pub(super) type Answer = Result<Response, ProblemDocument>;

async fn services(State(gateway): State<Gateway>) -> Answer {
    shown_of(&gateway, |document| Ok(document.virtual_service.clone()))
}

async fn service(State(gateway): State<Gateway>, Named(label): Named<String>) -> Answer {
    shown_of(&gateway, |document| {
        let index = position(&document.virtual_service, &label)?;
        Ok(document.virtual_service[index].clone())
    })
}

async fn add_service(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    basis: Basis,
    Body(entry): Body<VirtualServiceDocument>,
) -> Answer {
    let label = entry.label.clone();
    let edit = |document: &mut Document| {
        add(&mut document.virtual_service, entry).map(|index| format!("virtual_service[{index}]"))
    };
    Ok(created(change(&gateway, &caller, basis, edit).await?, &["services", &label]))
}

async fn replace_service(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Named(label): Named<String>,
    basis: Basis,
    Body(entry): Body<VirtualServiceDocument>,
) -> Answer {
    let edit = |document: &mut Document| {
        let index = replace(&mut document.virtual_service, &label, entry)?;
        Ok(format!("virtual_service[{index}]"))
    };
    Ok(accepted(change(&gateway, &caller, basis, edit).await?))
}

async fn remove_service(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Named(label): Named<String>,
    basis: Basis,
) -> Answer {
    let edit = |document: &mut Document| remove(&mut document.virtual_service, &label).map(|_| String::new());
    Ok(accepted(change(&gateway, &caller, basis, edit).await?))
}

async fn servers(State(gateway): State<Gateway>, Named(service): Named<String>) -> Answer {
    shown_of(&gateway, |document| {
        let index = position(&document.virtual_service, &service)?;
        Ok(document.virtual_service[index].real_server.clone())
    })
}

async fn server(State(gateway): State<Gateway>, Named((service, server)): Named<(String, String)>) -> Answer {
    shown_of(&gateway, |document| {
        let servers = &document.virtual_service[position(&document.virtual_service, &service)?].real_server;
        Ok(servers[position(servers, &server)?].clone())
    })
}

async fn add_server(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Named(service): Named<String>,
    basis: Basis,
    Body(entry): Body<RealServerDocument>,
) -> Answer {
    let label = entry.label.clone();
    let edit = |document: &mut Document| {
        let (index, servers) = servers_of(document, &service)?;
        let position = add(servers, entry)?;
        Ok(format!("virtual_service[{index}].real_server[{position}]"))
    };
    let path = ["services", &service, "servers", &label];
    Ok(created(change(&gateway, &caller, basis, edit).await?, &path))
}

async fn replace_server(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Named((service, server)): Named<(String, String)>,
    basis: Basis,
    Body(entry): Body<RealServerDocument>,
) -> Answer {
    let edit = |document: &mut Document| {
        let (index, servers) = servers_of(document, &service)?;
        let position = replace(servers, &server, entry)?;
        Ok(format!("virtual_service[{index}].real_server[{position}]"))
    };
    Ok(accepted(change(&gateway, &caller, basis, edit).await?))
}

async fn remove_server(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Named((service, server)): Named<(String, String)>,
    basis: Basis,
) -> Answer {
    let edit = |document: &mut Document| {
        let (index, servers) = servers_of(document, &service)?;
        remove(servers, &server)?;
        Ok(format!("virtual_service[{index}]"))
    };
    Ok(accepted(change(&gateway, &caller, basis, edit).await?))
}

/// What is wanted of a server.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct StateDocument {
    state: Wanted,
}

async fn order_server(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Named((service, server)): Named<(String, String)>,
    Basis { based_on, comment }: Basis,
    Body(StateDocument { state }): Body<StateDocument>,
) -> Answer {
    let comment = comment.or_else(|| Some(format!("{state}: {server} of {service}")));
    let edit = |document: &mut Document| of_server(document, &service, &server, state);
    Ok(accepted(change(&gateway, &caller, Basis { based_on, comment }, edit).await?))
}

async fn order_address(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Named(address): Named<IpAddr>,
    Basis { based_on, comment }: Basis,
    Body(StateDocument { state }): Body<StateDocument>,
) -> Answer {
    let comment = comment.or_else(|| Some(format!("{state}: {address} everywhere")));
    let edit = |document: &mut Document| at_address(document, address, state).map(|()| String::new());
    Ok(accepted(change(&gateway, &caller, Basis { based_on, comment }, edit).await?))
}

async fn checks(State(gateway): State<Gateway>) -> Answer {
    shown_of(&gateway, |document| Ok(document.health_check.clone()))
}

async fn check(State(gateway): State<Gateway>, Named(label): Named<String>) -> Answer {
    shown_of(&gateway, |document| {
        let index = position(&document.health_check, &label)?;
        Ok(document.health_check[index].clone())
    })
}

async fn add_check(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    basis: Basis,
    Body(entry): Body<HealthCheckDocument>,
) -> Answer {
    let label = entry.label.clone();
    let edit = |document: &mut Document| {
        add(&mut document.health_check, entry).map(|index| format!("health_check[{index}]"))
    };
    Ok(created(change(&gateway, &caller, basis, edit).await?, &["health-checks", &label]))
}

async fn replace_check(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Named(label): Named<String>,
    basis: Basis,
    Body(entry): Body<HealthCheckDocument>,
) -> Answer {
    let edit = |document: &mut Document| {
        let new = entry.label.clone();
        let index = replace(&mut document.health_check, &label, entry)?;
        for service in document.virtual_service.iter_mut().filter(|service| service.health_check == label) {
            service.health_check.clone_from(&new);
        }
        Ok(format!("health_check[{index}]"))
    };
    Ok(accepted(change(&gateway, &caller, basis, edit).await?))
}

async fn remove_check(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Named(label): Named<String>,
    basis: Basis,
) -> Answer {
    let edit = |document: &mut Document| remove(&mut document.health_check, &label).map(|_| String::new());
    Ok(accepted(change(&gateway, &caller, basis, edit).await?))
}
