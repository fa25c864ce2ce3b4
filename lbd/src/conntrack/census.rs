//! What a look at the whole connection table adds up to, by mark.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::entry::{Entry, Volume};
use crate::proxy;

/// Source ports that translation may use for one source address and one place (address, port) of a server: where the
/// client's own port is taken, the kernel looks for another from 1,024 to 65,535 (`nf_nat_l4proto_unique_tuple`,
/// net/netfilter/nf_nat_core.c).
pub const PORTS_PER_SOURCE: u64 = 65_536 - 1_024;

/// The connections with one mark.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Open now; those that only wait for their ports to be free again do not count.
    pub connections: u64,
    /// From clients, since lbd started: what has ended, and what goes on.
    pub received: Volume,
    /// To clients, likewise.
    pub sent: Volume,
    /// That have ended since lbd started without having been taken: the server refused them, or never answered.
    pub not_taken: u64,
    /// Source ports in use, where they are scarcest: of one source address towards one place of the server. Ports
    /// that only wait to be free again are in use too. Another service that shares both counts as well.
    pub ports_in_use: u64,
    /// The same from all source addresses together.
    pub ports_in_use_from_all: u64,
}

/// One look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// By mark; marks without any connection since lbd started are missing.
    pub marks: BTreeMap<u32, Figures>,
    /// Times when more connections ended at once than could be heard of: their bytes are missing in the sums.
    pub lost_ends: u64,
    /// Closed connections that were not recorded.
    pub unrecorded: u64,
    /// Why the latest ones were not.
    pub record_failure: Option<String>,
    /// What the proxy has to tell beside its connections, which are among the others.
    pub proxy: proxy::Figures,
}

/// What the ended connections of one mark add up to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sum {
    received: Volume,
    sent: Volume,
    not_taken: u64,
}

/// What ended connections have moved, by mark.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ended {
    sums: BTreeMap<u32, Sum>,
    /// Times when ends were missed.
    pub lost: u64,
    /// Closed connections that could not be recorded.
    pub unrecorded: u64,
    /// Why the latest could not; `None` where it could.
    pub record_failure: Option<String>,
}

/// So many marks can have a sum: far more than there are servers. Others' marks are no reason to grow for ever.
const MOST_MARKS: usize = 1 << 17;

impl Ended {
    /// Adds a connection that has ended.
    pub fn add(&mut self, entry: &Entry) {
        if self.sums.len() < MOST_MARKS || self.sums.contains_key(&entry.mark) {
            let sum = self.sums.entry(entry.mark).or_default();
            sum.received += entry.received;
            sum.sent += entry.sent;
            sum.not_taken += u64::from(!entry.was_taken());
        }
    }
}

/// A look under way.
#[derive(Debug, Default)]
pub struct Count {
    figures: BTreeMap<u32, Figures>,
    places: HashMap<Place, PortUse>,
}

/// Within one of these no source port can be used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Place {
    protocol: u8,
    source: IpAddr,
    server: SocketAddr,
}

#[derive(Debug, Default)]
struct PortUse {
    ports: u64,
    marks: Vec<u32>,
}

impl Count {
    /// Takes in a connection.
    pub fn add(&mut self, entry: &Entry) {
        let figures = self.figures.entry(entry.mark).or_default();
        figures.connections += u64::from(entry.is_open());
        figures.received += entry.received;
        figures.sent += entry.sent;
        let place = Place { protocol: entry.protocol, source: entry.source.ip(), server: entry.server };
        let used = self.places.entry(place).or_default();
        used.ports += 1;
        // Few services share a server.
        if !used.marks.contains(&entry.mark) {
            used.marks.push(entry.mark);
        }
    }

    /// The result, with what had ended when the look began, and never less than `before` said: a connection that
    /// ends during a look may be missed by it once.
    pub fn finish(self, ended: &Ended, before: &Census) -> Census {
        let mut marks = self.figures;
        let mut from_all: HashMap<_, u64> = HashMap::new();
        for (place, used) in &self.places {
            for mark in &used.marks {
                let figures = marks.entry(*mark).or_default();
                figures.ports_in_use = figures.ports_in_use.max(used.ports);
                let sum = from_all.entry((*mark, place.protocol, place.server)).or_default();
                *sum += used.ports;
                figures.ports_in_use_from_all = figures.ports_in_use_from_all.max(*sum);
            }
        }
        for (mark, sum) in &ended.sums {
            let figures = marks.entry(*mark).or_default();
            figures.received += sum.received;
            figures.sent += sum.sent;
            figures.not_taken = sum.not_taken;
        }
        for (mark, figures) in &mut marks {
            let last = before.marks.get(mark).copied().unwrap_or_default();
            figures.received = at_least(figures.received, last.received);
            figures.sent = at_least(figures.sent, last.sent);
        }
        Census {
            marks,
            lost_ends: ended.lost,
            unrecorded: ended.unrecorded,
            record_failure: ended.record_failure.clone(),
            proxy: proxy::Figures::default(),
        }
    }
}

fn at_least(now: Volume, before: Volume) -> Volume {
    Volume { packets: now.packets.max(before.packets), bytes: now.bytes.max(before.bytes) }
}

/// Figures some seconds old are fresh enough for people.
const USUAL_PAUSE: Duration = Duration::from_secs(2);
/// Shares that follow the number of connections are worth a quicker look.
const SHORT_PAUSE: Duration = Duration::from_millis(250);
/// With a pause of twenty looks a look takes at most five per cent of one processor, however large the table.
const SHARE_OF_TIME: u32 = 20;

/// How long to wait after a look that took so long.
pub fn pause(took: Duration, in_a_hurry: bool) -> Duration {
    let usual = if in_a_hurry { SHORT_PAUSE } else { USUAL_PAUSE };
    usual.max(took.saturating_mul(SHARE_OF_TIME))
}

#[cfg(test)]
mod tests {
    use super::super::entry::TcpState;
    use super::*;

    fn entry(mark: u32, port: u16, state: TcpState, bytes: u64) -> Entry {
        Entry {
            protocol: 6,
            client: ([192, 0, 2, 1], port).into(),
            virtual_address: ([192, 0, 2, 100], 2001).into(),
            server: ([198, 51, 100, 2], 11112).into(),
            source: ([192, 0, 2, 100], port).into(),
            mark,
            state: Some(state),
            status: 0x1ae,
            seconds_left: Some(100),
            received: Volume { packets: 1, bytes },
            sent: Volume { packets: 2, bytes: 2 * bytes },
            started: None,
            ended: None,
            id: u32::from(port),
        }
    }

    fn count(entries: &[Entry]) -> Count {
        let mut count = Count::default();
        entries.iter().for_each(|entry| count.add(entry));
        count
    }

    #[test]
    fn open_connections_count_and_closed_ones_hold_their_ports() {
        use TcpState::{Closed, Established, TimeWait};
        let entries = [(1, Established), (2, TimeWait), (3, Closed), (4, Established)];
        let entries = entries.map(|(port, state)| entry(0x10001, port, state, 10));
        let census = count(&entries).finish(&Ended::default(), &Census::default());
        let figures = census.marks[&0x10001];
        assert_eq!((figures.connections, figures.ports_in_use), (2, 4));
        assert_eq!((figures.received.bytes, figures.sent.packets), (40, 8));
    }

    #[test]
    fn services_that_share_source_and_server_share_its_ports() {
        let entries = [0x10001, 0x10001, 0x20001].map(|mark| entry(mark, 1, TcpState::Established, 1));
        let census = count(&entries).finish(&Ended::default(), &Census::default());
        let in_use: Vec<_> = census.marks.values().map(|figures| figures.ports_in_use).collect();
        assert_eq!(in_use, [3, 3]);
    }

    #[test]
    fn ports_of_several_source_addresses_are_told_one_by_one_and_together() {
        let from = |last, port| Entry {
            source: ([192, 0, 2, last], port).into(),
            ..entry(0x10001, port, TcpState::Established, 1)
        };
        let census =
            count(&[from(1, 1), from(1, 2), from(2, 1)]).finish(&Ended::default(), &Census::default());
        let figures = census.marks[&0x10001];
        assert_eq!((figures.ports_in_use, figures.ports_in_use_from_all), (2, 3));
    }

    #[test]
    fn sums_go_on_when_a_connection_ends_and_never_fall() {
        let mut ended = Ended::default();
        let (long, short) = (entry(1, 1, TcpState::Established, 5), entry(1, 2, TcpState::Established, 7));
        let first = count(&[long.clone(), short.clone()]).finish(&ended, &Census::default());
        // It ends during the second look, unseen by it, and its end comes only afterwards.
        let second = count(std::slice::from_ref(&long)).finish(&ended, &first);
        ended.add(&short);
        let third = count(&[long]).finish(&ended, &second);
        let bytes = [first, second, third].map(|census| census.marks[&1].received.bytes);
        assert_eq!(bytes, [12, 12, 12]);
    }

    #[test]
    fn what_ended_without_an_answer_was_not_taken() {
        let mut ended = Ended::default();
        let answered = entry(1, 1, TcpState::Closed, 5);
        // No IPS_SEEN_REPLY: a refusal, and a server that is silent.
        let refused = Entry { status: 0x1ac, ..answered.clone() };
        let silent = Entry { status: 0x1ac, ..entry(1, 2, TcpState::SynSent, 5) };
        let datagram = Entry { protocol: 17, state: None, ..refused.clone() };
        for entry in [answered, refused, silent, datagram] {
            ended.add(&entry);
        }
        let census = Count::default().finish(&ended, &Census::default());
        assert_eq!(census.marks[&1].not_taken, 2, "of a datagram nobody knows whether it wants an answer");
    }

    #[test]
    fn a_look_takes_at_most_a_twentieth_of_the_time() {
        assert_eq!(pause(Duration::from_millis(1), false), USUAL_PAUSE);
        assert_eq!(pause(Duration::from_millis(1), true), SHORT_PAUSE);
        assert_eq!(pause(Duration::from_millis(200), true), Duration::from_secs(4));
    }
}
