//! A backup as text. Pure.
//!
//! The first line says what it is, the second holds a checksum of all that follows, the third tells where it comes from, as
//! JSON in a comment; a fourth of the same kind holds the secrets, in what is to be encrypted only. Then comes the
//! configuration in TOML. Without its comments a backup is a configuration as `lbd config apply` takes it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Secrets, Unusable};
use crate::config::values::HostName;
use crate::config::{Document, Format, validate};

const TITLE: &str = "# Evenkeel backup, format 1";
/// That of any format.
const ANY_TITLE: &str = "# Evenkeel backup, format ";
const CHECKSUM: &str = "# sha256 ";
const ABOUT: &str = "# about ";
const SECRETS: &str = "# secrets ";
/// Of a version of the software, or of who made it.
const LONGEST_WORDS: usize = 200;

/// Where a backup comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct About {
    /// Host name of the appliance.
    pub appliance: String,
    /// When it was made.
    pub time: Timestamp,
    /// By whom, from where.
    pub by: String,
    /// Version of the software that made it.
    pub software: String,
    /// Number of the version of the configuration that was in force there.
    pub configuration_version: u64,
}

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// Where it comes from.
    pub about: About,
    /// The configuration; from [`parse`] one that passed every rule.
    pub document: Document,
    /// What is kept apart from it; never in a file that is not encrypted.
    pub secrets: Option<Secrets>,
}

/// The text of a backup, with its secrets.
pub fn text(backup: &Backup) -> String {
    // Plain values with text keys: there is always a JSON text of them.
    let line = |kind: &str, json: serde_json::Result<String>| format!("{kind}{}\n", json.unwrap_or_default());
    let about = line(ABOUT, serde_json::to_string(&backup.about));
    let secrets = backup.secrets.as_ref().map(|secrets| line(SECRETS, serde_json::to_string(secrets)));
    let covered = about + &secrets.unwrap_or_default() + &backup.document.to_toml();
    format!("{TITLE}\n{CHECKSUM}{}\n{covered}", digest(&covered))
}

/// What the text of a backup holds, if it is whole and can be used. Takes any text.
pub fn parse(text: &str) -> Result<Backup, Unusable> {
    let Some((title, rest)) = text.split_once('\n').filter(|(title, _)| title.starts_with(ANY_TITLE)) else {
        return Err(foreign());
    };
    if title != TITLE {
        return Err(Unusable::file(
            "this backup is of a newer version of Evenkeel",
            "install that version first, then restore it",
        ));
    }
    let damaged = || Unusable::file("the backup is not whole, or was changed", "use another copy of it");
    let (checksum, covered) = rest.split_once('\n').ok_or_else(damaged)?;
    if checksum.strip_prefix(CHECKSUM) != Some(&digest(covered)) {
        return Err(damaged());
    }
    let (about, mut body) = covered.split_once('\n').ok_or_else(damaged)?;
    let about: About = json(about, ABOUT).filter(is_plain).ok_or_else(damaged)?;
    let mut secrets = None;
    if let Some((line, rest)) = body.split_once('\n').filter(|(line, _)| line.starts_with(SECRETS)) {
        secrets = Some(json::<Secrets>(line, SECRETS).ok_or_else(damaged)?);
        body = rest;
    }
    let document = Document::parse(body, Format::Toml).and_then(validate).map_err(Unusable)?.document;
    secrets.iter().try_for_each(Secrets::check)?;
    Ok(Backup { about, document: document.as_ref().clone(), secrets })
}

/// A file of something else.
pub(super) fn foreign() -> Unusable {
    Unusable::file(
        "this is no backup of Evenkeel",
        "choose a file that was made under Maintenance, Backup & Restore, or by `lbd backup`",
    )
}

fn json<T: serde::de::DeserializeOwned>(line: &str, kind: &str) -> Option<T> {
    serde_json::from_str(line.strip_prefix(kind)?).ok()
}

/// It is shown on terminals.
fn is_plain(about: &About) -> bool {
    let plain = |text: &str| text.len() <= LONGEST_WORDS && !text.chars().any(char::is_control);
    HostName::try_from(about.appliance.as_str()).is_ok() && plain(&about.by) && plain(&about.software)
}

fn digest(covered: &str) -> String {
    Sha256::digest(covered).iter().map(|byte| format!("{byte:02x}")).collect()
}
