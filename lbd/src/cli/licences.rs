//! `lbd licences`: what is shipped under which licence, and the texts.

use clap::Args;
use serde_json::json;

use super::client;
use super::failure::CommandError;
use super::print::{Common, encoded, table};
use crate::licences::{Component, Shipped};

const PATH: &str = "/api/v1/licences";

const EXAMPLES: &str = "Examples:
  lbd licences                        # every component of the appliance
  lbd licences nftables               # where its source is, and its licence texts
  lbd licences --sources              # how to get the source code";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Licences {
    /// A component, as the list names it
    name: Option<String>,
    /// Say how to get the source code
    #[arg(long, conflicts_with_all = ["name", "json"])]
    sources: bool,
    #[command(flatten)]
    common: Common,
}

pub(super) fn show(Licences { name, sources, common }: &Licences) -> Result<(), CommandError> {
    let answer = client::get(&common.way, PATH)?;
    let shipped: Shipped = serde_json::from_str(&answer).map_err(CommandError::not_understood)?;
    let text = |file: &str| client::get(&common.way, &format!("{PATH}/text?file={}", encoded(file)));
    match name {
        None if *sources => print!("{}", text(&shipped.sources)?),
        None if common.json => println!("{answer}"),
        None => print!("{}", listed(&shipped)),
        Some(name) => {
            let found = called(&shipped, name)?;
            if common.json {
                println!("{}", json!(found));
                return Ok(());
            }
            for one in found {
                println!("{}", about(one));
                for part in &one.texts {
                    println!("-- {} --\n\n{}", part.title, text(&part.file)?);
                }
            }
        }
    }
    Ok(())
}

fn listed(shipped: &Shipped) -> String {
    let row = |one: &Component| {
        let licence = one.licence.clone().unwrap_or_else(|| "see its text".into());
        [one.name.clone(), one.version.clone(), one.kind.name().into(), licence]
    };
    let rows: Vec<_> = shipped.components.iter().map(row).collect();
    table(["COMPONENT", "VERSION", "KIND", "LICENCE"], &rows)
}

/// Of some there is more than one version.
fn called<'a>(shipped: &'a Shipped, name: &str) -> Result<Vec<&'a Component>, String> {
    let found: Vec<_> = shipped.components.iter().filter(|one| one.name == name).collect();
    match found.is_empty() {
        true => Err(format!("no component is called {name}: `lbd licences` lists all of them")),
        false => Ok(found),
    }
}

fn about(one: &Component) -> String {
    format!(
        "{} {} ({})\nLicence: {}\nSource:  {}\n",
        one.name,
        one.version,
        one.kind.name(),
        one.licence.as_deref().unwrap_or("see its text"),
        one.source.as_deref().unwrap_or("not told")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_are_found_by_their_whole_names() {
        let list = include_str!("../../../image/fixtures/COMPONENTS.json");
        let shipped: Shipped = serde_json::from_str(list).unwrap();
        let kernel = called(&shipped, "linux-image").unwrap();
        assert_eq!(
            about(kernel[0]),
            "linux-image 1-1 (Debian package)\nLicence: GPL-2, GPL-2+\nSource:  Debian source package linux-signed 1+1\n"
        );
        assert!(called(&shipped, "linux").unwrap_err().contains("lbd licences"));
        assert!(listed(&shipped).lines().count() == shipped.components.len() + 1);
    }
}
