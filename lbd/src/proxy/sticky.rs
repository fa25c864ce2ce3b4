//! Which server a client had: source-IP persistence of proxied services. Pure.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

/// Clients that are remembered, of all proxied services together: far more than a hospital has, and some ten megabytes.
/// Further ones are balanced like strangers.
pub const MOST_CLIENTS: usize = 1 << 17;

/// A client of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Client {
    /// Mark of the service.
    pub service: u32,
    /// Its address, or the first one of the network that counts as one.
    pub address: IpAddr,
}

/// What is remembered of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Mark of its server.
    pub server: u32,
    /// For how long, from its last new connection.
    pub timeout: Duration,
    /// When it is forgotten.
    pub expires: Duration,
}

/// All that is remembered. Times count from any beginning that never changes.
#[derive(Debug, Default)]
pub struct Sticky(HashMap<Client, Memory>);

impl Sticky {
    /// What is known of a client.
    pub fn get(&self, client: Client, now: Duration) -> Option<Memory> {
        self.0.get(&client).copied().filter(|memory| memory.expires > now)
    }

    /// Remembers a client from now on; false where there is no room for another one.
    pub fn put(&mut self, client: Client, server: u32, timeout: Duration, now: Duration) -> bool {
        let has_room = self.0.len() < MOST_CLIENTS || self.0.contains_key(&client);
        if has_room {
            self.0.insert(client, Memory { server, timeout, expires: now + timeout });
        }
        has_room
    }

    /// Forgets a client; returns what was known.
    pub fn forget(&mut self, client: Client, now: Duration) -> Option<Memory> {
        self.0.remove(&client).filter(|memory| memory.expires > now)
    }

    /// Lets go of those whose time is over, and of those of other services.
    pub fn keep(&mut self, wanted: impl Fn(u32) -> bool, now: Duration) {
        self.0.retain(|client, memory| memory.expires > now && wanted(client.service));
    }

    /// Whether there is room for another client.
    pub fn is_full(&self) -> bool {
        self.0.len() >= MOST_CLIENTS
    }

    /// Everything, in any order.
    pub fn iter(&self, now: Duration) -> impl Iterator<Item = (Client, Memory)> {
        let all = self.0.iter().map(|(client, memory)| (*client, *memory));
        all.filter(move |(_, memory)| memory.expires > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn client(number: u32) -> Client {
        Client { service: 0x10000, address: IpAddr::from(number.to_be_bytes()) }
    }

    #[test]
    fn a_client_is_forgotten_a_time_out_after_its_last_connection() {
        let mut sticky = Sticky::default();
        assert!(sticky.put(client(1), 7, MINUTE, Duration::ZERO));
        assert!(sticky.put(client(1), 7, MINUTE, MINUTE / 2));
        assert_eq!(sticky.get(client(1), MINUTE).map(|memory| memory.server), Some(7));
        assert_eq!(sticky.get(client(1), MINUTE * 2), None);
        sticky.keep(|_| true, MINUTE * 2);
        assert_eq!(sticky.iter(Duration::ZERO).count(), 0);
    }

    #[test]
    fn a_full_memory_refuses_nobody_and_knows_whom_it_knew() {
        let mut sticky = Sticky::default();
        let most = u32::try_from(MOST_CLIENTS).unwrap();
        (0..most).for_each(|number| assert!(sticky.put(client(number), 1, MINUTE, Duration::ZERO)));
        assert!(sticky.is_full() && !sticky.put(client(most), 2, MINUTE, Duration::ZERO));
        assert!(sticky.put(client(5), 2, MINUTE, Duration::ZERO));
        assert_eq!(sticky.get(client(5), Duration::ZERO).map(|memory| memory.server), Some(2));
        assert!(sticky.forget(client(5), Duration::ZERO).is_some() && !sticky.is_full());
        sticky.keep(|service| service != 0x10000, Duration::ZERO);
        assert_eq!(sticky.iter(Duration::ZERO).count(), 0);
    }
}
