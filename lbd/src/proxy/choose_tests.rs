use proptest::prelude::*;

use super::*;
use crate::config::StickyPrefixes;
use crate::network::topology::Network;

const SERVICE: u32 = 0x10000;
const SECOND: Duration = Duration::from_secs(1);

fn server(number: u32, share: u32) -> Server {
    let last = u8::try_from(number).unwrap();
    Server {
        mark: SERVICE | number,
        address: [198, 51, 100, last].into(),
        port: Some(11_112),
        share,
        full_at: None,
        sources: vec![[192, 0, 2, 1].into()],
    }
}

fn place() -> SocketAddr {
    ([192, 0, 2, 100], 2001).into()
}

fn service(scheduler: Scheduler, shares: &[u32]) -> Service {
    Service {
        mark: SERVICE,
        places: [place()].into(),
        scheduler,
        persistence: None,
        sticky_prefixes: StickyPrefixes { ipv4: 32, ipv6: 128 },
        pins: BTreeMap::new(),
        fallback: Fallback::DicomReject,
        idle_timeout: None,
        servers: (1..).zip(shares).map(|(number, share)| server(number, *share)).collect(),
        fallback_server: None,
    }
}

/// A chooser with one service, asked by its clients.
struct World {
    chooser: Chooser,
    now: Duration,
}

impl World {
    fn new(service: Service) -> Self {
        let mut world = Self { chooser: Chooser::default(), now: Duration::ZERO };
        world.follow(service);
        world
    }

    fn follow(&mut self, service: Service) {
        self.chooser.follow(&[(service.mark, Arc::new(service))].into(), self.now);
    }

    /// The number of the server that a client gets who has tried these; 0 where nobody is left.
    fn ask_but(&mut self, client: u8, tried: &[u32]) -> u32 {
        let tried = tried.iter().map(|number| SERVICE | number).collect();
        match self.chooser.choose(place(), [203, 0, 113, client].into(), &tried, self.now) {
            Choice::Server(target) => target.mark & 0xffff,
            Choice::Nobody(_) => 0,
        }
    }

    fn ask(&mut self, client: u8) -> u32 {
        self.ask_but(client, &[])
    }
}

use Scheduler::{SourceHash, WeightedLeastConnections, WeightedRoundRobin};

#[test]
fn servers_take_turns_by_weight() {
    let mut world = World::new(service(WeightedRoundRobin, &[200, 100]));
    let turns: Vec<_> = (0..6).map(|client| world.ask(client)).collect();
    assert_eq!(turns, [1, 2, 1, 1, 2, 1]);
}

#[test]
fn whoever_has_fewer_connections_gets_the_next() {
    let mut world = World::new(service(WeightedLeastConnections, &[100, 100]));
    (0..4).for_each(|client| _ = world.ask(client));
    let open = |world: &World| [1, 2].map(|number| world.chooser.open(SERVICE | number));
    assert_eq!(open(&world), [2, 2]);
    (0..2).for_each(|_| world.chooser.closed(SERVICE | 2));
    assert_eq!([world.ask(9), world.ask(9)], [2, 2]);
    (0..2).for_each(|client| _ = world.ask(client));
    assert_eq!(open(&world), [3, 3]);
}

#[test]
fn a_client_keeps_its_server_until_its_time_is_over_or_the_server_goes() {
    let mut sticky = service(WeightedRoundRobin, &[100, 100]);
    sticky.persistence = Some(60 * SECOND);
    let mut world = World::new(sticky.clone());
    assert_eq!([world.ask(1), world.ask(1), world.ask(2), world.ask(1)], [1, 1, 2, 1]);
    world.now = 59 * SECOND;
    assert_eq!([world.ask(1), world.ask(2)], [1, 2]);
    sticky.servers.remove(0);
    world.follow(sticky.clone());
    assert_eq!(world.ask(1), 2);
    sticky.servers.insert(0, server(1, 100));
    world.follow(sticky);
    assert_eq!(world.ask(1), 2, "not drawn back to the one that was away");
    world.now = 200 * SECOND;
    assert_eq!(world.chooser.sticky.iter(world.now).count(), 0);
}

#[test]
fn clients_of_a_network_may_count_as_one() {
    let mut sticky = service(WeightedRoundRobin, &[100, 100]);
    sticky.persistence = Some(60 * SECOND);
    sticky.sticky_prefixes.ipv4 = 24;
    let mut world = World::new(sticky);
    let servers: BTreeSet<_> = (0..20).map(|client| world.ask(client)).collect();
    assert_eq!(servers.len(), 1);
}

#[test]
fn a_pinned_client_gets_its_server_while_that_takes_connections() {
    let mut pinned = service(WeightedRoundRobin, &[100, 100, 100]);
    let network = |last, prefix| Network { address: [203, 0, 113, last].into(), prefix };
    pinned.persistence = Some(60 * SECOND);
    pinned.pins = [(network(0, 24), SERVICE | 1), (network(7, 32), SERVICE | 3)].into();
    let mut world = World::new(pinned.clone());
    assert_eq!([world.ask(7), world.ask(7), world.ask(8), world.ask(9)], [3, 3, 1, 1]);
    assert_eq!(world.chooser.sticky.iter(world.now).count(), 0, "nothing is learnt of them");
    pinned.servers.remove(2);
    world.follow(pinned);
    assert!([1, 2].contains(&world.ask(7)));
}

#[test]
fn who_failed_is_asked_last_for_a_while() {
    let mut world = World::new(service(WeightedRoundRobin, &[100, 100]));
    assert_eq!(world.ask(1), 1);
    assert!(world.chooser.failed(SERVICE | 1, world.now) && !world.chooser.failed(SERVICE | 1, world.now));
    assert_eq!([world.ask_but(1, &[1]), world.ask(2), world.ask(3)], [2, 2, 2]);
    assert_eq!(world.ask_but(4, &[2]), 1, "where there is nobody else");
    world.now = SUSPICION;
    let turns: BTreeSet<_> = (0..4).map(|client| world.ask(client)).collect();
    assert_eq!(turns, [1, 2].into());
}

#[test]
fn a_client_whose_server_failed_keeps_the_one_that_took_it() {
    let mut sticky = service(WeightedRoundRobin, &[100, 100]);
    sticky.persistence = Some(60 * SECOND);
    let mut world = World::new(sticky);
    assert_eq!(world.ask(1), 1);
    world.chooser.failed(SERVICE | 1, world.now);
    assert_eq!(world.ask_but(1, &[1]), 2);
    world.now = 2 * SUSPICION;
    assert_eq!(world.ask(1), 2);
}

#[test]
fn the_fallback_server_is_for_when_nobody_else_is_left_and_nobody_is_tied_to_it() {
    let mut with_fallback = service(WeightedRoundRobin, &[100]);
    with_fallback.persistence = Some(60 * SECOND);
    with_fallback.fallback_server = Some(Server { mark: SERVICE | 0xffff, ..server(9, 0) });
    let mut world = World::new(with_fallback.clone());
    assert_eq!([world.ask_but(1, &[1]), world.ask_but(1, &[1, 0xffff])], [0xffff, 0]);
    with_fallback.servers.clear();
    world.follow(with_fallback);
    assert_eq!(world.ask(2), 0xffff);
    assert_eq!(world.chooser.sticky.iter(world.now).count(), 0);
}

#[test]
fn a_full_server_gets_nobody_until_a_connection_ends() {
    let mut limited = service(WeightedRoundRobin, &[100]);
    limited.servers[0].full_at = Some(2);
    let mut world = World::new(limited);
    assert_eq!([world.ask(1), world.ask(2), world.ask(3)], [1, 1, 0]);
    world.chooser.closed(SERVICE | 1);
    assert_eq!(world.ask(3), 1);
}

#[test]
fn a_service_that_is_prepared_serves_before_all_others_change() {
    let mut world = World::new(service(WeightedRoundRobin, &[100]));
    let other: SocketAddr = ([192, 0, 2, 101], 2001).into();
    let mut both = service(WeightedRoundRobin, &[]);
    both.places.insert(other);
    let mut second = service(WeightedRoundRobin, &[100]);
    (second.mark, second.places) = (0x20000, [other].into());
    world.chooser.prepare(&[(SERVICE, both.into()), (0x20000, second.into())].into());
    assert_eq!(world.ask(1), 1, "nothing has changed for the first");
    assert!(world.chooser.service_at(other).is_some());
}

#[test]
fn a_server_that_left_while_it_was_asked_takes_nobody() {
    let mut world = World::new(service(WeightedRoundRobin, &[100, 100]));
    let chosen = world.chooser.choose(place(), [203, 0, 113, 1].into(), &BTreeSet::new(), world.now);
    let Choice::Server(target) = chosen else { panic!("{chosen:?}") };
    assert!(world.chooser.took(&target));
    world.follow(service(WeightedRoundRobin, &[]));
    assert!(!world.chooser.took(&target));
}

#[test]
fn families_stay_apart() {
    let mut both = service(WeightedRoundRobin, &[100]);
    let six: SocketAddr = "[2001:db8::100]:2001".parse().unwrap();
    both.places.insert(six);
    both.servers.push(Server { address: "2001:db8::2".parse().unwrap(), ..server(2, 100) });
    let mut world = World::new(both);
    assert_eq!([world.ask(1), world.ask(1)], [1, 1]);
    let chosen = world.chooser.choose(six, "2001:db8::50".parse().unwrap(), &BTreeSet::new(), world.now);
    assert!(matches!(chosen, Choice::Server(Target { mark: 0x10002, .. })), "{chosen:?}");
}

proptest! {
    /// Open connections stand in the relation of the weights, whoever comes.
    #[test]
    fn least_connections_fill_servers_by_weight(shares in prop::collection::vec(1_u32..=256, 1..8), count in 1_u32..400) {
        let mut world = World::new(service(WeightedLeastConnections, &shares));
        (0..count).for_each(|client| _ = world.ask(client as u8));
        let total: f64 = shares.iter().map(|share| f64::from(*share)).sum();
        for (number, share) in (1..).zip(&shares) {
            let fair = f64::from(count) * f64::from(*share) / total;
            let open = world.chooser.open(SERVICE | number) as f64;
            prop_assert!((open - fair).abs() < shares.len() as f64 + 1.0, "{number}: {open} of {fair}");
        }
    }

    /// Nobody is asked twice for one connection, nobody who is full or has no share, and everyone who can is asked.
    #[test]
    fn each_that_can_is_tried_once(
        shares in prop::collection::vec(0_u32..=3, 1..8),
        failing in prop::collection::vec(1_u32..8, 0..6),
        full in 1_u32..8,
        scheduler in prop::sample::select(vec![WeightedRoundRobin, WeightedLeastConnections, SourceHash]),
        persistence in prop::option::of(1_u64..100),
    ) {
        let mut tested = service(scheduler, &shares);
        tested.persistence = persistence.map(Duration::from_secs);
        tested.servers.iter_mut().filter(|server| server.mark == SERVICE | full).for_each(|server| server.full_at = Some(0));
        let able: BTreeSet<_> = (1..).zip(&shares).filter(|(number, share)| **share > 0 && *number != full).map(|(n, _)| n).collect();
        let mut world = World::new(tested);
        failing.iter().for_each(|number| _ = world.chooser.failed(SERVICE | number, world.now));
        let mut tried = Vec::new();
        loop {
            let next = world.ask_but(1, &tried);
            if next == 0 { break }
            prop_assert!(!tried.contains(&next));
            if failing.contains(&next) {
                prop_assert!(able.iter().all(|number| tried.contains(number) || failing.contains(number)));
            }
            tried.push(next);
        }
        prop_assert_eq!(tried.into_iter().collect::<BTreeSet<_>>(), able);
    }

    /// By source hash the server is a client's own: one that leaves moves nobody else.
    #[test]
    fn a_server_that_leaves_moves_only_its_own_clients(shares in prop::collection::vec(1_u32..=256, 2..8), gone in 0_usize..8) {
        let mut world = World::new(service(SourceHash, &shares));
        let before: Vec<_> = (0..200).map(|client| world.ask(client)).collect();
        let mut rest = service(SourceHash, &shares);
        let left = rest.servers.remove(gone % shares.len()).mark & 0xffff;
        world.follow(rest);
        for (client, before) in (0..200).zip(before) {
            let after = world.ask(client);
            prop_assert!(after == before || before == left);
        }
    }
}
