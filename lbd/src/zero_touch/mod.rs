//! Zero-touch settings: what a deployment passes, so that the appliance needs no wizard.
//!
//! [`parse`] reads the OVF environment document, which comes by VMware's guestinfo or on an ISO; [`values`] and
//! [`links`] hold the rule of each setting; [`initial_document`] makes the first configuration of them. A wrong value is
//! reported and left out, and the others are used: an appliance that can be reached is easier to correct.
//!
//! The document stays readable where the machine was deployed. A lasting password comes as a hash, therefore,
//! and one in plain text opens nothing but the form that changes it.

mod environment;
mod links;
mod values;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use crate::config::document::{InterfaceDocument, ManagementDocument, NetworkDocument, SCHEMA, TimeDocument};
use crate::config::values::{Fault, quoted};
use crate::config::{Document, HostName, Problem};
use crate::network::topology::Network;

/// Product specification: default address before configuration.
const DEFAULT_ADDRESS: Network = Network { address: IpAddr::V4(Ipv4Addr::new(192, 168, 2, 21)), prefix: 24 };
/// Product specification: default host name.
const DEFAULT_HOST_NAME: &str = "lbmaster";
/// Product specification, port table.
const HTTPS_PORT: i64 = 9443;

/// What a deployment passed, as far as it can be used. Nothing is set where nothing was given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Name of the appliance.
    pub host_name: Option<HostName>,
    /// Domain in which names without a dot are looked up.
    pub search_domain: Option<HostName>,
    /// What carries the management network.
    pub links: Links,
    /// Its address and prefix.
    pub address: Option<Network>,
    /// The router, in the network of the address.
    pub gateway: Option<Ipv4Addr>,
    /// In the order given.
    pub dns: Vec<Ipv4Addr>,
    /// Names or addresses, in the order given.
    pub ntp: Vec<HostName>,
    /// IANA name.
    pub zone: Option<String>,
    /// How the first login is made.
    pub password: Option<GivenPassword>,
    /// A whole configuration, valid; it stands for everything above but the password.
    pub configuration: Option<Document>,
    /// What could not be used, each with its key and remedy; `to_string` makes a sentence of it.
    pub problems: Vec<Problem>,
    /// What was passed over without harm, in sentences for people.
    pub notes: Vec<String>,
}

/// How the first login is made.
#[derive(Clone, PartialEq, Eq)]
pub enum GivenPassword {
    /// Hash of a lasting password, for [`crate::web::users::UserFile::set_hash`].
    Hash(String),
    /// For [`crate::web::users::UserFile::set_one_time`].
    OneTime(String),
}

impl fmt::Debug for GivenPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hash(_) => "Hash(..)",
            Self::OneTime(_) => "OneTime(..)",
        })
    }
}

/// Reads the document. An error says why nothing of it can be used; a wrong value is among the settings'
/// problems instead.
pub fn parse(xml: &[u8]) -> Result<Settings, Vec<Problem>> {
    let properties = environment::properties(xml).map_err(|problem| vec![problem])?;
    let mut reading = Reading::default();
    for (key, value) in properties {
        reading.add(key, value);
    }
    Ok(reading.settings())
}

/// The configuration with which the appliance begins: valid for any settings that [`parse`] returns.
pub fn initial_document(settings: &Settings) -> Document {
    if let Some(document) = &settings.configuration {
        return document.clone();
    }
    let Network { address, prefix } = settings.address.unwrap_or(DEFAULT_ADDRESS);
    let host_name = settings.host_name.as_ref().map_or(DEFAULT_HOST_NAME, HostName::as_str);
    let interface = settings.links.interface();
    let (bond, vlan) = settings.links.documents();
    let network = NetworkDocument {
        host_name: Some(host_name.to_owned()),
        default_gateway: settings.gateway.map(|gateway| gateway.to_string()),
        dns_servers: settings.dns.iter().map(ToString::to_string).collect(),
        search_domain: settings.search_domain.as_ref().map(ToString::to_string),
        interface: vec![InterfaceDocument {
            name: interface.clone(),
            addresses: vec![format!("{address}/{prefix}")],
            ..InterfaceDocument::default()
        }],
        bond,
        vlan,
        ..NetworkDocument::default()
    };
    let management =
        ManagementDocument { interface, address: address.to_string(), https_port: Some(HTTPS_PORT) };
    let has_time = settings.zone.is_some() || !settings.ntp.is_empty();
    let time = has_time.then(|| TimeDocument {
        zone: settings.zone.clone(),
        ntp_servers: settings.ntp.iter().map(ToString::to_string).collect(),
    });
    Document {
        schema: SCHEMA,
        management,
        layer4: None,
        alerts: None,
        mail: None,
        network: Some(network),
        time,
        syslog_server: Vec::new(),
        update: None,
        snmp: None,
        health_check: Vec::new(),
        security: None,
        virtual_service: Vec::new(),
    }
}

pub use links::{BOND, Links};
pub use values::management_address;

/// The keys that the OVF declares (`ova/src/ovf/property.rs`).
const KEYS: [&str; 14] = [
    "hostname",
    "bond_members",
    "bond_mode",
    "vlan_id",
    "management_interface",
    "ip_address",
    "gateway",
    "dns",
    "search_domain",
    "ntp",
    "time_zone",
    "password_hash",
    "one_time_password",
    "configuration",
];

/// Values by key, and what there is to say of them.
#[derive(Default)]
struct Reading {
    values: BTreeMap<&'static str, String>,
    problems: Vec<Problem>,
    notes: Vec<String>,
}

impl Reading {
    fn add(&mut self, key: String, value: String) {
        // An empty value means "not given": every property of the OVF has this default.
        if value.trim().is_empty() {
            return;
        }
        let Some(known) = KEYS.into_iter().find(|known| *known == key) else {
            self.unknown(&key);
            return;
        };
        if self.values.contains_key(known) {
            self.report(known, Fault::new("given more than once; the first is used", "give each key once"));
            return;
        }
        self.values.insert(known, value);
    }

    fn unknown(&mut self, key: &str) {
        if key.eq_ignore_ascii_case("netmask") {
            let remedy = "write it behind the address: ip_address 192.168.2.21/24, not netmask 255.255.255.0";
            self.report("netmask", Fault::new("there is no such setting", remedy));
        } else {
            self.notes.push(format!("The property {} is not known and has no effect.", quoted(key)));
        }
    }

    fn report(&mut self, key: &str, fault: Fault) {
        self.problems.push(Problem { field: key.into(), problem: fault.problem, remedy: fault.remedy });
    }

    /// The value of `key`, trimmed, if it passes.
    fn take<T>(&mut self, key: &'static str, parse: impl Fn(&str) -> Result<T, Fault>) -> Option<T> {
        let value = self.values.get(key)?;
        parse(value.trim()).map_err(|fault| self.report(key, fault)).ok()
    }

    /// The entries of `key` that pass, each once.
    fn list<T: PartialEq>(&mut self, key: &'static str, parse: impl Fn(&str) -> Result<T, Fault>) -> Vec<T> {
        let Some(value) = self.values.get(key) else { return Vec::new() };
        let (entries, faults) = values::list(value, parse);
        for fault in faults {
            self.report(key, fault);
        }
        entries
    }

    fn settings(mut self) -> Settings {
        let host_name = self.take("hostname", values::host_name);
        let links = Links::read(&mut self);
        let address = self.take("ip_address", values::address);
        let near = address.unwrap_or(DEFAULT_ADDRESS);
        let gateway = self.take("gateway", |text| values::gateway(text, near));
        let dns = self.list("dns", crate::config::ipv4_address);
        let search_domain = self.take("search_domain", values::search_domain);
        let ntp = self.list("ntp", values::time_server);
        let zone = self.take("time_zone", values::time_zone);
        let password = self.password();
        let configuration = self.configuration();
        let Self { problems, notes, .. } = self;
        Settings {
            host_name,
            search_domain,
            links,
            address,
            gateway,
            dns,
            ntp,
            zone,
            password,
            configuration,
            problems,
            notes,
        }
    }

    /// Not trimmed, if it is a password: spaces belong to it.
    fn password(&mut self) -> Option<GivenPassword> {
        let hash = self.take("password_hash", values::password_hash);
        let one_time = self.values.get("one_time_password").cloned();
        match (hash, one_time) {
            (Some(hash), None) => Some(GivenPassword::Hash(hash)),
            (Some(hash), Some(_)) => {
                self.notes.push("one_time_password has no effect, since password_hash is given.".into());
                Some(GivenPassword::Hash(hash))
            }
            (None, Some(one_time)) => match crate::web::password::check_password(&one_time) {
                Ok(()) => Some(GivenPassword::OneTime(one_time)),
                Err(fault) => {
                    self.report("one_time_password", fault);
                    None
                }
            },
            (None, None) => None,
        }
    }

    fn configuration(&mut self) -> Option<Document> {
        let text = self.values.get("configuration")?;
        let document = match values::configuration(text) {
            Ok(document) => document,
            Err(problems) => {
                self.problems.extend(problems);
                return None;
            }
        };
        let of_its_own = |key: &&str| !["password_hash", "one_time_password", "configuration"].contains(key);
        let given: Vec<_> =
            KEYS.into_iter().filter(of_its_own).filter(|key| self.values.contains_key(key)).collect();
        if !given.is_empty() {
            self.notes.push(format!("Without effect, since configuration is given: {}.", given.join(", ")));
        }
        if document.network.is_none() {
            let remedy = "add [network] with [[network.interface]], or set the addresses on the console";
            self.report(
                "configuration",
                Fault::new("it has no [network], so that no address is set", remedy),
            );
        }
        Some(document)
    }
}
