//! lbd is killed in the guest, under load: no connection notices, and init has it back. The kernel dies: its last words are
//! there after the restart.

use std::path::Path;
use std::time::Duration;

use lab::Lab;
use lab::vm::uki::WITH_SYSRQ;
use lab::vm::{Disk, Guest, Hardware, Uki};
use serde_json::Value;

/// An appliance whose keyboard can make its kernel kill, or die.
fn with_sysrq<'lab>(lab: &'lab Lab, folder: &Path) -> Guest<'lab> {
    let uki = folder.join("sysrq.efi");
    std::fs::write(&uki, Uki::built().command_line(WITH_SYSRQ).bytes()).expect("lab folder");
    let mut hardware = Hardware::with_disk(Disk::of_the_ova(folder).drive());
    hardware.uki = Some(uki);
    Guest::with_hardware(lab, hardware)
}

fn wait_for_another_lbd(guest: &Guest, started: &Value) -> Duration {
    lab::wait::until(lab::vm::guest::PATIENCE, "another lbd to answer", || {
        let answer = guest.request("GET", "/api/v1/status", None);
        answer.status == 200 && answer.json["started"] != *started
    })
}

#[test]
fn not_one_connection_fails_when_lbd_is_killed_in_the_guest() {
    let lab = Lab::single_arm_with_guest();
    for node in ["NODE1", "NODE2"] {
        lab.server(node).named_server(node, 2001);
    }
    let folder = lab.appliance().new_folder("crash");
    let guest = with_sysrq(&lab, &folder);
    guest.boot(&lab.config([&lab.pool()]));
    guest.wait_service("POOL", "up");
    let started = guest.status()["started"].clone();

    let load = lab.client().load(lab.vip(0), 2001, 2, 2);
    load.wait_more(50);
    guest.machine().press(&["alt", "sysrq", "i"]);
    let back = wait_for_another_lbd(&guest, &started);
    println!("another lbd answers {back:?} after the kill");
    guest.wait_service("POOL", "up");
    load.wait_more(50);
    let crashes = guest.request("GET", "/api/v1/crashes", None).expect(200).json;
    assert_eq!(
        (&crashes[0]["whose"], &crashes[0]["how"]),
        (&"lbd".into(), &"killed by SIGKILL".into()),
        "{crashes:#}"
    );
    let done = load.expect_no_failures();
    println!("{} new connections and {} round trips, none failed", done.opened, done.round_trips);
}

#[test]
fn what_the_kernel_said_before_it_died_is_read_after_the_restart() {
    let lab = Lab::single_arm_with_guest();
    let folder = lab.appliance().new_folder("panic");
    let guest = with_sysrq(&lab, &folder);
    guest.boot(&lab.config([&lab.pool()]));
    let started = guest.status()["started"].clone();
    guest.machine().press(&["alt", "sysrq", "c"]);
    wait_for_another_lbd(&guest, &started);
    let crashes = || guest.request("GET", "/api/v1/crashes", None).expect(200).json;
    lab::wait::until(lab::vm::guest::PATIENCE, "the account of the panic", || {
        crashes()[0]["whose"] == "kernel"
    });
    let crash = &crashes()[0];
    assert_eq!(crash["how"], "kernel panic: sysrq triggered crash", "{crash:#}");
    let path = format!("/api/v1/crashes/{}", crash["name"].as_str().expect("a name"));
    let words = guest.request("GET", &path, None).expect(200).text;
    assert!(words.contains("sysrq: Trigger a crash") && words.contains("Call Trace:"), "{words}");
    let told = || guest.status()["conditions"].to_string();
    lab::wait::until(lab::vm::guest::PATIENCE, "the panic to be told", || told().contains("the kernel died"));
}
