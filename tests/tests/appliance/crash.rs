//! lbd is killed in the guest, under load: no connection notices, and init has it back.

use lab::Lab;
use lab::vm::uki::WITH_SYSRQ;
use lab::vm::{Disk, Guest, Hardware, Uki};

#[test]
fn not_one_connection_fails_when_lbd_is_killed_in_the_guest() {
    let lab = Lab::single_arm_with_guest();
    for node in ["NODE1", "NODE2"] {
        lab.server(node).named_server(node, 2001);
    }
    let folder = lab.appliance().new_folder("crash");
    let uki = folder.join("sysrq.efi");
    std::fs::write(&uki, Uki::built().command_line(WITH_SYSRQ).bytes()).expect("lab folder");
    let mut hardware = Hardware::with_disk(Disk::of_the_ova(&folder).drive());
    hardware.uki = Some(uki);
    let guest = Guest::with_hardware(&lab, hardware);
    guest.boot(&lab.config([&lab.pool()]));
    guest.wait_service("POOL", "up");
    let started = guest.status()["started"].clone();

    let load = lab.client().load(lab.vip(0), 2001, 2, 2);
    load.wait_more(50);
    guest.machine().press(&["alt", "sysrq", "i"]);
    let back = lab::wait::until(lab::vm::guest::PATIENCE, "another lbd to answer", || {
        let answer = guest.request("GET", "/api/v1/status", None);
        answer.status == 200 && answer.json["started"] != started
    });
    println!("another lbd answers {back:?} after the kill");
    guest.wait_service("POOL", "up");
    load.wait_more(50);
    let done = load.expect_no_failures();
    println!("{} new connections and {} round trips, none failed", done.opened, done.round_trips);
}
