//! Sends the log to syslog servers: a task and a queue for each, so that none waits for another, and nobody for them.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;

use super::entry::Entry;
use super::journal::Journal;
use super::syslog::{frame, message};
use crate::config::check_kind::Tls;
use crate::config::{Label, SyslogServer, SyslogTransport};
use crate::engine::Event;
use crate::health::tls::client_trusting;

/// Lines that wait for a server that does not take them: some megabytes. The oldest go first.
const MOST_WAITING: usize = 10_000;
/// Sent in one go.
const MOST_TOGETHER: usize = 100;
/// For a server to take a connection, or what is sent to it.
const PATIENCE: Duration = Duration::from_secs(10);
/// First pause after a failure; it doubles up to the last.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(60);

/// Who gets the log, and as whose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recipients {
    /// Name of the appliance.
    pub host_name: String,
    /// The servers.
    pub servers: Vec<SyslogServer>,
}

/// Why a server does not take the log; `None` once it does.
pub type Trouble = Option<String>;

/// A server to send to, and as whose log.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Order {
    server: SyslogServer,
    host_name: String,
}

/// Follows the configuration for ever. A server of which something else changes than its label keeps what waits for it.
pub async fn forward(
    mut wanted: watch::Receiver<Recipients>,
    journal: Journal,
    events: mpsc::Sender<Event>,
) -> String {
    let mut running: BTreeMap<Label, (watch::Sender<Order>, AbortHandle)> = BTreeMap::new();
    loop {
        let Recipients { host_name, servers } = wanted.borrow_and_update().clone();
        running.retain(|label, (_, task)| {
            let stays = servers.iter().any(|server| server.label == *label);
            if !stays {
                task.abort();
            }
            stays
        });
        for server in servers {
            let label = server.label.clone();
            let order = Order { server, host_name: host_name.clone() };
            if let Some((orders, _)) = running.get(&label) {
                orders.send_if_modified(|known| {
                    let is_new = *known != order;
                    *known = order;
                    is_new
                });
                continue;
            }
            let (orders, order) = watch::channel(order);
            let outbox = Outbox::new(order.borrow().clone(), journal.follow());
            let task = tokio::spawn(outbox.send(order, events.clone())).abort_handle();
            running.insert(label, (orders, task));
        }
        if wanted.changed().await.is_err() {
            return "nobody says any more who gets the log".into();
        }
    }
}

/// What waits for a server.
struct Outbox {
    order: Order,
    entries: broadcast::Receiver<Entry>,
    waiting: VecDeque<Entry>,
    /// On its way: it waits again where that is given up.
    under_way: Vec<Entry>,
    lost: u64,
    /// What the engine was told last.
    told: Option<Trouble>,
}

/// The way to a server.
enum Way {
    Datagrams(UdpSocket),
    Stream(Box<dyn Stream>),
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Outbox {
    fn new(order: Order, entries: broadcast::Receiver<Entry>) -> Self {
        Self { order, entries, waiting: VecDeque::new(), under_way: Vec::new(), lost: 0, told: None }
    }

    /// Sends for ever, or until the log ends.
    async fn send(mut self, mut orders: watch::Receiver<Order>, events: mpsc::Sender<Event>) {
        let mut pause = FIRST_RETRY;
        loop {
            let another = tokio::select! {
                changed = orders.changed() => Some(changed),
                ended = self.connect_and_send(&events, &mut pause) => {
                    let why = ended.map_or_else(|error| words(&error), |never| match never {});
                    self.tell(&events, Some(why)).await;
                    let pausing = tokio::time::timeout(pause, orders.changed());
                    let Some(paused) = self.collect_while(pausing).await else { return };
                    pause = (pause * 2).min(LAST_RETRY);
                    paused.ok()
                }
            };
            self.take_back();
            if let Some(changed) = another {
                if changed.is_err() {
                    return;
                }
                self.order = orders.borrow_and_update().clone();
                self.told = None;
                pause = FIRST_RETRY;
            }
        }
    }

    /// What was given up waits again, before what came later.
    fn take_back(&mut self) {
        self.under_way.drain(..).rev().for_each(|entry| self.waiting.push_front(entry));
    }

    /// Goes on until the way is lost.
    async fn connect_and_send(
        &mut self,
        events: &mpsc::Sender<Event>,
        pause: &mut Duration,
    ) -> io::Result<std::convert::Infallible> {
        let server = self.order.server.clone();
        let connecting = tokio::time::timeout(PATIENCE, connect(&server));
        let connected = self.collect_while(connecting).await.ok_or(io::ErrorKind::BrokenPipe)?;
        let mut way = connected.unwrap_or_else(|_| Err(silent("it did not answer")))?;
        loop {
            while !self.waiting.is_empty() {
                self.send_some(&mut way).await?;
                *pause = FIRST_RETRY;
                self.tell(events, None).await;
            }
            self.wait_for_more(&mut way).await?;
        }
    }

    /// What could not be sent waits on. (What a server had taken when it died nobody can know: RFC 6587 section 4.1.)
    async fn send_some(&mut self, way: &mut Way) -> io::Result<()> {
        self.under_way = self.waiting.drain(..MOST_TOGETHER.min(self.waiting.len())).collect();
        let (batch, host_name) = (self.under_way.clone(), self.order.host_name.clone());
        let sending = tokio::time::timeout(PATIENCE, send(way, &batch, &host_name));
        let sent = self.collect_while(sending).await.ok_or(io::ErrorKind::BrokenPipe)?;
        sent.unwrap_or_else(|_| Err(silent("it takes nothing")))?;
        self.under_way.clear();
        Ok(())
    }

    /// Returns when something waits; fails when the server has closed meanwhile. A syslog server has nothing to say: what
    /// it says is passed over.
    async fn wait_for_more(&mut self, way: &mut Way) -> io::Result<()> {
        let mut byte = [0; 64];
        loop {
            let read = async {
                match way {
                    Way::Datagrams(_) => std::future::pending().await,
                    Way::Stream(stream) => stream.read(&mut byte).await,
                }
            };
            tokio::select! {
                entry = self.entries.recv() => {
                    self.take(entry).ok_or(io::ErrorKind::BrokenPipe)?;
                    if !self.waiting.is_empty() {
                        return Ok(());
                    }
                }
                read = read => if read? == 0 {
                    return Err(silent("it has closed the connection"));
                },
            }
        }
    }

    /// Waits for `other`, and takes in what comes meanwhile; `None` when the log has ended.
    async fn collect_while<T>(&mut self, other: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(other);
        loop {
            tokio::select! {
                done = &mut other => return Some(done),
                entry = self.entries.recv() => self.take(entry)?,
            }
        }
    }

    fn take(&mut self, entry: Result<Entry, RecvError>) -> Option<()> {
        match entry {
            Ok(entry) if entry.severity > self.order.server.severity => {}
            Ok(entry) => {
                if self.waiting.len() == MOST_WAITING {
                    self.waiting.pop_front();
                    self.lost += 1;
                }
                self.waiting.push_back(entry);
            }
            Err(RecvError::Lagged(missed)) => self.lost += missed,
            Err(RecvError::Closed) => return None,
        }
        Some(())
    }

    /// Tells the engine what is news. What is missing is said in the log, and so to the server.
    async fn tell(&mut self, events: &mpsc::Sender<Event>, trouble: Trouble) {
        let lost = if trouble.is_none() { std::mem::take(&mut self.lost) } else { 0 };
        if lost > 0 {
            tracing::warn!(server = %self.order.server.label, "{lost} lines were lost while the syslog server took none");
        }
        if self.told.as_ref() != Some(&trouble) {
            self.told = Some(trouble.clone());
            // The engine goes only when lbd ends.
            let _ = events.send(Event::Forwarded { server: self.order.server.label.clone(), trouble }).await;
        }
    }
}

/// Without the number, which says nothing to people.
pub(crate) fn words(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => nix::errno::Errno::from_raw(number).desc().to_lowercase(),
        None => error.to_string(),
    }
}

fn silent(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, why.to_owned())
}

async fn connect(server: &SyslogServer) -> io::Result<Way> {
    Ok(match &server.transport {
        SyslogTransport::Udp => {
            let any = if server.place.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let socket = UdpSocket::bind(any).await?;
            socket.connect(server.place).await?;
            Way::Datagrams(socket)
        }
        SyslogTransport::Tcp => Way::Stream(Box::new(TcpStream::connect(server.place).await?)),
        SyslogTransport::Tls(tls) => Way::Stream(Box::new(connect_tls(server, tls).await?)),
    })
}

async fn connect_tls(server: &SyslogServer, tls: &Tls) -> io::Result<impl Stream + use<>> {
    let address = server.place.ip();
    let name = match &tls.server_name {
        Some(name) => ServerName::try_from(name.to_string()).unwrap_or(ServerName::from(address)),
        None => ServerName::from(address),
    };
    let client = client_trusting(&tls.verify).map_err(|failure| io::Error::other(failure.to_string()))?;
    let stream = TcpStream::connect(server.place).await?;
    TlsConnector::from(Arc::new(client)).connect(name, stream).await
}

async fn send(way: &mut Way, entries: &[Entry], host_name: &str) -> io::Result<()> {
    match way {
        Way::Datagrams(socket) => {
            for entry in entries {
                socket.send(message(entry, host_name).as_bytes()).await?;
            }
            Ok(())
        }
        Way::Stream(stream) => {
            let bytes: Vec<u8> = entries.iter().flat_map(|entry| frame(entry, host_name)).collect();
            stream.write_all(&bytes).await?;
            stream.flush().await
        }
    }
}
