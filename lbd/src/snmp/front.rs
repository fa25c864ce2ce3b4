//! The port to which managers send: counts what comes, and hands on to the agent what it may answer.
//!
//! One task reads the port; each manager has a socket of its own towards the agent, with a task that takes the answers back.
//! There is room for so many managers; the one that has not been heard for longest gives way.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::task::AbortHandle;

use super::envelope::{Envelope, read};
use crate::config::snmp::SnmpVersion;

/// Managers that are answered at the same time; each has one or a few.
const MOST_WAYS: usize = 64;
/// Of UDP.
const LARGEST_DATAGRAM: usize = 65_535;

/// After an error, which is of a datagram before that somebody did not take, and goes with its being told.
const PAUSE: Duration = Duration::from_millis(10);

/// What came, since lbd started.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) received: AtomicU64,
    pub(super) answered: AtomicU64,
    pub(super) malformed: AtomicU64,
    pub(super) wrong_version: AtomicU64,
    pub(super) wrong_community: AtomicU64,
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

pub(super) fn value(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// Who may pass.
#[derive(Clone)]
pub(super) struct Doorkeeper {
    pub(super) versions: BTreeSet<SnmpVersion>,
    pub(super) community: Option<String>,
    pub(super) tally: Arc<Tally>,
}

impl Doorkeeper {
    /// Counts a datagram, and says whether the agent may see it.
    fn lets_in(&self, datagram: &[u8]) -> bool {
        let tally = &self.tally;
        count(&tally.received);
        let (version, community) = match read(datagram) {
            Some(Envelope::V1(community)) => (Some(SnmpVersion::V1), Some(community)),
            Some(Envelope::V2c(community)) => (Some(SnmpVersion::V2c), Some(community)),
            Some(Envelope::V3) => (Some(SnmpVersion::V3), None),
            Some(Envelope::Other) => (None, None),
            None => {
                count(&tally.malformed);
                return false;
            }
        };
        if !version.is_some_and(|version| self.versions.contains(&version)) {
            count(&tally.wrong_version);
            return false;
        }
        let known = self.community.as_deref().map(str::as_bytes);
        if community.is_some_and(|given| !known.is_some_and(|known| equal(known, given))) {
            count(&tally.wrong_community);
            return false;
        }
        true
    }
}

/// In a time that does not tell how much of it is right.
fn equal(known: &[u8], given: &[u8]) -> bool {
    let difference = known.iter().zip(given).fold(0, |all, (a, b)| all | (a ^ b));
    known.len() == given.len() && difference == 0
}

/// The port is open while this lives.
pub(super) struct Front {
    task: AbortHandle,
}

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Front {
    /// Takes datagrams to `place` for the agent at `agent`.
    pub(super) async fn open(
        place: SocketAddr,
        agent: SocketAddr,
        doorkeeper: Doorkeeper,
    ) -> io::Result<Self> {
        let socket = Arc::new(UdpSocket::bind(place).await?);
        let task = tokio::spawn(serve(socket, agent, doorkeeper)).abort_handle();
        Ok(Self { task })
    }
}

/// From one manager to the agent and back.
struct Way {
    manager: SocketAddr,
    socket: Arc<UdpSocket>,
    back: AbortHandle,
}

impl Drop for Way {
    fn drop(&mut self) {
        self.back.abort();
    }
}

async fn serve(socket: Arc<UdpSocket>, agent: SocketAddr, doorkeeper: Doorkeeper) {
    // Last is who was heard last.
    let mut ways: Vec<Way> = Vec::new();
    let mut datagram = vec![0; LARGEST_DATAGRAM];
    loop {
        let Ok((length, manager)) = socket.recv_from(&mut datagram).await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        if !doorkeeper.lets_in(&datagram[..length]) {
            continue;
        }
        let way = match ways.iter().position(|way| way.manager == manager) {
            Some(index) => Ok(ways.remove(index)),
            None => open_way(socket.clone(), manager, agent, doorkeeper.tally.clone()).await,
        };
        match way {
            Ok(way) => {
                // An agent that has just ended takes nothing; managers ask again.
                let _ = way.socket.send(&datagram[..length]).await;
                if ways.len() == MOST_WAYS {
                    ways.remove(0);
                }
                ways.push(way);
            }
            Err(error) => tracing::warn!(%error, "an SNMP manager cannot be answered"),
        }
    }
}

async fn open_way(
    front: Arc<UdpSocket>,
    manager: SocketAddr,
    agent: SocketAddr,
    tally: Arc<Tally>,
) -> io::Result<Way> {
    let socket = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?);
    socket.connect(agent).await?;
    let answers = socket.clone();
    let back = tokio::spawn(async move {
        let mut datagram = vec![0; LARGEST_DATAGRAM];
        loop {
            let Ok(length) = answers.recv(&mut datagram).await else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            if front.send_to(&datagram[..length], manager).await.is_ok() {
                count(&tally.answered);
            }
        }
    });
    Ok(Way { manager, socket, back: back.abort_handle() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doorkeeper(versions: &[SnmpVersion], community: Option<&str>) -> Doorkeeper {
        Doorkeeper {
            versions: versions.iter().copied().collect(),
            community: community.map(str::to_owned),
            tally: Arc::default(),
        }
    }

    const V2C: &[u8] = b"\x30\x09\x02\x01\x01\x04\x02ab\xa0\x00";
    const V3: &[u8] = b"\x30\x03\x02\x01\x03";

    #[test]
    fn each_refusal_is_counted_as_what_it_is() {
        use SnmpVersion::{V2c, V3 as Three};
        for (versions, community, datagram, lets_in, counts) in [
            (&[V2c][..], Some("ab"), V2C, true, [0, 0, 0]),
            (&[V2c], Some("abc"), V2C, false, [0, 0, 1]),
            (&[V2c], None, V2C, false, [0, 0, 1]),
            (&[Three], Some("ab"), V2C, false, [0, 1, 0]),
            (&[Three], None, V3, true, [0, 0, 0]),
            (&[V2c], None, V3, false, [0, 1, 0]),
            (&[V2c], Some("ab"), &V2C[..5], false, [1, 0, 0]),
        ] {
            let doorkeeper = doorkeeper(versions, community);
            assert_eq!(doorkeeper.lets_in(datagram), lets_in, "{versions:?} {community:?}");
            let tally = &doorkeeper.tally;
            let found = [&tally.malformed, &tally.wrong_version, &tally.wrong_community].map(value);
            assert_eq!((found, value(&tally.received)), (counts, 1), "{versions:?} {community:?}");
        }
    }
}
