//! Least connections: shares of new clients that bring the servers' open connections into the relation of their weights.
//!
//! The kernel hands out turns; only lbd knows how many connections there are, a few times a second. So a server's
//! share is its weight, leaning by how far its connections are off its fair part: in proportion to the deviation, and,
//! where that does not help (a server whose clients stay longer), by a bias that grows while it does not. Nothing
//! moves within a dead band: what is written anew starts its turns anew.

use std::collections::BTreeMap;

/// What is known of a server that takes new connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Its number.
    pub mark: u32,
    /// Its configured share; above 0.
    pub weight: u16,
    /// Open now.
    pub connections: u64,
}

/// A share that leans nowhere is the weight times this.
pub const NEUTRAL: u32 = 16;
const PARTS: f64 = NEUTRAL as f64;
/// Nobody starves: a sixteenth of the weight remains.
const LEAST_PARTS: f64 = 1.0;
/// Four times the weight: enough for servers whose clients stay sixteen times as long as others'.
const MOST_PARTS: f64 = 64.0;
/// How a deviation lowers the share. From 1 on, a service of short connections swings for ever: the next count has the
/// same deviation the other way round (`converges_for_short_connections`).
const GAIN: f64 = 0.75;
/// How a deviation that does not shrink moves the bias, which is a power of two.
const BIAS_GAIN: f64 = 0.5;
const LARGEST_BIAS: f64 = 2.0;
/// One connection, or so much of the fair part, is no deviation: chance alone makes it.
const DEAD_BAND: f64 = 0.1;

/// The shares of one service's servers of one family.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Balance {
    servers: BTreeMap<u32, Server>,
    /// The largest deviation of the last count.
    worst: f64,
}

#[derive(Debug, Clone, PartialEq)]
struct Server {
    weight: u16,
    connections: u64,
    bias: f64,
    share: u32,
}

impl Balance {
    /// Takes over the turns that the kernel was found to have: marks, weights, turns.
    pub fn adopt(servers: &[(u32, u16, u32)]) -> Self {
        let weights: u32 = servers.iter().map(|(_, weight, _)| u32::from(*weight)).sum();
        let turns: u32 = servers.iter().map(|(.., turns)| turns).sum();
        // As large as shares that lean nowhere, for those that are not counted here. A common factor changes no turn.
        let factor = (NEUTRAL * weights / turns.max(1)).max(1);
        let server = |&(mark, weight, turns): &(u32, u16, u32)| {
            (mark, Server { weight, connections: 0, bias: 0.0, share: turns * factor })
        };
        Self { servers: servers.iter().map(server).collect(), worst: 0.0 }
    }

    /// Takes a new count; true when shares have changed by it.
    pub fn follow(&mut self, loads: &[Load]) -> bool {
        let known = |load: &Load| self.servers.get(&load.mark).filter(|server| server.weight == load.weight);
        if loads.len() != self.servers.len() || !loads.iter().all(|load| known(load).is_some()) {
            self.rebuild(loads);
            return true;
        }
        // While nobody comes or goes there is nothing to learn.
        if loads.iter().all(|load| known(load).is_some_and(|server| server.connections == load.connections)) {
            return false;
        }
        let before = std::mem::replace(&mut self.worst, 0.0);
        let deviations = deviations(loads);
        self.count(loads);
        if deviations.values().all(|deviation| *deviation == 0.0) {
            return false;
        }
        self.worst = deviations.values().fold(0.0, |worst, deviation| worst.max(deviation.abs()));
        if before > 0.0 && self.worst >= before {
            for (mark, server) in &mut self.servers {
                let deviation = deviations.get(mark).copied().unwrap_or_default().min(1.0);
                server.bias = (server.bias - BIAS_GAIN * deviation).clamp(-LARGEST_BIAS, LARGEST_BIAS);
            }
        }
        self.lean(&deviations)
    }

    /// A server's share of new clients in relation to the others'; `None` for one that was not counted.
    pub fn share(&self, mark: u32) -> Option<u32> {
        self.servers.get(&mark).map(|server| server.share)
    }

    /// Other servers or weights than before: what was learnt of those that stay is kept.
    fn rebuild(&mut self, loads: &[Load]) {
        let bias = |load: &Load| self.servers.get(&load.mark).map_or(0.0, |server| server.bias);
        let server = |load: &Load| {
            let Load { mark, weight, connections } = *load;
            (mark, Server { weight, connections, bias: bias(load), share: 0 })
        };
        self.servers = loads.iter().map(server).collect();
        self.worst = 0.0;
        self.lean(&deviations(loads));
    }

    fn count(&mut self, loads: &[Load]) {
        for load in loads {
            if let Some(server) = self.servers.get_mut(&load.mark) {
                server.connections = load.connections;
            }
        }
    }

    fn lean(&mut self, deviations: &BTreeMap<u32, f64>) -> bool {
        let mut changed = false;
        for (mark, server) in &mut self.servers {
            let deviation = deviations.get(mark).copied().unwrap_or_default();
            let parts = PARTS * (1.0 - GAIN * deviation).max(0.0) * server.bias.exp2();
            let parts = parts.round().clamp(LEAST_PARTS, MOST_PARTS);
            // Whole, and between the two.
            let share = u32::from(server.weight) * parts as u32;
            changed |= share != server.share;
            server.share = share;
        }
        changed
    }
}

/// How far each server's connections are from its fair part, in relation to that part: -1 is none at all, 1 is twice
/// as many. All are 0 where none is outside the dead band.
fn deviations(loads: &[Load]) -> BTreeMap<u32, f64> {
    let weights: f64 = loads.iter().map(|load| f64::from(load.weight)).sum();
    let connections: f64 = loads.iter().map(|load| load.connections as f64).sum();
    let fair = |load: &Load| connections * f64::from(load.weight) / weights;
    let off = |load: &Load| load.connections as f64 - fair(load);
    let balanced = loads.iter().all(|load| off(load).abs() <= (DEAD_BAND * fair(load)).max(1.0));
    let deviation = |load: &Load| if balanced { 0.0 } else { off(load) / fair(load) };
    loads.iter().map(|load| (load.mark, deviation(load))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A service whose clients stay for a while that may depend on the server.
    struct World {
        balance: Balance,
        weights: Vec<u16>,
        /// Open connections, each as the count at which it ends.
        open: Vec<Vec<u32>>,
        stay: Vec<u32>,
        clock: u32,
        credit: Vec<f64>,
    }

    impl World {
        fn new(weights: &[u16], stay: &[u32]) -> Self {
            let open = vec![Vec::new(); weights.len()];
            let credit = vec![0.0; weights.len()];
            let (weights, stay) = (weights.to_vec(), stay.to_vec());
            let mut world = Self { balance: Balance::default(), weights, open, stay, clock: 0, credit };
            world.count();
            world
        }

        fn loads(&self) -> Vec<Load> {
            let load = |(mark, (weight, open)): (usize, (&u16, &Vec<u32>))| Load {
                mark: mark as u32,
                weight: *weight,
                connections: open.len() as u64,
            };
            self.weights.iter().zip(&self.open).enumerate().map(load).collect()
        }

        fn count(&mut self) -> bool {
            self.balance.follow(&self.loads())
        }

        /// Clients arrive between two counts and are shared out as evenly as turns do.
        fn step(&mut self, clients: u32) -> bool {
            self.clock += 1;
            let shares: Vec<_> = (0..self.weights.len())
                .map(|mark| f64::from(self.balance.share(mark as u32).unwrap()))
                .collect();
            let total: f64 = shares.iter().sum();
            for _ in 0..clients {
                for (credit, share) in self.credit.iter_mut().zip(&shares) {
                    *credit += share / total;
                }
                let most =
                    (0..shares.len()).max_by(|a, b| self.credit[*a].total_cmp(&self.credit[*b])).unwrap();
                self.credit[most] -= 1.0;
                self.open[most].push(self.clock + self.stay[most]);
            }
            let clock = self.clock;
            self.open.iter_mut().for_each(|open| open.retain(|end| *end > clock));
            self.count()
        }

        fn worst(&self) -> f64 {
            let loads = self.loads();
            let all: f64 = loads.iter().map(|load| load.connections as f64).sum();
            let weights: f64 = loads.iter().map(|load| f64::from(load.weight)).sum();
            let off = |load: &Load| {
                let fair = all * f64::from(load.weight) / weights;
                (load.connections as f64 - fair).abs() / fair.max(1.0)
            };
            loads.iter().map(off).fold(0.0, f64::max)
        }
    }

    const FOR_EVER: u32 = 1 << 30;

    #[test]
    fn new_clients_go_where_there_are_few_until_there_is_balance() {
        let mut world = World::new(&[100, 100], &[FOR_EVER, FOR_EVER]);
        world.open[0] = vec![FOR_EVER; 10];
        assert!(world.count());
        assert_eq!((world.balance.share(0), world.balance.share(1)), (Some(400), Some(2800)));
        while world.open[1].len() < 9 {
            world.step(1);
            assert!(world.open[0].len() <= 12, "{:?}", world.loads());
        }
        (0..200).for_each(|_| _ = world.step(1));
        assert!(world.worst() <= 0.1, "{:?}", world.loads());
    }

    #[test]
    fn a_server_whose_clients_stay_ten_times_as_long_gets_fewer() {
        for (short, clients) in [(1, 100), (20, 10), (100, 10)] {
            let mut world = World::new(&[100, 100], &[10 * short, short]);
            (0..200 * short.max(4)).for_each(|_| _ = world.step(clients));
            let mean = (0..100).map(|_| {
                world.step(clients);
                world.worst()
            });
            let mean = mean.sum::<f64>() / 100.0;
            assert!(mean < 0.25, "{short}: off by {mean} on average: {:?}", world.loads());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// With a gain of 1 or more it would not.
        #[test]
        fn converges_for_short_connections(weights in prop::collection::vec(1_u16..=256, 2..6), start in 0_usize..5) {
            let clients = 40 * weights.len() as u32;
            let mut world = World::new(&weights, &vec![1; weights.len()]);
            let start = start % weights.len();
            world.stay.iter_mut().for_each(|stay| *stay = 4);
            world.open[start] = vec![4; 200];
            (0..100).for_each(|_| _ = world.step(clients));
            let fairest = weights.iter().map(|w| f64::from(*w)).fold(f64::MAX, f64::min) * f64::from(4 * clients)
                / weights.iter().map(|w| f64::from(*w)).sum::<f64>();
            // Small parts are shared out in whole connections.
            prop_assert!(world.worst() <= 0.25 + 3.0 / fairest.max(1.0), "{:?}", world.loads());
        }

        #[test]
        fn converges_for_connections_that_stay(weights in prop::collection::vec(50_u16..=256, 2..5), held in 2_usize..60) {
            let mut world = World::new(&weights, &vec![FOR_EVER; weights.len()]);
            world.open[0] = vec![FOR_EVER; held];
            world.count();
            let rounds = 15 * held * weights.len();
            (0..rounds).for_each(|_| _ = world.step(1));
            let fairest = weights.iter().map(|w| f64::from(*w)).fold(f64::MAX, f64::min) * (held + rounds) as f64
                / weights.iter().map(|w| f64::from(*w)).sum::<f64>();
            // One connection more or less is no smaller than it is.
            prop_assert!(world.worst() <= 0.15 + 1.0 / fairest, "{:?}", world.loads());
        }

        /// Nobody starves, and what is balanced is not written.
        #[test]
        fn everyone_keeps_a_share_and_balance_is_left_alone(
            weights in prop::collection::vec(1_u16..=256, 1..8),
            counts in prop::collection::vec(prop::collection::vec(0_u64..5000, 8), 1..20),
        ) {
            let mut balance = Balance::default();
            for counts in counts {
                let loads: Vec<_> = (0..).zip(&weights).zip(&counts)
                    .map(|((mark, weight), connections)| Load { mark, weight: *weight, connections: *connections })
                    .collect();
                let known = balance.share(0).is_some();
                let changed = balance.follow(&loads);
                let balanced = deviations(&loads).values().all(|deviation| *deviation == 0.0);
                prop_assert!(!(known && balanced && changed));
                for load in &loads {
                    let share = balance.share(load.mark).unwrap();
                    prop_assert!(share >= u32::from(load.weight) && share <= 64 * u32::from(load.weight));
                }
                prop_assert!(!balance.follow(&loads), "the same count again says nothing new");
            }
        }
    }
}
