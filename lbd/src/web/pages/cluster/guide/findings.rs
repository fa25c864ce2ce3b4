//! What the servers of the pools answer, before anything is created.

use std::net::{IpAddr, SocketAddr};

use futures_util::future::join_all;

use super::Pool;
use crate::config::{AeTitle, CheckKind};
use crate::web::{Gateway, probe};

/// What was found out about a pool.
#[derive(Debug)]
pub(super) struct Found {
    /// Of the virtual service.
    pub(super) label: String,
    /// The virtual address with its port.
    pub(super) place: String,
    /// The AE title that was typed.
    pub(super) called: String,
    /// The input of that title.
    pub(super) title_input: String,
    /// In the order in which they were typed.
    pub(super) servers: Vec<Answer>,
    /// The AE title that answers in place of the one that was typed.
    pub(super) proposal: Option<String>,
}

/// What a server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// Address and port.
    pub(super) place: String,
    /// Whether it passes the check that will be created.
    pub(super) passed: bool,
    /// For people.
    pub(super) words: String,
    /// Titles that it answers to instead.
    pub(super) others: Vec<String>,
}

/// Asks all servers of all pools, several at the same time.
pub(super) async fn explore(gateway: &Gateway, pools: Vec<Pool>) -> Vec<Found> {
    join_all(pools.into_iter().map(|pool| explore_pool(gateway, pool))).await
}

async fn explore_pool(gateway: &Gateway, pool: Pool) -> Found {
    let port = u16::try_from(pool.port).unwrap_or_default();
    let servers = join_all(pool.servers.iter().map(|server| ask(gateway, &pool, server, port))).await;
    Found {
        place: format!("{}:{port}", bracketed(&pool.address)),
        proposal: proposal(&servers),
        label: pool.label,
        called: pool.called,
        title_input: pool.title_input,
        servers,
    }
}

fn bracketed(address: &str) -> String {
    if address.contains(':') { format!("[{address}]") } else { address.to_owned() }
}

async fn ask(gateway: &Gateway, pool: &Pool, server: &str, port: u16) -> Answer {
    let place = format!("{}:{port}", bracketed(server));
    let titles = (AeTitle::try_from(pool.calling.as_str()), AeTitle::try_from(pool.called.as_str()));
    // The pools have passed the rules of the configuration: both are what they should be.
    let (Ok(address), (Ok(calling), Ok(called))) = (server.parse::<IpAddr>(), titles) else {
        return Answer { place, passed: false, words: "it was not asked".into(), others: Vec::new() };
    };
    let address = SocketAddr::new(address, port);
    let kind = CheckKind::DicomEcho { calling, called: called.clone(), tls: None };
    match probe::echo(&kind, address).await {
        Ok(took) => {
            let words = format!("{called} answers, after {:.0} ms", took.as_secs_f64() * 1e3);
            Answer { place, passed: true, words, others: Vec::new() }
        }
        Err(failure) if failure.is_unknown_called_title() => {
            let others = probe::answering_titles(gateway, address, &kind, true).await;
            let others = others.iter().map(ToString::to_string).collect();
            other_title(place, port, &pool.called, others, &failure.to_string())
        }
        Err(failure) => Answer { place, passed: false, words: failure.to_string(), others: Vec::new() },
    }
}

fn other_title(place: String, port: u16, called: &str, others: Vec<String>, failure: &str) -> Answer {
    let words = match others.is_empty() {
        true => format!("{failure}; none of the other titles that are known answers either"),
        false => {
            let verb = if others.len() == 1 { "answers" } else { "answer" };
            format!("{} {verb} on {port}, you entered {called}", others.join(" and "))
        }
    };
    Answer { place, passed: false, words, others }
}

/// The title to which all servers of the pool answer that answer at all; none where one knows the title that was typed.
fn proposal(servers: &[Answer]) -> Option<String> {
    let answering: Vec<_> =
        servers.iter().filter(|server| server.passed || !server.others.is_empty()).collect();
    let first = answering.first()?.others.first()?;
    let all = answering.iter().all(|server| server.others.contains(first));
    all.then(|| first.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(others: &[&str], passed: bool) -> Answer {
        let others = others.iter().map(|title| (*title).to_owned()).collect();
        Answer {
            passed,
            ..other_title("192.0.2.1:2003".into(), 2003, "DW_MPPS_SCP", others, "not recognised")
        }
    }

    #[test]
    fn a_title_is_proposed_when_every_server_that_answers_answers_to_it() {
        let rdsr = answer(&["DW_RDSR_SCP"], false);
        let dead = answer(&[], false);
        assert_eq!(rdsr.words, "DW_RDSR_SCP answers on 2003, you entered DW_MPPS_SCP");
        assert!(dead.words.starts_with("not recognised; none of"));
        assert_eq!(proposal(&[dead.clone(), rdsr.clone()]).as_deref(), Some("DW_RDSR_SCP"));
        assert_eq!(proposal(&[rdsr.clone(), answer(&[], true)]), None);
        assert_eq!(proposal(&[rdsr, answer(&["DW_SCP"], false)]), None);
        assert_eq!(proposal(&[dead]), None);
    }
}
