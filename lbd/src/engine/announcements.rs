//! When to tell the neighbours where the virtual addresses live.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Now;
use crate::network::topology::{Topology, VirtualAddress};

/// Pauses after an address was taken: a single frame may get lost, or meet a switch port that is not yet
/// forwarding (spanning tree takes up to 30 s).
const PAUSES_SECONDS: [u64; 6] = [1, 2, 4, 8, 16, 32];
/// From then on: well below the four hours for which routers keep an ARP entry, and cheap.
const REFRESH: Duration = Duration::from_secs(60);

/// The schedule of each virtual address.
#[derive(Debug, Default)]
pub(super) struct Announcements {
    schedules: BTreeMap<VirtualAddress, Schedule>,
}

#[derive(Debug)]
struct Schedule {
    sent: usize,
    due: Duration,
}

impl Announcements {
    /// These addresses are in place: new ones are announced at once.
    pub(super) fn follow(&mut self, addresses: &BTreeSet<VirtualAddress>, now: Now) {
        self.schedules.retain(|address, _| addresses.contains(address));
        for address in addresses {
            self.schedules.entry(address.clone()).or_insert(Schedule { sent: 0, due: now.monotonic });
        }
    }

    /// A link that has come up, or has another Ethernet address, is told everything anew.
    pub(super) fn links_changed(&mut self, before: &Topology, after: &Topology, now: Now) {
        let fresh = |name: &str| {
            let link = |topology: &Topology| {
                topology.interfaces.get(name).filter(|link| link.carrier).and_then(|link| link.hardware)
            };
            link(after).is_some() && link(before) != link(after)
        };
        for (address, schedule) in &mut self.schedules {
            if fresh(&address.interface) {
                *schedule = Schedule { sent: 0, due: now.monotonic };
            }
        }
    }

    /// When the next one goes out.
    pub(super) fn next_due(&self) -> Option<Duration> {
        self.schedules.values().map(|schedule| schedule.due).min()
    }

    /// Those that go out now.
    pub(super) fn due(&mut self, now: Now) -> Vec<VirtualAddress> {
        let due = self.schedules.iter_mut().filter(|(_, schedule)| schedule.due <= now.monotonic);
        due.map(|(address, schedule)| {
            schedule.due = now.monotonic
                + PAUSES_SECONDS.get(schedule.sent).map_or(REFRESH, |seconds| Duration::from_secs(*seconds));
            schedule.sent += 1;
            address.clone()
        })
        .collect()
    }
}
