//! `lbd snmp`: the SNMP agent.

use clap::{Args, Subcommand, ValueEnum};
use hyper::Method;
use serde_json::json;

use super::client::Call;
use super::failure::CommandError;
use super::people;
use super::print::{Common, encoded, table};
use crate::view::{SnmpTrapView, SnmpUserView, SnmpView};

const PATH: &str = "/api/v1/snmp";

const EXAMPLES: &str = "Nobody is answered before it is switched on: lbd config set snmp.enabled=true snmp.versions=v2c,v3. Examples:
  lbd snmp status
  echo SECRET | lbd snmp community
  echo PASSPHRASE | lbd snmp passphrase nms authentication
  echo PASSPHRASE | lbd snmp passphrase nms privacy";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Snmp {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Whether it answers, who may ask, and what came
    Status,
    /// Set the community of versions 1 and 2c; it is read from standard input, one line
    Community {
        /// Forget it instead
        #[arg(long)]
        remove: bool,
    },
    /// Set a passphrase of a user of version 3; it is read from standard input, one line
    Passphrase {
        /// As in the configuration
        user: String,
        /// What it is for
        purpose: Purpose,
    },
    /// Start the agent anew
    Restart,
    /// Send a test alert to everybody who is told of alerts, by mail too
    Test,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Purpose {
    /// It proves messages
    Authentication,
    /// It encrypts them
    Privacy,
}

pub(super) fn carry_out(Snmp { verb, common }: &Snmp) -> Result<(), CommandError> {
    match verb {
        Verb::Status => {
            let answer = Call::new(Method::GET, PATH).send(&common.way)?;
            match common.json {
                true => println!("{}", answer.text),
                false => print!("{}", status(&answer.read()?)),
            }
        }
        Verb::Community { remove: true } => {
            Call::new(Method::DELETE, format!("{PATH}/community")).send(&common.way)?;
            println!("The community is removed.");
        }
        Verb::Community { remove: false } => {
            let body = json!({ "community": people::line_of_input()? });
            Call::new(Method::PUT, format!("{PATH}/community")).json(&body).send(&common.way)?;
            println!("The community is set.");
        }
        Verb::Passphrase { user, purpose } => {
            let name = match purpose {
                Purpose::Authentication => "authentication",
                Purpose::Privacy => "privacy",
            };
            let body = json!({ name: people::line_of_input()? });
            let path = format!("{PATH}/users/{}/passphrases", encoded(user));
            Call::new(Method::PUT, path).json(&body).send(&common.way)?;
            println!("The passphrase is set.");
        }
        Verb::Test => {
            Call::new(Method::POST, "/api/v1/alerts/test").json(&json!({})).send(&common.way)?;
            println!("A test alert is under way; lbd snmp status and lbd mail queue tell what came of it.");
        }
        Verb::Restart => {
            Call::new(Method::POST, format!("{PATH}/restart")).send(&common.way)?;
            println!("The agent is started anew.");
        }
    }
    Ok(())
}

fn status(snmp: &SnmpView) -> String {
    let mut text = match (snmp.configured, snmp.listening) {
        (false, _) => "Managers are not answered: [snmp] does not say enabled = true.\n".to_owned(),
        (true, true) => format!("SNMP answers at {}, UDP.\n", snmp.place),
        (true, false) => format!("SNMP does not answer at {}.\n", snmp.place),
    };
    text += &snmp.problems.iter().map(|problem| format!("! {problem}\n")).collect::<String>();
    text += if snmp.community_set { "The community is set.\n" } else { "There is no community.\n" };
    if !snmp.engine_id.is_empty() {
        text += &format!("Engine {}, its start number {}.\n", snmp.engine_id, snmp.engine_boots);
    }
    if !snmp.users.is_empty() {
        let rows: Vec<_> = snmp.users.iter().map(user).collect();
        text += &table(["USER", "AUTHENTICATION", "PRIVACY"], &rows);
    }
    if !snmp.traps.is_empty() {
        let rows: Vec<_> = snmp.traps.iter().map(trap).collect();
        text += &table(["TRAPS TO", "PLACE", "BY", "SENT", "NOT SENT", "LAST ERROR"], &rows);
    }
    let rows: Vec<_> = snmp.counters.told().map(|(what, count)| [what.to_owned(), count.to_string()]).into();
    text + &table(["DATAGRAMS", "SINCE THE START"], &rows)
}

fn user(user: &SnmpUserView) -> [String; 3] {
    let told = |algorithm: &str, is_set| match (algorithm, is_set) {
        ("none", _) => "none".to_owned(),
        (algorithm, true) => algorithm.to_owned(),
        (algorithm, false) => format!("{algorithm}, NO PASSPHRASE"),
    };
    let authentication = told(&user.authentication, user.authentication_set);
    [user.name.clone(), authentication, told(&user.privacy, user.privacy_set)]
}

fn trap(trap: &SnmpTrapView) -> [String; 6] {
    let what = if trap.inform { "informs" } else { "traps" };
    [
        trap.label.clone(),
        trap.place.clone(),
        format!("{what}, {}", trap.version),
        trap.sent.to_string(),
        (trap.failed + trap.lost).to_string(),
        trap.last_error.clone().unwrap_or_default(),
    ]
}
