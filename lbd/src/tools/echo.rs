//! The DICOM C-ECHO: what health checks ask of servers, without one being configured.

use std::net::SocketAddr;
use std::time::Duration;

use super::Finding;
use crate::config::{AeTitle, CheckKind, Question};
use crate::health::{self, Trace, titles};

/// A healthy server answers within milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn echo(address: SocketAddr, calling: &AeTitle, called: &AeTitle) -> Finding {
    let kind = CheckKind::DicomEcho { calling: calling.clone(), called: called.clone(), tls: None };
    let question = Question { kind, interval: PATIENCE, fast_interval: PATIENCE, timeout: PATIENCE };
    let trace = health::trace(&question, address).await;
    // Whoever is not there, or is no DICOM server, answers to no other title either.
    let others = match trace.association_rejected {
        true => titles::search(address, calling, &titles::candidates([], Some(called)), None).await,
        false => Vec::new(),
    };
    told(address, called, trace, &others)
}

/// The finding in words. Pure.
fn told(address: SocketAddr, called: &AeTitle, trace: Trace, others: &[AeTitle]) -> Finding {
    let Trace { passed, outcome, steps, .. } = trace;
    let outcome = match (passed, others) {
        (true, _) => format!("{called} at {address} answers the C-ECHO: {outcome}."),
        (false, []) => format!("{address}: {outcome}."),
        (false, _) => {
            let names: Vec<_> = others.iter().map(AeTitle::as_str).collect();
            format!("{address}: {outcome}. AE titles that are answered there: {}.", names.join(", "))
        }
    };
    let mut rows: Vec<_> =
        steps.into_iter().map(|step| [format!("{:.2}", step.at_milliseconds), step.what]).collect();
    if let Some([_, what]) = rows.last_mut().filter(|_| !passed) {
        // Why, the outcome says.
        *what = "failed".into();
    }
    Finding::new(passed, outcome, ["At (ms)", "Step"], rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Milestone;

    #[test]
    fn a_server_that_knows_another_title_is_told_as_such() {
        let (address, called) = ("192.0.2.1:104".parse().unwrap(), AeTitle::try_from("DW_SCP").unwrap());
        let steps = ["connected", "failed: association rejected"];
        let steps = steps.map(|what| Milestone { at_milliseconds: 1.0, what: what.into() }).to_vec();
        let outcome = "association rejected; compare".into();
        let trace = Trace { passed: false, outcome, steps, association_rejected: true };
        let others = [AeTitle::try_from("DW_MPPS_SCP").unwrap()];
        let finding = told(address, &called, trace.clone(), &others);
        assert_eq!(
            finding.outcome,
            "192.0.2.1:104: association rejected; compare. AE titles that are answered there: DW_MPPS_SCP."
        );
        assert_eq!(finding.rows, [["1.00", "connected"], ["1.00", "failed"]]);
        let passed = Trace { passed: true, outcome: "passed in 2.1 ms".into(), ..trace };
        assert_eq!(
            told(address, &called, passed, &[]).outcome,
            "DW_SCP at 192.0.2.1:104 answers the C-ECHO: passed in 2.1 ms."
        );
    }
}
