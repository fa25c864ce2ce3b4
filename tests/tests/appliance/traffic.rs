//! The OVA's own disk, booted: adapters named by their slots, and DICOM through the guest's kernel.

use std::time::{Duration, Instant};

use lab::vm::guest::PATIENCE;
use lab::vm::{Guest, Hardware};
use lab::{Config, Lab, Mode, peers, wait};
use nix::sys::signal::Signal;

/// Long beside the pause between two connections through an emulated machine.
const STICKY_SECONDS: u32 = 10;

/// What the deployed machine must be able to do in every topology: files arrive intact from the source address that
/// the status names, one client stays on one server, with fifty first connections at once and beyond the time-out of
/// persistence, and packets take the kernel's short cut.
fn dicom_works(lab: &Lab, guest: &Guest) {
    let scps = ["NODE1", "NODE2"].map(|node| (node, lab.server(node).scp("DW_SCP", 2001, Mode::Good)));
    // A check that an emulated machine is slow with is no failure.
    let plain = lab.pool().named("PLAIN", lab.vip(1)).ports("2002").server_port(2002).check_every(10, 10);
    for node in ["NODE1", "NODE2"] {
        lab.server(node).named_server(node, 2002);
    }
    let plain = plain.persistence(Some(STICKY_SECONDS));
    guest.boot(&lab.config([&lab.pool().echo_check("DW_SCP").check_every(10, 10), &plain]));
    guest.wait_service("POOL", "up");
    guest.wait_service("PLAIN", "up");
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
    assert_eq!(scp.peers("MODALITY"), vec![guest.snat_source("POOL", node); 6]);
    let lengths =
        std::fs::read_dir(&files).expect("the files").map(|file| file.and_then(|file| file.metadata()));
    let sent: u64 = lengths.map(|file| file.expect("a file").len()).sum();
    guest.wait_status("the bytes of what took the short cut, too", |_| {
        guest.server("POOL", node)["bytes_in"].as_u64() >= Some(sent)
    });
    expect_fast_path(guest);
    clients_are_kept(lab, guest);
}

fn clients_are_kept(lab: &Lab, guest: &Guest) {
    let together = lab.client().ask_together(50, lab.client().address(), lab.vip(1), 2002);
    assert_eq!(together.len(), 50);
    let kept = &together[0].server;
    assert!(together.iter().all(|reply| reply.server == *kept), "spread: {together:?}");
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2 * u64::from(STICKY_SECONDS)) {
        assert_eq!(lab.client().ask(lab.vip(1), 2002).server, *kept, "after {:?}", begun.elapsed());
    }
    let held = lab.client().hold(lab.vip(1), 2002);
    // The kernel tells no time left of what takes the short cut.
    wait::until(PATIENCE, "a connection on the short cut", || {
        held.expect_alive();
        let answer = guest.request("GET", "/api/v1/connections?service=PLAIN", None).expect(200);
        let mut open = answer.json["connections"].as_array().into_iter().flatten();
        open.any(|connection| !connection["seconds_left"].is_number())
    });
}

/// Why a server fails is told in the words of the protocol here too.
fn every_reason_is_told(lab: &Lab, guest: &Guest) {
    let reasons = [
        (Mode::Reject(1, 1, 7), "called ae title not recognised"),
        (Mode::Reject(2, 3, 2), "local limit exceeded"),
        (Mode::NoContext, "no presentation context accepted"),
        (Mode::Status(0x0122), "0x0122"),
        (Mode::Abort, "association aborted"),
        (Mode::HangAssociate, "while waiting for the answer to the association"),
        (Mode::CloseEcho, "while waiting for the c-echo"),
    ];
    let pool = |port: u16| {
        let pool = lab.pool().named(&format!("P{port}"), lab.vip(2)).ports(&port.to_string());
        pool.weights(&[100]).server_port(port).echo_check("DW_SCP").check_every(10, 10)
    };
    // Port 2009 is closed, and NOBODY there at all.
    let nobody = std::net::Ipv4Addr::new(192, 168, 10, 199);
    let (mut pools, mut expected) = (vec![pool(2009).server("NOBODY", nobody)], Vec::new());
    for ((mode, words), port) in reasons.into_iter().zip(2010..) {
        lab.server("NODE1").scp("DW_SCP", port, mode);
        pools.push(pool(port));
        expected.push((format!("P{port}"), words));
    }
    guest.put(&lab.config(&pools).with_network(lab.arms(), lab.gateway())).expect(200);
    guest.wait_reason("P2009", "NODE1", "connection refused");
    guest.wait_reason("P2009", "NOBODY", "no route to host");
    for (service, words) in expected {
        guest.wait_reason(&service, "NODE1", words);
    }
}

/// The kernel has taken the flowtable.
fn expect_fast_path(guest: &Guest) {
    let fast_path = &guest.status()["fast_path"];
    assert_eq!(fast_path["available"], true, "{fast_path:#}");
}

#[test]
fn booted_from_the_ova_it_carries_the_three_pools_of_the_example() {
    let lab = Lab::single_arm_with_guest();
    let pools = [
        ("DATALINK_POOL1", "NODE1", 2001, "DW_SCP"),
        ("DATALINK_POOL2", "POOL2_NODE1", 2003, "DW_MPPS_SCP"),
        ("DATALINK_POOL3", "POOL3_NODE1", 2002, "DW_RDSR_SCP"),
    ];
    for (_, server, port, title) in pools {
        lab.server(server).scp(title, port, Mode::Good);
    }
    let node2 = lab.server("NODE2").scp("DW_SCP", 2001, Mode::Good);
    let guest = Guest::new(&lab);
    let took = guest.boot(&Config::datalink());
    println!("first boot: {took:?} from power-on to an answer of the API");
    for (number, (pool, _, port, title)) in (0..).zip(pools) {
        guest.wait_service(pool, "up");
        lab.client().echoscu(lab.vip(number), port, title).expect_ok();
        let refused = lab.client().echoscu(lab.vip(number), port, "SOMEBODY_ELSE");
        refused.expect_failure("Called AE Title Not Recognized");
    }
    assert_eq!(guest.status()["problems"], serde_json::json!([]));
    expect_fast_path(&guest);

    node2.process.signal(Signal::SIGKILL);
    guest.wait_reason("DATALINK_POOL1", "DATALINK_POOL1_NODE2", "connection refused");
    guest.wait_service("DATALINK_POOL1", "degraded");
    lab.client().echoscu(lab.vip(0), 2001, "DW_SCP").expect_ok();
    lab.server("NODE2").scp("DW_SCP", 2001, Mode::Good);
    guest.wait_service("DATALINK_POOL1", "up");

    assert!(guest.machine().shut_down(PATIENCE).success());
}

#[test]
fn fifty_files_arrive_intact_single_arm() {
    let lab = Lab::single_arm_with_guest();
    let guest = Guest::new(&lab);
    dicom_works(&lab, &guest);
    assert_eq!(guest.snat_source("POOL", "NODE1"), lab.vip(0).to_string());
    every_reason_is_told(&lab, &guest);
}

/// Each adapter has an address of its own network: it answers there, or its name is wrong.
#[test]
fn adapters_at_shuffled_addresses_have_their_names_two_arm() {
    let lab = Lab::two_arm_with_guest();
    let guest = Guest::new(&lab);
    dicom_works(&lab, &guest);
    assert_eq!(guest.snat_source("POOL", "NODE1"), "192.168.10.10", "replies must come back over eth0");
    for (number, (host, address)) in [
        ("NODE1", "192.168.10.10"),
        ("client", "172.16.1.10"),
        ("side2", "172.16.2.10"),
        ("side3", "172.16.3.10"),
    ]
    .into_iter()
    .enumerate()
    {
        lab.host(host).run(format!("ping -c 1 -W 20 {address}")).expect_ok();
        let neighbour = lab.host(host).run(format!("ip neighbour show {address}"));
        let mac = Hardware::mac(0, number);
        assert!(neighbour.expect_ok().contains(&mac), "eth{number} should be {mac}: {}", neighbour.stdout);
    }
}

#[test]
fn fifty_files_arrive_intact_over_a_router() {
    let lab = Lab::routed_with_guest();
    let guest = Guest::new(&lab);
    dicom_works(&lab, &guest);
    assert_eq!(guest.snat_source("POOL", "NODE1"), lab.vip(0).to_string());
}

/// The deadlines of the checks are shown in the lab, on a clock that is not emulated.
#[test]
fn a_server_that_freezes_or_loses_its_link_is_avoided_and_used_again_when_it_returns() {
    let lab = Lab::single_arm_with_guest();
    let scps = ["NODE1", "NODE2"].map(|node| (node, lab.server(node).scp("DW_SCP", 2001, Mode::Good)));
    // Seldom and patient enough for an emulated machine, on which a good server would seem to fail.
    let pool = lab.pool().check_every(5, 5);
    let plain = pool.clone().named("PLAIN", lab.vip(1)).ports("2002").server_port(2002);
    let plain_servers = ["NODE1", "NODE2"].map(|node| (node, lab.server(node).named_server(node, 2002)));
    let guest = Guest::new(&lab);
    guest.boot(&lab.config([&pool.echo_check("DW_SCP"), &plain]));
    guest.wait_service("POOL", "up");
    guest.wait_service("PLAIN", "up");
    expect_fast_path(&guest);

    let together = lab.client().ask_together(50, lab.client().address(), lab.vip(1), 2002);
    assert_eq!(together.len(), 50);
    assert!(together.iter().all(|reply| reply.server == together[0].server), "spread: {together:?}");

    lab.client().echoscu(lab.vip(0), 2001, "DW_SCP").expect_ok();
    let used = usize::from(scps[0].1.peers("MODALITY").is_empty());
    let ((name, frozen), (other_name, other)) = (&scps[used], &scps[1 - used]);
    frozen.process.freeze();
    guest.wait_reason("POOL", name, "time-out");
    guest.wait_server("POOL", name, "down");
    lab.client().echoscu(lab.vip(0), 2001, "DW_SCP").expect_ok();
    assert_eq!(other.peers("MODALITY").len(), 1, "the other server takes over");
    frozen.process.thaw();
    guest.wait_server("POOL", name, "up");
    let before = frozen.peers("MODALITY").len();
    other.process.kill();
    guest.wait_server("POOL", other_name, "down");
    lab.client().echoscu(lab.vip(0), 2001, "DW_SCP").expect_ok();
    assert_eq!(frozen.peers("MODALITY").len(), before + 1, "it is used again");

    let name = together[0].server.as_str();
    lab.server(name).set_link(false);
    guest.wait_server("PLAIN", name, "down");
    assert_ne!(lab.client().ask(lab.vip(1), 2002).server, name);
    lab.server(name).set_link(true);
    guest.wait_server("PLAIN", name, "up");
    guest.wait_server("POOL", scps[used].0, "up");
    let (other, server) = plain_servers.iter().find(|(node, _)| *node != name).expect("two servers");
    server.kill();
    guest.wait_server("PLAIN", other, "down");
    assert_eq!(lab.client().ask(lab.vip(1), 2002).server, name, "it is used again");
}
