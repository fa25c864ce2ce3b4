//! What an operator orders: servers drained and halted, services switched off; and services over UDP.

use std::time::Duration;

use lab::topology::MANAGEMENT;
use lab::{Config, Lab, wait};

/// What is promised of a dead server's entries, and what a busy machine needs to look.
const GONE_WITHIN: Duration = Duration::from_millis(1_000 + 1_500);

fn start(lab: &Lab) {
    lab.server("NODE1").named_server("NODE1", 2001);
    lab.server("NODE2").named_server("NODE2", 2001);
    lab.lbd().start(&lab.config([&lab.pool()]));
    lab.lbd().wait_service("POOL", "up");
}

/// The pool with its first server in another state.
fn with_node1(lab: &Lab, state: &str) -> Config {
    lab.config([&lab.pool()]).replacing("weight = 100", &format!("weight = 100\nstate = \"{state}\""))
}

/// Without persistence a client keeps its server by its address alone, and keeps it when another server leaves.
#[test]
fn by_source_hash_a_server_that_leaves_moves_only_its_own_clients() {
    let lab = Lab::single_arm();
    for node in ["NODE1", "NODE2", "POOL2_NODE1"] {
        lab.server(node).named_server(node, 2001);
    }
    let pool = lab.pool().persistence(None).server("THREE", lab.server("POOL2_NODE1").address());
    let config = lab
        .config([&pool])
        .replacing("protocol = \"tcp\"", "protocol = \"tcp\"\nscheduler = \"source-hash\"");
    lab.lbd().start(&config);
    lab.lbd().wait_service("POOL", "up");
    lab.client().use_addresses("10.77.0.0/16");
    lab.appliance().ip("route add 10.77.0.0/16 via 192.168.10.50");
    let clients: Vec<_> = (1..=30).map(|last| std::net::Ipv4Addr::new(10, 77, 0, last)).collect();
    let ask = || lab.client().ask_as(&clients, lab.vip(0), 2001);
    let before = ask();
    let names: std::collections::BTreeSet<_> = before.iter().map(|reply| reply.server.as_str()).collect();
    assert_eq!(names.len(), 3, "{before:?}");
    assert_eq!(ask(), before);
    lab.lbd().put(&config.replacing("weight = 100", "weight = 0")).expect(200);
    for (before, after) in before.iter().zip(ask()) {
        assert!(*before == after || before.server == "NODE1", "{before:?} moved to {after:?}");
        assert_ne!(after.server, "NODE1");
    }
}

#[test]
fn a_drained_server_keeps_its_connections_and_gets_no_new_ones_not_even_of_clients_that_know_it() {
    let lab = Lab::single_arm();
    start(&lab);
    let vip = lab.vip(0);
    // Persistent clients: one of these two addresses knows NODE1.
    lab.client().use_addresses("10.77.0.0/16");
    lab.appliance().ip("route add 10.77.0.0/16 via 192.168.10.50");
    let held = lab.client().load(vip, 2001, 1, 4);
    let known: Vec<_> = (1..=6).map(|last| std::net::Ipv4Addr::new(10, 77, 0, last)).collect();
    let before = lab.client().ask_as(&known, vip, 2001);
    assert!(before.iter().any(|reply| reply.server == "NODE1"), "{before:?}");
    lab.lbd().put(&with_node1(&lab, "drain")).expect(200);
    lab.lbd().wait_server("POOL", "NODE1", "drained");
    assert_eq!(lab.lbd().service("POOL")["state"], "up", "who is wanted out is not missing");
    let after = lab.client().ask_as(&known, vip, 2001);
    assert!(after.iter().all(|reply| reply.server == "NODE2"), "{after:?}");
    held.wait_more(50);
    held.expect_no_failures();
    lab.lbd().put(&with_node1(&lab, "online")).expect(200);
    lab.lbd().wait_server("POOL", "NODE1", "up");
}

#[test]
fn a_service_that_is_switched_off_has_no_address_and_comes_back() {
    let lab = Lab::single_arm();
    start(&lab);
    let config = lab.config([&lab.pool()]);
    let off = config.replacing("[[virtual_service]]", "[[virtual_service]]\nenabled = false");
    lab.lbd().put(&off).expect(200);
    lab.lbd().wait_service("POOL", "off");
    let addresses = lab.appliance().run("ip -brief address show dev eth0").expect_ok().to_owned();
    assert!(addresses.contains(&MANAGEMENT.to_string()), "{addresses}");
    assert!(!addresses.contains(&lab.vip(0).to_string()), "{addresses}");
    lab.lbd().put(&config).expect(200);
    lab.lbd().wait_service("POOL", "up");
    assert!(!lab.client().ask(lab.vip(0), 2001).server.is_empty());
}

#[test]
fn datagrams_are_balanced_and_refused_when_no_server_is_left() {
    let lab = Lab::single_arm();
    let nodes = ["NODE1", "NODE2"].map(|node| lab.server(node).named_server(node, 2001));
    let both =
        lab.config([&lab.pool().persistence(None)]).replacing("protocol = \"tcp\"", "protocol = \"tcp+udp\"");
    lab.lbd().start(&both);
    lab.lbd().wait_service("POOL", "up");
    let vip = lab.vip(0);
    let answers: Vec<_> = (0..6).map(|_| lab.client().ask_udp(vip, 2001)).collect();
    for node in ["NODE1", "NODE2"] {
        assert!(answers.contains(&format!("{node} {vip}")), "{answers:?}");
    }
    assert_eq!(lab.client().ask_udp(vip, 2002), "ConnectionRefused", "a port of no service");
    let udp_only = lab.config([&lab.pool()]).replacing("protocol = \"tcp\"", "protocol = \"udp\"");
    lab.lbd().put(&udp_only).expect(200);
    let kept = lab.client().ask_udp(vip, 2001);
    assert!(kept.starts_with("NODE"));
    (0..5).for_each(|_| {
        assert_eq!(lab.client().ask_udp(vip, 2001), kept, "each flow of a client goes to its server")
    });
    assert_eq!(lab.client().scan(vip, &[2001])[&2001], "refused", "TCP is no longer served");
    for node in nodes {
        node.kill();
    }
    lab.lbd().wait_service("POOL", "down");
    assert_eq!(lab.client().ask_udp(vip, 2001), "ConnectionRefused");
}

/// A flow has no connection that could be reset: the client goes on from the same port, and must not go on to nobody.
#[test]
fn the_datagrams_of_a_flow_go_to_another_server_when_theirs_dies_and_to_nobody_else_before() {
    let lab = Lab::single_arm();
    for node in ["NODE1", "NODE2"] {
        lab.server(node).named_server(node, 2001);
    }
    let udp = lab.config([&lab.pool()]).replacing("protocol = \"tcp\"", "protocol = \"tcp+udp\"");
    lab.lbd().start(&udp);
    lab.lbd().wait_service("POOL", "up");
    let flow = lab.client().hold_flow(lab.vip(0), 2001);
    let first = flow.ask();
    assert_eq!([flow.ask(), flow.ask()], [first.clone(), first.clone()]);
    let (name, other) = if first.starts_with("NODE1 ") { ("NODE1", "NODE2") } else { ("NODE2", "NODE1") };
    lab.server(other).set_link(false);
    lab.lbd().wait_server("POOL", other, "down");
    assert_eq!(flow.ask(), first, "another one's end is none of its concern");
    lab.server(other).set_link(true);
    lab.lbd().wait_service("POOL", "up");
    lab.server(name).set_link(false);
    lab.lbd().wait_server("POOL", name, "down");
    let entries = format!("/api/v1/connections?service=POOL&server={name}");
    wait::until(GONE_WITHIN, "the kernel to forget the flow", || {
        lab.lbd().request("GET", &entries, None).expect(200).json["connections"] == serde_json::json!([])
    });
    assert_eq!(flow.ask(), format!("{other} {}", lab.vip(0)));
}

/// As an alert tells it too: before the ports are gone, by the configured share of them.
#[test]
fn scarce_source_ports_are_told_before_they_run_out() {
    let lab = Lab::single_arm();
    lab.server("NODE1").named_server("NODE1", 2001);
    // The kernel's own half a minute is too short to open and count them all on a busy machine.
    let pool = lab.pool().weights(&[100]).with("idle_timeout_seconds = 600");
    let config = lab.config([&pool]).replacing("protocol = \"tcp\"", "protocol = \"tcp+udp\"");
    lab.lbd().start(&config.followed_by("[layer4]\nsnat_ports_warning_percent = 10\n"));
    lab.lbd().wait_service("POOL", "up");
    let problems = || lab.lbd().status()["problems"].to_string();
    lab.client().leave_flows(10_000..16_000, lab.vip(0), 2001);
    let in_use = || lab.lbd().server("POOL", "NODE1")["snat_ports_in_use"].as_u64();
    lab.lbd().wait_status("6,000 ports to be counted", |_| in_use() >= Some(6_000));
    assert!(!problems().contains("source ports"), "{}", problems());
    lab.client().leave_flows(16_000..16_500, lab.vip(0), 2001);
    lab.lbd().wait_status("the warning", |_| {
        let told = problems();
        told.contains("NODE1 of POOL") && told.contains("of 64512 source ports of one SNAT address")
    });
}
