//! Whether a new system does its work: pure. It is compared with what stood before the restart.

use evenkeel_update::version::Version;
use serde::{Deserialize, Serialize};

use crate::view::{ServerState, ServiceView, View};

/// What stood before the restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// The version of the configuration in force.
    pub configuration_version: u64,
    /// Every service.
    pub services: Vec<ServiceBefore>,
}

/// A service as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceBefore {
    /// Its name.
    pub label: String,
    /// All its addresses stood.
    pub stood: bool,
    /// At least one server took new clients.
    pub served: bool,
}

/// Why a system on trial has not proven itself, as it wrote down for the one after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shortfall {
    /// Which system.
    pub version: Version,
    /// In a sentence.
    pub why: String,
}

impl Before {
    /// As it is now.
    pub fn of(view: &View) -> Self {
        let service = |service: &ServiceView| ServiceBefore {
            label: service.label.clone(),
            stood: stands(service),
            served: serves(service),
        };
        Self {
            configuration_version: view.configuration_version,
            services: view.virtual_services.iter().map(service).collect(),
        }
    }

    /// For an older system that somebody goes back to: it may not know a setting of the configuration in force, and then
    /// takes the last version that it can read. What it has of the services must work all the same.
    pub fn in_any_version(self) -> Self {
        Self { configuration_version: 0, ..self }
    }
}

fn stands(service: &ServiceView) -> bool {
    service.addresses.iter().all(|address| address.interface.is_some())
}

fn serves(service: &ServiceView) -> bool {
    service.real_servers.iter().any(|server| server.state == ServerState::Up)
}

/// Nothing where the new system does what the old one did; else what is missing, in a sentence. One server that fails
/// meanwhile is no reason to restart a hospital's load balancer three times: a service must have lost all of them. Nor is
/// a service that somebody has removed since: the machine may have been restarted long after, by another way than lbd's.
pub fn shortfall(before: &Before, view: &View) -> Option<String> {
    if view.configuration_version < before.configuration_version {
        return Some(format!(
            "Version {} of the configuration is in force, and it was {} before.",
            view.configuration_version, before.configuration_version
        ));
    }
    let is_changed = view.configuration_version > before.configuration_version;
    before.services.iter().find_map(|known| {
        let label = &known.label;
        let Some(service) = view.virtual_services.iter().find(|service| service.label == *label) else {
            let why = format!("The virtual service {label} is missing from the configuration in force.");
            return Some(why).filter(|_| !is_changed);
        };
        if known.stood && !stands(service) {
            return Some(format!("An address of {label} does not stand on any interface."));
        }
        if known.served && !serves(service) {
            let reason =
                service.real_servers.first().map_or("there is none", |server| server.reason.as_str());
            return Some(format!(
                "No server of {label} passes its check, and before at least one did: {reason}."
            ));
        }
        None
    })
}

#[cfg(test)]
#[path = "proof_tests.rs"]
mod tests;
