//! The appliance itself: what stands on its console, and whether an address is free.

use std::net::Ipv4Addr;
use std::sync::LazyLock;

use axum::Json;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::routing::{get, post};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::resource::Body;
use super::{Operation, ProblemDocument};
use crate::config::{InterfaceName, ipv4_address};
use crate::network::probe;
use crate::update::is_development_build;
use crate::view::ServiceState;
use crate::web::Gateway;

pub(super) fn operations() -> Vec<Operation> {
    let summary = "Ask on an interface's network whether somebody uses an address (ARP, RFC 5227)";
    vec![
        Operation::read(
            "/api/v1/appliance",
            "The appliance itself: name, state, problems, certificate",
            get(about),
        )
        .gives::<ApplianceDocument>()
        .fails(&[500]),
        Operation::write(Method::POST, "/api/v1/network/address-probe", summary, post(probe_address))
            .takes::<AddressQuestion>()
            .gives::<AddressUse>()
            .fails(&[409, 429]),
    ]
}

/// The appliance itself.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct ApplianceDocument {
    /// Its name.
    pub host_name: String,
    /// Version of the product.
    pub version: String,
    /// It is no release: it takes the updates of one developer only.
    #[serde(default)]
    pub development_build: bool,
    /// The stored version of the configuration in force; 0 while none is stored.
    pub configuration_version: u64,
    /// The worst state of all services.
    pub state: ServiceState,
    /// What is wrong with it, each in a sentence that says what to do.
    pub problems: Vec<String>,
    /// Somebody can log in.
    pub password_is_set: bool,
    /// SHA-256 of the WebUI's certificate in DER, as browsers show it; none while there is no certificate.
    pub certificate_fingerprint: Option<String>,
}

async fn about(State(gateway): State<Gateway>) -> Result<Json<ApplianceDocument>, ProblemDocument> {
    let users = gateway.access().users().await.map_err(|why| ProblemDocument::of_disk(&why))?;
    let latest = gateway.latest();
    let certificate = gateway.certificates().status();
    Ok(Json(ApplianceDocument {
        host_name: latest.view.host_name.clone(),
        version: latest.view.version.clone(),
        development_build: is_development_build(),
        configuration_version: latest.view.configuration_version,
        state: latest.view.state,
        problems: latest.view.problems.clone(),
        password_is_set: users.iter().next().is_some(),
        certificate_fingerprint: certificate.map(|status| status.certificate.fingerprint),
    }))
}

/// An address that somebody may use.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AddressQuestion {
    /// Interface name; it must have a link.
    interface: String,
    /// IPv4 address.
    address: String,
}

/// Who uses an address.
#[derive(Serialize, JsonSchema)]
struct AddressUse {
    /// The Ethernet address of who does, other than the interface itself; none where nobody answered.
    used_by: Option<String>,
}

/// Each takes seconds and a thread.
const AT_ONCE: usize = 2;
static ROOM: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(AT_ONCE));

async fn probe_address(
    Body(AddressQuestion { interface, address }): Body<AddressQuestion>,
) -> Result<Json<AddressUse>, ProblemDocument> {
    let field = |name: &'static str| {
        move |fault: crate::config::values::Fault| ProblemDocument::field(name, fault.problem, fault.remedy)
    };
    let interface = InterfaceName::try_from(interface.as_str()).map_err(field("interface"))?;
    let address: Ipv4Addr = ipv4_address(&address).map_err(field("address"))?;
    let Ok(_place) = ROOM.try_acquire() else {
        let detail = "Other addresses are being asked for. Try again in some seconds.";
        return Err(ProblemDocument::new(StatusCode::TOO_MANY_REQUESTS, "Too many at once", detail));
    };
    let asked = tokio::task::spawn_blocking(move || probe::ask(interface.as_str(), address)).await;
    let found = asked.map_err(std::io::Error::other).flatten().map_err(|error| {
        let detail = format!("{error}. Plug the cable in, or choose an interface that has a link.");
        ProblemDocument::new(StatusCode::CONFLICT, "Nobody can be asked", detail)
    })?;
    Ok(Json(AddressUse { used_by: found.map(probe::text) }))
}
