//! The disk on VMware's paravirtual controller, as the OVF has it.

use lab::Lab;
use lab::vm::hardware::Controller;
use lab::vm::{Disk, Guest, Hardware, LossyDisk, artefacts};

/// Debian's OVMF cannot boot from pvscsi: the same UKI is given to the firmware by hand.
#[test]
fn the_data_partition_is_found_on_pvscsi() {
    let lab = Lab::single_arm_with_guest();
    lab.server("NODE1").named_server("NODE1", 2001);
    let disk = Disk::of_the_ova(&lab.appliance().new_folder("pvscsi"));
    let mut hardware = Hardware::with_disk(disk.drive());
    hardware.controller = Controller::Pvscsi;
    hardware.uki = Some(artefacts::uki());
    let guest = Guest::with_hardware(&lab, hardware);
    guest.boot(&lab.config([&lab.pool().weights(&[100])]));
    guest.wait_service("POOL", "up");
    assert_eq!(guest.status()["problems"], serde_json::json!([]));
    let stored = guest.config();
    assert!(guest.machine().shut_down(lab::vm::guest::PATIENCE).success());

    guest.boot_again();
    assert_eq!(guest.config(), stored, "the configuration is on the disk");
    assert_eq!(guest.status()["problems"], serde_json::json!([]));
}

/// The firmware would not even start from it; whoever has started, as from a disk that dies a moment later, goes on.
#[test]
fn with_a_disk_that_answers_every_read_with_an_error_it_balances_as_it_was_deployed_and_says_so() {
    let lab = Lab::single_arm_with_guest();
    lab.server("NODE1").named_server("NODE1", 2001);
    let disk = LossyDisk::of_the_ova(&lab.appliance().new_folder("disk"));
    let mut hardware = Hardware::with_disk(disk.drive());
    hardware.controller = Controller::Pvscsi;
    hardware.uki = Some(artefacts::uki());
    disk.fail();
    let guest = Guest::with_hardware(&lab, hardware);
    guest.boot(&lab.config([&lab.pool().weights(&[100])]));
    guest.wait_service("POOL", "up");
    assert_eq!(lab.client().ask(lab.vip(0), 2001).server, "NODE1");
    let problems = guest.status()["problems"].to_string().to_lowercase();
    assert!(problems.contains("disk"), "{problems}");
    // It is there, and fails: another matter than a machine without one.
    let told = guest.request("GET", "/api/v1/log?source=kernel&text=sda&most=1000", None).expect(200).text;
    assert!(told.to_lowercase().contains("error"), "{told}");
}
