//! Rules of lists of networks from which something of the appliance itself may be reached.

use std::net::IpAddr;

use super::pins::network;
use super::{Collector, ipv4_address};
use crate::config::values::{Fault, quoted};
use crate::network::topology::{Family, Network};

/// A hospital has a handful of them; each is looked at for each packet that begins a connection.
const MOST: usize = 32;

/// Those that lie within others are left out: the kernel takes no network twice.
pub(super) fn sources(check: &mut Collector, field: &str, texts: &[String]) -> Option<Vec<Network>> {
    if texts.len() > MOST {
        let problem = format!("{} sources are too many", texts.len());
        check.report(field, Fault::new(problem, format!("give at most {MOST} networks")));
        return None;
    }
    let all: Vec<_> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| check.take(format!("{field}[{index}]"), source(text)))
        .collect();
    let mut all: Vec<Network> = all.into_iter().collect::<Option<_>>()?;
    all.sort_by_key(|network| (network.prefix, network.base()));
    let mut kept: Vec<Network> = Vec::new();
    for network in all {
        if !kept.iter().any(|wider| wider.contains(network.address)) {
            kept.push(network);
        }
    }
    Some(kept)
}

/// The management address is an IPv4 address: so are those who ask.
fn source(text: &str) -> Result<Network, Fault> {
    if !text.contains('/') {
        let address = IpAddr::V4(ipv4_address(text)?);
        return Ok(Network { address, prefix: Family::Ipv4.host_prefix() });
    }
    let network = network(text)?;
    match network.address {
        IpAddr::V4(_) if network.base() == network.address => Ok(network),
        IpAddr::V4(_) => {
            let problem = format!("{} is an address within {network}", quoted(text));
            Err(Fault::new(problem, format!("write {network} for all of it, or {} alone", network.address)))
        }
        IpAddr::V6(_) => {
            let problem = format!("{network} is an IPv6 network, and the management address an IPv4 one");
            Err(Fault::new(problem, "give an IPv4 network such as 10.1.0.0/16"))
        }
    }
}
