//! `lbd alert` and `lbd mail`: trying the way of the alerts, and the mail queue.

use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::json;

use super::client::Call;
use super::failure::CommandError;
use super::people;
use super::print::{Common, encoded, table};
use crate::view::{MailView, WaitingMail};
use crate::web::api::Tested;

const MAIL: &str = "/api/v1/mail";
/// For the answer of a mail server; slow ones greet after half a minute.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(300);

const ALERT_EXAMPLES: &str = "Examples:
  lbd alert test
  lbd alert test --service DATALINK_POOL1     # to those who are told of this service

Who is told, and how soon: lbd config set alerts.destinations=pacs@hospital.example alerts.hold_down_seconds=30";

#[derive(Debug, Args)]
#[command(after_help = ALERT_EXAMPLES)]
pub(super) struct Alert {
    #[command(subcommand)]
    verb: AlertVerb,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum AlertVerb {
    /// Send a test alert to everybody who is to be told, and wait for the mail server's answer
    Test {
        /// To the addresses of this virtual service; the global ones if it is not given
        #[arg(long, value_name = "LABEL")]
        service: Option<String>,
    },
}

const MAIL_EXAMPLES: &str = "Examples:
  lbd mail queue                                   # with what the mail server said last
  lbd mail retry                                   # once the mail server is back
  echo PASSWORD | lbd mail password                # of the smart host
  lbd mail password --remove

The way of the mails: lbd config set mail.smart_host=mx1.hospital.example mail.encryption=starttls";

#[derive(Debug, Args)]
#[command(after_help = MAIL_EXAMPLES)]
pub(super) struct Mail {
    #[command(subcommand)]
    verb: MailVerb,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum MailVerb {
    /// Mails that wait, and what came of the last ones
    Queue,
    /// Try all mails that wait now
    Retry,
    /// Throw a mail that waits away
    Drop {
        /// As the queue calls it
        id: String,
    },
    /// Set the password of the smart host; it is read from standard input, one line
    Password {
        /// Forget it instead
        #[arg(long)]
        remove: bool,
    },
}

pub(super) fn carry_out_alert(Alert { verb, common }: &Alert) -> Result<(), CommandError> {
    let AlertVerb::Test { service } = verb;
    let body = match service {
        Some(service) => json!({ "service": service }),
        None => json!({}),
    };
    let answer = Call::new(Method::POST, "/api/v1/alerts/test").json(&body).send(&common.way)?;
    let Tested { mails } = answer.read()?;
    let until = Instant::now() + PATIENCE;
    loop {
        let mail: MailView = Call::new(Method::GET, MAIL).send(&common.way)?.read()?;
        let finished: Vec<_> = mail.finished.iter().filter(|known| mails.contains(&known.id)).collect();
        let failed: Vec<_> = mail.waiting.iter().filter(|known| is_failed(known, &mails)).collect();
        if finished.len() + failed.len() >= mails.len() || Instant::now() > until {
            for mail in &finished {
                println!("{}: {}", mail.to, mail.words);
            }
            for mail in &failed {
                println!("{}: not yet: {}", mail.to, mail.last_error);
            }
            let is_done = finished.len() == mails.len() && finished.iter().all(|mail| mail.delivered);
            let why = "not every test mail is delivered; see lbd mail queue".to_owned();
            return if is_done { Ok(()) } else { Err(why.into()) };
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn is_failed(mail: &WaitingMail, mails: &[String]) -> bool {
    mails.contains(&mail.id) && mail.attempts > 0
}

pub(super) fn carry_out_mail(Mail { verb, common }: &Mail) -> Result<(), CommandError> {
    match verb {
        MailVerb::Queue => {
            let answer = Call::new(Method::GET, MAIL).send(&common.way)?;
            match common.json {
                true => println!("{}", answer.text),
                false => print!("{}", queue(&answer.read()?)),
            }
        }
        MailVerb::Retry => {
            Call::new(Method::POST, format!("{MAIL}/retry")).send(&common.way)?;
            println!("All mails that wait are tried now.");
        }
        MailVerb::Drop { id } => {
            Call::new(Method::DELETE, format!("{MAIL}/queue/{}", encoded(id))).send(&common.way)?;
            println!("The mail is thrown away.");
        }
        MailVerb::Password { remove: true } => {
            Call::new(Method::DELETE, format!("{MAIL}/password")).send(&common.way)?;
            println!("The password of the smart host is removed.");
        }
        MailVerb::Password { remove: false } => {
            let body = json!({ "password": people::line_of_input()? });
            Call::new(Method::PUT, format!("{MAIL}/password")).json(&body).send(&common.way)?;
            println!("The password of the smart host is set.");
        }
    }
    Ok(())
}

fn queue(mail: &MailView) -> String {
    let mut text = match mail.configured {
        true => format!("Mail goes over {}.\n", mail.way),
        false => "Nobody is to get mail: give [alerts] a source and a destination.\n".to_owned(),
    };
    if mail.waiting.is_empty() {
        text += "No mail waits.\n";
    } else {
        text += &format!("{} waiting:\n", mail.waiting_count);
        let row = |mail: &WaitingMail| {
            let next = mail.next_attempt.map_or_else(|| "now".to_owned(), |next| format!("{next:.0}"));
            [
                mail.id.clone(),
                mail.to.clone(),
                mail.subject.clone(),
                mail.attempts.to_string(),
                next,
                mail.last_error.clone(),
            ]
        };
        let rows: Vec<_> = mail.waiting.iter().map(row).collect();
        text += &table(["ID", "TO", "SUBJECT", "ATTEMPTS", "NEXT", "LAST ANSWER"], &rows);
    }
    if !mail.finished.is_empty() {
        text += "The last ones:\n";
        let row = |mail: &crate::view::FinishedMail| {
            let state = if mail.delivered { "delivered" } else { "FAILED" };
            [
                format!("{:.0}", mail.at),
                state.into(),
                mail.to.clone(),
                mail.subject.clone(),
                mail.words.clone(),
            ]
        };
        let rows: Vec<_> = mail.finished.iter().map(row).collect();
        text += &table(["WHEN", "STATE", "TO", "SUBJECT", "ANSWER"], &rows);
    }
    if let Some(why) = &mail.disk_failure {
        text += &format!("! The disk does not take the queue: {why}\n");
    }
    text
}
