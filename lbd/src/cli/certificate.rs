//! `lbd certificate`: what the WebUI shows at TLS, and another one.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use hyper::Method;
use jiff::Timestamp;
use serde_json::json;

use super::client::{Answer, Call};
use super::failure::CommandError;
use super::print::Common;
use crate::web::certificate::keeper::CertificateStatus;

const PATH: &str = "/api/v1/certificate";

const EXAMPLES: &str = "Examples:
  lbd certificate show
  lbd certificate set chain.pem --key key.pem      # on trial for two minutes
  lbd certificate confirm                          # keeps it";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Certificate {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// The certificate that is shown now, with its fingerprint
    Show,
    /// Show another one, on trial for two minutes
    Set {
        /// The certificate and its intermediate ones, in PEM; may hold the key too
        certificate: PathBuf,
        /// Its private key, in PEM; the present one if it is not given
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
    },
    /// Keep the one on trial
    Confirm(Seen),
    /// Take the one on trial back now
    Revert(Seen),
}

/// The certificate that a verdict is about.
#[derive(Debug, Args)]
struct Seen {
    /// Its fingerprint as it was shown: another one is left alone
    #[arg(id = "seen", value_name = "FINGERPRINT")]
    fingerprint: Option<String>,
}

pub(super) fn carry_out(Certificate { verb, common }: &Certificate) -> Result<(), CommandError> {
    let verdict = |path: &str, Seen { fingerprint }: &Seen| {
        let tag = fingerprint.as_ref().map(|fingerprint| format!("\"{fingerprint}\""));
        Call::new(Method::POST, format!("{PATH}/{path}")).based_on(tag)
    };
    let call = match verb {
        Verb::Show => Call::new(Method::GET, PATH),
        Verb::Set { certificate, key } => {
            let key = key.as_deref().map(read).transpose()?;
            let body = json!({"certificate": read(certificate)?, "private_key": key});
            Call::new(Method::PUT, PATH).json(&body)
        }
        Verb::Confirm(seen) => verdict("confirm", seen),
        Verb::Revert(seen) => verdict("revert", seen),
    };
    show(&call.send(&common.way)?, common.json)
}

fn read(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file)
        .map_err(|error| format!("cannot read {}: {error}; give a file that you may read", file.display()))
}

fn show(answer: &Answer, json: bool) -> Result<(), CommandError> {
    if json {
        println!("{}", answer.text);
        return Ok(());
    }
    let CertificateStatus { certificate, confirm_until, .. } = answer.read()?;
    println!("Fingerprint  {}", certificate.fingerprint);
    println!("Subject      {}", certificate.subject);
    println!("Issuer       {}", certificate.issuer);
    println!("Names        {}", certificate.names.join(", "));
    println!("Ends         {:.0}, in {} days", certificate.ends, certificate.days_left(Timestamp::now()));
    if let Some(until) = confirm_until {
        println!("It is taken back at {until:.0} unless you confirm it: lbd certificate confirm");
    }
    Ok(())
}
