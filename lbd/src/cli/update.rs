//! `lbd update`: which versions there are, and another one.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use evenkeel_update::hash::Sha;
use hyper::Method;

use super::client::Call;
use super::failure::CommandError;
use super::print::Common;
use crate::web::api::Ordered;
use crate::web::update::{ACTIVATE, UpdateDocument, UpdateKind, UploadedUpdate, VersionStanding};

const PATH: &str = "/api/v1/update";

const EXAMPLES: &str = "Examples:
  lbd update status
  lbd update install evenkeel-1.1.update     # compared with evenkeel-1.1.update.sha256, where that is beside it
  lbd update activate                        # starts what was installed, if it is a quick update: without a restart
  lbd update restart                         # into what was installed
  lbd update rollback                        # into the other version again";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Update {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// The version that runs, the other one, and the update that waits
    Status,
    /// Upload an update archive, verify it, and install it beside the version that runs
    Install {
        /// The archive, NAME.update
        file: PathBuf,
    },
    /// Start a quick update that was installed, without a restart: lbd is replaced in seconds, connections go on
    Activate,
    /// Restart the appliance: into what was installed, if something was
    Restart,
    /// Restart the appliance into the other version
    Rollback,
}

pub(super) fn carry_out(Update { verb, common }: &Update) -> Result<(), CommandError> {
    let ordered = |path: &str| {
        let answer = Call::new(Method::POST, path).patiently().send(&common.way)?;
        match common.json {
            true => println!("{}", answer.text),
            false => {
                let Ordered { version } = answer.read()?;
                println!("{}", if version.is_empty() { "The appliance restarts." } else { version.as_str() });
            }
        }
        Ok::<_, CommandError>(())
    };
    match verb {
        Verb::Status => {
            let answer = Call::new(Method::GET, PATH).send(&common.way)?;
            match common.json {
                true => println!("{}", answer.text),
                false => print!("{}", status(&answer.read()?)),
            }
            Ok(())
        }
        Verb::Install { file } => {
            let mut path = format!("{PATH}/archive");
            if let Some(sum) = checksum(file)? {
                path += &format!("?sha256={sum}");
            }
            let archive = read(file)?;
            let answer = Call::new(Method::PUT, path).bytes(archive).patiently().send(&common.way)?;
            if !common.json {
                let told: UpdateDocument = answer.read()?;
                let is_quick =
                    told.uploaded.as_ref().is_some_and(|uploaded| uploaded.kind == UpdateKind::Quick);
                let start = if is_quick {
                    "lbd update activate starts it without a restart"
                } else {
                    "starts at the next restart (lbd update restart)"
                };
                print!("{}Installed, {start}: ", status(&told));
            }
            ordered(&format!("{PATH}/install"))
        }
        Verb::Activate => {
            if !common.json {
                print!("lbd is replaced, without a restart (lbd update status), by that of version ");
            }
            ordered(ACTIVATE)
        }
        Verb::Restart => ordered("/api/v1/restart"),
        Verb::Rollback => {
            if !common.json {
                print!("The appliance restarts into ");
            }
            ordered(&format!("{PATH}/rollback"))
        }
    }
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(file)
        .map_err(|error| format!("cannot read {}: {error}; give a file that you may read", file.display()))
}

/// Of the file beside the archive, where there is one.
fn checksum(file: &Path) -> Result<Option<Sha>, String> {
    let beside = file.with_added_extension("sha256");
    if !beside.exists() {
        return Ok(None);
    }
    let text = read(&beside)?;
    let sum = Sha::parse_sum_file(&String::from_utf8_lossy(&text));
    sum.map(Some).ok_or_else(|| format!("{} holds no SHA-256; download it again", beside.display()))
}

fn status(told: &UpdateDocument) -> String {
    let development = if told.development_build { ", a development build" } else { "" };
    let on_trial = if told.on_trial { ", on trial" } else { "" };
    let mut text = format!("Running   {}{development}{on_trial}\n", told.running);
    if let Some(other) = &told.other {
        let words = match other.standing {
            VersionStanding::Good => "good: lbd update rollback",
            VersionStanding::Installed if other.starts_without_restart => {
                "installed: lbd update activate starts it without a restart, lbd update restart with one"
            }
            VersionStanding::Installed => "installed, starts at the next restart: lbd update restart",
            VersionStanding::Failed => "FAILED: it was tried and never proved itself",
            VersionStanding::Left => "left for what runs now: lbd update rollback",
        };
        text += &format!("Other     {}, {words}\n", other.version);
        text += &other.why.as_ref().map_or_else(String::new, |why| format!("          {why}\n"));
        text += &other.left.as_ref().map_or_else(String::new, |left| {
            format!("          {}\n", left.words(format_args!("{:.0}", left.at)))
        });
    }
    if let Some(uploaded) = &told.uploaded {
        let UploadedUpdate { version, kind, effect, notes, .. } = uploaded;
        text += &format!("Uploaded  {version}, {}. {effect}\n\n{notes}\n\n", kind.takes());
    }
    text += &told.problem.as_ref().map_or_else(String::new, |problem| format!("{problem}\n"));
    text
}
