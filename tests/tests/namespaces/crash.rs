//! lbd dies under load: traffic does not notice, and the next lbd finds everything as it was.

use lab::kernel::{Table, addresses};
use lab::{Lab, random};

/// A pool with load on it: two servers, some new connections all the time, some held. They take turns, so that the
/// kernel's rules do not follow the load.
fn under_load(lab: &Lab) -> lab::tcp::Load {
    for node in ["NODE1", "NODE2"] {
        lab.server(node).named_server(node, 2001);
    }
    lab.lbd().start(&lab.config([&lab.pool().in_turn()]));
    lab.lbd().wait_service("POOL", "up");
    lab.client().load(lab.vip(0), 2001, 4, 4)
}

#[test]
fn not_one_connection_fails_when_lbd_is_killed() {
    let lab = Lab::single_arm();
    let load = under_load(&lab);
    for _ in 0..random::rounds(3, 20) {
        load.wait_more(50);
        lab.lbd().kill();
        load.wait_more(100);
        lab.lbd().start_again();
        lab.lbd().wait_service("POOL", "up");
        load.wait_more(50);
    }
    let done = load.expect_no_failures();
    println!("{} new connections and {} round trips, none failed", done.opened, done.round_trips);
}

#[test]
fn an_orderly_end_leaves_the_traffic_alone_too() {
    let lab = Lab::two_arm();
    let load = under_load(&lab);
    load.wait_more(20);
    lab.lbd().stop();
    load.wait_more(100);
    lab.lbd().start_again();
    lab.lbd().wait_service("POOL", "up");
    load.wait_more(20);
    load.expect_no_failures();
}

#[test]
fn the_next_lbd_adopts_the_kernels_state_untouched() {
    let lab = Lab::single_arm();
    let load = under_load(&lab);
    load.wait_more(20);
    lab.lbd().kill();
    let (before, before_addresses) = (Table::read(lab.appliance()), addresses(lab.appliance()));
    assert_eq!(before.sticky(lab.client().address()).len(), 1);
    let opened = before.counters();
    assert!(opened.values().any(|packets| *packets > 0), "{opened:?}");

    lab.lbd().start_again();
    lab.lbd().wait_service("POOL", "up");
    let after = Table::read(lab.appliance());
    after.expect_same_as(&before);
    assert_eq!(addresses(lab.appliance()), before_addresses);
    for (name, packets) in after.counters() {
        assert!(packets >= opened[&name], "counter {name} fell from {} to {packets}", opened[&name]);
    }
    load.wait_more(20);
    load.expect_no_failures();
}

#[test]
fn a_server_that_died_while_lbd_was_down_is_found() {
    let lab = Lab::single_arm();
    let node1 = lab.server("NODE1").named_server("NODE1", 2001);
    lab.server("NODE2").named_server("NODE2", 2001);
    lab.lbd().start(&lab.config([&lab.pool()]));
    lab.lbd().wait_service("POOL", "up");
    lab.lbd().kill();
    node1.kill();
    lab.lbd().start_again();
    lab.lbd().wait_server("POOL", "NODE1", "down");
    assert_eq!(lab.client().ask(lab.vip(0), 2001).server, "NODE2");
}
