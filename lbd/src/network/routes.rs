//! lbd's routes, and the rules by which an answer leaves where its request came in: which there should be, which there
//! are, and what to do about it. Pure.
//!
//! An interface with a gateway of its own has a number, a routing table, and a rule of the kernel that leads packets with
//! its mark there. The packet filter gives that mark to answers (`traffic/ruleset.rs`): the kernel chooses the way of a
//! forwarded answer while its source is still the server, so that no rule about source addresses would find it.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use super::topology::{Family, Network};

/// The kernel's own table, which everything else uses (`RT_TABLE_MAIN`, linux/rtnetlink.h).
pub const MAIN_TABLE: u32 = 254;
/// Bits of a packet's mark that say by which interface an answer leaves; the others name servers.
pub const MARK_BITS: u32 = 0xf000_0000;
/// Tables and priorities are these and the interface's number: beyond what administrators usually use by hand.
const FIRST: u32 = 1000;

/// An interface with a gateway of its own: 1 to 15.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exit(u8);

impl Exit {
    /// The exits of so many interfaces, of which there are 15 at most.
    pub fn all() -> impl Iterator<Item = Self> {
        (1..=15).map(Self)
    }

    /// Its routing table.
    pub fn table(self) -> u32 {
        FIRST + u32::from(self.0)
    }

    /// The mark of packets that leave by it, within [`MARK_BITS`].
    pub fn mark(self) -> u32 {
        u32::from(self.0) << MARK_BITS.trailing_zeros()
    }
}

/// A route that lbd wants, or a rule's table is full of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// [`MAIN_TABLE`], or that of an [`Exit`].
    pub table: u32,
    /// By its lowest address; everything where the prefix is 0.
    pub destination: Network,
    /// Router; `None` where the network is that of the interface itself.
    pub gateway: Option<IpAddr>,
    /// `None`: whichever leads to the router.
    pub interface: Option<String>,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.destination.prefix, self.gateway) {
            (0, Some(gateway)) => write!(f, "the default route by {gateway}")?,
            (_, Some(gateway)) => write!(f, "the route to {} by {gateway}", self.destination)?,
            (_, None) => write!(f, "the route to {}", self.destination)?,
        }
        if let Some(interface) = &self.interface {
            write!(f, " on {interface}")?;
        }
        match self.table {
            MAIN_TABLE => Ok(()),
            _ => f.write_str(" for answers"),
        }
    }
}

/// A rule that leads packets with the mark of an exit to its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AnswerRule {
    /// Whose packets.
    pub family: Family,
    /// Which mark, and which table.
    pub exit: Exit,
}

impl fmt::Display for AnswerRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the rule for {} answers number {}", self.family, self.exit.0)
    }
}

/// A route of the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresentRoute {
    /// With its interface.
    pub route: Route,
    /// lbd put it there.
    pub is_ours: bool,
}

/// What to do: positions of present ones that go, and those that come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// In the list of those that are there.
    pub gone: Vec<usize>,
    /// In this order: a router must be reachable before a route names it.
    pub new: Vec<Route>,
}

/// Leaves alone what is right, and every route that is not lbd's; one that somebody else has set will do.
pub fn difference(present: &[PresentRoute], wanted: &BTreeSet<Route>) -> Difference {
    let fits = |present: &Route, wanted: &Route| {
        let same = (present.table, present.destination, present.gateway)
            == (wanted.table, wanted.destination, wanted.gateway);
        same && (wanted.interface.is_none() || wanted.interface == present.interface)
    };
    let is_gone = |present: &&(usize, &PresentRoute)| {
        let (_, PresentRoute { route, is_ours }) = present;
        *is_ours && !wanted.iter().any(|wanted| fits(route, wanted))
    };
    let new = wanted.iter().filter(|wanted| !present.iter().any(|present| fits(&present.route, wanted)));
    let mut new: Vec<_> = new.cloned().collect();
    new.sort_by_key(|route| route.gateway.is_some());
    let gone = present.iter().enumerate().collect::<Vec<_>>();
    Difference { gone: gone.iter().filter(is_gone).map(|(index, _)| *index).collect(), new }
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_set, vec};
    use proptest::prelude::*;

    use super::*;

    fn network(text: &str) -> Network {
        let (address, prefix) = text.split_once('/').unwrap();
        Network { address: address.parse().unwrap(), prefix: prefix.parse().unwrap() }
    }

    fn route(table: u32, destination: &str, gateway: &str, interface: Option<&str>) -> Route {
        Route {
            table,
            destination: network(destination),
            gateway: gateway.parse().ok(),
            interface: interface.map(str::to_owned),
        }
    }

    fn there(route: Route, is_ours: bool) -> PresentRoute {
        PresentRoute { route, is_ours }
    }

    #[test]
    fn somebody_elses_route_will_do_and_is_never_removed() {
        let default = route(MAIN_TABLE, "0.0.0.0/0", "192.0.2.1", None);
        let present = [
            there(route(MAIN_TABLE, "0.0.0.0/0", "192.0.2.1", Some("eth0")), false),
            there(route(MAIN_TABLE, "10.0.0.0/8", "192.0.2.9", Some("eth0")), false),
            there(route(MAIN_TABLE, "10.1.0.0/16", "192.0.2.9", Some("eth0")), true),
        ];
        let found = difference(&present, &BTreeSet::from([default.clone()]));
        assert_eq!(found, Difference { gone: vec![2], new: Vec::new() });
        let found = difference(&present[1..], &BTreeSet::from([default.clone()]));
        assert_eq!(found, Difference { gone: vec![1], new: vec![default] });
    }

    #[test]
    fn a_route_that_must_leave_by_an_interface_does() {
        let wanted = route(MAIN_TABLE, "10.0.0.0/8", "192.0.2.1", Some("eth1"));
        let present = [there(route(MAIN_TABLE, "10.0.0.0/8", "192.0.2.1", Some("eth0")), true)];
        let found = difference(&present, &BTreeSet::from([wanted.clone()]));
        assert_eq!(found, Difference { gone: vec![0], new: vec![wanted] });
    }

    #[test]
    fn the_way_to_a_router_comes_before_routes_by_it() {
        let exit = Exit::all().next().unwrap();
        let default = route(exit.table(), "0.0.0.0/0", "192.0.2.1", Some("eth1"));
        let near = Route { gateway: None, ..route(exit.table(), "192.0.2.0/24", "", Some("eth1")) };
        let new = difference(&[], &BTreeSet::from([default.clone(), near.clone()])).new;
        assert_eq!(new, [near, default]);
    }

    #[test]
    fn no_mark_of_an_exit_names_a_server_too() {
        for exit in Exit::all() {
            assert_eq!(exit.mark() & !MARK_BITS, 0);
            assert_ne!(exit.mark(), 0);
        }
        assert_eq!(Exit::all().last().unwrap().mark(), MARK_BITS);
    }

    fn any_route() -> impl Strategy<Value = Route> {
        let table = prop_oneof![Just(MAIN_TABLE), Just(FIRST + 1)];
        (table, 0_u8..3, 1_u8..4, 0_u8..2).prop_map(|(table, destination, gateway, interface)| {
            let destination = format!("10.{destination}.0.0/16");
            let gateway = format!("192.0.{interface}.{gateway}");
            route(table, &destination, &gateway, Some(&format!("eth{interface}")))
        })
    }

    proptest! {
        #[test]
        fn what_is_wanted_is_there_afterwards_and_nothing_else_of_ours(
            present in vec((any_route(), any::<bool>()), 0..6),
            wanted in btree_set(any_route(), 0..6),
        ) {
            let mut present: Vec<_> = present.into_iter().map(|(route, is_ours)| there(route, is_ours)).collect();
            let others: Vec<_> = present.iter().filter(|route| !route.is_ours).cloned().collect();
            let Difference { gone, new } = difference(&present, &wanted);
            gone.iter().rev().for_each(|index| drop(present.remove(*index)));
            present.extend(new.into_iter().map(|route| there(route, true)));
            prop_assert!(wanted.iter().all(|wanted| present.iter().any(|it| it.route == *wanted)));
            prop_assert!(present.iter().all(|it| !it.is_ours || wanted.contains(&it.route)));
            prop_assert!(others.iter().all(|other| present.contains(other)));
            prop_assert_eq!(difference(&present, &wanted), Difference::default());
        }
    }
}
