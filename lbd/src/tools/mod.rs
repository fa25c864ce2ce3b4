//! Tools for who looks for a fault in the network: ping, traceroute, TCP connect test, DICOM C-ECHO, DNS look-up, the
//! neighbour table. Each has a bounded duration and asks one host, one port, at a time.

mod connect;
mod echo;
mod look_up;
mod ping;
mod traceroute;

use std::net::{IpAddr, Ipv4Addr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::AeTitle;
use crate::mail::exchange::Finder;
use crate::network::neighbours;

/// Longest host name in characters (RFC 1035 section 2.3.4).
const LONGEST_NAME: usize = 253;

/// As whom a DICOM server is called where nobody says otherwise: the name that the product's specification gives.
pub const USUAL_CALLING: &str = "LOADBALANCER";

/// What is to be tried; a host is an address or a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tool {
    /// Echo requests, so many.
    Ping {
        /// Address or name.
        host: String,
        /// 1 to 10.
        count: u16,
    },
    /// The routers on the way.
    Traceroute {
        /// Address or name.
        host: String,
    },
    /// One TCP connection, which is closed at once.
    Connect {
        /// Address or name.
        host: String,
        /// 1 to 65535.
        port: u16,
    },
    /// A DICOM C-ECHO, unencrypted.
    Echo {
        /// Address or name.
        host: String,
        /// 1 to 65535.
        port: u16,
        /// As whom.
        calling: AeTitle,
        /// Whom.
        called: AeTitle,
    },
    /// Addresses of a name, or names of an address.
    LookUp {
        /// Name or address.
        name: String,
    },
    /// Who was met on the networks of the appliance.
    Neighbours,
}

/// What a tool has found: the same for people, pages and programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The host answers as hoped for.
    pub succeeded: bool,
    /// What was found, and where it is a fault what to do next.
    pub outcome: String,
    /// Headings of the table, with units.
    pub columns: Vec<String>,
    /// Its rows, a cell a column.
    pub rows: Vec<Vec<String>>,
}

impl Finding {
    fn new<const WIDTH: usize>(
        succeeded: bool,
        outcome: impl Into<String>,
        columns: [&str; WIDTH],
        rows: Vec<[String; WIDTH]>,
    ) -> Self {
        Self {
            succeeded,
            outcome: outcome.into(),
            columns: columns.map(str::to_owned).to_vec(),
            rows: rows.into_iter().map(Vec::from).collect(),
        }
    }

    fn failed(outcome: impl Into<String>) -> Self {
        Self::new(false, outcome, [], Vec::new())
    }

    /// The table as text: columns below each other, two blanks between them; no line where there are no columns.
    pub fn table(&self) -> Vec<String> {
        let headings = self.columns.iter().map(|heading| heading.to_uppercase()).collect();
        let lines: Vec<Vec<String>> = std::iter::once(headings).chain(self.rows.iter().cloned()).collect();
        let width = |column: usize| {
            lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max()
        };
        let widths: Vec<_> = (0..self.columns.len()).map(|column| width(column).unwrap_or(0)).collect();
        let text = |line: &Vec<String>| {
            let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        lines.iter().filter(|line| !line.is_empty()).map(text).collect()
    }
}

/// What may stand for a host: an address or a host name. The error says what to give.
pub fn host(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
    let has_port = text.contains(':') && text.parse::<IpAddr>().is_err();
    if text.is_empty() || text.len() > LONGEST_NAME || !text.chars().all(is_name) || has_port {
        return Err("give an address such as 192.168.10.110 or a name such as pacs.hospital.example");
    }
    Ok(text.to_owned())
}

/// Does it; names are looked up at these servers, or at those of the system where there are none.
pub async fn carry_out(tool: &Tool, dns_servers: &[Ipv4Addr]) -> Finding {
    match tool {
        Tool::Ping { host, count } => match address(host, dns_servers).await {
            Ok(address) => ping::ping(address, *count).await,
            Err(why) => Finding::failed(why),
        },
        Tool::Traceroute { host } => match address(host, dns_servers).await {
            Ok(address) => traceroute::traceroute(address).await,
            Err(why) => Finding::failed(why),
        },
        Tool::Connect { host, port } => match address(host, dns_servers).await {
            Ok(address) => connect::connect((address, *port).into()).await,
            Err(why) => Finding::failed(why),
        },
        Tool::Echo { host, port, calling, called } => match address(host, dns_servers).await {
            Ok(address) => echo::echo((address, *port).into(), calling, called).await,
            Err(why) => Finding::failed(why),
        },
        Tool::LookUp { name } => look_up::look_up(name, dns_servers).await,
        Tool::Neighbours => met().await,
    }
}

/// The first address of a host.
async fn address(host: &str, dns_servers: &[Ipv4Addr]) -> Result<IpAddr, String> {
    if let Ok(address) = host.parse() {
        return Ok(address);
    }
    let next = "Correct the name, or give the address";
    let found = Finder::new(dns_servers)?.of_host("host", host.trim_end_matches('.')).await;
    let found = found.map_err(|why| format!("{why}. {next}."))?;
    found.first().map(|server| server.address).ok_or_else(|| format!("{host} has no address. {next}."))
}

async fn met() -> Finding {
    match neighbours::list().await {
        Ok(all) => {
            let outcome = format!("{} in all.", all.len());
            let rows = all.into_iter().map(|neighbour| {
                [
                    neighbour.interface,
                    neighbour.address.to_string(),
                    neighbour.hardware,
                    neighbour.state.into(),
                ]
            });
            let columns = ["Interface", "Address", "Ethernet address", "State"];
            Finding::new(true, outcome, columns, rows.collect())
        }
        Err(error) => Finding::failed(format!("The kernel does not list its neighbours: {error}.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_an_address_or_a_name_and_nothing_else() {
        for good in ["192.0.2.1", "fd00::1", "pacs.hospital.example.", " pacs_1 "] {
            assert_eq!(host(good), Ok(good.trim().to_owned()));
        }
        for bad in ["", "a b", "http://pacs", "a;b", "192.0.2.1:104", &"a".repeat(254)] {
            assert!(host(bad).is_err(), "{bad}");
        }
    }
}
