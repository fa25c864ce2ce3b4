//! Tools: ping, traceroute, TCP connect test, DICOM C-ECHO, DNS look-up, the neighbour table.

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{Method, StatusCode};
use axum::routing::{MethodRouter, get, post};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::resource::Body;
use super::{Least, Operation, ProblemDocument};
use crate::config::AeTitle;
use crate::tools::{self, Finding, Tool, USUAL_CALLING};
use crate::web::{Caller, Gateway, Role};

const NEIGHBOURS: &str = "/api/v1/tools/neighbours";

pub(super) fn operations() -> Vec<Operation> {
    let operation = |method, path, summary, handler: MethodRouter<Gateway>| {
        let operation = Operation::new(method, path, Least::Role(Role::Operator), summary, handler);
        operation.gives::<Finding>().fails(&[429, 504])
    };
    vec![
        operation(Method::POST, "/api/v1/tools/ping", "Send echo requests to a host", post(ping))
            .takes::<PingRequest>(),
        operation(
            Method::POST,
            "/api/v1/tools/traceroute",
            "Find the routers on the way to a host",
            post(traceroute),
        )
        .takes::<TracerouteRequest>(),
        operation(Method::POST, "/api/v1/tools/connect", "Connect to one TCP port of a host", post(connect))
            .takes::<ConnectRequest>(),
        operation(
            Method::POST,
            "/api/v1/tools/dicom-echo",
            "Send a DICOM C-ECHO to one port of a host",
            post(echo),
        )
        .takes::<EchoRequest>(),
        operation(
            Method::POST,
            "/api/v1/tools/dns",
            "Ask each DNS server for a name or an address",
            post(look_up),
        )
        .takes::<LookUpRequest>(),
        operation(Method::GET, NEIGHBOURS, "List the neighbours on each network (ARP, NDP)", get(neighbours)),
    ]
}

/// Whom to ping.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PingRequest {
    /// Address or name.
    pub host: String,
    /// Echo requests, one a second: 1 to 10.
    #[serde(default = "usual_count")]
    pub count: u16,
}

fn usual_count() -> u16 {
    4
}

/// Where the way leads.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TracerouteRequest {
    /// Address or name.
    pub host: String,
}

/// Where to connect.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectRequest {
    /// Address or name.
    pub host: String,
    /// 1 to 65535.
    pub port: u16,
}

/// Which DICOM server to ask.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EchoRequest {
    /// Address or name.
    pub host: String,
    /// 1 to 65535.
    pub port: u16,
    /// AE title of the server: 1 to 16 characters.
    pub called_ae_title: String,
    /// AE title of who asks: 1 to 16 characters.
    #[serde(default = "usual_calling")]
    pub calling_ae_title: String,
}

fn usual_calling() -> String {
    USUAL_CALLING.into()
}

/// What to look up.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LookUpRequest {
    /// A name, or an address whose names are wanted.
    pub name: String,
}

type Answer = Result<Json<Finding>, ProblemDocument>;

async fn ping(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Body(PingRequest { host, count }): Body<PingRequest>,
) -> Answer {
    if !(1..=10).contains(&count) {
        return Err(wrong("count", "give 1 to 10"));
    }
    let host = tools::host(&host).map_err(|remedy| wrong("host", remedy))?;
    gateway.try_tool(&caller, &Tool::Ping { host, count }).await.map(Json)
}

async fn traceroute(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Body(TracerouteRequest { host }): Body<TracerouteRequest>,
) -> Answer {
    let host = tools::host(&host).map_err(|remedy| wrong("host", remedy))?;
    gateway.try_tool(&caller, &Tool::Traceroute { host }).await.map(Json)
}

async fn connect(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Body(ConnectRequest { host, port }): Body<ConnectRequest>,
) -> Answer {
    let port = usable(port)?;
    let host = tools::host(&host).map_err(|remedy| wrong("host", remedy))?;
    gateway.try_tool(&caller, &Tool::Connect { host, port }).await.map(Json)
}

async fn echo(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Body(request): Body<EchoRequest>,
) -> Answer {
    let EchoRequest { host, port, called_ae_title, calling_ae_title } = request;
    let port = usable(port)?;
    let host = tools::host(&host).map_err(|remedy| wrong("host", remedy))?;
    let called = title("called_ae_title", &called_ae_title)?;
    let calling = title("calling_ae_title", &calling_ae_title)?;
    gateway.try_tool(&caller, &Tool::Echo { host, port, calling, called }).await.map(Json)
}

async fn look_up(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Body(LookUpRequest { name }): Body<LookUpRequest>,
) -> Answer {
    let name = tools::host(&name).map_err(|remedy| wrong("name", remedy))?;
    gateway.try_tool(&caller, &Tool::LookUp { name }).await.map(Json)
}

async fn neighbours(State(gateway): State<Gateway>, Extension(caller): Extension<Caller>) -> Answer {
    gateway.try_tool(&caller, &Tool::Neighbours).await.map(Json)
}

fn usable(port: u16) -> Result<u16, ProblemDocument> {
    if port == 0 { Err(wrong("port", "give 1 to 65535, for example 104")) } else { Ok(port) }
}

fn title(field: &str, text: &str) -> Result<AeTitle, ProblemDocument> {
    AeTitle::try_from(text).map_err(|fault| wrong(field, &format!("{}; {}", fault.problem, fault.remedy)))
}

fn wrong(field: &str, remedy: &str) -> ProblemDocument {
    let detail = format!("{field} is not understood: {remedy}.");
    ProblemDocument::new(StatusCode::UNPROCESSABLE_ENTITY, "The tool cannot be used so", detail)
}
