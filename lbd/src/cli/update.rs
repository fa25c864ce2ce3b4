//! `lbd update`: which versions there are, and another one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use evenkeel_update::hash::Sha;
use hyper::Method;

use super::client::Call;
use super::failure::CommandError;
use super::print::Common;
use crate::web::api::Ordered;
use crate::web::online::DownloadStatus;
use crate::web::update::{ACTIVATE, UpdateDocument, UpdateKind, UploadedUpdate, VersionStanding};

const PATH: &str = "/api/v1/update";
/// While a download goes on.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

const EXAMPLES: &str = "Examples:
  lbd update status
  lbd update install evenkeel-1.1.update     # compared with evenkeel-1.1.update.sha256, where that is beside it
  lbd update look                            # is there a newer version on the server of the settings?
  lbd update download                        # and then: lbd update install
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
    /// Look for a newer version now, on the server that update.url names
    Look,
    /// Download what was found, and verify it; it waits then for `lbd update install`
    Download,
    /// End the download under way
    Cancel,
    /// Install an update beside the version that runs: what was downloaded, or an archive, which is uploaded and verified
    Install {
        /// The archive, NAME.update
        file: Option<PathBuf>,
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
        Verb::Look => {
            let answer = Call::new(Method::POST, format!("{PATH}/look")).patiently().send(&common.way)?;
            match common.json {
                true => println!("{}", answer.text),
                false => print!("{}", status(&answer.read()?)),
            }
            Ok(())
        }
        Verb::Download => download(common),
        Verb::Cancel => {
            Call::new(Method::POST, format!("{PATH}/download/cancel")).send(&common.way)?;
            if !common.json {
                println!("The download is cancelled.");
            }
            Ok(())
        }
        Verb::Install { file: None } => {
            let told = Call::new(Method::GET, PATH).send(&common.way)?.read()?;
            install(common, &told)
        }
        Verb::Install { file: Some(file) } => {
            let mut path = format!("{PATH}/archive");
            if let Some(sum) = checksum(file)? {
                path += &format!("?sha256={sum}");
            }
            let archive = read(file)?;
            let answer = Call::new(Method::PUT, path).bytes(archive).patiently().send(&common.way)?;
            let told = answer.read()?;
            if !common.json {
                print!("{}", status(&told));
            }
            install(common, &told)
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

/// What is told to wait.
fn install(common: &Common, told: &UpdateDocument) -> Result<(), CommandError> {
    let answer = Call::new(Method::POST, format!("{PATH}/install")).patiently().send(&common.way)?;
    if common.json {
        println!("{}", answer.text);
        return Ok(());
    }
    let Ordered { version } = answer.read()?;
    let is_quick = told.uploaded.as_ref().is_some_and(|uploaded| uploaded.kind == UpdateKind::Quick);
    let start = if is_quick {
        "lbd update activate starts it without a restart"
    } else {
        "starts at the next restart (lbd update restart)"
    };
    println!("Installed, {start}: {version}");
    Ok(())
}

/// Begins it, and waits for its end, which does not depend on whoever waits.
fn download(common: &Common) -> Result<(), CommandError> {
    let begun = Call::new(Method::POST, format!("{PATH}/download")).send(&common.way)?;
    let Ordered { version } = begun.read()?;
    let mut told = None;
    loop {
        let answer = Call::new(Method::GET, PATH).send(&common.way)?;
        let now: UpdateDocument = answer.read()?;
        match now.online.download.as_ref() {
            Some(DownloadStatus { failed: Some(why), .. }) => {
                return Err(format!("The download of {version} failed. {why}").into());
            }
            Some(DownloadStatus { percent, .. }) => {
                if !common.json && told.replace(*percent) != Some(*percent) {
                    println!("{version}: {percent} %");
                }
            }
            None if now.uploaded.as_ref().is_some_and(|uploaded| uploaded.version == version) => {
                match common.json {
                    true => println!("{}", answer.text),
                    false => print!("{}", status(&now)),
                }
                return Ok(());
            }
            None => {
                return Err(match now.problem {
                    Some(problem) => {
                        format!("Whether {version} has come is not known: {problem} See lbd update status")
                    }
                    None => format!("The download of {version} was cancelled"),
                }
                .into());
            }
        }
        std::thread::sleep(BETWEEN_LOOKS);
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
    text += &online(told);
    text += &told.problem.as_ref().map_or_else(String::new, |problem| format!("{problem}\n"));
    text
}

fn online(document: &UpdateDocument) -> String {
    let told = &document.online;
    if told.url.is_none() {
        return String::new();
    }
    let looked = told.looked.map_or_else(|| "not yet".to_owned(), |looked| format!("{looked:.0}"));
    let mut text = format!("Looked    {looked}\n");
    text += &told.problem.as_ref().map_or_else(String::new, |problem| format!("          {problem}\n"));
    if let Some(newest) = &told.newest {
        text += &format!("Newest    {}. {}\n", newest.version, newest.meaning);
        if newest.available && document.not_here().is_some() {
            text += &format!("          {} bytes: lbd update download\n\n{}\n\n", newest.size, newest.notes);
        }
    }
    if let Some(download) = &told.download {
        text += &match &download.failed {
            Some(why) => format!("The download of {} failed. {why}\n", download.version),
            None => format!("Download  {} %: lbd update cancel\n", download.percent),
        };
    }
    text
}
