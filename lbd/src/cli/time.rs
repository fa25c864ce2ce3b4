//! `lbd time`: how the clock stands, and setting it.

use clap::{Args, Subcommand};
use hyper::Method;
use jiff::Timestamp;
use serde_json::json;

use super::client::Call;
use super::failure::CommandError;
use super::print::{Common, table};
use crate::clock::standing::off_by;
use crate::clock::zone;
use crate::view::{ClockState, ClockView, TimeServerView};

const CLOCK: &str = "/api/v1/clock";

const EXAMPLES: &str = "Examples:
  lbd time status
  lbd time synchronise
  lbd time set 2026-11-26T13:00:00Z      # where there is no NTP server

Zone and NTP servers: lbd config set time.zone=Europe/Berlin time.ntp_servers=10.1.2.3,10.1.2.4";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Time {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Whether the clock is right, by how much it is off, and who says so
    Status,
    /// Start the time daemon anew, so that it sets the clock at once
    Synchronise,
    /// Set the clock by hand, where there is no NTP server
    Set {
        /// For example 2026-11-26T13:00:00Z, or with another offset from UTC: 2026-11-26T14:00:00+01:00
        time: Timestamp,
    },
}

pub(super) fn carry_out(Time { verb, common }: &Time) -> Result<(), CommandError> {
    match verb {
        Verb::Status => {
            let answer = Call::new(Method::GET, CLOCK).send(&common.way)?;
            match common.json {
                true => println!("{}", answer.text),
                false => print!("{}", status(&answer.read()?)),
            }
        }
        Verb::Synchronise => {
            Call::new(Method::POST, format!("{CLOCK}/synchronise")).send(&common.way)?;
            println!("The servers are asked, and the clock is set, now: see lbd time status.");
        }
        Verb::Set { time } => {
            Call::new(Method::PUT, CLOCK).json(&json!({ "time": time })).send(&common.way)?;
            println!("The clock is set to {time:.0}.");
        }
    }
    Ok(())
}

fn status(clock: &ClockView) -> String {
    let time = |instant| match zone::named(&clock.zone) {
        Some(zone) => zone::time(instant, &zone),
        None => format!("{instant:.0}"),
    };
    let word = match clock.state {
        ClockState::Free => "not synchronised",
        ClockState::Starting => "starting",
        ClockState::Synchronised => "synchronised",
        ClockState::Measured => "right, measured only",
        ClockState::Unsynchronised => "NOT SYNCHRONISED",
    };
    let mut text = format!("Clock   {word} since {}: {}\n", time(clock.since), clock.reason);
    if let (Some(offset), Some(source)) = (clock.offset_seconds, &clock.source) {
        text += &format!("Offset  {} by {source}\n", off_by(offset));
    }
    text += &format!("Zone    {}\n", clock.zone);
    if !clock.servers.is_empty() {
        let rows: Vec<_> = clock.servers.iter().map(row).collect();
        text += &table(["SERVER", "ADDRESS", "OFFSET", "ROUND TRIP", "STRATUM", "STATE"], &rows);
    }
    text
}

fn row(server: &TimeServerView) -> [String; 6] {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".into());
    [
        server.server.clone(),
        or_none(server.address.map(|address| address.to_string())),
        or_none(server.offset_seconds.map(off_by)),
        or_none(server.round_trip_seconds.map(|seconds| format!("{:.1} ms", seconds * 1e3))),
        or_none(server.stratum.map(|stratum| stratum.to_string())),
        server.reason.clone(),
    ]
}
