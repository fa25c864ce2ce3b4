//! Rules of clients that are pinned to a server.

use std::collections::BTreeMap;

use super::network::address_with_prefix;
use super::{Collector, host_address};
use crate::config::document::PinDocument;
use crate::config::values::{Fault, quoted};
use crate::config::{Label, RealServer};
use crate::network::topology::{Family, Network};

/// They are looked up one after the other by length of prefix; more belong into networks.
const MOST_PINS: usize = 1_000;

/// Every pin of a service.
pub(super) fn pins(
    check: &mut Collector,
    field: &str,
    documents: &[PinDocument],
    servers: &[RealServer],
) -> Option<BTreeMap<Network, Label>> {
    let field = format!("{field}.pin");
    if documents.len() > MOST_PINS {
        let problem = format!("{} pinned clients are too many", documents.len());
        check.report(
            field,
            Fault::new(problem, format!("give at most {MOST_PINS}, or join them to networks")),
        );
        return None;
    }
    let mut pins = BTreeMap::new();
    for (index, document) in documents.iter().enumerate() {
        let field = format!("{field}[{index}]");
        let client = check.take(format!("{field}.client"), client(&document.client));
        let server = check.take(format!("{field}.server"), server(&document.server, servers));
        let (Some(client), Some(server)) = (client, server) else { continue };
        let family = Family::of(client.address);
        if Family::of(server.address) != family {
            let problem = format!("{} has no {family} address, as {client} has", server.label);
            let fault = Fault::new(problem, format!("name a server with an {family} address"));
            check.report(format!("{field}.server"), fault);
        }
        if pins.insert(client, server.label.clone()).is_some() {
            let fault = Fault::new(format!("{client} is pinned twice"), "pin each client to one server");
            check.report(format!("{field}.client"), fault);
        }
    }
    (pins.len() == documents.len()).then_some(pins)
}

fn client(text: &str) -> Result<Network, Fault> {
    let network = match text.contains('/') {
        true => network(text)?,
        false => {
            let address = host_address(text)?;
            Network { address, prefix: Family::of(address).host_prefix() }
        }
    };
    if network.base() == network.address {
        return Ok(network);
    }
    let problem = format!("{} is an address within {network}", quoted(text));
    Err(Fault::new(problem, format!("write {network} for all of it, or {} for this client", network.address)))
}

/// A network may begin with an address that no host has, such as 10.0.0.0.
pub(super) fn network(text: &str) -> Result<Network, Fault> {
    let parsed = text.split_once('/').and_then(|(address, prefix)| {
        let network = Network { address: address.parse().ok()?, prefix: prefix.parse().ok()? };
        (1..=Family::of(network.address).host_prefix()).contains(&network.prefix).then_some(network)
    });
    // Its words say what is wrong.
    parsed.map_or_else(|| address_with_prefix(text), Ok)
}

fn server<'a>(label: &str, servers: &'a [RealServer]) -> Result<&'a RealServer, Fault> {
    servers.iter().find(|server| server.label.as_str() == label).ok_or_else(|| {
        let known: Vec<_> = servers.iter().map(|server| server.label.as_str()).take(8).collect();
        let problem = format!("there is no real server {} in this service", quoted(label));
        Fault::new(problem, format!("use one that exists ({})", known.join(", ")))
    })
}
