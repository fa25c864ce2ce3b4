//! Clients reach the servers through the virtual addresses: the right pool, intact, kept, shared out.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use lab::kernel::{Table, addresses};
use lab::tcp::Reply;
use lab::topology::ipv6;
use lab::{Config, Lab, Mode, peers, random, wait};

/// Made-up clients: the client host uses them all, and the appliance knows the way back.
fn many_clients(lab: &Lab, count: u8) -> Vec<Ipv4Addr> {
    lab.client().use_addresses("10.1.0.0/16");
    lab.appliance().ip(format!("route add 10.1.0.0/16 via {}", lab.client().address()));
    (1..=count).map(|last| Ipv4Addr::new(10, 1, 0, last)).collect()
}

fn start_named_servers(lab: &Lab, port: u16) {
    lab.server("NODE1").named_server("NODE1", port);
    lab.server("NODE2").named_server("NODE2", port);
}

fn count_by_server(replies: &[Reply]) -> BTreeMap<&str, usize> {
    replies.iter().fold(BTreeMap::new(), |mut counts, reply| {
        *counts.entry(reply.server.as_str()).or_default() += 1;
        counts
    })
}

#[test]
fn each_pool_of_the_example_answers_with_its_own_ae_title() {
    let lab = Lab::single_arm();
    let pools = [
        ("DATALINK_POOL1", "NODE1", 2001, "DW_SCP"),
        ("DATALINK_POOL2", "POOL2_NODE1", 2003, "DW_MPPS_SCP"),
        ("DATALINK_POOL3", "POOL3_NODE1", 2002, "DW_RDSR_SCP"),
    ];
    for (_, server, port, title) in pools {
        lab.server(server).scp(title, port, Mode::Good);
    }
    lab.server("NODE2").scp("DW_SCP", 2001, Mode::Good);
    lab.lbd().start(&Config::datalink());
    for (number, (pool, _, port, title)) in (0..).zip(pools) {
        lab.lbd().wait_service(pool, "up");
        lab.client().echoscu(lab.vip(number), port, title).expect_ok();
        let refused = lab.client().echoscu(lab.vip(number), port, "SOMEBODY_ELSE");
        refused.expect_failure("Called AE Title Not Recognized");
    }
    let told = lab
        .lbd()
        .command(&format!("status --json --control-socket {}", lab.lbd().control_socket().display()), "");
    let told: serde_json::Value = serde_json::from_str(told.expect_ok()).expect("JSON");
    assert_eq!(told["virtual_services"][2]["label"], "DATALINK_POOL3");
}

/// What must work in every topology, with real DICOM: files arrive intact, servers see the source address
/// that the status names, one client stays on one server.
fn dicom_works(lab: &Lab) {
    let scps = ["NODE1", "NODE2"].map(|node| (node, lab.server(node).scp("DW_SCP", 2001, Mode::Good)));
    // A check that waits behind the files is no failure.
    lab.lbd().start(&lab.config([&lab.pool().echo_check("DW_SCP").check_every(10, 10)]));
    lab.lbd().wait_service("POOL", "up");
    let files = lab.client().new_path("files");
    peers::make_files(&files, 50);
    lab.client().storescu(lab.vip(0), 2001, "DW_SCP", &files).expect_ok();
    for _ in 0..5 {
        lab.client().echoscu(lab.vip(0), 2001, "DW_SCP").expect_ok();
    }
    let (used, unused): (Vec<_>, Vec<_>) =
        scps.iter().partition(|(_, scp)| !scp.peers("MODALITY").is_empty());
    assert_eq!((used.len(), unused.len()), (1, 1), "the client keeps its server");
    let (node, scp) = used[0];
    peers::expect_same_files(&files, &scp.folder);
    assert_eq!(scp.peers("MODALITY"), vec![lab.lbd().snat_source("POOL", node); 6]);
}

#[test]
fn fifty_files_arrive_intact_single_arm() {
    let lab = Lab::single_arm();
    dicom_works(&lab);
    assert_eq!(lab.lbd().snat_source("POOL", "NODE1"), lab.vip(0).to_string());
}

#[test]
fn fifty_files_arrive_intact_two_arm() {
    let lab = Lab::two_arm();
    dicom_works(&lab);
    assert_eq!(lab.lbd().snat_source("POOL", "NODE1"), "192.168.10.10", "replies must come back over eth0");
}

#[test]
fn fifty_files_arrive_intact_over_a_router() {
    let lab = Lab::routed();
    dicom_works(&lab);
    assert_eq!(lab.lbd().snat_source("POOL", "NODE1"), lab.vip(0).to_string());
}

/// While a client connects more often than the time-out it keeps its server; when it is quiet for longer,
/// the kernel forgets it.
fn persistence_lasts_while_used(lab: &Lab) {
    // Long beside the pause between two connections of a client on a busy machine.
    let timeout = 5;
    start_named_servers(lab, 2001);
    lab.lbd().start(&lab.config([&lab.pool().persistence(Some(timeout))]));
    lab.lbd().wait_service("POOL", "up");
    let first = lab.client().ask(lab.vip(0), 2001);
    assert_eq!(first.seen, lab.lbd().snat_source("POOL", &first.server));
    let period = Duration::from_secs(2 * u64::from(timeout));
    let last = Cell::new(Instant::now());
    wait::holds_for(period, "the client keeps its server", || {
        last.set(Instant::now());
        lab.client().ask(lab.vip(0), 2001) == first
    });
    let known = || !Table::read(lab.appliance()).sticky(lab.client().address()).is_empty();
    assert!(known());
    wait::until(Duration::from_secs(30), "the entry to time out", || !known());
    let lasted = last.get().elapsed();
    assert!(lasted > Duration::from_millis(4900), "gone {lasted:?} after the last connection");
}

#[test]
fn a_client_keeps_its_server_while_it_goes_on_connecting() {
    persistence_lasts_while_used(&Lab::single_arm());
}

#[test]
fn a_client_keeps_its_server_two_arm() {
    persistence_lasts_while_used(&Lab::two_arm());
}

#[test]
fn a_client_keeps_its_server_over_a_router() {
    persistence_lasts_while_used(&Lab::routed());
}

#[test]
fn fifty_parallel_first_connections_stay_on_one_server() {
    let lab = Lab::single_arm();
    start_named_servers(&lab, 2001);
    lab.lbd().start(&lab.config([&lab.pool()]));
    lab.lbd().wait_service("POOL", "up");
    let rounds = u8::try_from(random::rounds(5, 50)).expect("few");
    let mut used = BTreeMap::new();
    for client in many_clients(&lab, rounds) {
        let replies = lab.client().ask_together(50, client, lab.vip(0), 2001);
        assert_eq!(replies.len(), 50);
        assert_eq!(count_by_server(&replies).len(), 1, "{client} was spread over servers: {replies:?}");
        *used.entry(replies[0].server.clone()).or_insert(0) += 1;
    }
    assert_eq!(used.len(), 2, "different clients use both servers: {used:?}");
}

/// The same in the other topologies, for one client.
fn first_connections_stay_together(lab: &Lab) {
    start_named_servers(lab, 2001);
    lab.lbd().start(&lab.config([&lab.pool()]));
    lab.lbd().wait_service("POOL", "up");
    let replies = lab.client().ask_together(50, lab.client().address(), lab.vip(0), 2001);
    assert_eq!(count_by_server(&replies).into_values().collect::<Vec<_>>(), [50]);
}

#[test]
fn fifty_parallel_first_connections_stay_together_two_arm() {
    first_connections_stay_together(&Lab::two_arm());
}

#[test]
fn fifty_parallel_first_connections_stay_together_over_a_router() {
    first_connections_stay_together(&Lab::routed());
}

#[test]
fn clients_are_shared_out_by_weight() {
    let lab = Lab::single_arm();
    start_named_servers(&lab, 2001);
    lab.lbd().start(&lab.config([&lab.pool().in_turn().weights(&[100, 50])]));
    lab.lbd().wait_service("POOL", "up");
    let clients = many_clients(&lab, 150);
    let first = lab.client().ask_as(&clients, lab.vip(0), 2001);
    assert_eq!(count_by_server(&first), BTreeMap::from([("NODE1", 100), ("NODE2", 50)]));
    let second = lab.client().ask_as(&clients, lab.vip(0), 2001);
    assert!(first == second, "every client keeps its server");
    let early: Vec<_> = first.iter().take(6).collect();
    assert!(early.iter().any(|reply| reply.server == "NODE2"), "shares are interleaved: {early:?}");
}

#[test]
fn a_server_of_weight_zero_gets_no_new_client() {
    let lab = Lab::single_arm();
    start_named_servers(&lab, 2001);
    lab.lbd().start(&lab.config([&lab.pool().weights(&[0, 50])]));
    lab.lbd().wait_service("POOL", "up");
    let replies = lab.client().ask_as(&many_clients(&lab, 20), lab.vip(0), 2001);
    assert_eq!(count_by_server(&replies), BTreeMap::from([("NODE2", 20)]));
}

#[test]
fn without_persistence_one_client_uses_all_servers_in_turn() {
    let lab = Lab::single_arm();
    start_named_servers(&lab, 2001);
    lab.lbd().start(&lab.config([&lab.pool().in_turn().persistence(None)]));
    lab.lbd().wait_service("POOL", "up");
    let replies = lab.client().ask_as(&[lab.client().address(); 20], lab.vip(0), 2001);
    assert_eq!(count_by_server(&replies), BTreeMap::from([("NODE1", 10), ("NODE2", 10)]));
}

#[test]
fn ports_are_kept_in_ranges_and_translated_where_configured() {
    let lab = Lab::single_arm().with_ipv6();
    let node = lab.server("NODE1");
    for port in [2001, 2003, 2004, 8080] {
        node.named_server(&format!("PORT{port}"), port);
    }
    let at = |number: u8| [IpAddr::from(lab.vip(number)), ipv6(lab.vip(number)).into()];
    let pool = |label: &str, number: u8| {
        let pool = lab.pool().named(label, lab.vip(number)).at(&at(number)).weights(&[100]);
        pool.server("SIX", ipv6(node.address()))
    };
    let same = pool("POOL", 0).ports("2001,2003-2004");
    let translated = pool("WEB", 1).ports("80").server_port(8080);
    let config = lab.config([&same, &translated]);
    lab.lbd().start(&config.replacing_all("protocol = \"tcp\"", "protocol = \"tcp+udp\""));
    lab.lbd().wait_service("POOL", "up");
    lab.lbd().wait_service("WEB", "up");
    let expect = |address: IpAddr, port: u16, server: u16| {
        assert_eq!(lab.client().ask(address, port).server, format!("PORT{server}"), "{address}:{port}/tcp");
        let answer = format!("PORT{server} {address}");
        assert_eq!(lab.client().ask_udp(address, port), answer, "{address}:{port}/udp");
    };
    for address in at(0) {
        [2001, 2003, 2004].into_iter().for_each(|port| expect(address, port, port));
    }
    at(1).into_iter().for_each(|address| expect(address, 80, 8080));
    let closed = lab.client().scan(lab.vip(0), &[80, 2000, 2002, 2005]);
    assert!(closed.values().all(|state| state != "open"), "{closed:?}");
}

#[test]
fn one_service_answers_at_several_addresses_as_one() {
    let lab = Lab::single_arm();
    let nodes = ["NODE1", "NODE2"].map(|node| lab.server(node).named_server(node, 2001));
    let addresses = [lab.vip(0), lab.vip(1)];
    lab.lbd().start(&lab.config([&lab.pool().at(&addresses.map(Into::into))]));
    lab.lbd().wait_service("POOL", "up");
    let servers = || addresses.map(|address| lab.client().ask(address, 2001).server);
    let [one, other] = servers();
    assert_eq!(one, other, "a client keeps its server at whichever address");
    let used = usize::from(one != "NODE1");
    nodes[used].kill();
    lab.lbd().wait_service("POOL", "degraded");
    assert_eq!(servers(), [["NODE2", "NODE1"][used]; 2]);
}

#[test]
fn the_source_address_is_the_one_configured() {
    let lab = Lab::single_arm();
    start_named_servers(&lab, 2001);
    for (choice, expected) in [("interface", "192.168.10.10"), ("virtual-address", "192.168.10.100")] {
        let config = lab.config([&lab.pool().snat_source(choice)]);
        match choice {
            "interface" => lab.lbd().start(&config),
            _ => _ = lab.lbd().put(&config).expect(200),
        }
        lab.lbd().wait_service("POOL", "up");
        assert_eq!(lab.lbd().snat_source("POOL", "NODE1"), expected);
        assert_eq!(lab.client().ask(lab.vip(0), 2001).seen, expected);
    }
}

/// Each client is seen under one address of the pool, all of them are used, and they are the appliance's own while they
/// are configured.
fn a_pool_of_sources_is_used(lab: &Lab, pool: &[Ipv4Addr; 4], servers_as: &str) {
    start_named_servers(lab, 2001);
    let config = lab.config([&lab.pool().with(&format!("snat_pool = [\"{}-{}\"]", pool[0], pool[3]))]);
    lab.lbd().start(&config);
    lab.lbd().wait_service("POOL", "up");
    let clients = many_clients(lab, 40);
    let seen = |replies: Vec<Reply>| replies.into_iter().map(|reply| reply.seen).collect::<Vec<_>>();
    let first = seen(lab.client().ask_as(&clients, lab.vip(0), 2001));
    let used: BTreeSet<_> = first.iter().cloned().collect();
    assert_eq!(used, pool.iter().map(ToString::to_string).collect(), "40 clients meet all four");
    assert_eq!(seen(lab.client().ask_as(&clients, lab.vip(0), 2001)), first, "each is seen as before");
    let server = lab.lbd().server("POOL", "NODE1");
    assert_eq!(
        (&server["snat_ports_available"], server["snat_pool"].as_array().map(Vec::len)),
        (&(4 * 64_512).into(), Some(4))
    );
    let ours = |address: &Ipv4Addr| {
        addresses(lab.appliance()).iter().any(|one| one.contains(&format!("{address}/32")))
    };
    assert!(pool.iter().all(ours));
    // Nobody is at home there but the translation.
    assert_eq!(
        lab.server("NODE1").scan(pool[0], &[2001, 9443]),
        BTreeMap::from([(2001, "refused".into()), (9443, "refused".into())])
    );
    lab.lbd().put(&lab.config([&lab.pool()])).expect(200);
    assert_eq!(lab.client().ask_as(&clients[..1], lab.vip(0), 2001)[0].seen, servers_as);
    wait::until(lab::lbd::SOON, "the addresses to go", || !pool.iter().any(ours));
}

#[test]
fn servers_see_a_pool_of_source_addresses_single_arm() {
    let lab = Lab::single_arm();
    let pool = [200, 201, 202, 203].map(|last| Ipv4Addr::new(192, 168, 10, last));
    a_pool_of_sources_is_used(&lab, &pool, &lab.vip(0).to_string());
}

#[test]
fn servers_see_a_pool_of_source_addresses_of_their_own_arm() {
    let lab = Lab::two_arm();
    let [a, b, c, _] = lab.server("NODE1").address().octets();
    let pool = [200, 201, 202, 203].map(|last| Ipv4Addr::new(a, b, c, last));
    a_pool_of_sources_is_used(&lab, &pool, "192.168.10.10");
}
