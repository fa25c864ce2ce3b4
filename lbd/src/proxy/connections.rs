//! The proxied connections that are open, and what is told of them: in the words of the kernel's table, so that counts,
//! lists and the record of closed ones know one kind of connection only.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::conntrack::entry::{Entry, TcpState, Volume};
use crate::conntrack::socket::End;
use crate::engine::Ending;

/// The kernel's own for TCP (Documentation/networking/nf_conntrack-sysctl.rst).
const USUAL_IDLE_TIMEOUT: Duration = Duration::from_secs(432_000);
/// For one that one side has closed: as long as the kernel's table keeps such a connection (`fin_wait` there).
const HALF_CLOSED_TIMEOUT: Duration = Duration::from_secs(120);
/// `IPPROTO_TCP`.
const TCP: u8 = 6;

/// Locks are held for a moment only, and never while something is waited for.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whoever panicked has left a value that is as good as any.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who speaks with whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// Mark of the server.
    pub mark: u32,
    /// The client.
    pub client: SocketAddr,
    /// Where it connected.
    pub virtual_address: SocketAddr,
    /// The server.
    pub server: SocketAddr,
    /// What the server sees.
    pub source: SocketAddr,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Both sides have closed it.
    Closed,
    /// One of them has reset it.
    Reset,
    /// Nothing was heard for too long.
    Idle,
    /// Its server is out.
    Ordered,
}

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    number: u64,
    ends: Ends,
    started: Timestamp,
    began: Instant,
    idle_timeout: Duration,
    /// From the client.
    pub(super) received: AtomicU64,
    /// To the client.
    pub(super) sent: AtomicU64,
    /// Milliseconds from its beginning to the last byte.
    active: AtomicU64,
    half_closed: AtomicBool,
    order: Notify,
}

impl Connection {
    /// Bytes have passed.
    pub(super) fn touch(&self) {
        self.active.store(milliseconds(self.began.elapsed()), Ordering::Relaxed);
    }

    /// One side has closed.
    pub(super) fn half_close(&self) {
        self.half_closed.store(true, Ordering::Relaxed);
        self.touch();
    }

    /// Returns when nothing has passed for too long.
    pub(super) async fn idle(&self) {
        loop {
            let left = self.time_left();
            if left.is_zero() {
                return;
            }
            // One that is half closed meanwhile has less time.
            tokio::time::sleep(left.min(HALF_CLOSED_TIMEOUT)).await;
        }
    }

    /// Returns when somebody wants it to end.
    pub(super) async fn ordered(&self) {
        self.order.notified().await;
    }

    fn time_left(&self) -> Duration {
        self.time_left_at(self.began.elapsed())
    }

    /// So long after its beginning.
    fn time_left_at(&self, age: Duration) -> Duration {
        let active = Duration::from_millis(self.active.load(Ordering::Relaxed));
        let limit = match self.half_closed.load(Ordering::Relaxed) {
            true => self.idle_timeout.min(HALF_CLOSED_TIMEOUT),
            false => self.idle_timeout,
        };
        (active + limit).saturating_sub(age)
    }

    fn entry(&self, state: TcpState) -> Entry {
        let volume = |bytes: &AtomicU64| Volume { packets: 0, bytes: bytes.load(Ordering::Relaxed) };
        let Ends { mark, client, virtual_address, server, source } = self.ends;
        Entry {
            protocol: TCP,
            client,
            virtual_address,
            server,
            source,
            mark,
            state: Some(state),
            status: 0,
            seconds_left: u32::try_from(self.time_left().as_secs()).ok(),
            received: volume(&self.received),
            sent: volume(&self.sent),
            started: nanoseconds(self.started),
            ended: None,
            // The lower half tells neighbours apart as well as the whole.
            id: self.number as u32,
        }
    }

    fn end(&self, outcome: Outcome) -> End {
        // The state from which the record derives its words.
        let state = match outcome {
            Outcome::Closed => TcpState::TimeWait,
            Outcome::Reset => TcpState::Closed,
            Outcome::Idle | Outcome::Ordered => TcpState::Established,
        };
        let entry = Entry { ended: nanoseconds(Timestamp::now()), ..self.entry(state) };
        End { entry, on_request: outcome == Outcome::Ordered }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn nanoseconds(time: Timestamp) -> Option<u64> {
    u64::try_from(time.as_nanosecond()).ok()
}

/// All open connections.
#[derive(Debug, Default)]
pub struct Connections {
    open: Mutex<BTreeMap<u64, Arc<Connection>>>,
    ended: Mutex<Vec<End>>,
    count: AtomicU64,
}

impl Connections {
    /// Takes in a connection that has just been opened.
    pub(super) fn begin(&self, ends: Ends, idle_timeout: Option<Duration>) -> Arc<Connection> {
        let connection = Arc::new(Connection {
            number: self.count.fetch_add(1, Ordering::Relaxed),
            ends,
            started: Timestamp::now(),
            began: Instant::now(),
            idle_timeout: idle_timeout.unwrap_or(USUAL_IDLE_TIMEOUT),
            received: AtomicU64::default(),
            sent: AtomicU64::default(),
            active: AtomicU64::default(),
            half_closed: AtomicBool::default(),
            order: Notify::new(),
        });
        lock(&self.open).insert(connection.number, connection.clone());
        connection
    }

    /// It has ended.
    pub(super) fn finish(&self, connection: &Connection, outcome: Outcome) {
        let end = connection.end(outcome);
        // In one step for whoever counts: what is not open any more has ended.
        let mut ended = lock(&self.ended);
        lock(&self.open).remove(&connection.number);
        ended.push(end);
    }

    /// Those that have ended since this was last asked.
    pub fn take_ended(&self) -> Vec<End> {
        std::mem::take(&mut lock(&self.ended))
    }

    /// Ends those of servers that are out.
    pub fn end(&self, endings: &[Ending]) {
        let is_meant = |connection: &Connection| {
            endings.iter().any(|ending| match ending {
                Ending::Server { mark, but_those_to } => {
                    let stays = *but_those_to == Some(connection.ends.server.ip());
                    *mark == connection.ends.mark && !stays
                }
                Ending::Source(address) => *address == connection.ends.source.ip(),
            })
        };
        let open = lock(&self.open);
        // A permit is kept for who does not wait yet.
        open.values().filter(|connection| is_meant(connection)).for_each(|it| it.order.notify_one());
    }

    /// Those that are open, as the kernel would tell of them.
    pub fn entries(&self) -> Vec<Entry> {
        let open: Vec<_> = lock(&self.open).values().cloned().collect();
        let state = |connection: &Connection| match connection.half_closed.load(Ordering::Relaxed) {
            true => TcpState::CloseWait,
            false => TcpState::Established,
        };
        open.iter().map(|connection| connection.entry(state(connection))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conntrack::record::{Cause, Record};

    fn ends(mark: u32, server: u8) -> Ends {
        Ends {
            mark,
            client: ([203, 0, 113, 1], 40_001).into(),
            virtual_address: ([192, 0, 2, 100], 2001).into(),
            server: ([198, 51, 100, server], 11_112).into(),
            source: ([192, 0, 2, 100], 50_001).into(),
        }
    }

    #[tokio::test]
    async fn those_of_a_server_that_is_out_are_told_to_end() {
        let connections = Connections::default();
        let [first, moved, other] =
            [(7, 1), (7, 2), (8, 1)].map(|(mark, server)| connections.begin(ends(mark, server), None));
        connections.end(&[Ending::Server { mark: 7, but_those_to: Some([198, 51, 100, 2].into()) }]);
        first.ordered().await;
        connections.end(&[Ending::Source([192, 0, 2, 101].into())]);
        for stays in [moved, other] {
            assert!(tokio::time::timeout(Duration::ZERO, stays.ordered()).await.is_err());
        }
    }

    #[tokio::test]
    async fn silence_ends_a_connection_and_bytes_keep_it() {
        let second = Duration::from_secs(1);
        let connection = Connections::default().begin(ends(7, 1), Some(10 * second));
        assert_eq!(connection.time_left_at(8 * second), 2 * second);
        // Bytes after eight seconds.
        connection.active.store(8_000, Ordering::Relaxed);
        assert_eq!([8, 17, 18, 30].map(|age| connection.time_left_at(age * second).as_secs()), [10, 1, 0, 0]);
        Connections::default().begin(ends(7, 1), Some(Duration::from_millis(1))).idle().await;
    }

    #[tokio::test]
    async fn a_connection_that_one_side_has_closed_is_kept_as_long_as_in_the_kernel() {
        let connection = Connections::default().begin(ends(7, 1), None);
        assert!(connection.time_left() > USUAL_IDLE_TIMEOUT / 2);
        connection.half_close();
        assert!(connection.time_left() <= HALF_CLOSED_TIMEOUT);
    }

    #[tokio::test]
    async fn an_end_is_recorded_as_the_kernel_would() {
        for (outcome, cause) in [
            (Outcome::Closed, Cause::Closed),
            (Outcome::Reset, Cause::Reset),
            (Outcome::Idle, Cause::TimedOut),
            (Outcome::Ordered, Cause::Ended),
        ] {
            let connections = Connections::default();
            let connection = connections.begin(ends(7, 1), None);
            connection.received.store(5, Ordering::Relaxed);
            assert_eq!(connections.entries().len(), 1);
            connections.finish(&connection, outcome);
            let ended = connections.take_ended();
            let record = Record::of(&ended[0], 0);
            assert_eq!((ended.len(), record.cause, record.mark, record.bytes_in), (1, cause, 7, 5));
            assert!(record.ended >= record.started && record.started > 0);
            assert!(connections.entries().is_empty() && connections.take_ended().is_empty());
        }
    }
}
