//! Persistence entries over the API: listed, and cleared one by one.

use std::net::IpAddr;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Path, Query, State};
use axum::http::{Method, StatusCode};
use axum::routing::{delete, get};
use serde::Deserialize;

use super::api::{Least, Operation, ProblemDocument};
use super::{Caller, Gateway, Role};
use crate::config::values::quoted;
use crate::persistence::lookup::{EntryList, EntryView, LONGEST, NotCleared, Wanted};

const ENTRIES: &str = "/api/v1/persistence";
const ENTRY: &str = "/api/v1/persistence/{service}/{client}";

/// `/api/v1/persistence` and what is below it.
pub(super) fn operations() -> Vec<Operation> {
    let clear = "Make a service forget which server a client had; open connections go on";
    vec![
        Operation::read(ENTRIES, "Clients and the servers that they are led to again", get(list))
            .gives::<EntryList>()
            .query("service", false, "only those of the virtual service with this label")
            .query("client", false, "only those that a client with this address uses")
            .query("limit", true, "so many at most: 1 to 1000, which is usual")
            .fails(&[503]),
        Operation::new(Method::DELETE, ENTRY, Least::Role(Role::Operator), clear, delete(remove))
            .gives::<EntryView>()
            .fails(&[409, 503]),
    ]
}

/// What the question says; everything in it is text, so that each mistake can be named.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    service: Option<String>,
    client: Option<String>,
    limit: Option<String>,
}

impl Question {
    fn wanted(self) -> Result<Wanted, ProblemDocument> {
        let client = self.client.as_deref().map(client).transpose()?;
        let limit = self.limit.as_deref().map_or(Some(LONGEST), |text| text.parse().ok());
        let limit = limit.filter(|limit| (1..=LONGEST).contains(limit));
        let wrong = || wrong(format!("limit is not understood: give a number from 1 to {LONGEST}"));
        Ok(Wanted { service: self.service, client, limit: limit.ok_or_else(wrong)? })
    }
}

async fn list(
    State(gateway): State<Gateway>,
    question: Result<Query<Question>, QueryRejection>,
) -> Result<Json<EntryList>, ProblemDocument> {
    let Query(question) = question
        .map_err(|rejection| wrong(format!("{}; use service, client and limit", rejection.body_text())))?;
    entries(&gateway, &question.wanted()?).await.map(Json)
}

async fn remove(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Path((service, client)): Path<(String, String)>,
) -> Result<Json<EntryView>, ProblemDocument> {
    clear(&gateway, &caller, &service, &client).await.map(Json)
}

/// What is wanted, for API and pages alike.
pub(super) async fn entries(gateway: &Gateway, wanted: &Wanted) -> Result<EntryList, ProblemDocument> {
    let published = gateway.latest();
    let listed = gateway.persistence().list(&published.document, wanted).await;
    listed.map_err(|why| unanswered("Persistence entries cannot be listed now", &why))
}

/// Clears an entry and writes it down.
pub(super) async fn clear(
    gateway: &Gateway,
    caller: &Caller,
    service: &str,
    text: &str,
) -> Result<EntryView, ProblemDocument> {
    let published = gateway.latest();
    let cleared = gateway.persistence().clear(&published.document, service, client(text)?).await;
    match cleared {
        Ok(entry) => {
            let EntryView { client, server, .. } = &entry;
            let what = format!("persistence entry of {client} in {service} cleared: its server was {server}");
            gateway.access().audit().change(&caller.author(), &[what]);
            Ok(entry)
        }
        Err(NotCleared::Missing) => Err(ProblemDocument::missing(format!(
            "No client {} is remembered in {}; its time may have run out, or it was cleared already.",
            quoted(text),
            quoted(service)
        ))),
        Err(NotCleared::Pinned(why)) => {
            Err(ProblemDocument::new(StatusCode::CONFLICT, "The client is pinned", format!("{why}.")))
        }
        Err(NotCleared::Failed(why)) => Err(unanswered("The persistence entry was not cleared", &why)),
    }
}

/// The address of a client, or the first one of a network as the list shows it.
pub(super) fn client(text: &str) -> Result<IpAddr, ProblemDocument> {
    let (address, length) = text.trim().split_once('/').unwrap_or((text.trim(), "0"));
    let parsed = length.parse::<u8>().ok().and(address.parse().ok());
    parsed.ok_or_else(|| {
        let example = "give an IP address, for example 192.168.10.50, or a network as the list shows it";
        wrong(format!("client {} is not understood: {example}", quoted(text)))
    })
}

fn wrong(detail: impl Into<String>) -> ProblemDocument {
    ProblemDocument::new(StatusCode::BAD_REQUEST, "The question about persistence is not understood", detail)
}

fn unanswered(title: &'static str, why: &str) -> ProblemDocument {
    let detail = format!("{why}. Traffic is not concerned; try again in some seconds.");
    ProblemDocument::new(StatusCode::SERVICE_UNAVAILABLE, title, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_an_address_or_a_network_as_it_is_listed() {
        let parsed = |text: &str| client(text).ok().map(|address| address.to_string());
        assert_eq!(parsed(" 192.0.2.7 ").as_deref(), Some("192.0.2.7"));
        assert_eq!(parsed("fd00::/64").as_deref(), Some("fd00::"));
        assert_eq!([parsed("ct-scanner"), parsed("192.0.2.0/x"), parsed("")], [None, None, None]);
    }

    #[test]
    fn a_limit_is_within_bounds() {
        let limit = |text: &str| {
            let question = Question { limit: Some(text.into()), ..Question::default() };
            question.wanted().ok().map(|wanted| wanted.limit)
        };
        assert_eq!(
            [limit("1"), limit("1000"), limit("1001"), limit("0"), limit("x")],
            [Some(1), Some(1000), None, None, None]
        );
        assert_eq!(Question::default().wanted().map(|wanted| wanted.limit).ok(), Some(LONGEST));
    }
}
