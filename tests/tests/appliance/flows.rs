//! What only the guest's kernel can show, because it has flowtables: connections on its short cut end when they must.

use std::time::{Duration, Instant};

use lab::vm::Guest;
use lab::vm::guest::PATIENCE;
use lab::{Lab, wait};

/// Longer than it takes to open two connections through an emulated machine that is busy, and to look at them.
const IDLE_SECONDS: u64 = 20;
/// Flows are torn down up to a second after their entry has gone, on a machine that is not emulated.
const TORN_DOWN: Duration = Duration::from_secs(15);

#[test]
fn connections_on_the_short_cut_end_with_their_server_and_others_when_they_are_idle() {
    let lab = Lab::single_arm_with_guest();
    for (node, port) in [("NODE1", 2001), ("NODE2", 2001), ("NODE1", 2002), ("NODE1", 2003)] {
        lab.server(node).named_server(node, port);
    }
    let pool = |name: &str, number: u8, port: u16| {
        let port_text = port.to_string();
        lab.pool().named(name, lab.vip(number)).ports(&port_text).server_port(port).weights(&[100])
    };
    let idle = pool("IDLE", 1, 2002).with(&format!("idle_timeout_seconds = {IDLE_SECONDS}"));
    let datagrams = pool("DATAGRAMS", 2, 2003);
    let config = lab.config([&datagrams, &idle, &lab.pool()]);
    let config = config.replacing("protocol = \"tcp\"", "protocol = \"tcp+udp\"");
    let guest = Guest::new(&lab);
    guest.boot(&config);
    for service in ["POOL", "IDLE", "DATAGRAMS"] {
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

    let held = lab.client().hold(lab.vip(0), 2001);
    // More than one round trip: from the second on packets take the short cut.
    (0..3).for_each(|_| held.expect_alive());
    let name = held.reply.server.clone();
    lab.server(&name).set_link(false);
    guest.wait_server("POOL", &name, "down");
    let (outcome, took) = held.say();
    assert!(outcome == "reset" && took < TORN_DOWN, "{outcome} after {took:?}");
    assert_ne!(lab.client().ask(lab.vip(0), 2001).server, name);
}
