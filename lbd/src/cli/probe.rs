//! `lbd probe`: one check by hand, step by step.

use std::fmt::Write as _;
use std::net::IpAddr;

use clap::Args;
use hyper::Method;

use super::client::Call;
use super::failure::CommandError;
use super::print::Common;
use crate::web::probe::{ProbeAnswer, ProbeRequest};

const EXAMPLES: &str = "Examples:
  lbd probe --service DATALINK_POOL1 --server DATALINK_POOL1_NODE1
  lbd probe --check DICOM-C_Echo-Check-VIP1 --address 192.168.10.110
  lbd probe --check DICOM-C_Echo-Check-VIP1 --address 192.168.10.110 --port 2003     # does it answer there?";

/// Which check of which server.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Probe {
    /// Virtual service whose server is checked
    #[arg(long, value_name = "LABEL", requires = "server", conflicts_with_all = ["check", "address", "port"])]
    service: Option<String>,
    /// Server of that service
    #[arg(long, value_name = "LABEL", requires = "service")]
    server: Option<String>,
    /// Health check to make of an address
    #[arg(long, value_name = "LABEL", requires = "address", required_unless_present = "service")]
    check: Option<String>,
    /// Address of the server
    #[arg(long, requires = "check")]
    address: Option<IpAddr>,
    /// Port of the server [default: the check's]
    #[arg(long, requires = "check")]
    port: Option<u16>,
    #[command(flatten)]
    common: Common,
}

/// Asks the daemon to check, and prints what it says; a check that fails is an error.
pub(super) fn carry_out(probe: Probe) -> Result<(), CommandError> {
    let Probe { service, server, check, address, port, common } = probe;
    let request = ProbeRequest { service, server, check, address, port, definition: None };
    let answer = Call::new(Method::POST, "/api/v1/probe").json(&request).send(&common.way)?;
    let read: ProbeAnswer = answer.read()?;
    if common.json {
        println!("{}", answer.text);
    } else {
        print!("{}", text(&read));
    }
    if read.trace.passed { Ok(()) } else { Err("The check has failed.".into()) }
}

fn text(answer: &ProbeAnswer) -> String {
    let mut text = format!("{}: {}\n", answer.address.ip(), answer.check);
    for step in &answer.trace.steps {
        let _ = writeln!(text, "{:>10.1} ms  {}", step.at_milliseconds, step.what);
    }
    if answer.trace.passed {
        let _ = writeln!(text, "{}", answer.trace.outcome);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::{Milestone, Trace};

    #[test]
    fn each_step_has_its_time() {
        let step = |at_milliseconds, what: &str| Milestone { at_milliseconds, what: what.into() };
        let trace = Trace {
            passed: true,
            outcome: "passed in 2.1 ms".into(),
            steps: vec![step(0.25, "connected to 192.168.10.110:2001"), step(12.0, "released and closed")],
            association_rejected: false,
        };
        let address = "192.168.10.110:2001".parse().unwrap();
        let answer = ProbeAnswer { address, check: "DICOM C-ECHO to DW_SCP, port 2001".into(), trace };
        assert_eq!(
            text(&answer),
            "192.168.10.110: DICOM C-ECHO to DW_SCP, port 2001\n       0.2 ms  connected to \
             192.168.10.110:2001\n      12.0 ms  released and closed\npassed in 2.1 ms\n"
        );
    }
}
