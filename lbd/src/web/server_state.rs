//! What is ordered of servers: online, drained or halted; in one service, or wherever the server is. Pure.

use std::fmt;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::Document;
use crate::config::document::RealServerDocument;
use crate::config::values::quoted;
use crate::engine::Refusal;

/// What is wanted of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Wanted {
    /// Takes new connections while it passes its check.
    Online,
    /// Takes no new ones; established ones go on.
    Drain,
    /// Takes no new ones, and established ones end.
    Halt,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Online => "online",
            Self::Drain => "drain",
            Self::Halt => "halt",
        })
    }
}

fn order(server: &mut RealServerDocument, wanted: Wanted) {
    // Online is what a server is where nothing is said.
    server.state = Some(wanted).filter(|wanted| *wanted != Wanted::Online).map(|wanted| wanted.to_string());
}

/// Of one server in one service; returns where it stands in the document.
pub(super) fn of_server(
    document: &mut Document,
    service: &str,
    server: &str,
    wanted: Wanted,
) -> Result<String, Refusal> {
    let mut services = document.virtual_service.iter_mut().enumerate();
    let found = services.find(|(_, known)| known.label == service);
    let (index, found) =
        found.ok_or_else(|| Refusal::NoEntry(format!("virtual service {}", quoted(service))))?;
    let mut servers = found.real_server.iter_mut().enumerate();
    let found = servers.find(|(_, known)| known.label == server);
    let (position, found) = found
        .ok_or_else(|| Refusal::NoEntry(format!("real server {} in {}", quoted(server), quoted(service))))?;
    order(found, wanted);
    Ok(format!("virtual_service[{index}].real_server[{position}]"))
}

/// Of the server at this address, in every service that it is in.
pub(super) fn at_address(document: &mut Document, address: IpAddr, wanted: Wanted) -> Result<(), Refusal> {
    let servers = document.virtual_service.iter_mut().flat_map(|service| &mut service.real_server);
    let mut found = false;
    for server in servers.filter(|server| server.address.parse() == Ok(address)) {
        order(server, wanted);
        found = true;
    }
    if found { Ok(()) } else { Err(Refusal::NoEntry(format!("real server at {address}"))) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Format;

    fn document() -> Document {
        Document::parse(include_str!("../../../examples/datalink.toml"), Format::Toml).unwrap()
    }

    fn states(document: &Document) -> Vec<Option<&str>> {
        let servers = document.virtual_service.iter().flat_map(|service| &service.real_server);
        servers.map(|server| server.state.as_deref()).collect()
    }

    #[test]
    fn an_order_concerns_one_server_or_all_of_its_places() {
        let mut document = document();
        let address: IpAddr = document.virtual_service[0].real_server[0].address.parse().unwrap();
        document.virtual_service[1].real_server[0].address = address.to_string();
        let path = of_server(&mut document, "DATALINK_POOL1", "DATALINK_POOL1_NODE2", Wanted::Halt);
        assert_eq!(path.unwrap(), "virtual_service[0].real_server[1]");
        at_address(&mut document, address, Wanted::Drain).unwrap();
        assert_eq!(states(&document), [Some("drain"), Some("halt"), Some("drain"), None]);
        at_address(&mut document, address, Wanted::Online).unwrap();
        assert_eq!(states(&document), [None, Some("halt"), None, None]);
    }

    #[test]
    fn who_is_not_there_is_named() {
        let refused =
            |service: &str, server: &str| match of_server(&mut document(), service, server, Wanted::Drain) {
                Err(Refusal::NoEntry(what)) => what,
                other => panic!("{other:?}"),
            };
        assert!(refused("X", "Y").contains("virtual service \"X\""));
        assert!(refused("DATALINK_POOL1", "Y").contains("real server \"Y\""));
        let nobody = at_address(&mut document(), [192, 0, 2, 9].into(), Wanted::Drain);
        assert!(matches!(nobody, Err(Refusal::NoEntry(what)) if what.contains("192.0.2.9")));
    }
}
