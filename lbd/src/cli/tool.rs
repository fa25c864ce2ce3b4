//! `lbd tool`: ping, traceroute, TCP connect test, DICOM C-ECHO, DNS look-up, the neighbour table.

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::json;

use super::client::Call;
use super::failure::CommandError;
use super::print::Common;
use crate::config::AeTitle;
use crate::tools::{Finding, Tool, USUAL_CALLING};

const EXAMPLES: &str = "Examples:
  lbd tool ping 192.168.10.110
  lbd tool traceroute pacs.hospital.example      # which routers lie between
  lbd tool connect pacs.hospital.example 104
  lbd tool dicom-echo 192.168.10.110 2001 --called DW_SCP
  lbd tool dns pacs.hospital.example
  lbd tool neighbours

A health check that is configured, by hand: lbd probe.";

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
    /// Send a DICOM C-ECHO to one port of a host, unencrypted
    DicomEcho {
        /// Address or name
        host: String,
        /// For example 104
        #[arg(value_parser = clap::value_parser!(u16).range(1..))]
        port: u16,
        /// AE title of the server
        #[arg(long, value_name = "AE_TITLE")]
        called: String,
        /// AE title of who asks
        #[arg(long, value_name = "AE_TITLE", default_value = USUAL_CALLING)]
        calling: String,
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
pub(super) fn carry_out(ToolCommand { verb, common }: ToolCommand) -> Result<(), CommandError> {
    let answer = call(&verb.tool()?).send(&common.way)?;
    let finding: Finding = answer.read()?;
    match common.json {
        true => println!("{}", answer.text),
        false => print!("{}", text(&finding)),
    }
    if finding.succeeded { Ok(()) } else { Err(finding.outcome.into()) }
}

impl Verb {
    fn tool(self) -> Result<Tool, CommandError> {
        let title = |text: String| {
            AeTitle::try_from(text.as_str()).map_err(|fault| format!("{}; {}", fault.problem, fault.remedy))
        };
        Ok(match self {
            Self::Ping { host, count } => Tool::Ping { host, count },
            Self::Traceroute { host } => Tool::Traceroute { host },
            Self::Connect { host, port } => Tool::Connect { host, port },
            Self::DicomEcho { host, port, called, calling } => {
                Tool::Echo { host, port, called: title(called)?, calling: title(calling)? }
            }
            Self::Dns { name } => Tool::LookUp { name },
            Self::Neighbours => Tool::Neighbours,
        })
    }
}

/// Asks lbd for it.
pub(super) fn call(tool: &Tool) -> Call {
    let post = |name: &str, body| Call::new(Method::POST, format!("/api/v1/tools/{name}")).json(&body);
    match tool {
        Tool::Ping { host, count } => post("ping", json!({ "host": host, "count": count })),
        Tool::Traceroute { host } => post("traceroute", json!({ "host": host })),
        Tool::Connect { host, port } => post("connect", json!({ "host": host, "port": port })),
        Tool::Echo { host, port, called, calling } => {
            let (called, calling) = (called.as_str(), calling.as_str());
            let titles =
                json!({ "host": host, "port": port, "called_ae_title": called, "calling_ae_title": calling });
            post("dicom-echo", titles)
        }
        Tool::LookUp { name } => post("dns", json!({ "name": name })),
        Tool::Neighbours => Call::new(Method::GET, "/api/v1/tools/neighbours"),
    }
}

/// The table, and the outcome below it where it is not told as an error.
fn text(finding: &Finding) -> String {
    let outcome = finding.succeeded.then(|| finding.outcome.clone());
    finding.table().into_iter().chain(outcome).map(|line| line + "\n").collect()
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
