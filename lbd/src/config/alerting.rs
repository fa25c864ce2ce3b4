//! Who is told of alerts, and how mail gets there.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::check_kind::Verify;
use super::values::{Fault, HostName, quoted};

/// A mail address: ASCII, as every mail server takes it (RFC 5321 section 4.1.2).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailAddress(String);

/// RFC 5321 section 4.5.3.1.3, without the angle brackets.
const LONGEST_ADDRESS: usize = 254;

impl MailAddress {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands behind the last `@`: whose mail servers are asked.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl fmt::Display for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<&str> for MailAddress {
    type Error = Fault;

    fn try_from(value: &str) -> Result<Self, Fault> {
        let is_valid = value.is_ascii()
            && value.len() <= LONGEST_ADDRESS
            && value.parse::<lettre::Address>().is_ok()
            && value.rsplit_once('@').is_some_and(|(_, domain)| HostName::try_from(domain).is_ok());
        if is_valid {
            return Ok(Self(value.to_owned()));
        }
        let remedy = "give one address such as pacs@hospital.example";
        Err(Fault::new(format!("{} is not a mail address", quoted(value)), remedy))
    }
}

/// What is told, to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alerts {
    /// From whom mails come; there is one wherever there is a destination.
    pub source: Option<MailAddress>,
    /// Who gets them; nobody: no mail is sent but for services with destinations of their own.
    pub destinations: Vec<MailAddress>,
    /// Trouble that is shorter is not told: 5 s to an hour.
    pub hold_down: Duration,
    /// Notices of so long become one mail: at most 5 minutes.
    pub gathering: Duration,
    /// Trouble that lasts is told again after this time; `None`: never.
    pub reminder: Option<Duration>,
    /// How subjects are worded.
    pub subjects: Subjects,
}

/// How the subjects of mails are worded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subjects {
    /// For people.
    Plain,
    /// As ldirectord words them, for filters that exist.
    Ldirectord,
}

/// What a service has for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAlerts {
    /// False: no mail about this service.
    pub enabled: bool,
    /// `None`: the global one.
    pub source: Option<MailAddress>,
    /// Empty: the global ones.
    pub destinations: Vec<MailAddress>,
}

impl Default for ServiceAlerts {
    fn default() -> Self {
        Self { enabled: true, source: None, destinations: Vec::new() }
    }
}

/// How mail gets to its destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailSettings {
    /// Takes all mail; `None`: the mail servers of each destination's domain do.
    pub smart_host: Option<HostName>,
    /// TCP port.
    pub port: u16,
    /// Whether connections are encrypted.
    pub encryption: Encryption,
    /// Which certificates are trusted, where encryption is demanded.
    pub verify: Verify,
    /// The name that certificates must hold; `None`: the server's.
    pub server_name: Option<HostName>,
    /// Who logs in; the password is kept elsewhere.
    pub user: Option<String>,
    /// What lbd calls itself (EHLO); `None`: the host name.
    pub hello_name: Option<HostName>,
}

/// Whether connections to mail servers are encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// Where the server offers it, whoever it is.
    Opportunistic,
    /// Always, from STARTTLS on.
    StartTls,
    /// Always, from the first byte.
    Tls,
    /// Never.
    None,
}

/// All that alerts and mail depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alerting {
    /// What concerns everything.
    pub alerts: Alerts,
    /// By the label of the service; nothing for those without settings of their own.
    pub services: BTreeMap<String, ServiceAlerts>,
    /// How mail gets there.
    pub mail: MailSettings,
    /// Who knows the mail servers of a domain; empty: whoever the system asks.
    pub dns_servers: Vec<Ipv4Addr>,
    /// In which people are told times.
    pub zone: TimeZone,
}

impl Alerting {
    /// From whom and to whom mail about a service goes; `None` where nobody wants any.
    pub fn addresses(&self, service: Option<&str>) -> Option<(&MailAddress, &[MailAddress])> {
        let own = service.and_then(|service| self.services.get(service));
        if own.is_some_and(|own| !own.enabled) {
            return None;
        }
        let source = own.and_then(|own| own.source.as_ref()).or(self.alerts.source.as_ref())?;
        let destinations = own.map(|own| &own.destinations).filter(|own| !own.is_empty());
        let destinations = destinations.unwrap_or(&self.alerts.destinations);
        (!destinations.is_empty()).then_some((source, destinations))
    }

    /// Whether anybody gets mail.
    pub fn is_configured(&self) -> bool {
        self.addresses(None).is_some()
            || self.services.keys().any(|service| self.addresses(Some(service)).is_some())
    }
}
