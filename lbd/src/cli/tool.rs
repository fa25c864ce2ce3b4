//! `lbd tool`: ping, traceroute, TCP connect test, DNS look-up, the neighbour table.

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::json;

use super::client::Call;
use super::failure::CommandError;
use super::print::Common;
use crate::tools::Finding;

const EXAMPLES: &str = "Examples:
  lbd tool ping 192.168.10.110
  lbd tool traceroute pacs.hospital.example      # which routers lie between
  lbd tool connect pacs.hospital.example 104
  lbd tool dns pacs.hospital.example
  lbd tool neighbours

A health check by hand (DICOM C-ECHO): lbd probe.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ToolCommand {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Send echo requests to a host, one a second
    Ping {
        /// Address or name
        host: String,
        /// How many
        #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=10))]
        count: u16,
    },
    /// Find the routers on the way to a host; takes up to 15 seconds
    Traceroute {
        /// Address or name
        host: String,
    },
    /// Connect to one TCP port of a host
    Connect {
        /// Address or name
        host: String,
        /// For example 104
        #[arg(value_parser = clap::value_parser!(u16).range(1..))]
        port: u16,
    },
    /// Ask each DNS server for the addresses of a name, or the names of an address
    Dns {
        /// Name or address
        name: String,
    },
    /// List the neighbours on each network (ARP, NDP)
    Neighbours,
}

/// Prints what was found; what did not succeed is an error.
pub(super) fn carry_out(ToolCommand { verb, common }: &ToolCommand) -> Result<(), CommandError> {
    let post = |name: &str, body| Call::new(Method::POST, format!("/api/v1/tools/{name}")).json(&body);
    let call = match verb {
        Verb::Ping { host, count } => post("ping", json!({ "host": host, "count": count })),
        Verb::Traceroute { host } => post("traceroute", json!({ "host": host })),
        Verb::Connect { host, port } => post("connect", json!({ "host": host, "port": port })),
        Verb::Dns { name } => post("dns", json!({ "name": name })),
        Verb::Neighbours => Call::new(Method::GET, "/api/v1/tools/neighbours"),
    };
    let answer = call.send(&common.way)?;
    let finding: Finding = answer.read()?;
    match common.json {
        true => println!("{}", answer.text),
        false => print!("{}", text(&finding)),
    }
    if finding.succeeded { Ok(()) } else { Err(finding.outcome.into()) }
}

/// The table, and the outcome below it where it is not told as an error.
fn text(finding: &Finding) -> String {
    let headings = finding.columns.iter().map(|heading| heading.to_uppercase()).collect();
    let lines: Vec<Vec<String>> = std::iter::once(headings).chain(finding.rows.iter().cloned()).collect();
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let mut text = String::new();
    for line in lines.iter().filter(|line| !line.is_empty()) {
        let cells =
            line.iter().enumerate().map(|(column, cell)| format!("{cell:<width$}", width = width(column)));
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    if finding.succeeded {
        text += &format!("{}\n", finding.outcome);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_stands_above_the_outcome() {
        let finding = Finding {
            succeeded: true,
            outcome: "It answers.".into(),
            columns: vec!["Request".into(), "Round trip (ms)".into()],
            rows: vec![vec!["1".into(), "0.50".into()]],
        };
        assert_eq!(text(&finding), "REQUEST  ROUND TRIP (MS)\n1        0.50\nIt answers.\n");
    }
}
