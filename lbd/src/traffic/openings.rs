//! What of the appliance itself is open, and to whom. The rules of the packet filter and what people are told of it are made
//! from the same list. Pure.

use std::net::Ipv4Addr;

use super::table::Rule;
use crate::config::{Config, InterfaceName};
use crate::network::topology::Network;

/// A service of the appliance itself that may be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// WebUI and API over HTTPS.
    Https,
    /// The WebUI over HTTP.
    Http,
    /// The SNMP agent.
    Snmp,
}

impl Service {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Https => "WebUI and API (HTTPS)",
            Self::Http => "WebUI (HTTP)",
            Self::Snmp => "SNMP",
        }
    }

    /// As nft names it.
    pub fn transport(self) -> &'static str {
        match self {
            Self::Https | Self::Http => "tcp",
            Self::Snmp => "udp",
        }
    }
}

/// A port that answers on the management address, on its interface only, and never on a virtual address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// What answers.
    pub service: Service,
    /// The interface over which packets must come.
    pub interface: InterfaceName,
    /// The management address.
    pub address: Ipv4Addr,
    /// Its port.
    pub port: u16,
    /// From where; empty: from everywhere.
    pub sources: Vec<Network>,
}

/// All of them, in the order of the rules.
pub fn openings(config: &Config) -> Vec<Opening> {
    let management = &config.management;
    let opening = |service, port, sources: &[Network]| Opening {
        service,
        interface: management.interface.clone(),
        address: management.address,
        port,
        sources: sources.to_vec(),
    };
    let web = config.security.web_sources.as_slice();
    let https = opening(Service::Https, management.https_port, web);
    let http = config.security.http_port.map(|port| opening(Service::Http, port, web));
    let snmp = config.snmp.as_ref().filter(|snmp| snmp.enabled);
    let snmp = snmp.map(|snmp| opening(Service::Snmp, snmp.port, &snmp.sources));
    [Some(https), http, snmp].into_iter().flatten().collect()
}

impl Opening {
    /// Lets its packets in. Those of others never reach the service.
    pub fn rule(&self) -> Rule {
        let Self { service, interface, address, port, sources } = self;
        let networks: Vec<_> = sources.iter().map(ToString::to_string).collect();
        let from = match networks.as_slice() {
            [] => String::new(),
            networks => format!("ip saddr {{ {} }} ", networks.join(", ")),
        };
        let transport = service.transport();
        Rule::new(format!("iifname \"{interface}\" ip daddr {address} {from}{transport} dport {port} accept"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Document, Format, validate};

    const EXAMPLE: &str = include_str!("../../../examples/datalink.toml");

    fn rules(more: &str) -> Vec<String> {
        let document = Document::parse(&format!("{EXAMPLE}\n{more}"), Format::Toml).unwrap();
        openings(&validate(document).unwrap())
            .iter()
            .map(|opening| opening.rule().text().to_owned())
            .collect()
    }

    #[test]
    fn only_what_is_switched_on_has_a_rule() {
        let https = "iifname \"eth0\" ip daddr 192.168.10.10 tcp dport 9443 accept";
        assert_eq!(rules(""), [https]);
        assert_eq!(rules("[security]\nhttp_port = 80\n[snmp]\nport = 161\n"), [https]);
    }

    #[test]
    fn each_service_is_open_to_its_own_networks() {
        let all = rules(
            "[security]\nmode = \"custom\"\nhttp = true\nweb_sources = [\"10.1.0.0/16\", \"10.2.3.4\"]\n\
             [snmp]\nenabled = true\nport = 10161\nsources = [\"10.9.0.0/24\"]\n",
        );
        let web = "iifname \"eth0\" ip daddr 192.168.10.10 ip saddr { 10.1.0.0/16, 10.2.3.4/32 } tcp dport";
        let snmp = "iifname \"eth0\" ip daddr 192.168.10.10 ip saddr { 10.9.0.0/24 } udp dport 10161 accept";
        assert_eq!(all, [format!("{web} 9443 accept"), format!("{web} 9080 accept"), snmp.to_owned()]);
    }
}
