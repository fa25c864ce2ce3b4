//! How the appliance begins, with and without settings, and what it does with the disk that it finds.

use lab::api::https;
use lab::browser::Browser;
use lab::vm::guest::{BOOT, PASSWORD, PATIENCE};
use lab::vm::partition::Partition;
use lab::vm::properties::Properties;
use lab::vm::{Guest, Hardware, LossyDisk, Machine, artefacts};
use lab::{Lab, wait};

/// Where the appliance is before anybody says otherwise.
const DEFAULT: &str = "https://192.168.2.21:9443";

/// What init says when everything is prepared, once per boot.
const BOOTED: &str = "init: booted in";

/// What init says when the kernel has taken every setting that hardens it.
const HARDENED: &str = "kernel hardening: 19 of 19 settings";

fn problems(guest: &Guest) -> String {
    guest.status()["problems"].to_string()
}

/// The status of an answer to somebody who tries this password; 0 without an answer.
fn tried(lab: &Lab, password: Option<&str>) -> u16 {
    https(lab.client(), "GET", &format!("{DEFAULT}/api/v1/status"), password, None).status
}

fn wait_locked(lab: &Lab, machine: &Machine) {
    wait::until(BOOT, format!("an answer from {DEFAULT}"), || {
        machine.expect_running();
        tried(lab, None) != 0
    });
    for password in [None, Some(""), Some("loadbalancer"), Some("setup"), Some("admin")] {
        let status = tried(lab, password);
        assert!([401, 403, 503].contains(&status), "nobody may come in with {password:?}: {status}");
    }
}

#[test]
fn without_settings_it_is_at_its_default_address_and_lets_nobody_in() {
    let lab = Lab::single_arm_with_guest();
    lab.client().ip("address add 192.168.2.50/24 dev eth0");
    let guest = Guest::new(&lab);
    let machine = guest.power_on();
    wait_locked(&lab, &machine);
    machine.wait_serial("WebUI: https://192.168.2.21:9443/, locked", PATIENCE);

    // The keyboard's way to start again, in order: lbd ends first, and the disk has nothing to be repaired.
    machine.press(&["ctrl", "alt", "delete"]);
    machine.wait_serial("ending everything: Restart", PATIENCE);
    wait::until(BOOT, "the second boot", || machine.serial().matches(BOOTED).count() == 2);
    wait_locked(&lab, &machine);
    let said = machine.serial();
    assert!(!said.contains("recovering journal") && !said.contains("has been repaired"), "{said}");
    assert!(machine.shut_down(PATIENCE).success());
    let said = machine.serial();
    assert!(said.contains("the power button was pressed"), "{said}");
    assert!(said.contains("ending everything: PowerOff"), "{said}");
}

#[test]
fn settings_of_the_deployment_are_in_force_and_outlive_their_source() {
    let lab = Lab::single_arm_with_guest();
    let guest = Guest::new(&lab);
    let settings = Properties::default()
        .with("hostname", "lb-radiology")
        .with("ip_address", "192.168.10.10/24")
        .with("gateway", "192.168.10.1")
        .with("dns", "192.168.10.2, nonsense")
        .with("ntp", "ntp1.hospital.example 192.168.10.3")
        .with_password(PASSWORD);
    guest.boot_with(&settings);
    let network = guest.config()["network"].clone();
    assert_eq!(network["host_name"], "lb-radiology");
    assert_eq!(network["default_gateway"], "192.168.10.1");
    assert_eq!(network["dns_servers"], serde_json::json!(["192.168.10.2"]));
    let servers = serde_json::json!(["ntp1.hospital.example", "192.168.10.3"]);
    assert_eq!(guest.config()["time"]["ntp_servers"], servers);
    assert!(problems(&guest).contains("nonsense"), "what cannot be used is told: {}", problems(&guest));
    assert!(!problems(&guest).contains("route"), "{}", problems(&guest));
    assert_eq!(guest.status()["host_name"], "lb-radiology");
    assert!(guest.status().get("guest_services").is_none(), "{:#}", guest.status());
    assert!(guest.machine().shut_down(PATIENCE).success());

    guest.boot_again();
    assert_eq!(guest.config()["network"], network, "the disc with the settings is gone");
    // What the kernel and init said at both boots is in the log, each line once.
    for (source, text) in [
        ("kernel", "Linux version"),
        ("init", "booted in"),
        // The watchdog of a machine that has none of its own.
        ("kernel", "softdog: initialized"),
        ("init", HARDENED),
        // QEMU has VMware's port, and nothing behind it: it is not asked.
        ("init", "not on VMware: no guest services"),
        ("init", "ending everything"),
    ] {
        let path = format!("/api/v1/log?source={source}&text={}", text.replace(' ', "%20"));
        let lines = || guest.request("GET", &path, None).expect(200).json["lines"].clone();
        let count = || lines().as_array().map_or(0, Vec::len);
        let expected = if text == "ending everything" { 1 } else { 2 };
        // lbd answers before init has said everything of this boot.
        wait::until(PATIENCE, format!("{text} in the log"), || count() >= expected);
        assert_eq!(count(), expected, "{text}: {:#}", lines());
    }
}

#[test]
fn a_one_time_password_opens_nothing_but_its_own_replacement() {
    let lab = Lab::single_arm_with_guest();
    lab.client().ip("address add 192.168.2.50/24 dev eth0");
    let guest = Guest::new(&lab);
    Properties::default().with("one_time_password", "change me soon").write_disc(&guest.disc());
    let machine = guest.power_on();
    wait_locked(&lab, &machine);
    let status = tried(&lab, Some("change me soon"));
    assert_eq!(status, 403, "the API stays closed, and says that the password must be replaced");
    let browser = Browser::start(lab.client(), DEFAULT);
    browser.open("/");
    browser.fill("#password", "change me soon");
    browser.click("main form button[type=submit]");
    browser.fill("#current", "change me soon");
    browser.fill("#new", "a better one");
    browser.fill("#again", "a better one");
    browser.click("main form button[type=submit]");
    browser.wait_text("h1", "The password is changed");
    assert_eq!(tried(&lab, Some("a better one")), 200);
    assert_eq!(tried(&lab, Some("change me soon")), 401);
}

#[test]
fn a_larger_disk_is_used_and_a_damaged_file_system_is_repaired() {
    let lab = Lab::single_arm_with_guest();
    lab.server("NODE1").named_server("NODE1", 2001);
    let disk = LossyDisk::of_the_ova(&lab.appliance().new_folder("disk"));
    let guest = Guest::with_hardware(&lab, Hardware::with_disk(disk.drive()));
    guest.boot(&lab.config([&lab.pool().weights(&[100])]));
    guest.wait_service("POOL", "up");
    assert_eq!(problems(&guest), "[]");
    let config = guest.config();
    assert!(guest.machine().shut_down(PATIENCE).success());

    let data = Partition::find(disk.file(), "data");
    disk.grow(24 << 30);
    // The superblock and what follows: block group descriptors, the first bitmaps.
    disk.wipe(data.start, 64 << 10);
    guest.boot_again();
    assert_eq!(guest.config(), config);
    assert!(problems(&guest).contains("has been repaired"), "{}", problems(&guest));
    let said = guest.machine().serial();
    assert!(
        said.contains("was made to fit the disk") && said.contains("the data partition has grown to"),
        "{said}"
    );
    let grown = Partition::find(disk.file(), "data");
    assert_eq!(grown.start, data.start);
    assert!(grown.length >= data.length + (4 << 30) - (2 << 20), "{} of {}", grown.length, data.length);
    assert!(guest.machine().shut_down(PATIENCE).success());

    guest.boot_again();
    assert_eq!((guest.config(), problems(&guest)), (config, "[]".to_owned()), "nothing is left of it");
    lab.client().ask(lab.vip(0), 2001);
}

#[test]
fn without_a_disk_it_balances_from_memory_and_says_so() {
    let lab = Lab::single_arm_with_guest();
    lab.server("NODE1").named_server("NODE1", 2001);
    let mut hardware = Hardware::with_disk("");
    (hardware.disk, hardware.uki) = (None, Some(artefacts::uki()));
    let guest = Guest::with_hardware(&lab, hardware);
    guest.boot(&lab.config([&lab.pool().weights(&[100])]));
    guest.wait_service("POOL", "up");
    lab.client().ask(lab.vip(0), 2001);
    let problems = problems(&guest);
    assert!(
        problems.contains("runs from memory") && problems.contains("lost at the next restart"),
        "{problems}"
    );
}
