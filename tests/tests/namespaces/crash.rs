//! lbd dies under load: traffic does not notice, and the next lbd finds everything as it was.

use std::time::Duration;

use lab::kernel::{Table, addresses};
use lab::{Config, Lab, random, wait};

/// How often lbd looks at what it runs on, twice.
const LOOKED: Duration = Duration::from_secs(40);

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

/// An account as init leaves it (`init/src/crash.rs`).
fn account(ago: i64) -> String {
    let time = jiff::Timestamp::now().as_second() - ago;
    format!(
        "whose: lbd\ntime: {time}\nversion: 0.1.0\nhow: killed by SIGSEGV\nlife: 77\n\n\
         thread 'main' (9) panicked at lbd/src/engine/mod.rs:1:1:\nno way\n   0:     0x7f00b123 - <unknown>\n\
         lbd lies in memory at 0x7f00a000\n"
    )
}

#[test]
fn what_crashed_is_told_kept_and_read_and_stands_in_the_support_file() {
    let lab = Lab::single_arm();
    let fresh = lab.lbd().crashes_folder();
    std::fs::create_dir_all(&fresh).expect("lab folder");
    lab.lbd().start(&Config::datalink());
    let problems = || lab.lbd().status()["conditions"].to_string();
    assert!(!problems().contains("crash"), "{}", problems());
    assert_eq!(lab.lbd().request("GET", "/api/v1/crashes", None).expect(200).text, "[]");
    std::fs::write(fresh.join("00000000005-lbd-1.txt"), account(3 * 86400)).expect("lab folder");
    std::fs::write(fresh.join("00000000007-lbd-1.txt"), account(5)).expect("lab folder");
    wait::until(LOOKED, "the crash to be told", || problems().contains("(killed by SIGSEGV)."));

    // What init leaves is gone with the next boot.
    std::fs::remove_dir_all(&fresh).expect("it is there");
    lab.lbd().stop();
    lab.lbd().start_again();
    let list = lab.lbd().request("GET", "/api/v1/crashes", None).expect(200).json;
    assert_eq!(
        (&list[0]["how"], &list[0]["life_seconds"]),
        (&"killed by SIGSEGV".into(), &77.into()),
        "{list:#}"
    );
    assert_eq!(list.as_array().map(Vec::len), Some(2), "{list:#}");
    let words = lab.lbd().request("GET", "/api/v1/crashes/00000000007-lbd-1.txt", None).expect(200).text;
    assert!(words.contains("panicked at lbd/src/engine/mod.rs:1:1:\nno way\n   0: lbd+0x1123\n"), "{words}");
    lab.lbd().request("GET", "/api/v1/crashes/..%2Faudit", None).expect(404);

    let support = lab.lbd().support_file();
    for part in [
        "/README.txt\n",
        "/status.json\n",
        "/crashes/00000000007-lbd-1.txt\n",
        "/packet-filter.txt\n",
        "/log.txt\n",
    ] {
        assert!(support.contains(part), "no {part:?} among the parts");
    }
    let told = [
        "DATALINK_POOL1",
        "chain svc_1",
        "lbd is running",
        "0x7f00b123",
        "support file made",
        "MemAvailable",
    ];
    for told in told {
        assert!(support.contains(told), "{told:?} is not in the support file");
    }
    assert!(!support.contains("This could not be read: nft"), "the rules are there");
}
