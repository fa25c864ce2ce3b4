//! Whether services and servers could be used, and what the record of outages holds. Pure.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};

use super::subject;
use crate::view::{ServerState, ServerView, ServiceState, ServiceView, View};

/// Whether a service or a server could be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It could.
    Up,
    /// A service that some servers carried, while others failed.
    Degraded,
    /// It could not.
    Down,
    /// Somebody wanted it so: switched off, drained or halted.
    Planned,
    /// Nobody knows.
    Unknown,
    /// It was not configured.
    Absent,
}

/// An entry of the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Seconds since 1970.
    pub time: i64,
    /// What.
    pub what: What,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// Everything that there is: what is not named is not configured. At the beginning of a file, and when the clock
    /// has gone back.
    All {
        /// Keys of what is up.
        up: Vec<String>,
        /// The rest.
        other: Vec<Change>,
    },
    /// From now on something is otherwise.
    Change(Change),
    /// Nothing was recorded from then until now.
    Hole {
        /// Seconds since 1970.
        since: i64,
    },
}

/// How something stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Which service or server; see [`subject`].
    pub key: String,
    /// How it stands.
    pub standing: Standing,
    /// Why, in words; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// Longer reasons are cut: nobody reads more of them in a list.
const LONGEST_REASON: usize = 300;
/// Servers whose reasons are told with their service.
const TOLD_SERVERS: usize = 3;

/// How everything stands, with the moment from which on that counts where it is known.
pub fn standings(view: &View) -> impl Iterator<Item = (Change, Option<i64>)> {
    view.virtual_services.iter().flat_map(|service| {
        let servers = service.real_servers.iter().map(|server| of_server(service, server));
        std::iter::once((of_service(service), None)).chain(servers)
    })
}

fn of_service(service: &ServiceView) -> Change {
    let standing = match service.state {
        ServiceState::Up => Standing::Up,
        ServiceState::Degraded => Standing::Degraded,
        ServiceState::Down => Standing::Down,
        ServiceState::Checking => Standing::Unknown,
        ServiceState::Off => Standing::Planned,
    };
    let reason = match standing {
        Standing::Degraded | Standing::Down => service.problem.clone().unwrap_or_else(|| out(service)),
        _ => String::new(),
    };
    Change { key: subject::service(&service.label), standing, reason: shortened(&reason) }
}

/// `NODE1: connection refused; NODE2: halted; and 3 more`
fn out(service: &ServiceView) -> String {
    let is_out = |server: &&ServerView| server.state != ServerState::Up;
    let all: Vec<_> = service.real_servers.iter().filter(is_out).collect();
    let told = all.iter().take(TOLD_SERVERS).map(|server| format!("{}: {}", server.label, server.reason));
    let more = all.len().saturating_sub(TOLD_SERVERS);
    told.chain((more > 0).then(|| format!("and {more} more"))).collect::<Vec<_>>().join("; ")
}

fn of_server(service: &ServiceView, server: &ServerView) -> (Change, Option<i64>) {
    let standing = match server.state {
        ServerState::Up => Standing::Up,
        // It works: it has as many connections as it may.
        ServerState::Drained if server.full => Standing::Up,
        ServerState::Down => Standing::Down,
        ServerState::Checking => Standing::Unknown,
        ServerState::Drained | ServerState::Halted | ServerState::Off => Standing::Planned,
    };
    let reason = if standing == Standing::Up { String::new() } else { shortened(&server.reason) };
    // Since when its check has said so; what operators do is seen at once.
    let since = matches!(standing, Standing::Up | Standing::Down).then(|| server.since.as_second());
    (Change { key: subject::server(&service.label, &server.label), standing, reason }, since)
}

fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST_REASON).collect()
}

/// Sees what has changed. Keeps sixteen bytes of each service and server.
#[derive(Debug, Default)]
pub struct Watch {
    known: BTreeMap<u64, Standing>,
    /// Of the latest entry.
    time: i64,
}

fn name(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

impl Watch {
    /// Begins with what the record says, entry by entry.
    pub fn learn(&mut self, entry: &Entry) {
        self.time = entry.time;
        match &entry.what {
            What::All { up, other } => {
                let up = up.iter().map(|key| (name(key), Standing::Up));
                self.known =
                    up.chain(other.iter().map(|change| (name(&change.key), change.standing))).collect();
            }
            What::Change(Change { key, standing: Standing::Absent, .. }) => _ = self.known.remove(&name(key)),
            What::Change(change) => _ = self.known.insert(name(&change.key), change.standing),
            What::Hole { .. } => {}
        }
    }

    /// What is to be recorded, in the order of time; [`Self::learn`] it once it is. `None` where something has left the
    /// configuration, whose key is not known here, or the clock has gone back: then everything is to be recorded.
    pub fn changes(&self, view: &View, now: i64) -> Option<Vec<Entry>> {
        if now < self.time {
            return None;
        }
        let (mut seen, mut changes) = (0, Vec::new());
        for (change, since) in standings(view) {
            let known = self.known.get(&name(&change.key));
            seen += usize::from(known.is_some());
            if known != Some(&change.standing) {
                let time = since.unwrap_or(now).clamp(self.time, now);
                changes.push(Entry { time, what: What::Change(change) });
            }
        }
        if seen < self.known.len() {
            return None;
        }
        changes.sort_by_key(|entry| entry.time);
        Some(changes)
    }
}

/// Everything there is.
pub fn all(view: &View, now: i64) -> Entry {
    let (mut up, mut other) = (Vec::new(), Vec::new());
    for (change, _) in standings(view) {
        match change.standing {
            Standing::Up => up.push(change.key),
            _ => other.push(change),
        }
    }
    Entry { time: now, what: What::All { up, other } }
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::super::system::Reading;
    use super::*;
    use crate::alert::sightings::tests::view;

    fn keys(entries: &[Entry]) -> Vec<(i64, String, Standing)> {
        let entry = |entry: &Entry| match &entry.what {
            What::Change(change) => (entry.time, change.key.clone(), change.standing),
            other => panic!("{other:?}"),
        };
        entries.iter().map(entry).collect()
    }

    #[test]
    fn what_changes_is_seen_once_with_its_reason_and_since_when() {
        let mut view = view();
        let mut watch = Watch::default();
        watch.learn(&all(&view, 1_000));
        assert_eq!(watch.changes(&view, 1_010), Some(Vec::new()));
        let service = &mut view.virtual_services[0];
        (service.state, service.problem) = (ServiceState::Degraded, None);
        let server = &mut service.real_servers[0];
        (server.state, server.reason) = (ServerState::Down, "connection refused".into());
        server.since = jiff::Timestamp::from_second(1_015).unwrap();
        let changes = watch.changes(&view, 1_020).unwrap();
        let (pool, node) = ("service/DATALINK_POOL1", "server/DATALINK_POOL1/DATALINK_POOL1_NODE1");
        assert_eq!(
            keys(&changes),
            [(1_015, node.to_owned(), Standing::Down), (1_020, pool.to_owned(), Standing::Degraded)]
        );
        let What::Change(change) = &changes[1].what else { panic!("{changes:?}") };
        assert_eq!(change.reason, "DATALINK_POOL1_NODE1: connection refused");
        changes.iter().for_each(|entry| watch.learn(entry));
        assert_eq!(watch.changes(&view, 1_030), Some(Vec::new()));
        // What happened while nothing was recorded is dated where the record goes on.
        view.virtual_services[0].real_servers[0].state = ServerState::Up;
        watch.learn(&Entry { time: 2_000, what: What::Hole { since: 1_030 } });
        assert_eq!(keys(&watch.changes(&view, 2_000).unwrap())[0].0, 2_000);
    }

    #[test]
    fn what_goes_and_a_clock_that_goes_back_are_told_by_everything() {
        let mut view = view();
        let mut watch = Watch::default();
        watch.learn(&all(&view, 1_000));
        assert_eq!(watch.changes(&view, 999), None);
        view.virtual_services.remove(2);
        assert_eq!(watch.changes(&view, 1_010), None);
        watch.learn(&all(&view, 1_010));
        assert_eq!(watch.changes(&view, 1_020), Some(Vec::new()));
    }

    #[test]
    fn what_people_want_is_no_outage_and_a_full_server_works() {
        let mut view = view();
        let mut standing = |state: ServerState, full: bool| {
            let server = &mut view.virtual_services[0].real_servers[0];
            (server.state, server.full) = (state, full);
            standings(&view).nth(1).unwrap().0.standing
        };
        assert_eq!(standing(ServerState::Drained, false), Standing::Planned);
        assert_eq!(standing(ServerState::Drained, true), Standing::Up);
        assert_eq!(standing(ServerState::Halted, false), Standing::Planned);
        assert_eq!(standing(ServerState::Checking, false), Standing::Unknown);
    }

    #[test]
    fn a_sample_has_every_service_and_server_and_leaves_out_what_is_too_much() {
        let mut view = view();
        let sample = Sample::of(&view, &Reading::default(), None);
        let servers: usize = view.virtual_services.iter().map(|service| service.real_servers.len()).sum();
        assert_eq!(sample.codes.len(), 1 + view.virtual_services.len() + servers);
        assert_eq!(sample.names.lines().count(), sample.codes.len());
        let service = view.virtual_services[0].clone();
        view.virtual_services = vec![service; super::super::MOST_SUBJECTS];
        let sample = Sample::of(&view, &Reading::default(), None);
        assert_eq!((sample.codes.len(), sample.names.lines().count()), (12_288, 12_288));
        assert!(sample.left_out > 12_288);
    }
}
