//! Which servers do not know the AE title that they are called by, and which titles they answer to instead.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::Now;
use crate::config::AeTitle;
use crate::health::titles::advice;

/// A search bothers the server with a few associations that it refuses and logs.
const PAUSE: Duration = Duration::from_secs(60);

/// Per server and configured title. Entries go when the title is accepted, or when the configuration changes.
#[derive(Debug, Default)]
pub(super) struct TitleHelp {
    servers: BTreeMap<(SocketAddr, AeTitle), Searched>,
}

#[derive(Debug)]
struct Searched {
    at: Duration,
    answering: Vec<AeTitle>,
}

impl TitleHelp {
    /// The server did not know `called`; true when a search is due.
    pub(super) fn refused(&mut self, address: SocketAddr, called: &AeTitle, now: Now) -> bool {
        let key = (address, called.clone());
        let due = self.servers.get(&key).is_none_or(|searched| now.monotonic >= searched.at + PAUSE);
        if due {
            let searched =
                self.servers.entry(key).or_insert(Searched { at: now.monotonic, answering: Vec::new() });
            searched.at = now.monotonic;
        }
        due
    }

    /// The server's answer was another one.
    pub(super) fn not_refused(&mut self, address: SocketAddr, called: &AeTitle) {
        // Nearly always there is nothing, and then nothing is copied.
        if !self.servers.is_empty() {
            self.servers.remove(&(address, called.clone()));
        }
    }

    /// A search has ended.
    pub(super) fn found(&mut self, address: SocketAddr, called: &AeTitle, answering: Vec<AeTitle>) {
        if let Some(searched) = self.servers.get_mut(&(address, called.clone())) {
            searched.answering = answering;
        }
    }

    /// The configuration is another one.
    pub(super) fn forget(&mut self) {
        self.servers.clear();
    }

    /// What to tell about a server that is called by `called`.
    pub(super) fn hint(&self, address: SocketAddr, called: &AeTitle) -> Option<String> {
        if self.servers.is_empty() {
            return None;
        }
        let searched = self.servers.get(&(address, called.clone()))?;
        advice(&searched.answering, address, called)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn a_server_is_searched_once_a_minute_while_it_refuses() {
        let now = |second| Now { monotonic: Duration::from_secs(second), wall: Timestamp::UNIX_EPOCH };
        let (one, other) = ("10.2.0.1:2003".parse().unwrap(), "10.2.0.2:2003".parse().unwrap());
        let [called, right] = ["DW_MPPS_SCP", "DW_RDSR_SCP"].map(|title| AeTitle::try_from(title).unwrap());
        let mut help = TitleHelp::default();
        assert!(help.refused(one, &called, now(0)) && help.refused(other, &called, now(1)));
        assert!(!help.refused(one, &called, now(59)));
        help.found(one, &called, vec![right]);
        assert!(help.refused(one, &called, now(60)), "it may answer to another title by now");
        assert!(help.hint(one, &called).unwrap().starts_with("DW_RDSR_SCP answers on 10.2.0.1:2003"));
        assert_eq!(help.hint(other, &called), None);
        help.not_refused(one, &called);
        assert_eq!(help.hint(one, &called), None);
    }
}
