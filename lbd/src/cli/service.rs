//! `lbd service`: virtual services.

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Value, json};

use super::client::{Call, get};
use super::failure::CommandError;
use super::print::{Common, Why, accepted, encoded, table};
use super::server::Place;
use super::settings::Settings;
use crate::config::document::VirtualServiceDocument;
use crate::view::{ServerState, ServiceState, ServiceView, View};

const PATH: &str = "/api/v1/services";

const EXAMPLES: &str = "Examples:
  lbd service list
  lbd service add DATALINK_POOL1 --address 192.168.10.100 --ports 2001 --check DICOM-C_Echo-Check-VIP1 \\
      --server DATALINK_POOL1_NODE1=192.168.10.110 --server DATALINK_POOL1_NODE2=192.168.10.111
  lbd service edit DATALINK_POOL1 ports=2001-2003 persistence.timeout_seconds=600 --comment 'ticket 4711'
  lbd service disable DATALINK_POOL3";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Service {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// All services, with the state of each
    List,
    /// The settings of a service, as the configuration has them
    Show { label: String },
    /// Add a service with its servers
    Add(Add),
    /// Change settings of a service
    Edit {
        label: String,
        #[command(flatten)]
        settings: Settings,
        #[command(flatten)]
        why: Why,
    },
    /// Remove a service; its connections end
    Remove {
        label: String,
        #[command(flatten)]
        why: Why,
    },
    /// Switch a service on
    Enable {
        label: String,
        #[command(flatten)]
        why: Why,
    },
    /// Switch a service off: its addresses go, its connections end
    Disable {
        label: String,
        #[command(flatten)]
        why: Why,
    },
}

#[derive(Debug, Args)]
struct Add {
    label: String,
    /// A virtual address; may be given several times
    #[arg(long, value_name = "ADDRESS", required = true)]
    address: Vec<String>,
    /// Its ports: list and ranges, for example 2001,2003-2005
    #[arg(long)]
    ports: String,
    /// Label of the health check
    #[arg(long, value_name = "LABEL")]
    check: String,
    /// A real server as LABEL=ADDRESS or LABEL=ADDRESS:PORT; may be given several times
    #[arg(long, value_name = "LABEL=ADDRESS", required = true)]
    server: Vec<Place>,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    why: Why,
}

pub(super) fn carry_out(Service { verb, common }: &Service) -> Result<(), CommandError> {
    match verb {
        Verb::List => list(common),
        Verb::Show { label } => show(common, label),
        Verb::Add(add) => self::add(common, add),
        Verb::Edit { label, settings, why } if !settings.is_empty() => {
            change(common, label, why, |entry| settings.write::<VirtualServiceDocument>(entry))
        }
        Verb::Edit { .. } => Err("nothing to change: give FIELD=VALUE, for example ports=2001-2003".into()),
        Verb::Remove { label, why } => {
            let call = Call::new(Method::DELETE, why.at(&path(label)));
            accepted(&call.send(&common.way)?, common.json)
        }
        // On is what a service is where nothing is said.
        Verb::Enable { label, why } => change(common, label, why, |entry| set_enabled(entry, Value::Null)),
        Verb::Disable { label, why } => change(common, label, why, |entry| set_enabled(entry, false.into())),
    }
}

fn path(label: &str) -> String {
    format!("{PATH}/{}", encoded(label))
}

fn set_enabled(entry: &mut Value, enabled: Value) -> Result<(), String> {
    entry["enabled"] = enabled;
    Ok(())
}

fn list(common: &Common) -> Result<(), CommandError> {
    if common.json {
        println!("{}", get(&common.way, PATH)?);
        return Ok(());
    }
    let view: View = Call::new(Method::GET, "/api/v1/status").send(&common.way)?.read()?;
    let rows: Vec<_> = view.virtual_services.iter().map(row).collect();
    print!("{}", table(["STATE", "SERVICE", "ADDRESS", "SERVERS UP"], &rows));
    Ok(())
}

fn row(service: &ServiceView) -> [String; 4] {
    let state = match service.state {
        ServiceState::Up => "up",
        ServiceState::Checking => "checking",
        ServiceState::Degraded => "degraded",
        ServiceState::Down => "down",
        ServiceState::Off => "off",
    };
    let servers = &service.real_servers;
    let up = servers.iter().filter(|server| server.state == ServerState::Up).count();
    [state.into(), service.label.clone(), service.place(), format!("{up} of {}", servers.len())]
}

fn show(common: &Common, label: &str) -> Result<(), CommandError> {
    let answer = Call::new(Method::GET, path(label)).send(&common.way)?;
    if common.json {
        println!("{}", answer.text);
        return Ok(());
    }
    let service: VirtualServiceDocument = answer.read()?;
    print!("{}", toml::to_string(&service).map_err(|error| error.to_string())?);
    Ok(())
}

fn add(common: &Common, add: &Add) -> Result<(), CommandError> {
    let servers: Vec<_> = add.server.iter().map(Place::document).collect();
    let mut entry = json!({
        "label": add.label, "addresses": add.address, "ports": add.ports, "health_check": add.check,
        "real_server": servers,
    });
    add.settings.write::<VirtualServiceDocument>(&mut entry)?;
    let call = Call::new(Method::POST, add.why.at(PATH)).json(&entry);
    accepted(&call.send(&common.way)?, common.json)
}

/// Changes what lbd has now, and nothing that somebody else has changed meanwhile.
fn change(
    common: &Common,
    label: &str,
    why: &Why,
    edit: impl FnOnce(&mut Value) -> Result<(), String>,
) -> Result<(), CommandError> {
    super::edit_entry(common, &path(label), why, edit)
}
