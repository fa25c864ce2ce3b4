//! Two systems on one disk: a new one that dies is given up, a new one that works is kept.

use lab::vm::guest::BOOT;
use lab::vm::partition::{install_uki, ukis};
use lab::vm::uki::{NO_INIT, WITHOUT_INIT};
use lab::vm::{Guest, Hardware, LossyDisk, Uki};
use lab::{Lab, wait};

const OLD: &str = concat!("evenkeel_", env!("CARGO_PKG_VERSION"), ".efi");
/// Newer, and as long as the version under test.
const NEW: &str = "9.9.9";

#[test]
fn a_system_that_dies_three_times_falls_back_to_the_older_one() {
    let lab = Lab::single_arm_with_guest();
    let disk = LossyDisk::of_the_ova(&lab.appliance().new_folder("disk"));
    let broken = Uki::built().version(NEW).command_line(WITHOUT_INIT);
    install_uki(disk.file(), &format!("evenkeel_{NEW}+3.efi"), broken.bytes());
    let guest = Guest::with_hardware(&lab, Hardware::with_disk(disk.drive()));
    let took = guest.boot(&lab.config([&lab.pool()]));
    println!("three failures and a good boot: {took:?}");
    let deaths = guest.machine().kernel_deaths();
    assert!(deaths.len() == 3 && deaths.iter().all(|death| death.starts_with(NO_INIT)), "{deaths:?}");
    assert!(guest.machine().shut_down(lab::vm::guest::PATIENCE).success());
    assert_eq!(ukis(disk.file()), [OLD.to_owned(), format!("evenkeel_{NEW}+0-3.efi")]);

    guest.boot_again();
    assert_eq!(
        guest.machine().kernel_deaths(),
        Vec::<String>::new(),
        "it is not tried again, and the good one lives"
    );
}

#[test]
fn a_system_that_works_blesses_itself_and_leaves_nothing_stale() {
    let lab = Lab::single_arm_with_guest();
    let disk = LossyDisk::of_the_ova(&lab.appliance().new_folder("disk"));
    let new = Uki::built().version(NEW);
    install_uki(disk.file(), &format!("evenkeel_{NEW}+3.efi"), new.bytes());
    let guest = Guest::with_hardware(&lab, Hardware::with_disk(disk.drive()));
    guest.boot(&lab.config([&lab.pool()]));
    let good = "/api/v1/log?source=init&text=this%20system%20is%20good";
    wait::until(BOOT, "the new system to be kept", || {
        guest.machine().expect_running();
        let lines = guest.request("GET", good, None).json["lines"].clone();
        lines.as_array().is_some_and(|lines| !lines.is_empty())
    });
    assert!(guest.machine().shut_down(lab::vm::guest::PATIENCE).success());
    assert_eq!(ukis(disk.file()), [OLD.to_owned(), format!("evenkeel_{NEW}.efi")]);
}
