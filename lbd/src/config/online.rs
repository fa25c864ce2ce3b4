//! Where the appliance looks for newer versions of itself, as far as it passed every rule.

use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use url::Url;

use super::check_kind::Verify;
use super::values::HostName;

/// Where newer versions are looked for, and how the way there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnlineUpdates {
    /// The index, over HTTPS; its signature is beside it.
    pub url: Url,
    /// Through which all goes; `None`: straight.
    pub proxy: Option<HttpProxy>,
    /// Which certificates are trusted.
    pub verify: Verify,
    /// Between two looks: an hour to a week.
    pub interval: Duration,
    /// In which names without a dot are looked up.
    pub search_domain: Option<HostName>,
    /// Who knows names; empty: whoever the system asks.
    pub dns_servers: Vec<Ipv4Addr>,
}

/// An HTTP proxy, which connects to other servers (CONNECT).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpProxy {
    /// Its name or IPv4 address.
    pub host: HostName,
    /// TCP port.
    pub port: u16,
}

impl fmt::Display for HttpProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}
