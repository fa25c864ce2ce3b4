//! Checks by hand: `POST /api/v1/probe` shows each step of one, `POST /api/v1/probe/ae-titles` tries AE titles.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::{Method, StatusCode};
use axum::routing::post;
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::api::{Least, Operation, ProblemDocument};
use super::{Gateway, Role};
use crate::config::document::HealthCheckDocument;
use crate::config::{AeTitle, CheckKind, Config, HealthCheck, Problem, Question, check_problems, validate};
use crate::health::titles::{self, candidates};
use crate::health::{self, Failure, Trace};
use crate::tools::USUAL_CALLING;

/// Checks by hand at the same time. They are for people; the servers' own checks have room of their own.
static ROOM: Semaphore = Semaphore::const_new(4);

/// Nobody waits longer for a check by hand, whatever its time-out.
const PATIENCE: Duration = Duration::from_secs(30);

/// A healthy server answers a C-ECHO within milliseconds; somebody waits for the whole page.
const ECHO: Duration = Duration::from_secs(3);

/// `/api/v1/probe...`
pub(super) fn operations() -> Vec<Operation> {
    const JSON: &str = "application/json";
    let operation = |path, summary, handler| {
        Operation::new(Method::POST, path, Least::Role(Role::Operator), summary, handler)
            .takes_text(JSON)
            .gives_text(JSON)
            .fails(&[400, 413, 415, 422])
    };
    vec![
        operation("/api/v1/probe", "Check a server once, step by step", post(probe)),
        operation("/api/v1/probe/ae-titles", "Find the AE titles to which a server answers", post(ae_titles)),
    ]
}

/// Either a server of a service, or an address with a check by its label or as a definition.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeRequest {
    /// Label of a virtual service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Label of one of its servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Label of a health check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// A health check that need not be configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<HealthCheckDocument>,
    /// Address of the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// Its port; the check's where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// A check by hand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeAnswer {
    /// Who was asked.
    pub address: SocketAddr,
    /// What was asked, in words.
    pub check: String,
    /// What came of it.
    #[serde(flatten)]
    pub trace: Trace,
}

async fn probe(
    State(gateway): State<Gateway>,
    request: Result<Json<ProbeRequest>, JsonRejection>,
) -> Result<Json<ProbeAnswer>, ProblemDocument> {
    let Json(request) = request.map_err(|error| misunderstood(&error))?;
    let _place = place()?;
    let (question, address) = target(&configuration(&gateway)?, &request)?;
    let question = Question { timeout: question.timeout.min(PATIENCE), ..question.as_ref().clone() };
    let trace = health::trace(&question, address).await;
    Ok(Json(ProbeAnswer { address, check: question.kind.describe(address.port()), trace }))
}

/// A check by hand for a page, which waits for its turn.
pub(super) async fn trace(question: &Question, address: SocketAddr) -> Trace {
    let _place = ROOM.acquire().await;
    health::trace(question, address).await
}

/// A C-ECHO for a page, which waits for its turn; how long the server took.
pub(super) async fn echo(kind: &CheckKind, address: SocketAddr) -> Result<Duration, Failure> {
    let _place = ROOM.acquire().await;
    let question = Question { kind: kind.clone(), interval: ECHO, fast_interval: ECHO, timeout: ECHO };
    health::probe(&question, address).await.map(|passed| passed.took)
}

/// Those of the known AE titles, and of the one that `kind` asks for unless only `others` are, that a server answers
/// to; it waits for its turn.
pub(super) async fn answering_titles(
    gateway: &Gateway,
    address: SocketAddr,
    kind: &CheckKind,
    others: bool,
) -> Vec<AeTitle> {
    let CheckKind::DicomEcho { calling, called, tls } = kind else { return Vec::new() };
    let known = configuration(gateway).map(|config| known_titles(&config)).unwrap_or_default();
    let first = (!others).then_some(called);
    let tried = candidates(first.into_iter().chain(&known), others.then_some(called));
    let _place = ROOM.acquire().await;
    titles::search(address, calling, &tried, tls.as_ref()).await
}

/// What to ask of whom. Pure.
fn target(config: &Config, request: &ProbeRequest) -> Result<(Arc<Question>, SocketAddr), ProblemDocument> {
    if let (Some(service), Some(server)) = (&request.service, &request.server) {
        let service = config.services.iter().find(|known| known.label.as_str() == service);
        let service = service.ok_or_else(|| {
            wrong(
                "service",
                "there is no such virtual service; give one of those that /api/v1/services lists",
            )
        })?;
        let server = service.servers.iter().find(|known| known.label.as_str() == server);
        let server = server.ok_or_else(|| {
            wrong("server", "the service has no such server; give one of those that it has")
        })?;
        let address = SocketAddr::from((server.address, service.check_port(server)));
        return Ok((service.check.question.clone(), address));
    }
    let check = match (&request.check, &request.definition) {
        (Some(label), None) => known_check(config, label)?,
        (None, Some(definition)) => check_problems(definition).map_err(ProblemDocument::invalid)?,
        _ => return Err(wrong("check", "name a service and a server, or a check and an address")),
    };
    let address = request.address.ok_or_else(|| {
        wrong("address", "the address of the server is missing; give it, for example 192.168.10.110")
    })?;
    let needs_port = check.question.kind.has_port();
    let port = request.port.or(check.port).or((!needs_port).then_some(0));
    let port =
        port.ok_or_else(|| wrong("port", "the port of the server is missing; give it, for example 2001"))?;
    Ok((check.question, (address, port).into()))
}

fn known_check(config: &Config, label: &str) -> Result<HealthCheck, ProblemDocument> {
    let documents = &config.document.health_check;
    let document = documents.iter().find(|known| known.label == label);
    let document = document.ok_or_else(|| {
        wrong(
            "check",
            "there is no health check of this label; give one of those that /api/v1/health-checks lists",
        )
    })?;
    check_problems(document).map_err(ProblemDocument::invalid)
}

/// Which AE titles a server answers to.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct TitlesRequest {
    address: IpAddr,
    port: u16,
    /// Those of the configuration and DoseWatch's where none are given.
    #[serde(default)]
    titles: Vec<String>,
    #[serde(default)]
    calling_ae_title: Option<String>,
}

#[derive(Debug, Serialize)]
struct TitlesAnswer {
    /// In the order in which they were tried.
    tried: Vec<String>,
    /// Those of them that the server answered.
    answering: Vec<String>,
}

async fn ae_titles(
    State(gateway): State<Gateway>,
    request: Result<Json<TitlesRequest>, JsonRejection>,
) -> Result<Json<TitlesAnswer>, ProblemDocument> {
    let Json(request) = request.map_err(|error| misunderstood(&error))?;
    let _place = place()?;
    let calling = title("calling_ae_title", request.calling_ae_title.as_deref().unwrap_or(USUAL_CALLING))?;
    let given: Result<Vec<_>, _> = request.titles.iter().map(|text| title("titles", text)).collect();
    let mut given = given?;
    given.truncate(titles::MOST_TRIED);
    let tried = if given.is_empty() { known_titles(&configuration(&gateway)?) } else { given };
    let address = (request.address, request.port).into();
    let answering = titles::search(address, &calling, &tried, None).await;
    let names = |titles: Vec<AeTitle>| titles.iter().map(ToString::to_string).collect();
    Ok(Json(TitlesAnswer { tried: names(tried), answering: names(answering) }))
}

fn known_titles(config: &Config) -> Vec<AeTitle> {
    let called = config.services.iter().filter_map(|service| match &service.check.question.kind {
        CheckKind::DicomEcho { called, .. } => Some(called),
        _ => None,
    });
    candidates(called, None)
}

fn title(field: &str, text: &str) -> Result<AeTitle, ProblemDocument> {
    AeTitle::try_from(text).map_err(|fault| {
        ProblemDocument::invalid(vec![Problem {
            field: field.into(),
            problem: fault.problem,
            remedy: fault.remedy,
        }])
    })
}

fn configuration(gateway: &Gateway) -> Result<Config, ProblemDocument> {
    validate(gateway.latest().document.as_ref().clone()).map_err(ProblemDocument::invalid)
}

fn place() -> Result<SemaphorePermit<'static>, ProblemDocument> {
    ROOM.try_acquire().map_err(|_| {
        ProblemDocument::new(
            StatusCode::TOO_MANY_REQUESTS,
            "Too many checks by hand at once",
            "Try again when one of them has ended.",
        )
    })
}

fn misunderstood(error: &JsonRejection) -> ProblemDocument {
    let detail = format!("{}. See /api/v1/openapi.json for what it may be.", error.body_text());
    ProblemDocument::new(StatusCode::UNPROCESSABLE_ENTITY, "The request is not understood", detail)
}

fn wrong(field: &str, problem: &str) -> ProblemDocument {
    let title = "The check cannot be made";
    ProblemDocument::new(StatusCode::UNPROCESSABLE_ENTITY, title, format!("{field}: {problem}."))
}
