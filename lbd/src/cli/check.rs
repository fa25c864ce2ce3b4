//! `lbd check`: health checks.

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Value, json};

use super::client::Call;
use super::failure::CommandError;
use super::print::{Common, Why, accepted, encoded, table, text};
use super::settings::Settings;
use crate::config::document::HealthCheckDocument;

const PATH: &str = "/api/v1/health-checks";

const EXAMPLES: &str = "Examples:
  lbd check list
  lbd check add DICOM-C_Echo-Check-VIP1 dicom-c-echo calling_ae_title=LOADBALANCER called_ae_title=DW_SCP
  lbd check add WEB https path=/health expected_status=200 interval_seconds=10
  lbd check edit WEB timeout_seconds=5
  lbd probe --check WEB --address 192.168.10.110      # try it, step by step";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Check {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// All health checks
    List,
    /// Add a health check
    Add {
        label: String,
        /// dicom-c-echo, tcp, tls, http, https, send-expect, ping, always-on or always-off
        #[arg(value_name = "TYPE")]
        kind: String,
        #[command(flatten)]
        settings: Settings,
        #[command(flatten)]
        why: Why,
    },
    /// Change settings of a health check
    Edit {
        label: String,
        #[command(flatten)]
        settings: Settings,
        #[command(flatten)]
        why: Why,
    },
    /// Remove a health check that no service uses
    Remove {
        label: String,
        #[command(flatten)]
        why: Why,
    },
}

pub(super) fn carry_out(Check { verb, common }: &Check) -> Result<(), CommandError> {
    match verb {
        Verb::List => list(common),
        Verb::Add { label, kind, settings, why } => {
            let mut entry = json!({"label": label, "type": kind});
            settings.write::<HealthCheckDocument>(&mut entry)?;
            let call = Call::new(Method::POST, why.at(PATH)).json(&entry);
            accepted(&call.send(&common.way)?, common.json)
        }
        Verb::Edit { label, settings, why } => {
            if settings.is_empty() {
                return Err("nothing to change: give FIELD=VALUE, for example timeout_seconds=5".into());
            }
            let edit = |entry: &mut Value| settings.write::<HealthCheckDocument>(entry);
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
    let answer = Call::new(Method::GET, PATH).send(&common.way)?;
    if common.json {
        println!("{}", answer.text);
        return Ok(());
    }
    let checks: Vec<Value> = answer.read()?;
    let rows: Vec<_> =
        checks.iter().map(|check| [text(check, "label"), text(check, "type"), others(check)]).collect();
    print!("{}", table(["CHECK", "TYPE", "SETTINGS"], &rows));
    Ok(())
}

/// All that is set but label and type.
fn others(check: &Value) -> String {
    let fields = check.as_object().into_iter().flatten();
    let fields = fields.filter(|(name, _)| !matches!(name.as_str(), "label" | "type"));
    fields.map(|(name, _)| format!("{name}={}", text(check, name))).collect::<Vec<_>>().join(" ")
}
