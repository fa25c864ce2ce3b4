//! `lbd factory-reset`: the appliance forgets everything.

use clap::Args;
use hyper::Method;

use super::client::Call;
use super::failure::CommandError;
use super::people::line_of_input;
use super::print::Common;
use crate::web::api::FactoryReset as Body;
use crate::web::users::FIRST_USER;

const EXAMPLES: &str = "Examples:
  echo 'the password of loadbalancer' | lbd factory-reset lb1
  echo 'the password of ann' | lbd factory-reset lb1 --user ann

Lost is everything that was set up, logged and measured, with users, tokens, the certificate and kept backups. The
installed versions of the software stay, and so do the OVF properties, which count again as at the first boot.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct FactoryReset {
    /// The host name of the appliance that is to forget everything
    host_name: String,
    /// An administrator, whose password is read from standard input, one line
    #[arg(long, default_value = FIRST_USER)]
    user: String,
    #[command(flatten)]
    common: Common,
}

pub(super) fn carry_out(FactoryReset { host_name, user, common }: &FactoryReset) -> Result<(), CommandError> {
    let password = line_of_input()?;
    let body = Body { user: Some(user.clone()), password, host_name: host_name.clone() };
    Call::new(Method::POST, "/api/v1/factory-reset").json(&body).send(&common.way)?;
    if !common.json {
        println!("Everything is erased now, and the appliance restarts.");
    }
    Ok(())
}
