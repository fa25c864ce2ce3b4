//! `lbd connections`: the connections of clients, open or closed.

use clap::Args;
use jiff::Timestamp;

use super::client;
use super::failure::CommandError;
use super::print::{Common, encoded};
use crate::conntrack::list::{ConnectionList, ConnectionView};
use crate::conntrack::lookup::{ClosedList, ClosedView};
use crate::conntrack::record::Cause;
use crate::web::pages::ago;

const EXAMPLES: &str = "Examples:
  lbd connections --client 192.168.10.50
  lbd connections --service DATALINK_POOL1 --server DATALINK_POOL1_NODE1
  lbd connections --closed --port 40123 --since 90m     # who came from this port, as a server's log calls it
  lbd connections --closed --since 2026-11-26T03:00:00Z --until 2026-11-26T04:00:00Z --json";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Connections {
    /// Only those of this client address
    #[arg(long, value_name = "ADDRESS")]
    client: Option<String>,
    /// Only those of this virtual service
    #[arg(long, value_name = "LABEL")]
    service: Option<String>,
    /// Only those to this real server
    #[arg(long, value_name = "LABEL")]
    server: Option<String>,
    /// Only those with this port: the client's, the one that the server sees, or the virtual one
    #[arg(long, value_name = "PORT")]
    port: Option<String>,
    /// So many at most, 1,000 if not given
    #[arg(long, value_name = "COUNT")]
    limit: Option<String>,
    /// Closed connections, the latest first
    #[arg(long)]
    closed: bool,
    /// Only those not closed before: a moment such as 2026-11-25T08:30:00Z, or how long ago, such as 90m
    #[arg(long, value_name = "TIME", requires = "closed")]
    since: Option<String>,
    /// Only those opened by then
    #[arg(long, value_name = "TIME", requires = "closed")]
    until: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// Prints what was asked for.
pub(super) fn show(question: &Connections) -> Result<(), CommandError> {
    let answer = client::get(&question.common.way, &path(question))?;
    let not_understood = |error| CommandError::not_understood(error);
    match (question.common.json, question.closed) {
        (true, _) => println!("{answer}"),
        (false, false) => print!("{}", open_text(&serde_json::from_str(&answer).map_err(not_understood)?)),
        (false, true) => {
            let list = serde_json::from_str(&answer).map_err(not_understood)?;
            print!("{}", closed_text(&list, Timestamp::now()));
        }
    }
    Ok(())
}

fn path(question: &Connections) -> String {
    let path = if question.closed { "/api/v1/closed-connections" } else { "/api/v1/connections" };
    let given = [
        ("client", &question.client),
        ("service", &question.service),
        ("server", &question.server),
        ("port", &question.port),
        ("limit", &question.limit),
        ("since", &question.since),
        ("until", &question.until),
    ];
    let pairs = given.iter().filter_map(|(name, value)| Some(format!("{name}={}", encoded(value.as_ref()?))));
    format!("{path}?{}", pairs.collect::<Vec<_>>().join("&"))
}

fn open_text(list: &ConnectionList) -> String {
    let line = |connection: &ConnectionView| {
        let age = connection.age_seconds.map_or_else(|| "?".to_owned(), |age| format!("{age} s"));
        let left = connection.seconds_left.map_or_else(String::new, |left| format!(", {left} s left"));
        format!(
            "{} {} -> {} {}/{} {} seen as {}: {}, for {age}{left}, {} bytes in, {} out\n",
            connection.protocol,
            connection.client,
            connection.virtual_address,
            known(&connection.service),
            known(&connection.server),
            connection.server_address,
            connection.snat_source,
            connection.state,
            connection.bytes_in,
            connection.bytes_out
        )
    };
    list.connections.iter().map(line).collect::<String>() + &end(list.connections.len(), list.is_cut)
}

fn closed_text(list: &ClosedList, now: Timestamp) -> String {
    let line = |connection: &ClosedView| {
        let time = |time: Option<Timestamp>| time.map_or_else(|| "?".to_owned(), |time| format!("{time:.0}"));
        format!(
            "{} {} -> {} {}/{} {} seen as {}: {}, {} to {}{}, {} bytes in, {} out\n",
            connection.protocol,
            connection.client,
            connection.virtual_address,
            known(&connection.service),
            known(&connection.server),
            connection.server_address,
            connection.snat_source,
            cause_words(connection.cause),
            time(connection.started),
            time(connection.ended),
            connection.ended.map_or_else(String::new, |ended| format!(" ({} ago)", ago(ended, now))),
            connection.bytes_in,
            connection.bytes_out
        )
    };
    list.connections.iter().map(line).collect::<String>() + &end(list.connections.len(), list.is_cut)
}

fn known(label: &str) -> &str {
    if label.is_empty() { "(removed)" } else { label }
}

fn cause_words(cause: Cause) -> &'static str {
    match cause {
        Cause::Closed => "closed",
        Cause::Reset => "reset",
        Cause::TimedOut => "timed out",
        Cause::Unanswered => "never answered",
        Cause::Ended => "ended, as its server failed or left",
    }
}

fn end(count: usize, is_cut: bool) -> String {
    match is_cut {
        true => format!("{count} connections, and there are more: narrow the question\n"),
        false => format!("{count} connections\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_says_whether_it_is_whole() {
        let list = ConnectionList { connections: Vec::new(), is_cut: true };
        assert_eq!(open_text(&list), "0 connections, and there are more: narrow the question\n");
        assert_eq!(
            closed_text(&ClosedList { connections: Vec::new(), is_cut: false }, Timestamp::UNIX_EPOCH),
            "0 connections\n"
        );
    }
}
