//! `lbd persistence`: which client is led to which server again.

use clap::{Args, Subcommand};
use hyper::Method;

use super::client::Call;
use super::failure::CommandError;
use super::print::{Common, encoded, table};
use crate::persistence::lookup::{EntryList, EntryView};

const PATH: &str = "/api/v1/persistence";

const EXAMPLES: &str = "Examples:
  lbd persistence list --service DATALINK_POOL1
  lbd persistence list --client 192.168.10.50            # in all services
  lbd persistence clear DATALINK_POOL1 192.168.10.50     # its next connection may meet another server";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Persistence {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Clients that are remembered or pinned, each with its server and how long still
    List {
        /// Only those of this virtual service
        #[arg(long, value_name = "LABEL")]
        service: Option<String>,
        /// Only those that this client uses
        #[arg(long, value_name = "ADDRESS")]
        client: Option<String>,
        /// So many at most, 1,000 if not given
        #[arg(long, value_name = "COUNT")]
        limit: Option<String>,
    },
    /// Forget which server a client had; its open connections go on
    Clear {
        /// Label of the virtual service
        service: String,
        /// Address of the client, or the network as the list shows it
        client: String,
    },
}

pub(super) fn carry_out(Persistence { verb, common }: &Persistence) -> Result<(), CommandError> {
    match verb {
        Verb::List { service, client, limit } => {
            let given = [("service", service), ("client", client), ("limit", limit)];
            let pairs =
                given.iter().filter_map(|(name, value)| Some(format!("{name}={}", encoded(value.as_ref()?))));
            let path = format!("{PATH}?{}", pairs.collect::<Vec<_>>().join("&"));
            let answer = Call::new(Method::GET, path).send(&common.way)?;
            match common.json {
                true => println!("{}", answer.text),
                false => print!("{}", text(&answer.read()?)),
            }
        }
        Verb::Clear { service, client } => {
            let path = format!("{PATH}/{}/{}", encoded(service), encoded(client));
            let answer = Call::new(Method::DELETE, path).send(&common.way)?;
            match common.json {
                true => println!("{}", answer.text),
                false => println!("{}", cleared(&answer.read()?)),
            }
        }
    }
    Ok(())
}

fn cleared(entry: &EntryView) -> String {
    format!("{} of {} is forgotten: its server was {}.", entry.client, entry.service, known(&entry.server))
}

fn text(list: &EntryList) -> String {
    let row = |entry: &EntryView| {
        let seconds =
            |seconds: Option<u64>| seconds.map_or_else(String::new, |seconds| format!("{seconds} s"));
        let left = if entry.pinned { "pinned".to_owned() } else { seconds(entry.seconds_left) };
        let service = known(&entry.service).to_owned();
        [service, entry.client.clone(), known(&entry.server).to_owned(), left, seconds(entry.timeout_seconds)]
    };
    let rows: Vec<_> = list.entries.iter().map(row).collect();
    table(["SERVICE", "CLIENT", "SERVER", "LEFT", "TIME-OUT"], &rows) + &end(list)
}

fn end(EntryList { entries, total, is_complete, .. }: &EntryList) -> String {
    match (is_complete, entries.len() as u64 == *total) {
        (true, true) => format!("{total} entries\n"),
        (true, false) => format!("{} of {total} entries: narrow the question\n", entries.len()),
        (false, _) => format!(
            "{} of more than {total} entries, and there was no time to look at all: ask for a client\n",
            entries.len()
        ),
    }
}

fn known(label: &str) -> &str {
    if label.is_empty() { "(removed)" } else { label }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_says_what_lasts_and_whether_it_is_whole() {
        let entry = |client: &str, pinned: bool| EntryView {
            service: "POOL".into(),
            client: client.into(),
            server: "NODE1".into(),
            pinned,
            timeout_seconds: (!pinned).then_some(300),
            seconds_left: (!pinned).then_some(7),
        };
        let entries = vec![entry("10.1.0.0/16", true), entry("192.0.2.7", false)];
        let list =
            |total, is_complete| text(&EntryList { entries: entries.clone(), total, limit: 2, is_complete });
        assert_eq!(
            list(2, true),
            "SERVICE  CLIENT       SERVER  LEFT    TIME-OUT\nPOOL     10.1.0.0/16  NODE1   pinned\n\
             POOL     192.0.2.7    NODE1   7 s     300 s\n2 entries\n"
        );
        assert!(list(3, true).ends_with("2 of 3 entries: narrow the question\n"));
        assert!(list(3, false).ends_with("no time to look at all: ask for a client\n"));
    }
}
