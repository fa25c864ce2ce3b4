//! `lbd server`: real servers, and what operators order of them.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Value, json};

use super::client::{Call, get};
use super::failure::CommandError;
use super::print::{Common, Why, accepted, encoded, table};
use super::settings::Settings;
use crate::config::document::RealServerDocument;
use crate::view::{ServerState, ServerView, ServiceView, View};
use crate::web::Wanted;

const EXAMPLES: &str = "Examples:
  lbd server list --service DATALINK_POOL1
  lbd server drain DATALINK_POOL1 DATALINK_POOL1_NODE1       # before work on it
  lbd server drain --everywhere 192.168.10.110               # in all services at once
  lbd server online --everywhere 192.168.10.110
  lbd server weight DATALINK_POOL1 DATALINK_POOL1_NODE2 50
  lbd server add DATALINK_POOL1 DATALINK_POOL1_NODE3 192.168.10.112 weight=50";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Server {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// All servers, with the state of each and why
    List {
        /// Only those of this service
        #[arg(long, value_name = "LABEL")]
        service: Option<String>,
    },
    /// Add a server to a service
    Add {
        service: String,
        label: String,
        /// ADDRESS or ADDRESS:PORT; without a port it is asked at the one that the client asked for
        address: Address,
        #[command(flatten)]
        settings: Settings,
        #[command(flatten)]
        why: Why,
    },
    /// Change settings of a server
    Edit {
        service: String,
        label: String,
        #[command(flatten)]
        settings: Settings,
        #[command(flatten)]
        why: Why,
    },
    /// Remove a server from a service; its connections end
    Remove {
        service: String,
        label: String,
        #[command(flatten)]
        why: Why,
    },
    /// No new connections; established ones go on
    Drain(Order),
    /// No new connections, and established ones end
    Halt(Order),
    /// Take new connections again, while it passes its check
    Online(Order),
    /// The share of a server in relation to the others of its service: 0 to 256
    Weight {
        service: String,
        label: String,
        weight: i64,
        #[command(flatten)]
        why: Why,
    },
}

#[derive(Debug, Args)]
struct Order {
    /// Label of the virtual service
    #[arg(required_unless_present = "everywhere", requires = "label")]
    service: Option<String>,
    /// Label of its server
    label: Option<String>,
    /// The server at this address, in all services at once
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["service", "label"])]
    everywhere: Option<IpAddr>,
    #[command(flatten)]
    why: Why,
}

/// Where a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Address {
    address: IpAddr,
    port: Option<u16>,
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let alone = text.parse().map(|address| Self { address, port: None });
        let with_port =
            |_| text.parse().map(|place: SocketAddr| Self { address: place.ip(), port: Some(place.port()) });
        alone
            .or_else(with_port)
            .map_err(|_| "give an address such as 192.168.10.110, or 192.168.10.110:2001".into())
    }
}

/// A server that comes with its service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    label: String,
    at: Address,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (label, address) =
            text.split_once('=').ok_or("give LABEL=ADDRESS, for example NODE1=192.168.10.110")?;
        Ok(Self { label: label.to_owned(), at: address.parse()? })
    }
}

impl Place {
    /// As the configuration has it.
    pub(super) fn document(&self) -> Value {
        let mut entry = json!({"label": self.label, "address": self.at.address});
        if let Some(port) = self.at.port {
            entry["port"] = port.into();
        }
        entry
    }
}

pub(super) fn carry_out(Server { verb, common }: &Server) -> Result<(), CommandError> {
    match verb {
        Verb::List { service } => list(common, service.as_deref()),
        Verb::Add { service, label, address, settings, why } => {
            let mut entry = Place { label: label.clone(), at: *address }.document();
            settings.write::<RealServerDocument>(&mut entry)?;
            let call = Call::new(Method::POST, why.at(&servers(service))).json(&entry);
            accepted(&call.send(&common.way)?, common.json)
        }
        Verb::Edit { service, label, settings, why } => {
            if settings.is_empty() {
                return Err("nothing to change: give FIELD=VALUE, for example port=2001".into());
            }
            let edit = |entry: &mut Value| settings.write::<RealServerDocument>(entry);
            super::edit_entry(common, &path(service, label), why, edit)
        }
        Verb::Remove { service, label, why } => {
            let call = Call::new(Method::DELETE, why.at(&path(service, label)));
            accepted(&call.send(&common.way)?, common.json)
        }
        Verb::Drain(order) => self::order(common, order, Wanted::Drain),
        Verb::Halt(order) => self::order(common, order, Wanted::Halt),
        Verb::Online(order) => self::order(common, order, Wanted::Online),
        Verb::Weight { service, label, weight, why } => {
            super::edit_entry(common, &path(service, label), why, |entry| {
                entry["weight"] = (*weight).into();
                Ok(())
            })
        }
    }
}

fn servers(service: &str) -> String {
    format!("/api/v1/services/{}/servers", encoded(service))
}

fn path(service: &str, label: &str) -> String {
    format!("{}/{}", servers(service), encoded(label))
}

fn order(common: &Common, order: &Order, wanted: Wanted) -> Result<(), CommandError> {
    let path = match (&order.everywhere, &order.service, &order.label) {
        (Some(address), ..) => format!("/api/v1/servers/{}/state", encoded(&address.to_string())),
        (None, Some(service), Some(label)) => format!("{}/state", path(service, label)),
        _ => return Err("name a service and a server, or --everywhere ADDRESS".into()),
    };
    let call = Call::new(Method::PUT, order.why.at(&path)).json(&json!({"state": wanted}));
    accepted(&call.send(&common.way)?, common.json)
}

fn list(common: &Common, service: Option<&str>) -> Result<(), CommandError> {
    if common.json {
        let path = service.map_or_else(|| "/api/v1/services".to_owned(), servers);
        println!("{}", get(&common.way, &path)?);
        return Ok(());
    }
    let view: View = Call::new(Method::GET, "/api/v1/status").send(&common.way)?.read()?;
    let chosen = |known: &&ServiceView| service.is_none_or(|service| known.label == service);
    let mut services = view.virtual_services.iter().filter(chosen).peekable();
    if let (Some(service), None) = (service, services.peek()) {
        return Err(format!(
            "there is no virtual service {service}; `lbd service list` shows which there are"
        )
        .into());
    }
    let rows =
        services.flat_map(|service| service.real_servers.iter().map(move |server| row(service, server)));
    let rows: Vec<_> = rows.collect();
    print!("{}", table(["STATE", "SERVICE", "SERVER", "ADDRESS", "WEIGHT", "WHY"], &rows));
    Ok(())
}

fn row(service: &ServiceView, server: &ServerView) -> [String; 6] {
    let state = match server.state {
        ServerState::Up => "up",
        ServerState::Checking => "checking",
        ServerState::Down => "down",
        ServerState::Drained => "drained",
        ServerState::Halted => "halted",
        ServerState::Off => "off",
    };
    let address = match server.port {
        Some(port) => SocketAddr::new(server.address, port).to_string(),
        None => server.address.to_string(),
    };
    let weight = server.weight.to_string();
    [state.into(), service.label.clone(), server.label.clone(), address, weight, server.reason.clone()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_written_with_or_without_a_port() {
        let place = |text: &str| text.parse::<Place>().map(|place| place.document());
        assert_eq!(place("A=192.0.2.1"), Ok(json!({"label": "A", "address": "192.0.2.1"})));
        assert_eq!(place("A=192.0.2.1:104"), Ok(json!({"label": "A", "address": "192.0.2.1", "port": 104})));
        assert_eq!(place("A=[fd00::1]:104"), Ok(json!({"label": "A", "address": "fd00::1", "port": 104})));
        assert_eq!(place("A=fd00::1"), Ok(json!({"label": "A", "address": "fd00::1"})));
        for wrong in ["A", "A=", "A=host", "A=192.0.2.1:x"] {
            assert!(place(wrong).is_err(), "{wrong}");
        }
    }
}
