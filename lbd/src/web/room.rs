//! Room for management connections: whoever comes is let in, and where there are too many, an idle one goes, so that
//! a thousand connections that do nothing keep no administrator out.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;

/// Each idle one takes some 50 KB with its TLS state.
const MOST: usize = 512;
/// A browser opens six; many people may sit behind one address.
const MOST_OF_A_SOURCE: usize = 128;

/// What a connection does.
#[derive(Debug, Clone, Default)]
pub(super) struct Activity(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    /// Requests under way.
    busy: AtomicUsize,
    /// Higher for what was used later.
    used: AtomicU64,
}

/// A request is under way.
pub(super) struct Busy(Activity);

impl Activity {
    /// Until the value is dropped.
    pub(super) fn begin(&self) -> Busy {
        self.0.busy.fetch_add(1, Ordering::Relaxed);
        self.touch();
        Busy(self.clone())
    }

    fn touch(&self) {
        /// A clock of uses.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        self.0.used.store(NEXT.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
    }

    /// The least one goes first.
    fn rank(&self) -> (bool, u64) {
        (self.0.busy.load(Ordering::Relaxed) > 0, self.0.used.load(Ordering::Relaxed))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.touch();
        self.0.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Debug)]
struct Connection {
    source: IpAddr,
    activity: Activity,
    task: Option<AbortHandle>,
}

impl Connection {
    fn has_ended(&self) -> bool {
        self.task.as_ref().is_some_and(AbortHandle::is_finished)
    }
}

#[derive(Debug, Default)]
struct Table {
    connections: BTreeMap<u64, Connection>,
    next: u64,
}

/// All connections.
#[derive(Debug, Clone, Default)]
pub(super) struct Room(Arc<Mutex<Table>>);

/// Room for a connection that is about to be served.
pub(super) struct Place {
    room: Room,
    number: u64,
    activity: Activity,
}

impl Place {
    pub(super) fn activity(&self) -> Activity {
        self.activity.clone()
    }

    /// This task serves it.
    pub(super) fn fill(self, task: AbortHandle) {
        if let Some(connection) = self.room.table().connections.get_mut(&self.number) {
            connection.task = Some(task);
        }
    }
}

impl Room {
    /// Always gives a place.
    pub(super) fn take(&self, source: IpAddr) -> Place {
        let mut table = self.table();
        table.connections.retain(|_, connection| !connection.has_ended());
        if let Some(victim) = victim(&table.connections, source)
            && let Some(Connection { task: Some(task), .. }) = table.connections.remove(&victim)
        {
            task.abort();
        }
        let (number, activity) = (table.next, Activity::default());
        activity.touch();
        table.next += 1;
        table.connections.insert(number, Connection { source, activity: activity.clone(), task: None });
        drop(table);
        Place { room: self.clone(), number, activity }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which connection makes room for another one from `source`, if one must: of that source where it has its share, of
/// the source with the most where all are taken; there the idlest.
fn victim(connections: &BTreeMap<u64, Connection>, source: IpAddr) -> Option<u64> {
    let mut counts: BTreeMap<IpAddr, usize> = BTreeMap::new();
    for connection in connections.values() {
        *counts.entry(connection.source).or_default() += 1;
    }
    let from = if counts.get(&source).is_some_and(|count| *count >= MOST_OF_A_SOURCE) {
        source
    } else if connections.len() >= MOST {
        counts.into_iter().max_by_key(|(_, count)| *count)?.0
    } else {
        return None;
    };
    let of_source = connections.iter().filter(|(_, connection)| connection.source == from);
    of_source.min_by_key(|(_, connection)| connection.activity.rank()).map(|(number, _)| *number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(number: usize) -> IpAddr {
        let [.., a, b] = number.to_be_bytes();
        IpAddr::from([192, 0, a, b])
    }

    fn count(room: &Room, from: IpAddr) -> usize {
        room.table().connections.values().filter(|connection| connection.source == from).count()
    }

    #[test]
    fn idle_connections_of_one_source_push_out_each_other_and_nobody_else() {
        let room = Room::default();
        let _administrator = room.take(source(1));
        for _ in 0..2000 {
            room.take(source(2));
        }
        assert_eq!((count(&room, source(1)), count(&room, source(2))), (1, MOST_OF_A_SOURCE));
    }

    #[test]
    fn when_all_are_taken_the_source_with_the_most_makes_room() {
        let room = Room::default();
        for number in 0..MOST {
            room.take(source(number % 5));
        }
        let before = count(&room, source(4)) + count(&room, source(0));
        room.take(source(9));
        assert_eq!(count(&room, source(9)), 1);
        assert_eq!(room.table().connections.len(), MOST);
        assert!(count(&room, source(4)) + count(&room, source(0)) <= before);
    }

    #[test]
    fn one_that_is_busy_goes_last() {
        let room = Room::default();
        let first = room.take(source(1));
        let busy = first.activity().begin();
        let number = first.number;
        for _ in 0..MOST_OF_A_SOURCE + 5 {
            room.take(source(1));
        }
        assert!(room.table().connections.contains_key(&number));
        drop(busy);
        for _ in 0..MOST_OF_A_SOURCE + 5 {
            room.take(source(1));
        }
        assert!(!room.table().connections.contains_key(&number));
    }
}
