//! The list of connections as people and programs see it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::entry::Entry;
use super::names::Names;
use super::socket::{ConntrackError, Table};

/// The longest list that is given.
pub const LONGEST: usize = 1_000;

/// Which connections are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Opened by this client.
    pub client: Option<IpAddr>,
    /// Of the service with this label.
    pub service: Option<String>,
    /// To the server with this label.
    pub server: Option<String>,
    /// With this port: the client's, the one that the server sees, or the virtual one.
    pub port: Option<u16>,
    /// So many at most.
    pub limit: usize,
}

/// A connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionView {
    /// `tcp`, `udp`, or the number of another IP protocol.
    pub protocol: String,
    /// The client's address and port.
    pub client: SocketAddr,
    /// The virtual address and port.
    pub virtual_address: SocketAddr,
    /// Label of the service; empty where it has left the configuration.
    pub service: String,
    /// Label of the server; empty where it has left the configuration.
    pub server: String,
    /// The server's address and port.
    pub server_address: SocketAddr,
    /// The address and port that the server sees.
    pub snat_source: SocketAddr,
    /// The state of a TCP connection in words.
    pub state: String,
    /// When it began, where the kernel knows.
    pub started: Option<Timestamp>,
    /// Seconds since then.
    pub age_seconds: Option<u64>,
    /// Seconds after which the kernel forgets it unless a packet comes.
    pub seconds_left: Option<u32>,
    /// Bytes from the client, with IP and TCP headers.
    pub bytes_in: u64,
    /// Bytes to the client.
    pub bytes_out: u64,
}

/// Connections, and whether these are all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionList {
    /// In the order of clients.
    pub connections: Vec<ConnectionView>,
    /// True where more are wanted than given: narrow the question.
    pub is_cut: bool,
}

impl Wanted {
    fn matches(&self, entry: &Entry, names: &Names) -> bool {
        let name = names.get(entry.mark);
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_ref().is_none_or(|wanted| Some(wanted.as_str()) == found)
        };
        let ports = [entry.client.port(), entry.source.port(), entry.virtual_address.port()];
        self.client.is_none_or(|client| client == entry.client.ip())
            && self.port.is_none_or(|port| ports.contains(&port))
            && is(&self.service, name.map(|name| name.service.as_str()))
            && is(&self.server, name.map(|name| name.server.as_str()))
    }
}

/// What the kernel's table and the `proxied` connections have of what is wanted, at `now`.
pub async fn list(
    table: &mut Table,
    proxied: &[Entry],
    wanted: &Wanted,
    names: &Names,
    now: Timestamp,
) -> Result<ConnectionList, ConntrackError> {
    let mut connections = Vec::new();
    let mut is_cut = false;
    // A service that nobody knows has no connections.
    let filter = names.filter(wanted.service.as_deref(), wanted.server.as_deref());
    if let Some(filter) = filter {
        table
            .each(filter, |entry| {
                if wanted.matches(&entry, names) {
                    is_cut = connections.len() >= wanted.limit;
                    if !is_cut {
                        connections.push(view(&entry, names, now));
                    }
                }
                !is_cut
            })
            .await?;
    }
    let wanted_of_proxied = proxied.iter().filter(|entry| wanted.matches(entry, names));
    for entry in wanted_of_proxied {
        is_cut |= connections.len() >= wanted.limit;
        if !is_cut {
            connections.push(view(entry, names, now));
        }
    }
    connections.sort_by_key(|connection| (connection.client, connection.virtual_address));
    Ok(ConnectionList { connections, is_cut })
}

fn view(entry: &Entry, names: &Names, now: Timestamp) -> ConnectionView {
    let name = names.get(entry.mark);
    let started = entry.started.and_then(timestamp);
    let age = started.and_then(|started| Duration::try_from(now.duration_since(started)).ok());
    ConnectionView {
        protocol: protocol_word(entry.protocol),
        client: entry.client,
        virtual_address: entry.virtual_address,
        service: name.map(|name| name.service.clone()).unwrap_or_default(),
        server: name.map(|name| name.server.clone()).unwrap_or_default(),
        server_address: entry.server,
        snat_source: entry.source,
        state: entry.state.map_or("open", |state| state.word()).to_owned(),
        started,
        age_seconds: age.map(|age| age.as_secs()),
        seconds_left: entry.seconds_left,
        bytes_in: entry.received.bytes,
        bytes_out: entry.sent.bytes,
    }
}

/// A time of the kernel's, nanoseconds since 1970.
pub fn timestamp(nanoseconds: u64) -> Option<Timestamp> {
    Timestamp::from_nanosecond(i128::from(nanoseconds)).ok()
}

/// The name of an IP protocol.
pub fn protocol_word(protocol: u8) -> String {
    match protocol {
        6 => "tcp".into(),
        17 => "udp".into(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::messages;
    use super::*;

    fn entry() -> Entry {
        let dump = include_bytes!("../../fuzz/corpus/conntrack/part-of-a-dump.bin");
        messages(dump).find_map(|message| Entry::read(message.body)).unwrap()
    }

    #[test]
    fn every_part_of_a_question_counts() {
        let (entry, names) = (entry(), Names::default());
        let fits = |wanted: Wanted| wanted.matches(&entry, &names);
        assert!(fits(Wanted::default()));
        assert!(fits(Wanted { client: Some([192, 0, 2, 1].into()), port: Some(2001), ..Wanted::default() }));
        assert!(fits(Wanted { port: Some(40_001), ..Wanted::default() }));
        assert!(
            !fits(Wanted { port: Some(11_112), ..Wanted::default() }),
            "the server's own port is no help"
        );
        assert!(!fits(Wanted { client: Some([192, 0, 2, 100].into()), ..Wanted::default() }));
        assert!(!fits(Wanted { service: Some("POOL".into()), ..Wanted::default() }), "its name is not known");
    }

    #[test]
    fn a_connection_is_shown_with_its_age() {
        let entry = entry();
        let now = timestamp(entry.started.unwrap() + 90_500_000_000).unwrap();
        let view = view(&entry, &Names::default(), now);
        assert_eq!((view.protocol.as_str(), view.age_seconds), ("tcp", Some(90)));
        assert_eq!(view.snat_source.to_string(), "192.0.2.100:40001");
        assert_eq!(view.server_address.to_string(), "198.51.100.2:11112");
    }
}
