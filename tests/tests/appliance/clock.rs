//! The clock of the appliance, which only the guest may set: over ten years at a time, and nothing else notices.

use std::time::Duration;

use jiff::Timestamp;
use lab::vm::guest::PATIENCE;
use lab::vm::{Disk, Guest, Hardware};
use lab::{Lab, wait};
use serde_json::{Value, json};

/// What the machine's clock says when it is switched on.
const YEARS_AGO: &str = "2016-11-26T12:00:00";
/// A time daemon that begins needs an answer or two, on a machine that is emulated.
const SET: Duration = Duration::from_secs(300);

fn clock(guest: &Guest) -> Value {
    guest.request("GET", "/api/v1/clock", None).expect(200).json
}

fn wait_state(guest: &Guest, state: &str) -> Value {
    wait::until_some(SET, format!("the clock to be {state}"), || {
        Some(clock(guest)).filter(|clock| clock["state"] == state)
    })
    .0
}

fn log_ins(guest: &Guest) -> usize {
    guest.request("GET", "/api/v1/audit", None).expect(200).text.matches("logged in").count()
}

/// By how many seconds the guest's clock is ahead of this machine's, by a new line of its audit log. How long the guest
/// takes for its answer does not count.
fn ahead(guest: &Guest) -> i64 {
    let newest = || {
        let audit = guest.request("GET", "/api/v1/audit", None).expect(200).json;
        let mut lines = audit.as_array().into_iter().flatten();
        let ours = lines.find(|line| line.to_string().contains("mail queue: tried at once"))?;
        ours["time"].as_str().expect("a time").parse::<Timestamp>().ok()
    };
    let before = newest();
    let asked = Timestamp::now();
    guest.request("POST", "/api/v1/mail/retry", None).expect(204);
    let answered = Timestamp::now();
    // The log is written beside what it tells of.
    let line = || newest().filter(|newest| Some(*newest) != before);
    let newest = wait::until_some(PATIENCE, "a line of the audit log", line).0;
    newest.duration_since(newest.clamp(asked, answered)).as_secs()
}

#[test]
fn the_clock_is_set_by_ntp_and_by_hand_over_ten_years_and_nothing_else_notices() {
    const YEARS: i64 = 9 * 365 * 86_400;
    let lab = Lab::single_arm_with_guest();
    for node in ["NODE1", "NODE2"] {
        lab.server(node).named_server(node, 2001);
    }
    lab.server("POOL3_NODE1").chrony();
    let folder = lab.appliance().new_folder("disk");
    let mut hardware = Hardware::with_disk(Disk::of_the_ova(&folder).drive());
    hardware.clock = Some(YEARS_AGO.to_owned());
    let guest = Guest::with_hardware(&lab, hardware);
    guest.boot(&lab.config([&lab.pool().check_every(5, 5)]));
    guest.wait_service("POOL", "up");
    assert!(ahead(&guest) < -YEARS, "the story needs a clock that is wrong: {} s", ahead(&guest));
    assert_eq!((&clock(&guest)["state"], &clock(&guest)["may_set"]), (&json!("free"), &json!(true)));
    let held = lab.client().hold(lab.vip(0), 2001);
    let server = lab.client().ask(lab.vip(0), 2001).server;
    let sessions = log_ins(&guest);
    // A letter that waits, a trial that would end in two minutes: nothing of it ends by a jump.
    let unmoved = |what: &str| {
        held.expect_alive();
        assert_eq!(lab.client().ask(lab.vip(0), 2001).server, server, "{what}: persistence");
        for node in ["NODE1", "NODE2"] {
            assert_eq!(guest.server("POOL", node)["state"], "up", "{what}");
        }
        assert_eq!(log_ins(&guest), sessions, "{what}: the session goes on");
    };
    unmoved("before");

    let mut document = guest.config();
    document["time"] = json!({ "zone": "Europe/Berlin", "ntp_servers": ["192.168.10.114"] });
    guest.request("PUT", "/api/v1/config", Some(&document.to_string())).expect(200);
    let found = wait_state(&guest, "synchronised");
    assert!(ahead(&guest).abs() <= 2, "{} s ahead, though {found:#}", ahead(&guest));
    assert!(found["offset_seconds"].as_f64().is_some_and(|offset| offset.abs() < 1.0), "{found:#}");
    assert_eq!(found["source"], "192.168.10.114");
    unmoved("by NTP");
    let since: Timestamp =
        guest.server("POOL", "NODE1")["since"].as_str().expect("a time").parse().expect("a time");
    assert!(
        since.duration_since(Timestamp::now()).as_secs().abs() < YEARS,
        "since when is told by the clock as it is now"
    );

    // By hand, once nobody else says what time it is.
    let refused = guest.request("PUT", "/api/v1/clock", Some(r#"{"time":"2036-11-26T12:00:00Z"}"#));
    assert!(refused.status == 409 && refused.text.contains("NTP servers"), "{refused:?}");
    document["time"] = json!({ "zone": "Europe/Berlin" });
    guest.request("PUT", "/api/v1/config", Some(&document.to_string())).expect(200);
    wait_state(&guest, "free");
    guest.request("PUT", "/api/v1/clock", Some(r#"{"time":"2036-11-26T12:00:00Z"}"#)).expect(204);
    assert!(ahead(&guest) > YEARS, "{} s", ahead(&guest));
    unmoved("by hand");

    // Checks go on as before.
    let other = if server == "NODE1" { "NODE2" } else { "NODE1" };
    lab.server(other).set_link(false);
    let took = guest.wait_server("POOL", other, "down");
    assert!(took < PATIENCE, "{took:?}");
    lab.server(other).set_link(true);
    guest.wait_server("POOL", other, "up");

    // The machine's own clock is wrong at the next start too: it is set then by one step.
    document["time"] = json!({ "zone": "Europe/Berlin", "ntp_servers": ["192.168.10.114"] });
    guest.request("PUT", "/api/v1/config", Some(&document.to_string())).expect(200);
    wait_state(&guest, "synchronised");
    drop(held);
    assert!(guest.machine().shut_down(PATIENCE).success());
    guest.boot_again();
    // The audit log has lines of 2036, so that it is lbd's own measure that counts here.
    let found = wait_state(&guest, "synchronised");
    assert!(found["offset_seconds"].as_f64().is_some_and(|offset| offset.abs() < 1.0), "{found:#}");
}
