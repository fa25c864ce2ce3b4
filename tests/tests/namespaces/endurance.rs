//! Change after change under load: none drops a connection that it does not concern, and nothing that was learnt is lost.

use std::net::Ipv4Addr;

use fastrand::Rng;
use lab::kernel::Table;
use lab::{Config, Lab, random};

/// Clients that have made their acquaintance with the service before the first change.
const CLIENTS: u8 = 20;
/// How often kernel and clients are looked at: after so many changes.
const LOOK: u64 = 10;
/// Counters of what no change removes.
const LASTING: [&str; 3] = ["POOL", "POOL/NODE1", "POOL/NODE2"];

/// What may be different from one change to the next.
#[derive(Debug, Clone)]
struct Setting {
    weights: [u16; 2],
    has_third_server: bool,
    /// Whether each of three other services is there.
    others: [bool; 3],
    check_interval: u32,
    /// `tcp`, or an endless yes.
    is_checked: bool,
    /// A client that is sent to another server than the others' first.
    pin: String,
}

impl Setting {
    fn first() -> Self {
        Self {
            weights: [100, 100],
            has_third_server: false,
            others: [false; 3],
            check_interval: 1,
            is_checked: true,
            pin: "pin = []".into(),
        }
    }

    /// One thing is another.
    fn changed(&self, random: &mut Rng) -> Self {
        let mut next = self.clone();
        match random.u8(0..5) {
            0 => next.weights[random.usize(0..2)] = random.u16(1..=256),
            1 => next.has_third_server ^= true,
            2 => next.others[random.usize(0..3)] ^= true,
            3 => next.check_interval = random.u32(1..=5),
            _ => next.is_checked ^= true,
        }
        next
    }

    fn config(&self, lab: &Lab) -> Config {
        let pool = lab.pool().weights(&self.weights).with(&self.pin);
        let mut pool = pool.check_every(self.check_interval, 1);
        if !self.is_checked {
            pool = pool.checked_by("type = \"always-on\"");
        }
        if self.has_third_server {
            pool = pool.server("THIRD", lab.server("POOL2_NODE1").address());
        }
        let mut pools = vec![pool];
        for (number, _) in (1..).zip(self.others).filter(|(_, is_there)| *is_there) {
            pools.push(lab.pool().named(&format!("OTHER{number}"), lab.vip(number)).weights(&[1, 2]));
        }
        lab.config(&pools)
    }
}

/// Who serves each client; all connect once.
fn servers_of(lab: &Lab, clients: &[Ipv4Addr]) -> Vec<String> {
    lab.client().ask_as(clients, lab.vip(0), 2001).into_iter().map(|reply| reply.server).collect()
}

fn entries(lab: &Lab, clients: &[Ipv4Addr]) -> usize {
    let table = Table::read(lab.appliance());
    clients.iter().map(|client| table.sticky(*client).len()).sum()
}

#[test]
fn change_after_change_under_load_drops_nothing_and_forgets_nothing() {
    let lab = Lab::single_arm();
    for node in ["NODE1", "NODE2", "POOL2_NODE1"] {
        lab.server(node).named_server(node, 2001);
    }
    let clients: Vec<_> = (1..=CLIENTS).map(|last| Ipv4Addr::new(10, 77, 0, last)).collect();
    lab.client().use_addresses("10.77.0.0/24");
    lab.appliance().ip(format!("route add 10.77.0.0/24 via {}", lab.client().address()));
    let mut setting = Setting::first();
    lab.lbd().start(&setting.config(&lab));
    lab.lbd().wait_service("POOL", "up");
    let known = servers_of(&lab, &clients);
    // One load for each server: a change that resets the connections of either is seen.
    let second = lab.server("POOL3_NODE1");
    let own = lab.client().ask(lab.vip(0), 2001).server;
    let other = if own == "NODE1" { "NODE2" } else { "NODE1" };
    setting.pin = format!("pin = [{{ client = \"{}/32\", server = \"{other}\" }}]", second.address());
    lab.lbd().put(&setting.config(&lab)).expect(200);
    assert_eq!(second.ask(lab.vip(0), 2001).server, other);
    let loads = [lab.client(), second].map(|client| client.load(lab.vip(0), 2001, 1, 3));
    let mut random = Rng::with_seed(random::seed("change after change"));
    let mut before = Table::read(lab.appliance()).counters();
    let changes = random::rounds(40, 1000);
    for number in 1..=changes {
        let next = setting.changed(&mut random);
        lab.lbd().put(&next.config(&lab)).expect(200);
        setting = next;
        if number % LOOK == 0 {
            assert_eq!(entries(&lab, &clients), clients.len(), "after change {number}: {setting:?}");
            assert_eq!(servers_of(&lab, &clients), known, "after change {number}: {setting:?}");
            let after = Table::read(lab.appliance()).counters();
            for name in LASTING {
                assert!(
                    after[name] >= before[name],
                    "counter {name} started anew by change {number}: {setting:?}"
                );
            }
            before = after;
            loads.iter().for_each(|load| load.wait_more(5));
        }
    }
    for done in loads.map(|load| load.expect_no_failures()) {
        let (opened, round_trips) = (done.opened, done.round_trips);
        println!("{changes} changes, {opened} new connections, {round_trips} round trips, none failed");
    }
}
