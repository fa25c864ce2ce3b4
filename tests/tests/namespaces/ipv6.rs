//! IPv6 beside IPv4: one service in both families, routers, neighbours, nothing else reachable.

use std::net::Ipv6Addr;

use lab::kernel::{Table, addresses};
use lab::topology::{MANAGEMENT, ipv6};
use lab::{Lab, Pool, wait};

/// Virtual addresses of both families, servers NODE1 and NODE2 in both.
fn pool(lab: &Lab) -> Pool {
    let nodes = ["NODE1", "NODE2"].map(|node| ipv6(lab.server(node).address()));
    let pool = lab.pool().at(&[lab.vip(0).into(), ipv6(lab.vip(0)).into()]);
    pool.server("NODE1-6", nodes[0]).server("NODE2-6", nodes[1])
}

fn vip(lab: &Lab) -> Ipv6Addr {
    ipv6(lab.vip(0))
}

#[test]
fn one_service_answers_in_both_families() {
    let lab = Lab::single_arm().with_ipv6();
    for node in ["NODE1", "NODE2"] {
        lab.server(node).named_server(node, 2001);
    }
    lab.lbd().start(&lab.config([&pool(&lab)]));
    lab.lbd().wait_service("POOL", "up");
    let (four, six) = (lab.client().ask(lab.vip(0), 2001), lab.client().ask(vip(&lab), 2001));
    assert_eq!(four.seen, lab.vip(0).to_string());
    assert_eq!(six.seen, vip(&lab).to_string());
    assert_eq!(lab.lbd().snat_source("POOL", "NODE1-6"), six.seen);
    let known = Table::read(lab.appliance()).sticky(ipv6(lab.client().address()));
    assert_eq!(known.len(), 1);
    for _ in 0..5 {
        assert_eq!(lab.client().ask(vip(&lab), 2001), six, "the client keeps its server");
    }
    let closed = lab.client().scan(vip(&lab), &[22, 2000, 9443]);
    assert!(closed.values().all(|state| state != "open"), "{closed:?}");
    let own = lab.client().scan(ipv6(MANAGEMENT), &[2001, 9443]);
    assert!(own.values().all(|state| state == "silent"), "the appliance's own IPv6 address: {own:?}");
}

#[test]
fn an_ipv6_server_that_dies_is_left_and_clients_of_a_dead_pool_are_refused() {
    let lab = Lab::single_arm().with_ipv6();
    let servers = ["NODE1", "NODE2"].map(|node| (node, lab.server(node).named_server(node, 2001)));
    lab.lbd().start(&lab.config([&pool(&lab)]));
    lab.lbd().wait_service("POOL", "up");
    let first = lab.client().ask(vip(&lab), 2001).server;
    let dies = |name: &str| {
        servers.iter().find(|(node, _)| *node == name).expect("a server").1.kill();
        lab.lbd().wait_server("POOL", &format!("{name}-6"), "down");
    };
    let held = lab.client().hold(vip(&lab), 2001);
    assert_eq!(held.reply.server, first, "the client keeps its server");
    // Nothing tells the client but the appliance.
    lab.server(&first).set_link(false);
    lab.lbd().wait_server("POOL", &format!("{first}-6"), "down");
    held.expect_reset();
    let second = lab.client().ask(vip(&lab), 2001).server;
    assert_ne!(second, first);
    dies(&second);
    assert_eq!(lab.client().scan(vip(&lab), &[2001])[&2001], "refused");
}

#[test]
fn servers_behind_a_router_see_the_virtual_address() {
    let lab = Lab::routed().with_ipv6();
    lab.host("router").run("sysctl -qw net.ipv6.conf.all.forwarding=1").expect_ok();
    lab.appliance().ip("-6 route add default via fd00:192:168:10::1");
    lab.server("NODE1").ip("-6 route add default via fd00:192:168:20::1");
    lab.server("NODE1").named_server("NODE1", 2001);
    let pool = lab.pool().weights(&[100]).at(&[lab.vip(0).into(), vip(&lab).into()]);
    let pool = pool.server("SIX", ipv6(lab.server("NODE1").address()));
    lab.lbd().start(&lab.config([&pool]));
    lab.lbd().wait_service("POOL", "up");
    assert_eq!(lab.client().ask(vip(&lab), 2001).seen, vip(&lab).to_string());
}

#[test]
fn servers_see_a_pool_of_source_addresses() {
    let lab = Lab::single_arm().with_ipv6();
    lab.server("NODE1").named_server("NODE1", 2001);
    let sources = ["fd00:192:168:10::200", "fd00:192:168:10::201"];
    let pool = lab.pool().weights(&[100]).at(&[lab.vip(0).into(), vip(&lab).into()]);
    let pool = pool.server("SIX", ipv6(lab.server("NODE1").address()));
    let pool = pool.with(&format!("snat_pool = [\"{}-{}\"]", sources[0], sources[1]));
    lab.lbd().start(&lab.config([&pool]));
    lab.lbd().wait_service("POOL", "up");
    let first = lab.client().ask(vip(&lab), 2001);
    assert!(sources.contains(&first.seen.as_str()), "{first:?}");
    for _ in 0..5 {
        assert_eq!(lab.client().ask(vip(&lab), 2001), first, "always the same for a client");
    }
    assert_eq!(
        lab.client().ask(lab.vip(0), 2001).seen,
        lab.vip(0).to_string(),
        "the pool has no IPv4 address"
    );
}

/// A neighbour that knows another Ethernet address for the virtual address learns ours without asking.
#[test]
fn neighbours_are_told_where_the_address_lives() {
    let lab = Lab::single_arm().with_ipv6();
    let client = lab.client();
    client.ip(format!("neigh add {} lladdr 02:00:00:00:00:77 dev eth0 nud stale", vip(&lab)));
    client.ip(format!("neigh add {} lladdr 02:00:00:00:00:77 dev eth0 nud stale", lab.vip(0)));
    lab.lbd().start(&lab.config([&pool(&lab)]));
    let neighbour = || client.run(format!("ip -6 neigh show {}", vip(&lab))).expect_ok().to_owned();
    wait::until(lab::lbd::SOON, "the neighbour to learn the Ethernet address", || {
        !neighbour().contains("02:00:00:00:00:77")
    });
    wait::until(lab::lbd::SOON, "the same for IPv4", || {
        !client.run(format!("ip neigh show {}", lab.vip(0))).expect_ok().contains("02:00:00:00:00:77")
    });
    assert!(neighbour().contains("router"), "as the kernel itself answers: {}", neighbour());
    assert!(addresses(lab.appliance()).contains(&format!("eth0 {}/128", vip(&lab))));
    let chosen = lab.appliance().run(format!("ip -6 route get {}", ipv6(client.address())));
    assert!(
        chosen.expect_ok().contains(&format!("src {}", ipv6(MANAGEMENT))),
        "the virtual address is nobody's source by itself: {}",
        chosen.expect_ok()
    );
}

#[test]
fn a_service_moves_its_ipv6_address_and_a_stopped_lbd_keeps_it() {
    let lab = Lab::single_arm().with_ipv6();
    lab.server("NODE1").named_server("NODE1", 2001);
    lab.server("NODE2").named_server("NODE2", 2001);
    lab.lbd().start(&lab.config([&pool(&lab)]));
    lab.lbd().wait_service("POOL", "up");
    let moved = pool(&lab).at(&[lab.vip(0).into(), ipv6(lab.vip(1)).into()]);
    lab.lbd().put(&lab.config([&moved])).expect(200);
    assert_ne!(lab.client().scan(vip(&lab), &[2001])[&2001], "open");
    let answered = lab.client().ask(ipv6(lab.vip(1)), 2001);
    lab.lbd().kill();
    assert_eq!(lab.client().ask(ipv6(lab.vip(1)), 2001), answered);
    let before = Table::read(lab.appliance());
    lab.lbd().start_again();
    lab.lbd().wait_service("POOL", "up");
    Table::read(lab.appliance()).expect_same_as(&before);
}

#[test]
fn ipv6_clients_of_one_network_count_as_one_and_are_pinned_as_one() {
    let lab = Lab::single_arm().with_ipv6();
    for node in ["NODE1", "NODE2"] {
        lab.server(node).named_server(node, 2001);
    }
    let config = lab
        .config([&pool(&lab)])
        .replacing("timeout_seconds = 300", "timeout_seconds = 300\nipv6_prefix_length = 64");
    lab.lbd().start(&config);
    lab.lbd().wait_service("POOL", "up");
    let first = lab.client().ask(vip(&lab), 2001);
    assert_eq!(lab.client().ask(vip(&lab), 2001), first);
    let network = Ipv6Addr::new(0xfd00, 0x192, 0x168, 0x10, 0, 0, 0, 0);
    let table = Table::read(lab.appliance());
    let known = (table.sticky(network).len(), table.sticky(ipv6(lab.client().address())).len());
    assert_eq!(known, (1, 0));
    let other = if first.server == "NODE1" { "NODE2" } else { "NODE1" };
    let pin = format!("pin = [{{ client = \"{network}/64\", server = \"{other}-6\" }}]\nprotocol = \"tcp\"");
    lab.lbd().put(&config.replacing("protocol = \"tcp\"", &pin)).expect(200);
    assert_eq!(lab.client().ask(vip(&lab), 2001).server, other, "whatever persistence knows");
    lab.lbd().put(&config).expect(200);
    assert_eq!(lab.client().ask(vip(&lab), 2001), first, "what persistence knew is not lost");
}

#[test]
fn the_appliance_is_no_router_for_ipv6_either() {
    let lab = Lab::single_arm().with_ipv6();
    for node in ["NODE1", "NODE2"] {
        lab.server(node).named_server(node, 2001);
    }
    // The server lies on a network that only the appliance could lead to.
    let hidden: Ipv6Addr = "fd09::9".parse().expect("an address");
    lab.server("NODE1").ip(format!("address add {hidden}/128 dev lo"));
    lab.appliance().ip(format!("route add {hidden}/128 via {}", ipv6(lab.server("NODE1").address())));
    lab.client().ip(format!("route add {hidden}/128 via {}", ipv6(MANAGEMENT)));
    lab.lbd().start(&lab.config([&pool(&lab)]));
    lab.lbd().wait_service("POOL", "up");
    assert!(
        lab.appliance().run(format!("ping -c 1 -W 10 {hidden}")).is_ok(),
        "the appliance itself reaches it"
    );
    assert_eq!(lab.client().scan(hidden, &[2001])[&2001], "silent");
    assert!(!lab.client().run(format!("ping -c 1 -W 1 {hidden}")).is_ok());
}
