//! Power cuts and disks that fail: what was accepted is there afterwards, and traffic never depends on the disk.

use std::collections::BTreeSet;
use std::time::Duration;

use lab::vm::guest::PATIENCE;
use lab::vm::partition::Partition;
use lab::vm::uki::WITH_SYSRQ;
use lab::vm::{Guest, Hardware, LossyDisk, Uki};
use lab::{Config, Lab, random, wait};

/// Among so many cuts some lie before a change and some after it.
const ENOUGH: u64 = 20;

/// The pool, with a time-out that tells one configuration from the next, and weights that follow from it.
fn generation(lab: &Lab, number: u16) -> Config {
    lab.config([&lab.pool().persistence(Some(u32::from(300 + number))).weights(&weights(number))])
}

fn weights(number: u16) -> [u16; 2] {
    [1 + number, 100 - number]
}

fn start<'lab>(lab: &'lab Lab, hardware: Hardware) -> Guest<'lab> {
    for node in ["NODE1", "NODE2"] {
        lab.server(node).named_server(node, 2001);
    }
    let guest = Guest::with_hardware(lab, hardware);
    guest.boot(&generation(lab, 0));
    guest.wait_service("POOL", "up");
    guest
}

/// Which generation is in force; that it is so as a whole, in the stored document and in the status.
fn number_in_force(guest: &Guest) -> u16 {
    let pool = guest.config()["virtual_service"][0].clone();
    let status = guest.service("POOL");
    let seconds = &pool["persistence"]["timeout_seconds"];
    assert_eq!(&status["persistence_seconds"], seconds, "status and document");
    let seconds = seconds.as_u64().expect("the time-out of some generation");
    let number = u16::try_from(seconds - 300).expect("a small number");
    for (node, weight) in [("NODE1", weights(number)[0]), ("NODE2", weights(number)[1])] {
        let servers = pool["real_server"].as_array().expect("a list");
        let written = servers.iter().find(|server| server["label"] == node).expect("both servers");
        assert_eq!(written["weight"], weight, "generation {number} is torn: {pool:#}");
        assert_eq!(guest.server("POOL", node)["weight"], weight, "generation {number} is torn in the status");
    }
    number
}

#[test]
fn a_power_cut_leaves_the_old_configuration_or_the_new_one() {
    let mut random = fastrand::Rng::with_seed(random::seed("power cuts"));
    let lab = Lab::single_arm_with_guest();
    let disk = LossyDisk::of_the_ova(&lab.appliance().new_folder("disk"));
    let guest = start(&lab, Hardware::with_disk(disk.drive()));
    let mut number = 0;
    let (mut lost_in_all, mut outcomes) = (0, BTreeSet::new());
    let rounds = random::rounds(3, 20);
    for round in 0..rounds {
        // A change takes a few 100 ms in the guest: the cut hits before, within or after it.
        let pause = Duration::from_millis(random.u64(0..900));
        let (accepted, asked) = (number, number + 1);
        let config = generation(&lab, asked).with_network(lab.arms(), None);
        let machine = guest.machine();
        let answer = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(pause);
                machine.cut_power();
            });
            guest.put(&config)
        });
        let lost = disk.lose_power(&mut random);
        guest.boot_again();
        let found = number_in_force(&guest);
        println!(
            "round {round}: cut after {pause:?}, answered {}, {lost} sectors lost, {found}",
            answer.status
        );
        let allowed = if answer.status == 200 { vec![asked] } else { vec![accepted, asked] };
        assert!(allowed.contains(&found), "{found} is none of {allowed:?}");
        guest.wait_service("POOL", "up");
        lab.client().ask(lab.vip(0), 2001);
        lost_in_all += lost;
        outcomes.insert(found == asked);
        number = found;
    }
    println!("{rounds} cuts, {lost_in_all} sectors lost, the new one found: {outcomes:?}");
    // Fewer cuts may by chance all lie on one side of the change.
    if rounds >= ENOUGH {
        assert!(lost_in_all > 0, "no cut lost anything: the disk is too good for this story");
        assert_eq!(outcomes.len(), 2, "every cut lay on the same side of the change");
    }
}

#[test]
fn traffic_outlives_the_disk_and_the_rescue_partition_outlives_the_data() {
    let lab = Lab::single_arm_with_guest();
    let folder = lab.appliance().new_folder("disk");
    let disk = LossyDisk::of_the_ova(&folder);
    // Its keyboard can kill lbd.
    let uki = folder.join("sysrq.efi");
    std::fs::write(&uki, Uki::built().command_line(WITH_SYSRQ).bytes()).expect("lab folder");
    let guest = start(&lab, Hardware { uki: Some(uki), ..Hardware::with_disk(disk.drive()) });
    guest.put(&generation(&lab, 1).with_network(lab.arms(), None)).expect(200);

    let load = lab.client().load(lab.vip(0), 2001, 2, 2);
    disk.fail();
    guest.wait_status("the status to tell of the disk", |api| {
        api.status()["problems"].to_string().to_lowercase().contains("disk")
    });
    let refused = guest.put(&generation(&lab, 2).with_network(lab.arms(), None));
    let why = refused.expect(507).json["detail"].as_str().unwrap_or_default().to_owned();
    assert!(why.contains("Cannot store the configuration") && why.contains("in force"), "{why}");
    assert_eq!(number_in_force(&guest), 1);
    load.wait_more(50);
    another_lbd_knows_everything(&lab, &guest);
    load.wait_more(50);
    load.expect_no_failures();
    servers_are_looked_after(&lab, &guest);
    guest.machine().cut_power();

    disk.mend();
    let data = Partition::find(disk.file(), "data");
    // Superblock, its first copies and the journal's start.
    disk.wipe(data.start, 256 << 20);
    guest.boot_again();
    assert_eq!(number_in_force(&guest), 1, "the rescue partition has the last configuration");
    guest.wait_service("POOL", "up");
    lab.client().ask(lab.vip(0), 2001);
    let problems = guest.status()["problems"].to_string();
    assert!(problems.contains("taken from the rescue partition"), "{problems}");
}

/// lbd is killed while there is no disk. The next one has the configuration and the password from memory, takes changes and
/// says that they do not last.
fn another_lbd_knows_everything(lab: &Lab, guest: &Guest) {
    let started = guest.status()["started"].clone();
    guest.machine().press(&["alt", "sysrq", "i"]);
    wait::until(PATIENCE, "another lbd to answer", || {
        let answer = guest.request("GET", "/api/v1/status", None);
        answer.status == 200 && answer.json["started"] != started
    });
    assert_eq!(number_in_force(guest), 1, "from memory");
    guest.wait_service("POOL", "up");
    let problems = guest.status()["problems"].to_string();
    assert!(
        problems.contains("from memory") && problems.contains("is lost when the appliance restarts"),
        "{problems}"
    );
    guest.put(&generation(lab, 3).with_network(lab.arms(), None)).expect(200);
    assert_eq!(number_in_force(guest), 3);
}

/// Checks and what follows from them need no disk.
fn servers_are_looked_after(lab: &Lab, guest: &Guest) {
    let name = lab.client().ask(lab.vip(0), 2001).server;
    lab.server(&name).set_link(false);
    guest.wait_server("POOL", &name, "down");
    assert_ne!(lab.client().ask(lab.vip(0), 2001).server, name);
    lab.server(&name).set_link(true);
}
