//! `lbd support` and `lbd crashes`: what whoever supports this appliance needs.

use std::path::PathBuf;

use clap::Args;
use hyper::Method;

use super::client::Call;
use super::failure::CommandError;
use super::print::{Common, encoded};
use crate::crash::account::Crash;
use crate::durable;

const SUPPORT: &str = "/api/v1/support";
const CRASHES: &str = "/api/v1/crashes";

const SUPPORT_EXAMPLES: &str = "Examples:
  lbd support lb1.tar.gz      # none of the appliance's passwords, keys and tokens is in it";

const CRASHES_EXAMPLES: &str = "Examples:
  lbd crashes                                # the newest first
  lbd crashes 01795740000-lbd-1.txt          # its last words";

#[derive(Debug, Args)]
#[command(after_help = SUPPORT_EXAMPLES)]
pub(super) struct Support {
    /// The file to write (tar, compressed by gzip); one that is there is replaced
    file: PathBuf,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
#[command(after_help = CRASHES_EXAMPLES)]
pub(super) struct Crashes {
    /// Print the last words of this one; without a name they are listed
    name: Option<String>,
    #[command(flatten)]
    common: Common,
}

pub(super) fn support(Support { file, common }: &Support) -> Result<(), CommandError> {
    let answer = Call::new(Method::GET, SUPPORT).send(&common.way)?;
    durable::write(file, &answer.bytes).map_err(|error| {
        format!("cannot write {}: {error}; give a file that you may write", file.display())
    })?;
    if !common.json {
        println!("{} holds the support file.", file.display());
    }
    Ok(())
}

pub(super) fn crashes(Crashes { name, common }: &Crashes) -> Result<(), CommandError> {
    if let Some(name) = name {
        print!("{}", Call::new(Method::GET, format!("{CRASHES}/{}", encoded(name))).send(&common.way)?.text);
        return Ok(());
    }
    let answer = Call::new(Method::GET, CRASHES).send(&common.way)?;
    let list: Vec<Crash> = answer.read()?;
    match common.json {
        true => println!("{}", answer.text),
        false if list.is_empty() => println!("Nothing has crashed."),
        false => list.iter().for_each(|crash| println!("{}", line(crash))),
    }
    Ok(())
}

fn line(crash: &Crash) -> String {
    let life = crash.life_seconds.map(|seconds| format!(", after {seconds} s")).unwrap_or_default();
    format!("{}  {:.0} {}: {}{life}", crash.name, crash.time, crash.whose.name(), crash.how)
}
