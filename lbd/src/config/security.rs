//! Who may manage the appliance and how, as far as it passed every rule.

use std::net::IpAddr;

use crate::network::topology::Network;

/// Which of the ways to manage the appliance are open, and to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Security {
    /// How the ways were chosen.
    pub mode: SecurityMode,
    /// API tokens count.
    pub api_tokens: bool,
    /// The WebUI answers over HTTP on this port too; `None`: over HTTPS only.
    pub http_port: Option<u16>,
    /// From where WebUI and API are reached, none within another; empty: from everywhere.
    pub web_sources: Vec<Network>,
}

/// How the ways to manage the appliance are chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SecurityMode {
    /// HTTPS only.
    #[default]
    Secure,
    /// One by one.
    Custom,
}

impl SecurityMode {
    /// As the document names it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Secure => "secure",
            Self::Custom => "custom",
        }
    }
}

impl Security {
    /// Whether WebUI and API are reached from this address. The appliance itself always reaches them.
    pub fn lets_in(&self, source: IpAddr) -> bool {
        let is_near = |network: &Network| network.contains(source);
        source.is_loopback() || self.web_sources.is_empty() || self.web_sources.iter().any(is_near)
    }
}
