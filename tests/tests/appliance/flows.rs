//! What only the guest's kernel can show, because it has flowtables: connections on its short cut end when they must.

use std::time::{Duration, Instant};

use lab::vm::Guest;
use lab::vm::guest::PATIENCE;
use lab::{Lab, wait};

/// Longer than it takes to open two connections through an emulated machine that is busy, and to look at them.
const IDLE_SECONDS: u64 = 20;
/// Long beside the pause between two connections through an emulated machine.
const STICKY_SECONDS: u64 = 10;
/// The kernel's entries of a server that died, after the status has told of it.
const FORGOTTEN: Duration = Duration::from_secs(5);
/// Flows are torn down up to a second after their entry has gone, on a machine that is not emulated.
const TORN_DOWN: Duration = Duration::from_secs(15);

#[test]
fn connections_on_the_short_cut_end_with_their_server_and_others_when_they_are_idle() {
    let lab = Lab::single_arm_with_guest();
    let servers = [
        ("NODE1", 2001),
        ("NODE2", 2001),
        ("NODE1", 2002),
        ("NODE1", 2003),
        ("NODE1", 2004),
        ("NODE2", 2004),
    ];
    for (node, port) in servers {
        lab.server(node).named_server(node, port);
    }
    let pool = |name: &str, number: u8, port: u16| {
        let port_text = port.to_string();
        lab.pool().named(name, lab.vip(number)).ports(&port_text).server_port(port).weights(&[100])
    };
    let idle = pool("IDLE", 1, 2002).with(&format!("idle_timeout_seconds = {IDLE_SECONDS}"));
    let datagrams = pool("DATAGRAMS", 2, 2003);
    let both =
        |name: &str, number: u8| lab.pool().named(name, lab.vip(number)).ports("2004").server_port(2004);
    let sticky = both("STICKY", 3).persistence(Some(u32::try_from(STICKY_SECONDS).expect("a few")));
    let config = lab.config([&datagrams, &both("FLOW", 4)]);
    let config = config.replacing_all("protocol = \"tcp\"", "protocol = \"tcp+udp\"");
    let rest = lab.config([&idle, &lab.pool(), &sticky]);
    let (_, rest) = rest.as_str().split_once("\n\n").expect("the head, then the pools");
    let config = config.followed_by(&format!("\n{rest}"));
    let guest = Guest::new(&lab);
    guest.boot(&config);
    for service in ["POOL", "IDLE", "DATAGRAMS", "STICKY", "FLOW"] {
        guest.wait_service(service, "up");
    }
    assert_eq!(guest.status()["fast_path"]["available"], true);

    let udp = lab.client().ask_udp(lab.vip(2), 2003);
    assert_eq!(udp, format!("NODE1 {}", lab.vip(2)), "who answers, and whom it sees");

    let _idle = lab.client().hold(lab.vip(1), 2002);
    let talking = lab.client().hold(lab.vip(1), 2002);
    let open = || {
        let answer = guest.request("GET", "/api/v1/connections?service=IDLE", None).expect(200);
        answer.json["connections"].as_array().expect("a list").len()
    };
    assert_eq!(open(), 2);
    let answer = guest.request("GET", "/api/v1/connections?service=IDLE", None).expect(200);
    let listed = answer.json["connections"].as_array().cloned().unwrap_or_default();
    let left: Vec<_> = listed.iter().filter_map(|connection| connection["seconds_left"].as_u64()).collect();
    assert!(left.len() == 2 && left.iter().all(|left| *left <= IDLE_SECONDS), "{left:?}");
    let begun = Instant::now();
    wait::until(PATIENCE, "the idle connection to be forgotten, and the other kept", || {
        talking.expect_alive();
        open() == 1
    });
    assert!(begun.elapsed() > Duration::from_secs(IDLE_SECONDS / 4), "forgotten after {:?}", begun.elapsed());
    talking.expect_alive();

    // The kernel tells no time left of what takes the short cut. Switched off, new connections take the ordinary path.
    for (fast_path, is_timed) in [(true, false), (false, true), (true, false)] {
        let mut document = guest.config();
        document["layer4"] = serde_json::json!({ "fast_path": fast_path });
        guest.request("PUT", "/api/v1/config", Some(&document.to_string())).expect(200);
        let held = lab.client().hold(lab.vip(0), 2001);
        wait::until(PATIENCE, format!("a connection with fast_path = {fast_path}"), || {
            held.expect_alive();
            let answer = guest.request("GET", "/api/v1/connections?service=POOL", None).expect(200);
            let newest = answer.json["connections"].as_array().and_then(|list| {
                list.iter().min_by_key(|connection| connection["age_seconds"].as_u64()).cloned()
            });
            newest.is_some_and(|connection| connection["seconds_left"].is_number() == is_timed)
        });
    }

    // Each connection makes the time-out of persistence begin anew, also of a client whose packets take the short cut.
    let sticky = || lab.client().ask(lab.vip(3), 2004).server;
    let (kept, begun) = (sticky(), Instant::now());
    while begun.elapsed() < Duration::from_secs(2 * STICKY_SECONDS) {
        assert_eq!(sticky(), kept, "after {:?}", begun.elapsed());
    }

    let held = lab.client().hold(lab.vip(0), 2001);
    // More than one round trip: from the second on packets take the short cut.
    (0..3).for_each(|_| held.expect_alive());
    let name = held.reply.server.clone();
    lab.server(&name).set_link(false);
    guest.wait_server("POOL", &name, "down");
    entries_are_gone(&guest, &name);
    let (outcome, took) = held.say();
    assert!(outcome == "reset" && took < TORN_DOWN, "{outcome} after {took:?}");
    assert_ne!(lab.client().ask(lab.vip(0), 2001).server, name);

    let flow = lab.client().hold_flow(lab.vip(4), 2004);
    let first = flow.ask();
    wait::until(PATIENCE, "the flow to take the short cut", || {
        assert_eq!(flow.ask(), first);
        let answer = guest.request("GET", "/api/v1/connections?service=FLOW", None).expect(200);
        let mut open = answer.json["connections"].as_array().into_iter().flatten();
        open.any(|connection| connection["protocol"] == "udp" && !connection["seconds_left"].is_number())
    });
    let (own, other) = if first.starts_with("NODE1 ") { ("NODE1", "NODE2") } else { ("NODE2", "NODE1") };
    lab.server(&name).set_link(true);
    guest.wait_service("FLOW", "up");
    lab.server(own).set_link(false);
    guest.wait_server("FLOW", own, "down");
    wait::until(TORN_DOWN, "the flow to go on with the other server", || {
        flow.ask() == format!("{other} {}", lab.vip(4))
    });
}

/// What the kernel knew of connections to this server.
fn entries_are_gone(guest: &Guest, server: &str) {
    wait::until(FORGOTTEN, format!("the kernel to forget connections to {server}"), || {
        let answer = guest.request("GET", "/api/v1/connections?service=POOL", None).expect(200);
        let mut open = answer.json["connections"].as_array().into_iter().flatten();
        open.all(|connection| connection["server"] != server)
    });
}
