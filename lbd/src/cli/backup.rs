//! `lbd backup` and `lbd restore`: everything in one file, and back.

use std::path::PathBuf;

use clap::Args;
use hyper::Method;
use serde_json::json;

use super::client::Call;
use super::failure::CommandError;
use super::people::line_of_input;
use super::print::{Common, Why, accepted, encoded};
use crate::backup::kept::KeptBackup;
use crate::backup::sealed;
use crate::durable;
use crate::web::RestoreReview;

const PATH: &str = "/api/v1/backup";
const KEPT: &str = "/api/v1/backups";
const RESTORE: &str = "/api/v1/restore";

const BACKUP_EXAMPLES: &str = "Examples:
  lbd backup lb1.toml                          # the configuration, readable, without any secret
  lbd backup --encrypt lb1.age < passphrase    # users, tokens, certificate and passwords too";

const RESTORE_EXAMPLES: &str = "Examples:
  lbd restore lb1.toml                         # what it would change
  lbd restore --apply lb1.toml
  lbd restore --apply --everything lb1.age < passphrase    # on the machine that takes the place of lb1";

const KEPT_EXAMPLES: &str = "Examples:
  lbd backups
  lbd backups evenkeel-lb1-20261127-010000.toml > before.toml    # then: lbd restore before.toml";

#[derive(Debug, Args)]
#[command(after_help = BACKUP_EXAMPLES)]
pub(super) struct Backup {
    /// The file to write; one that is there is replaced
    file: PathBuf,
    /// With all secrets, encrypted with a passphrase, which is read from standard input, one line
    #[arg(long)]
    encrypt: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
#[command(after_help = KEPT_EXAMPLES)]
pub(super) struct Backups {
    /// Print this one; without a name they are listed, newest first
    #[arg(value_parser = clap::builder::NonEmptyStringValueParser::new())]
    name: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
#[command(after_help = RESTORE_EXAMPLES)]
pub(super) struct Restore {
    /// The backup; the passphrase of an encrypted one is read from standard input, one line
    file: PathBuf,
    /// Restore it; without this it is only told what would change
    #[arg(long)]
    apply: bool,
    /// Network, host name, management address and certificate of the backup too, instead of keeping those of this appliance
    #[arg(long)]
    everything: bool,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    common: Common,
}

pub(super) fn back_up(Backup { file, encrypt, common }: &Backup) -> Result<(), CommandError> {
    let call = match encrypt {
        true => Call::new(Method::POST, PATH).json(&json!({ "passphrase": line_of_input()? })),
        false => Call::new(Method::GET, PATH),
    };
    let answer = call.send(&common.way)?;
    durable::write(file, answer.text.as_bytes()).map_err(|error| {
        format!("cannot write {}: {error}; give a file that you may write", file.display())
    })?;
    if !common.json {
        println!("{} holds the backup.", file.display());
    }
    Ok(())
}

pub(super) fn kept(Backups { name, common }: &Backups) -> Result<(), CommandError> {
    if let Some(name) = name {
        print!("{}", Call::new(Method::GET, format!("{KEPT}/{}", encoded(name))).send(&common.way)?.text);
        return Ok(());
    }
    let answer = Call::new(Method::GET, KEPT).send(&common.way)?;
    let list: Vec<KeptBackup> = answer.read()?;
    match common.json {
        true => println!("{}", answer.text),
        false if list.is_empty() => println!("None is kept: one is made before each update."),
        false => list.iter().for_each(|KeptBackup { name, about }| {
            println!(
                "{name}  version {} of the configuration, under {}",
                about.configuration_version, about.software
            );
        }),
    }
    Ok(())
}

pub(super) fn restore(
    Restore { file, apply, everything, why, common }: &Restore,
) -> Result<(), CommandError> {
    let unreadable =
        |error: String| format!("cannot read {}: {error}; give a backup that you may read", file.display());
    let bytes = std::fs::read(file).map_err(|error| unreadable(error.to_string()))?;
    let passphrase = sealed::is_sealed(&bytes).then(line_of_input).transpose()?;
    let backup = String::from_utf8(bytes).map_err(|_| unreadable("it is no text".into()))?;
    let order = json!({ "backup": backup, "passphrase": passphrase, "keep_own": !everything });
    let answer = Call::new(Method::POST, format!("{RESTORE}/review")).json(&order).send(&common.way)?;
    let review: RestoreReview = answer.read()?;
    match (common.json, apply) {
        (true, false) => println!("{}", answer.text),
        (true, true) => {}
        (false, _) => print!("{}", told(&review, *apply)),
    }
    if !apply {
        return Ok(());
    }
    let tag = format!("\"v{}\"", review.compared_with);
    let call = Call::new(Method::POST, why.at(RESTORE)).json(&order).based_on(Some(tag));
    accepted(&call.send(&common.way)?, common.json)
}

fn told(review: &RestoreReview, is_applied: bool) -> String {
    let about = &review.about;
    let mut text = format!("Backup of {} of {:.0}, made by {}\n", about.appliance, about.time, about.by);
    let changes: Vec<_> = review.configuration.iter().chain(&review.secrets).collect();
    text += &changes.iter().map(|line| format!("  {line}\n")).collect::<String>();
    if changes.is_empty() {
        text += "  It says the same as what is in force.\n";
    }
    if !is_applied {
        text += "Nothing was changed. Restore it: lbd restore --apply\n";
    }
    text
}
