//! Where the appliance's own services answer: address and ports, which stand in several sections of the configuration.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pages::listen_at;
use crate::config::Document;

/// Port table of the product's specification.
const HTTPS_PORT: i64 = 9443;
const HTTP_PORT: i64 = 9080;
const SNMP_PORT: i64 = 161;
const FALLBACK_PAGE_PORT: i64 = 9081;

/// Address and ports of the appliance's own services; a port that is not given is the usual one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sockets {
    /// The interface over which administrators come.
    pub interface: String,
    /// Its own address, where WebUI, API and SNMP answer.
    pub address: String,
    /// TCP port of WebUI and API over HTTPS; 9443 where none is given.
    #[serde(default)]
    pub https_port: Option<i64>,
    /// TCP port of the WebUI over HTTP, where `[security]` has it; 9080 where none is given.
    #[serde(default)]
    pub http_port: Option<i64>,
    /// UDP port of the SNMP agent, where `[snmp]` has it; 161 where none is given.
    #[serde(default)]
    pub snmp_port: Option<i64>,
    /// TCP port of the fallback page, to which the kernel redirects; 9081 where none is given.
    #[serde(default)]
    pub fallback_page_port: Option<i64>,
}

impl Sockets {
    /// As the configuration has them, each port with its number.
    pub fn of(document: &Document) -> Self {
        let security = document.security.as_ref();
        let snmp = document.snmp.as_ref();
        let layer4 = document.layer4.as_ref();
        let or = |port: Option<i64>, usual| Some(port.unwrap_or(usual));
        Self {
            interface: document.management.interface.clone(),
            address: document.management.address.clone(),
            https_port: or(document.management.https_port, HTTPS_PORT),
            http_port: or(security.and_then(|section| section.http_port), HTTP_PORT),
            snmp_port: or(snmp.and_then(|section| section.port), SNMP_PORT),
            fallback_page_port: or(layer4.and_then(|section| section.fallback_page_port), FALLBACK_PAGE_PORT),
        }
    }

    /// Writes what is another one than before; a usual port that was never written stays unwritten.
    pub fn write(&self, document: &mut Document) {
        let before = Self::of(document);
        listen_at(document, &self.interface, &self.address, self.https_port.unwrap_or(HTTPS_PORT));
        let differs =
            |new: Option<i64>, old: Option<i64>, usual| new.unwrap_or(usual) != old.unwrap_or(usual);
        if differs(self.http_port, before.http_port, HTTP_PORT) {
            document.security.get_or_insert_default().http_port = self.http_port;
        }
        if differs(self.snmp_port, before.snmp_port, SNMP_PORT) {
            document.snmp.get_or_insert_default().port = self.snmp_port;
        }
        if differs(self.fallback_page_port, before.fallback_page_port, FALLBACK_PAGE_PORT) {
            document.layer4.get_or_insert_default().fallback_page_port = self.fallback_page_port;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Format, validate};

    const EXAMPLE: &str = include_str!("../../../examples/datalink.toml");

    #[test]
    fn what_is_not_changed_is_not_written_and_each_port_counts() {
        let before = Document::parse(EXAMPLE, Format::Toml).unwrap();
        let mut document = before.clone();
        let sockets = Sockets::of(&document);
        sockets.write(&mut document);
        assert_eq!(document, before);
        let moved = Sockets {
            https_port: Some(443),
            http_port: Some(80),
            snmp_port: Some(10161),
            fallback_page_port: Some(8081),
            ..sockets.clone()
        };
        moved.write(&mut document);
        assert_eq!(Sockets::of(&document), moved);
        assert_eq!(validate(document.clone()).unwrap().layer4.fallback_page_port, 8081);
        sockets.write(&mut document);
        assert_eq!(Sockets::of(&document), sockets);
    }
}
