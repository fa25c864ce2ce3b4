//! The way of one connection: it is taken in, finds a server, is joined with it; or meets the fallback.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::Proxy;
use super::choose::{Choice, Target};
use super::connect::{self, NotTaken};
use super::connections::{Ends, lock};
use super::relay::{relay, reset_when_dropped};
use crate::config::Fallback;
use crate::fallback;

/// For finding a server: who asks for an association waits some ten seconds.
const PATIENCE: Duration = Duration::from_secs(8);

impl Proxy {
    /// Takes a connection in, or resets it where there are too many.
    pub(super) fn take(&self, stream: TcpStream, client: SocketAddr, place: SocketAddr) {
        match self.0.room.clone().try_acquire_owned() {
            Ok(room) => _ = tokio::spawn(self.clone().serve(stream, client, place, room)),
            Err(_) => {
                let before = self.0.refused.fetch_add(1, Ordering::Relaxed);
                // One line for the first, then for each tenfold, says as much as a line for each.
                if before.checked_ilog10() != (before + 1).checked_ilog10() {
                    let (most, refused) = (self.0.most, before + 1);
                    tracing::warn!(%client, %place, most, refused, "too many proxied connections: refused");
                }
                reset_when_dropped(&stream);
            }
        }
    }

    async fn serve(
        self,
        stream: TcpStream,
        client: SocketAddr,
        place: SocketAddr,
        _room: OwnedSemaphorePermit,
    ) {
        let service = lock(&self.0.chooser).service_at(place).map(|service| service.mark);
        self.tally(service.unwrap_or_default(), |tally| tally.opened += 1);
        match self.find_server(client.ip(), place).await {
            Ok(server) => self.join(stream, client, place, server).await,
            Err(Fallback::Refuse) => reset_when_dropped(&stream),
            Err(other) => fallback::answer(other, stream, place, self.0.published.clone()).await,
        }
    }

    /// Tries one server after the other.
    async fn find_server(&self, client: IpAddr, place: SocketAddr) -> Result<Taken, Fallback> {
        let (begin, mut tried) = (Instant::now(), BTreeSet::new());
        loop {
            let choice = lock(&self.0.chooser).choose(place, client, &tried, self.now());
            let target = match choice {
                Choice::Server(target) => target,
                Choice::Nobody(fallback) => return Err(fallback),
            };
            let hold = Hold { proxy: self.clone(), mark: target.mark };
            tried.insert(target.mark);
            match connect::connect(&target).await {
                Ok((stream, source)) if lock(&self.0.chooser).took(&target) => {
                    return Ok(Taken { stream, source, target, _hold: hold });
                }
                // It has left meanwhile.
                Ok(_) => {}
                Err(why) => self.not_taken(&target, &why),
            }
            if begin.elapsed() > PATIENCE {
                let chooser = lock(&self.0.chooser);
                return Err(chooser.service_at(place).map_or(Fallback::Refuse, |service| service.fallback));
            }
        }
    }

    /// What is told of it is bounded: once while a server is suspected.
    fn not_taken(&self, target: &Target, why: &NotTaken) {
        self.tally(target.mark, |tally| tally.failures += 1);
        let now = self.now();
        if lock(&self.0.chooser).failed(target.mark, now) {
            tracing::warn!(server = %target.place, %why, "a server did not take a proxied connection; the next is tried");
            lock(&self.0.failed).insert(target.mark);
        }
    }

    async fn join(&self, stream: TcpStream, client: SocketAddr, place: SocketAddr, server: Taken) {
        let Taken { stream: outward, source, target, _hold } = server;
        self.tally(target.mark, |tally| tally.opened += 1);
        let ends = Ends { mark: target.mark, client, virtual_address: place, server: target.place, source };
        let connection = self.0.connections.begin(ends, target.idle_timeout);
        let outcome = relay(stream, outward, &connection, &self.0.pipes).await;
        self.0.connections.finish(&connection, outcome);
    }
}

/// A server that has taken a connection.
struct Taken {
    stream: TcpStream,
    source: SocketAddr,
    target: Target,
    _hold: Hold,
}

/// Counts as a connection of its server until it is dropped.
struct Hold {
    proxy: Proxy,
    mark: u32,
}

impl Drop for Hold {
    fn drop(&mut self) {
        lock(&self.proxy.0.chooser).closed(self.mark);
    }
}
