//! Which adapter is eth0, eth1, ...: pure. A name stays with its adapter (by MAC address) over the years; a
//! replaced adapter takes the name of its place; a new one the first free name.

use super::order::{Adapter, Place};
use std::collections::BTreeSet;

/// More are not remembered; a machine has ten at most.
const MOST: usize = 64;

/// One line of the memory: `eth0 00:50:56:00:00:01 slot-192-0-0`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Known {
    /// The number behind `eth`.
    pub number: u32,
    /// The adapter's own address.
    pub mac: String,
    /// Where it was, as [`Place`] is written.
    pub place: String,
}

/// Reads the memory. Lines that are not understood are passed over; of two that contradict, the first counts.
pub fn parse(text: &str) -> Vec<Known> {
    let mut known: Vec<Known> = Vec::new();
    for one in text.lines().filter_map(parse_line) {
        let clash = known.iter().any(|other| other.number == one.number || other.mac == one.mac);
        if !clash && known.len() < MOST {
            known.push(one);
        }
    }
    known
}

fn parse_line(line: &str) -> Option<Known> {
    let mut words = line.split_whitespace();
    let number = words.next()?.strip_prefix("eth")?.parse().ok().filter(|number| *number < 1000)?;
    let (mac, place) = (words.next()?.to_lowercase(), words.next()?.to_owned());
    (is_mac(&mac) && words.next().is_none()).then_some(Known { number, mac, place })
}

fn is_mac(text: &str) -> bool {
    let parts: Vec<_> = text.split(':').collect();
    parts.len() == 6
        && parts.iter().all(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// The memory as a file.
pub fn format(known: &[Known]) -> String {
    let head = "# Which network adapter has which name, and where it was. Written by init.\n".to_owned();
    known.iter().fold(head, |text, one| text + &format!("eth{} {} {}\n", one.number, one.mac, one.place))
}

/// The number of each adapter, in the order given, which is the hypervisor's.
pub fn assign(found: &[(Place, Adapter)], known: &[Known]) -> Vec<u32> {
    let mut numbers: Vec<Option<u32>> = vec![None; found.len()];
    let mut free: Vec<&Known> = known.iter().collect();
    let mut take = |fits: &dyn Fn(&Known, &Place, &Adapter) -> bool| {
        for ((place, adapter), number) in
            found.iter().zip(&mut numbers).filter(|(_, number)| number.is_none())
        {
            if let Some(at) = free.iter().position(|one| fits(one, place, adapter)) {
                *number = Some(free.remove(at).number);
            }
        }
    };
    take(&|one, _, adapter| one.mac == adapter.mac);
    take(&|one, place, _| one.place == place.to_string());
    let taken: BTreeSet<u32> = numbers.iter().flatten().copied().collect();
    let mut rest = (0..).filter(|number| !taken.contains(number));
    numbers.into_iter().map(|number| number.or_else(|| rest.next()).unwrap_or(u32::MAX)).collect()
}

/// What to remember next: what is there, and what is not there but whose name nobody took.
pub fn remember(found: &[(Place, Adapter)], numbers: &[u32], known: &[Known]) -> Vec<Known> {
    let now = |((place, adapter), number): (&(Place, Adapter), &u32)| Known {
        number: *number,
        mac: adapter.mac.clone(),
        place: place.to_string(),
    };
    let mut all: Vec<_> = found.iter().zip(numbers).map(now).collect();
    let gone = known.iter().filter(|old| !found.iter().any(|(_, adapter)| adapter.mac == old.mac));
    let gone: Vec<_> = gone.filter(|old| !numbers.contains(&old.number)).cloned().collect();
    all.extend(gone);
    all.sort();
    all.truncate(MOST);
    all
}

/// One renaming: the kernel's number of the interface, and the name it gets.
pub type Renaming = (i32, String);

/// In two rounds, because a name can be another's until that one is renamed. Nothing for those that are right.
pub fn renamings(found: &[(Place, Adapter)], numbers: &[u32]) -> Vec<Renaming> {
    let wrong = || {
        let pairs = found.iter().zip(numbers).map(|((_, adapter), number)| (adapter, format!("eth{number}")));
        pairs.filter(|(adapter, name)| adapter.name != *name)
    };
    let first = wrong().map(|(adapter, _)| (adapter.index, format!("renaming{}", adapter.index)));
    let second = wrong().map(|(adapter, name)| (adapter.index, name));
    first.chain(second).collect()
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
