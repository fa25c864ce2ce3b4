//! `lbd config`: the configuration as a whole, its history, and the way back.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::Value;

use super::client::Call;
use super::edit_entry;
use super::failure::CommandError;
use super::print::{Common, Why, accepted, moment, table, text};
use super::settings::Settings;
use crate::begin;
use crate::config::Document;
use crate::config::difference::difference;
use crate::engine::Accepted;

const PATH: &str = "/api/v1/config";

const EXAMPLES: &str = "Examples:
  lbd config show > my.toml
  lbd config diff my.toml              # what applying it would change
  lbd config apply my.toml --comment 'ticket 4711'
  lbd config set mail.smart_host=mx1.hospital.example alerts.destinations=pacs@hospital.example
  lbd config set time.zone=Europe/Berlin time.ntp_servers=10.1.2.3,10.1.2.4 snmp.enabled=true
  lbd config set alerts.destinations=               # without a value: the default again
  lbd config history
  lbd config diff 11 12                # what version 12 changed
  lbd config back 11                   # makes version 11 the one in force again
  lbd config confirm                   # keeps a version on trial";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Config {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// The configuration in force, or an older version, in TOML
    Show { version: Option<u64> },
    /// What distinguishes two versions or files, in words
    Diff {
        /// A version, or a file in TOML; alone, a file is what would come, a version what was
        from: Side,
        /// The same; the one in force if it is not given
        to: Option<Side>,
    },
    /// The versions that are kept: when, who, why
    History,
    /// Make an older version the one in force again, as a new version
    Back {
        version: u64,
        #[command(flatten)]
        why: Why,
    },
    /// Keep the version on trial
    Confirm(Seen),
    /// Take the version on trial back now
    Revert(Seen),
    /// Make a configuration file the one in force
    Apply(ApplyFile),
    /// Change settings of the configuration in force, each named as it stands there
    Set(SetSettings),
}

/// What is to change; everything else stays as it is.
#[derive(Debug, Args)]
struct SetSettings {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    why: Why,
}

/// The version that a verdict is about.
#[derive(Debug, Args)]
struct Seen {
    /// Its number as it was shown: another one is left alone
    #[arg(id = "seen", value_name = "VERSION")]
    version: Option<u64>,
}

/// A configuration file that is to be in force.
#[derive(Debug, Args)]
struct ApplyFile {
    /// The file, in TOML
    file: PathBuf,
    #[command(flatten)]
    why: Why,
}

/// Something to compare.
#[derive(Debug, Clone)]
enum Side {
    Version(u64),
    File(PathBuf),
}

impl FromStr for Side {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text.parse().map_or_else(|_| Self::File(text.into()), Self::Version))
    }
}

pub(super) fn carry_out(Config { verb, common }: &Config) -> Result<(), CommandError> {
    let post = |path: &str| Call::new(Method::POST, format!("{PATH}/{path}"));
    let verdict = |path: &str, Seen { version }: &Seen| {
        let tag = version.map(|version| format!("\"v{version}\""));
        accepted(&post(path).based_on(tag).send(&common.way)?, common.json)
    };
    match verb {
        Verb::Show { version } => show(common, *version),
        Verb::Diff { from, to } => diff(common, from, to.as_ref()),
        Verb::History => history(common),
        Verb::Back { version, why } => {
            let call = post(&why.at(&format!("versions/{version}/restore")));
            accepted(&call.send(&common.way)?, common.json)
        }
        Verb::Confirm(seen) => verdict("confirm", seen),
        Verb::Revert(seen) => verdict("revert", seen),
        Verb::Apply(apply) => self::apply(apply, common),
        Verb::Set(SetSettings { settings, why }) if !settings.is_empty() => {
            edit_entry(common, PATH, why, |document| settings.write::<Document>(document))
        }
        Verb::Set(_) => {
            Err("Name a setting: for example time.zone=Europe/Berlin; lbd config show has all.".into())
        }
    }
}

fn apply(ApplyFile { file, why }: &ApplyFile, common: &Common) -> Result<(), CommandError> {
    let config = begin::read_config(file)?;
    let call = Call::new(Method::PUT, why.at(PATH)).toml(config.document.to_toml());
    let answer = call.send(&common.way)?;
    if !common.json {
        let Accepted { version, .. } = answer.read()?;
        println!("{} is in force as version {version}.", file.display());
    }
    accepted_after(&answer, common.json)
}

/// What is left to say once the version was named.
fn accepted_after(answer: &super::client::Answer, json: bool) -> Result<(), CommandError> {
    let on_trial = answer.read::<Accepted>()?.confirm_until.is_some();
    if json || on_trial { accepted(answer, json) } else { Ok(()) }
}

fn document(common: &Common, version: Option<u64>) -> Result<Document, CommandError> {
    let path = version.map_or_else(|| PATH.to_owned(), |version| format!("{PATH}/versions/{version}"));
    Call::new(Method::GET, path).send(&common.way)?.read()
}

fn show(common: &Common, version: Option<u64>) -> Result<(), CommandError> {
    let document = document(common, version)?;
    if common.json {
        println!("{}", serde_json::to_string(&document).map_err(|error| error.to_string())?);
    } else {
        print!("{}", document.to_toml());
    }
    Ok(())
}

fn diff(common: &Common, from: &Side, to: Option<&Side>) -> Result<(), CommandError> {
    let read = |side: &Side| match side {
        Side::Version(version) => document(common, Some(*version)),
        Side::File(file) => Ok(begin::read_config(file)?.document.as_ref().clone()),
    };
    let (old, new) = match (from, to) {
        (from, Some(to)) => (read(from)?, read(to)?),
        (Side::Version(_), None) => (read(from)?, document(common, None)?),
        (Side::File(_), None) => (document(common, None)?, read(from)?),
    };
    let lines = difference(&old, &new);
    if common.json {
        println!("{}", Value::from(lines));
    } else if lines.is_empty() {
        println!("Both say the same.");
    } else {
        println!("{}", lines.join("\n"));
    }
    Ok(())
}

fn history(common: &Common) -> Result<(), CommandError> {
    let answer = Call::new(Method::GET, format!("{PATH}/versions")).send(&common.way)?;
    if common.json {
        println!("{}", answer.text);
        return Ok(());
    }
    let status: Value = Call::new(Method::GET, "/api/v1/status").send(&common.way)?.read()?;
    let versions: Vec<Value> = answer.read()?;
    let row = |version: &Value| {
        let is_in_force = version["version"] == status["configuration_version"];
        let standing = match (is_in_force, status["pending_confirmation"].is_null()) {
            (true, true) => "in force".to_owned(),
            (true, false) => "on trial".to_owned(),
            (false, _) => text(version, "standing"),
        };
        let who = format!("{} from {}", text(version, "user"), text(version, "from"));
        [text(version, "version"), standing, moment(version, "time"), who, text(version, "comment")]
    };
    let rows: Vec<_> = versions.iter().map(row).collect();
    print!("{}", table(["VERSION", "STANDING", "WHEN", "WHO", "COMMENT"], &rows));
    Ok(())
}
