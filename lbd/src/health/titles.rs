//! Help with AE titles: which of those that are known does a server answer to?
//!
//! The choice and the words are pure; [`search`] asks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::config::check_kind::Tls;
use crate::config::{AeTitle, CheckKind, Question};

use super::probe;

/// The AE titles of DoseWatch's listeners, which are easily mistaken for each other.
pub const DOSEWATCH: [&str; 3] = ["DW_SCP", "DW_MPPS_SCP", "DW_RDSR_SCP"];
/// Titles that are tried at most: each is an association that the server has to refuse.
pub const MOST_TRIED: usize = 16;
/// For each title. A server that has just refused one answers at once.
const PATIENCE: Duration = Duration::from_secs(2);

/// The titles to try at a server that did not know `refused`: the `known` ones first, each once.
pub fn candidates<'a>(
    known: impl IntoIterator<Item = &'a AeTitle>,
    refused: Option<&AeTitle>,
) -> Vec<AeTitle> {
    let usual = DOSEWATCH.iter().filter_map(|title| AeTitle::try_from(*title).ok());
    let mut titles: Vec<AeTitle> = Vec::new();
    for title in known.into_iter().cloned().chain(usual) {
        if titles.len() < MOST_TRIED && Some(&title) != refused && !titles.contains(&title) {
            titles.push(title);
        }
    }
    titles
}

/// What an administrator should know; `None` where no title answers.
pub fn advice(answering: &[AeTitle], address: SocketAddr, configured: &AeTitle) -> Option<String> {
    let names: Vec<_> = answering.iter().map(AeTitle::as_str).collect();
    let verb = if names.len() == 1 { "answers" } else { "answer" };
    let names = names.join(" and ");
    (!names.is_empty()).then(|| format!("{names} {verb} on {address}, you configured {configured}"))
}

/// Asks for a C-ECHO under each of the titles, one after the other, and returns those that were answered.
pub async fn search(
    address: SocketAddr,
    calling: &AeTitle,
    titles: &[AeTitle],
    tls: Option<&Tls>,
) -> Vec<AeTitle> {
    let mut answering = Vec::new();
    for called in titles.iter().take(MOST_TRIED) {
        let kind =
            CheckKind::DicomEcho { calling: calling.clone(), called: called.clone(), tls: tls.cloned() };
        let question = Question { kind, interval: PATIENCE, fast_interval: PATIENCE, timeout: PATIENCE };
        match probe(&question, address).await {
            Ok(_) => answering.push(called.clone()),
            Err(failure) if failure.is_unknown_called_title() => {}
            // It does not answer, or refuses for another reason: the other titles would fare no better.
            Err(_) => break,
        }
    }
    answering
}

/// Everything that [`search`] needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// The server.
    pub address: SocketAddr,
    /// The question whose called AE title the server did not know.
    pub question: Arc<Question>,
    /// What to try.
    pub titles: Vec<AeTitle>,
}

impl Search {
    /// The titles that are answered.
    pub async fn run(&self) -> Vec<AeTitle> {
        match &self.question.kind {
            CheckKind::DicomEcho { calling, tls, .. } => {
                search(self.address, calling, &self.titles, tls.as_ref()).await
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles(names: &[&str]) -> Vec<AeTitle> {
        names.iter().map(|name| AeTitle::try_from(*name).unwrap()).collect()
    }

    #[test]
    fn known_titles_come_first_and_none_twice() {
        let known = titles(&["PACS", "DW_MPPS_SCP", "PACS"]);
        let tried = candidates(&known, Some(&known[1]));
        assert_eq!(tried, titles(&["PACS", "DW_SCP", "DW_RDSR_SCP"]));
        let many: Vec<_> = (0..50).map(|n| AeTitle::try_from(format!("AE{n}")).unwrap()).collect();
        assert_eq!(candidates(&many, None).len(), MOST_TRIED);
    }

    #[test]
    fn the_advice_names_what_answers_and_what_was_configured() {
        let address = "192.168.10.112:2003".parse().unwrap();
        let configured = &titles(&["DW_MPPS_SCP"])[0];
        let told = |names: &[&str]| advice(&titles(names), address, configured);
        assert_eq!(
            told(&["DW_RDSR_SCP"]).unwrap(),
            "DW_RDSR_SCP answers on 192.168.10.112:2003, you configured DW_MPPS_SCP"
        );
        assert!(told(&["A", "B"]).unwrap().starts_with("A and B answer on"));
        assert_eq!(told(&[]), None);
    }
}
