//! Answers questions about connections, open and closed, whoever asks.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, watch};

use super::list::{self, ConnectionList, protocol_word, timestamp};
use super::names::{Names, ServerName};
use super::record::{Cause, Record};
use super::ring;
use super::socket::Table;
use crate::proxy::Proxy;

/// Longer than any answer takes; who asks again meanwhile waits so long.
const PATIENCE: Duration = Duration::from_secs(10);

/// A closed connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedView {
    /// `tcp`, `udp`, or the number of another IP protocol.
    pub protocol: String,
    /// The client's address and port.
    pub client: SocketAddr,
    /// The virtual address and port.
    pub virtual_address: SocketAddr,
    /// Label that the service had then; empty where it is not known.
    pub service: String,
    /// Label that the server had then; empty where it is not known.
    pub server: String,
    /// The server's address and port.
    pub server_address: SocketAddr,
    /// The address and port that the server saw.
    pub snat_source: SocketAddr,
    /// When it began, where the kernel knew.
    pub started: Option<Timestamp>,
    /// When the kernel forgot it; for one that was closed, up to two minutes after that.
    pub ended: Option<Timestamp>,
    /// How it ended.
    pub cause: Cause,
    /// Bytes from the client, with IP and TCP headers.
    pub bytes_in: u64,
    /// Bytes to the client.
    pub bytes_out: u64,
}

/// Closed connections, and whether these are all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedList {
    /// The latest first.
    pub connections: Vec<ClosedView>,
    /// True where more are wanted than given: narrow the question.
    pub is_cut: bool,
}

/// The way to connections. Questions are answered one at a time, so that many of them cost no more than one.
#[derive(Debug, Clone)]
pub struct Lookup {
    names: watch::Receiver<Names>,
    folder: PathBuf,
    proxy: Proxy,
    turn: Arc<Semaphore>,
}

impl Lookup {
    /// With the names of servers, the folder of closed connections, and the proxy.
    pub fn new(names: watch::Receiver<Names>, folder: PathBuf, proxy: Proxy) -> Self {
        Self { names, folder, proxy, turn: Arc::new(Semaphore::new(1)) }
    }

    /// The proxy, which knows its own connections and clients.
    pub fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// The names of servers, as they become known.
    pub fn names(&self) -> watch::Receiver<Names> {
        self.names.clone()
    }

    /// Connections in the kernel's table, and proxied ones. Errors are for people.
    pub async fn open(&self, wanted: &list::Wanted) -> Result<ConnectionList, String> {
        let names = self.names.borrow().clone();
        let answer = async {
            let _turn = self.turn.acquire().await.map_err(|closed| closed.to_string())?;
            let mut table = Table::open().map_err(|error| error.to_string())?;
            let listed =
                list::list(&mut table, &self.proxy.entries(), wanted, &names, Timestamp::now()).await;
            listed.map_err(|error| error.to_string())
        };
        in_time(answer).await
    }

    /// Closed connections on disk. Errors are for people.
    pub async fn closed(&self, wanted: ring::Wanted) -> Result<ClosedList, String> {
        let (turn, folder) = (self.turn.clone(), self.folder.clone());
        let answer = async move {
            let turn = turn.acquire_owned().await.map_err(|closed| closed.to_string())?;
            let search = tokio::task::spawn_blocking(move || {
                // A disk that hangs keeps its turn, and only that.
                let _turn = turn;
                ring::search(&folder, &wanted)
                    .map_err(|error| format!("reading {}: {error}", folder.display()))
            });
            let (found, is_cut) = search.await.map_err(|error| error.to_string())??;
            let connections = found.into_iter().map(|(record, name)| view(&record, name)).collect();
            Ok(ClosedList { connections, is_cut })
        };
        in_time(answer).await
    }
}

async fn in_time<T>(answer: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let late = |_| format!("there was no answer within {} s", PATIENCE.as_secs());
    tokio::time::timeout(PATIENCE, answer).await.map_err(late)?
}

fn view(record: &Record, name: Option<ServerName>) -> ClosedView {
    let (service, server) = name.map(|name| (name.service, name.server)).unwrap_or_default();
    ClosedView {
        protocol: protocol_word(record.protocol),
        client: record.client,
        virtual_address: record.virtual_address,
        service,
        server,
        server_address: record.server,
        snat_source: record.source,
        started: Some(record.started).filter(|time| *time > 0).and_then(timestamp),
        ended: timestamp(record.ended),
        cause: record.cause,
        bytes_in: record.bytes_in,
        bytes_out: record.bytes_out,
    }
}
