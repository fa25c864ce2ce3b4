//! `lbd syslog`: the syslog servers that get the log.

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Value, json};

use super::client::Call;
use super::failure::CommandError;
use super::print::{Common, Why, accepted, encoded, table};
use super::settings::Settings;
use crate::config::document::SyslogServerDocument;
use crate::view::{SyslogServerView, View};

const PATH: &str = "/api/v1/syslog-servers";

const EXAMPLES: &str = "Examples:
  lbd syslog list
  lbd syslog add SIEM 10.1.2.3                        # by UDP, port 514
  lbd syslog add SIEM 10.1.2.3 transport=tls severity=warning
  lbd syslog edit SIEM port=10514
  lbd syslog remove SIEM";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Syslog {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// All syslog servers, and whether each takes the log
    List,
    /// Add a syslog server
    Add {
        label: String,
        /// IPv4 or IPv6 address
        address: String,
        #[command(flatten)]
        settings: Settings,
        #[command(flatten)]
        why: Why,
    },
    /// Change settings of a syslog server
    Edit {
        label: String,
        #[command(flatten)]
        settings: Settings,
        #[command(flatten)]
        why: Why,
    },
    /// Remove a syslog server
    Remove {
        label: String,
        #[command(flatten)]
        why: Why,
    },
}

pub(super) fn carry_out(Syslog { verb, common }: &Syslog) -> Result<(), CommandError> {
    match verb {
        Verb::List => list(common),
        Verb::Add { label, address, settings, why } => {
            let mut entry = json!({"label": label, "address": address});
            settings.write::<SyslogServerDocument>(&mut entry)?;
            let call = Call::new(Method::POST, why.at(PATH)).json(&entry);
            accepted(&call.send(&common.way)?, common.json)
        }
        Verb::Edit { label, settings, why } => {
            if settings.is_empty() {
                return Err("nothing to change: give FIELD=VALUE, for example transport=tcp".into());
            }
            let edit = |entry: &mut Value| settings.write::<SyslogServerDocument>(entry);
            super::edit_entry(common, &path(label), why, edit)
        }
        Verb::Remove { label, why } => {
            let call = Call::new(Method::DELETE, why.at(&path(label)));
            accepted(&call.send(&common.way)?, common.json)
        }
    }
}

fn path(label: &str) -> String {
    format!("{PATH}/{}", encoded(label))
}

fn list(common: &Common) -> Result<(), CommandError> {
    let path = if common.json { PATH } else { "/api/v1/status" };
    let answer = Call::new(Method::GET, path).send(&common.way)?;
    if common.json {
        println!("{}", answer.text);
        return Ok(());
    }
    let view: View = answer.read()?;
    let row = |server: SyslogServerView| {
        let severity = format!("{} and graver", server.severity);
        [server.label, server.place, server.transport, severity, server.reason]
    };
    let rows: Vec<_> = view.syslog_servers.into_iter().map(row).collect();
    print!("{}", table(["SERVER", "PLACE", "BY", "GETS", "STATE"], &rows));
    Ok(())
}
