//! The forwarding method `proxy`: lbd accepts connections itself, connects to a server, and moves the bytes.
//!
//! What it is for: a server that refuses or does not answer costs its client nothing, as the next one is tried. What it
//! lacks beside the kernel's translation: its connections end with lbd.
//!
//! [`service`] is what must stand, [`choose`] and [`sticky`] decide (pure), [`listener`] accepts, [`connect`] connects,
//! [`relay`] moves bytes through [`pipes`], [`connections`] tells of them; `serve` is the way of one connection through all
//! of these. Each accepted connection is a task of its own,
//! and so is each listener; [`Proxy::report`] is the task that lives for ever. A task of a connection waits for its two
//! sockets, its idle time-out and the order to end, and leaves by a guard, however it ends.

pub mod choose;
pub mod connect;
pub mod connections;
pub mod listener;
pub mod pipes;
pub mod relay;
mod report;
mod serve;
pub mod service;
pub mod sticky;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::conntrack::entry::Entry;
use crate::engine::Ending;
use crate::persistence::wire;
use crate::traffic::numbering::{service_mark, service_number};
use crate::web::Published;
use choose::Chooser;
use connections::{Connections, lock};
use listener::Listeners;
use pipes::Pipes;
use service::Service;
use sticky::{Client, Memory};

/// More at a time would need more memory than the smallest appliance has: some 40 KB each, most of it the kernel's.
const MOST_CONNECTIONS: usize = 50_000;
/// Files of a connection while bytes are under way both ways: two sockets, two pipes of two ends.
const FILES_EACH: u64 = 6;
/// For checks, management, and the fallback answers.
const FILES_FOR_OTHERS: u64 = 4_096;

/// All proxied services by mark: what must stand.
pub type Services = BTreeMap<u32, Arc<Service>>;

/// The proxy. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Proxy(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    began: Instant,
    chooser: Mutex<Chooser>,
    connections: Connections,
    listeners: tokio::sync::Mutex<Listeners>,
    pipes: Pipes,
    most: usize,
    room: Arc<Semaphore>,
    refused: AtomicU64,
    tallies: Mutex<BTreeMap<u32, Tally>>,
    /// Servers that have failed since it was last told.
    failed: Mutex<BTreeSet<u32>>,
    published: watch::Receiver<Arc<Published>>,
}

/// What happened at a server, or at a service as a whole, since lbd started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Connections opened.
    pub opened: u64,
    /// Connections that the server did not take.
    pub failures: u64,
}

/// What is told of the proxy beside its connections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// By mark.
    pub tallies: BTreeMap<u32, Tally>,
    /// Connections that were refused because there were too many.
    pub refused: u64,
    /// So many there may be.
    pub most: usize,
    /// Persistence has no room for another client.
    pub memory_is_full: bool,
}

impl Proxy {
    /// Without any service; `published` has the fallback pages. `files` is how many lbd may open.
    pub fn new(published: watch::Receiver<Arc<Published>>, files: u64) -> Self {
        let by_files = files.saturating_sub(FILES_FOR_OTHERS.min(files / 2)) / FILES_EACH;
        let most = usize::try_from(by_files).unwrap_or(MOST_CONNECTIONS).min(MOST_CONNECTIONS);
        Self(Arc::new(Shared {
            began: Instant::now(),
            chooser: Mutex::default(),
            connections: Connections::default(),
            listeners: tokio::sync::Mutex::default(),
            pipes: Pipes::default(),
            most,
            room: Arc::new(Semaphore::new(most)),
            refused: AtomicU64::default(),
            tallies: Mutex::default(),
            failed: Mutex::default(),
            published,
        }))
    }

    fn now(&self) -> Duration {
        self.0.began.elapsed()
    }

    /// Before the kernel lets clients in: listens where it does not yet. Says where that was not possible.
    pub async fn prepare(&self, services: &Services) -> Vec<String> {
        lock(&self.0.chooser).prepare(services);
        self.0.listeners.lock().await.open(self, &places(services))
    }

    /// Once the kernel does: from now on these are the services. Connections that are open go on.
    pub async fn follow(&self, services: &Services) {
        let now = self.now();
        lock(&self.0.chooser).follow(services, now);
        let marks: BTreeSet<_> = services.keys().map(|mark| service_number(*mark)).collect();
        lock(&self.0.tallies).retain(|mark, _| marks.contains(&service_number(*mark)));
        self.0.listeners.lock().await.keep(&places(services));
    }

    /// Resets the connections of servers that are out.
    pub fn end(&self, endings: &[Ending]) {
        self.0.connections.end(endings);
    }

    /// Open connections, as the kernel would tell of them.
    pub fn entries(&self) -> Vec<Entry> {
        self.0.connections.entries()
    }

    /// What there is to tell beside them.
    pub fn figures(&self) -> Figures {
        Figures {
            tallies: lock(&self.0.tallies).clone(),
            refused: self.0.refused.load(Ordering::Relaxed),
            most: self.0.most,
            memory_is_full: lock(&self.0.chooser).sticky.is_full(),
        }
    }

    /// What persistence remembers, in the words of the kernel's maps.
    pub fn remembered(&self) -> Vec<wire::Entry> {
        let now = self.now();
        let chooser = lock(&self.0.chooser);
        chooser.sticky.iter(now).map(|(client, memory)| remembered(client, memory, now)).collect()
    }

    /// What it remembers under this key.
    pub fn remembers(&self, key: wire::Key) -> Option<wire::Entry> {
        let (client, now) = (client(key), self.now());
        lock(&self.0.chooser).sticky.get(client, now).map(|memory| remembered(client, memory, now))
    }

    /// Forgets it; returns what was remembered.
    pub fn forget(&self, key: wire::Key) -> Option<wire::Entry> {
        let (client, now) = (client(key), self.now());
        lock(&self.0.chooser).sticky.forget(client, now).map(|memory| remembered(client, memory, now))
    }

    fn tally(&self, mark: u32, change: impl FnOnce(&mut Tally)) {
        change(lock(&self.0.tallies).entry(mark).or_default());
    }
}

fn places(services: &Services) -> BTreeSet<SocketAddr> {
    services.values().flat_map(|service| service.places.iter().copied()).collect()
}

fn client(key: wire::Key) -> Client {
    Client { service: service_mark(key.service), address: key.client }
}

fn remembered(client: Client, memory: Memory, now: Duration) -> wire::Entry {
    wire::Entry {
        key: wire::Key { service: service_number(client.service), client: client.address },
        server: memory.server,
        timeout: memory.timeout,
        left: memory.expires.saturating_sub(now),
    }
}
