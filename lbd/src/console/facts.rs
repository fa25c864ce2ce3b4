//! What the console knows of the appliance: plain data, asked of lbd and of the machine's own adapters.

use std::fmt;

use super::text::plain;
use crate::config::Document;
use crate::view::{ServerState, ServiceState, ServiceView, View};

/// Whether lbd answers, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Daemon {
    /// It has not answered yet; the machine has only just started.
    Starting,
    /// It does not, for this reason.
    Silent(String),
    /// It does.
    Answers(Box<Facts>),
}

/// What lbd says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Name of the appliance.
    pub host_name: String,
    /// Version of the product, and what kind of build it is where that matters.
    pub version: String,
    /// SHA-256 of the WebUI's certificate, as browsers show it; none while there is no certificate.
    pub fingerprint: Option<String>,
    /// A password is set: from then on the wizard is for administrators.
    pub is_configured: bool,
    /// The worst state of all services, in a word.
    pub state: String,
    /// What is wrong with the appliance itself.
    pub problems: Vec<String>,
    /// One line each.
    pub services: Vec<String>,
    /// The configuration in force.
    pub document: Document,
    /// The machine's network adapters.
    pub adapters: Vec<Adapter>,
}

/// A network adapter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Adapter {
    /// Interface name.
    pub name: String,
    /// Ethernet address.
    pub hardware: String,
    /// Whether a cable is plugged in.
    pub link: Link,
    /// What it has, with their prefixes.
    pub addresses: Vec<String>,
}

/// Whether an adapter has a link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Link {
    /// Nobody knows: it is switched off.
    #[default]
    Off,
    /// No.
    Down,
    /// Yes, with so many Mbit/s where that is known.
    Up(Option<u32>),
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("switched off"),
            Self::Down => f.write_str("no link"),
            Self::Up(None) => f.write_str("link"),
            Self::Up(Some(speed)) => write!(f, "link, {speed} Mbit/s"),
        }
    }
}

impl Facts {
    /// Where WebUI and API answer.
    pub fn address(&self) -> String {
        const HTTPS_PORT: i64 = 9443;
        let management = &self.document.management;
        format!("https://{}:{}/", management.address, management.https_port.unwrap_or(HTTPS_PORT))
    }

    /// The machine has the address of the WebUI, on any interface.
    pub fn address_is_in_force(&self) -> bool {
        let wanted = &self.document.management.address;
        let mut addresses = self.adapters.iter().flat_map(|adapter| &adapter.addresses);
        addresses.any(|address| address.split('/').next() == Some(wanted))
    }

    /// Which changes would make another banner.
    pub fn adapter(&self, name: &str) -> Option<&Adapter> {
        self.adapters.iter().find(|adapter| adapter.name == name)
    }
}

/// In a word, as `lbd status` says it.
pub fn service_word(state: ServiceState) -> &'static str {
    match state {
        ServiceState::Up => "UP",
        ServiceState::Checking => "CHECKING",
        ServiceState::Degraded => "DEGRADED",
        ServiceState::Down => "DOWN",
        ServiceState::Off => "off",
    }
}

/// A line for each service, and one for each of its servers that is not up.
pub fn services(view: &View) -> Vec<String> {
    view.virtual_services.iter().flat_map(service_lines).collect()
}

fn service_lines(service: &ServiceView) -> Vec<String> {
    let servers = &service.real_servers;
    let up = servers.iter().filter(|server| server.state == ServerState::Up).count();
    let word = service_word(service.state);
    let head =
        format!("{word:<9} {} {} ({up} of {} servers up)", service.label, service.place(), servers.len());
    let others = servers.iter().filter(|server| server.state != ServerState::Up);
    let others = others.map(|server| {
        let state = format!("{:?}", server.state).to_lowercase();
        format!("          {} is {state}: {}", server.label, plain(&server.reason))
    });
    std::iter::once(head).chain(others).collect()
}
