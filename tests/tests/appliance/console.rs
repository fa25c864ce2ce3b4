//! The appliance's console: the wizard and the menu, over the serial line and at keyboard and screen.

use std::sync::Arc;

use lab::api::https;
use lab::terminal::{End, Keyboard, Line};
use lab::vm::guest::{BOOT, PASSWORD, PATIENCE};
use lab::vm::{Disk, Guest, Hardware, LossyDisk, Machine};
use lab::{Lab, random, wait};

const LOG_IN: &str = "lbmaster login: ";
/// As it is after the recovery.
const ANOTHER: &str = "another password";
/// Where the appliance is before anybody says otherwise.
const DEFAULT: &str = "https://192.168.2.21:9443";

/// From the log-in to the question for the address, with every default.
const TO_THE_ADDRESS: [(&str, &str); 9] = [
    (LOG_IN, "setup"),
    ("Password: ", "setup"),
    ("Configure the management IP? (Yes/No) [Yes]: ", ""),
    ("Recover from a peer? (Yes/No) [No]: ", ""),
    ("Use centralised management? (Yes/No) [No]: ", ""),
    ("Press Enter: ", ""),
    ("Bond adapters? (Yes/No) [No]: ", ""),
    ("Use a VLAN? (Yes/No) [No]: ", ""),
    ("Interface [eth0]: ", ""),
];

fn booted(machine: &Arc<Machine>) -> Line {
    machine.wait_serial(LOG_IN, BOOT);
    // The banner may still have said that lbd is starting.
    machine.wait_serial("SHA-256", BOOT);
    // It may start again meanwhile.
    let mut line = Line::to(End::Machine(Arc::clone(machine)), BOOT);
    line.expect("SHA-256");
    line
}

fn answer_all(line: &mut Line, answers: &[(&str, &str)]) {
    for (prompt, answer) in answers {
        line.answer(prompt, answer);
    }
}

/// The status of an answer at the default address; 0 without one.
fn at_default(lab: &Lab) -> u16 {
    https(lab.client(), "GET", &format!("{DEFAULT}/api/v1/status"), Some(PASSWORD), None).status
}

#[test]
fn the_wizard_over_the_serial_line_configures_the_appliance() {
    let lab = Lab::single_arm_with_guest();
    lab.client().ip("address add 192.168.2.50/24 dev eth0");
    let guest = Guest::new(&lab);
    let machine = guest.power_on();
    let mut line = booted(&machine);
    assert!(machine.serial().contains("WebUI: https://192.168.2.21:9443/, locked"), "{}", machine.serial());
    line.answer(LOG_IN, "loadbalancer");
    line.expect("No password is set yet");
    answer_all(&mut line, &TO_THE_ADDRESS);

    const ADDRESS: &str = "IP address/prefix [192.168.2.21/24]: ";
    line.answer(ADDRESS, "192.168.10.10/255.255.255.0");
    line.expect("is a netmask; write 192.168.10.10/24");
    // The client of the lab has this one.
    line.answer(ADDRESS, "192.168.10.50/24");
    line.expect("in use already");
    line.answer("IP address/prefix [192.168.10.50/24]: ", "192.168.10.10/24");
    const GATEWAY: &str = "Default gateway [none]: ";
    line.answer(GATEWAY, "192.168.11.1");
    line.expect("is not in the network 192.168.10.0/24");
    line.answer(GATEWAY, "b");
    line.answer("IP address/prefix [192.168.10.10/24]: ", "");
    line.answer(GATEWAY, "192.168.10.1");
    line.answer("DNS servers [none]: ", "192.168.10.2");
    line.answer("Password (8 to 256 characters): ", PASSWORD);
    line.answer("The same again: ", ANOTHER);
    line.expect("The two are not the same");
    line.answer("Password (8 to 256 characters): ", PASSWORD);
    line.answer("The same again: ", PASSWORD);
    line.answer("Apply this? (Yes/No) [Yes]: ", "");
    line.expect("Configuration complete");
    line.expect("WebUI: https://192.168.10.10:9443/");
    assert!(!machine.serial().contains(PASSWORD), "a password was shown");
    line.answer("Press Enter: ", "");

    guest.wait_answering();
    assert_eq!(guest.config()["network"]["default_gateway"], "192.168.10.1");
    assert_eq!(guest.config()["network"]["dns_servers"], serde_json::json!(["192.168.10.2"]));
    assert_eq!(guest.status()["pending_confirmation"], serde_json::Value::Null);
    assert_eq!(at_default(&lab), 0, "the old address has gone");
    in_the_menu(&guest, &mut line);
}

/// An administrator's log-in, a look at the status, and a restart, after which all is as before.
fn in_the_menu(guest: &Guest, line: &mut Line) {
    line.answer(LOG_IN, "setup");
    line.expect("The appliance is configured");
    line.answer(LOG_IN, "root");
    line.answer("Password: ", "guessed wrongly");
    line.expect("Login incorrect");
    line.answer(LOG_IN, "root");
    line.answer("Password: ", PASSWORD);
    line.answer("Your choice: ", "1");
    line.expect("lbmaster: ");
    line.answer("back to the menu: ", "q");
    line.answer("Your choice: ", "2");
    line.expect("192.168.10.10/24");
    line.answer("back to the menu: ", "q");
    guest.wait_audit("local socket");
    guest.wait_audit("log-in refused");
    line.answer("Your choice: ", "5");
    line.answer("Type yes to restart: ", "yes");
    line.expect("ending everything: Restart");
    recovered_and_reset(guest, line);
    assert!(guest.machine().shut_down(PATIENCE).success());
}

/// After a restart: a new password, lbd alone restarted, and everything erased.
fn recovered_and_reset(guest: &Guest, line: &mut Line) {
    line.expect("Password lost?");
    line.answer(LOG_IN, "recover");
    // The console waits for lbd for half a minute only, which a busy machine may take longer to start it.
    guest.wait_answering();
    line.answer("Your choice: ", "1");
    line.answer("New password (8 to 256 characters): ", ANOTHER);
    line.answer("New password again: ", ANOTHER);
    line.expect("The password is changed");
    let refuses_the_old_password = || guest.request("GET", "/api/v1/status", None).status == 401;
    assert!(refuses_the_old_password());
    line.answer(LOG_IN, "root");
    line.answer("Password: ", ANOTHER);
    line.answer("Your choice: ", "7");
    line.answer("Type yes to restart lbd: ", "yes");
    line.expect("lbd has ended (exit code 0)");
    wait::until(BOOT, "another lbd", refuses_the_old_password);
    line.answer(LOG_IN, "");
    line.expect("WebUI: https://192.168.10.10:9443/");
    line.answer(LOG_IN, "root");
    line.answer("Password: ", ANOTHER);
    line.answer("Your choice: ", "8");
    line.answer("erase everything: ", "yes");
    line.answer("Your choice: ", "8");
    line.answer("erase everything: ", "erase");
    line.expect("ending everything: FactoryReset");
    line.expect("the data partition is blank");
    line.expect("WebUI: https://192.168.2.21:9443/, locked");
}

/// Each screen's picture is kept in `target/screenshots`.
#[test]
fn the_wizard_at_keyboard_and_screen() {
    let lab = Lab::single_arm_with_guest();
    let mut hardware = Hardware::with_disk(Disk::of_the_ova(&lab.appliance().new_folder("screen")).drive());
    hardware.screen = true;
    let guest = Guest::with_hardware(&lab, hardware);
    let machine = guest.power_on();
    // The same banner at the same time on both.
    booted(&machine);
    let mut keyboard = Keyboard::of(machine, PATIENCE);
    let lines = [
        ("", "banner"),
        ("setup", "password-of-setup"),
        ("setup", "management-ip"),
        ("", "peer-recovery"),
        ("", "centralised-management"),
        ("", "interfaces"),
        ("", "bonding"),
        ("", "vlan"),
        ("", "management-interface"),
        ("", "address"),
        ("192.168.10.10/255.255.255.0", "address-with-a-netmask"),
        ("192.168.10.10/24", "gateway"),
        ("192.168.10.1", "dns-servers"),
        ("none", "password"),
        (PASSWORD, "password-again"),
        (PASSWORD, "summary"),
        ("yes", "complete"),
    ];
    for (number, (line, name)) in (1..).zip(lines) {
        keyboard.types(line, &format!("console-{number:02}-{name}"));
    }
    guest.wait_answering();
    assert_eq!(guest.config()["network"]["default_gateway"], "192.168.10.1");
    let keys = ["", "loadbalancer", PASSWORD, "1"];
    for (line, name) in keys.into_iter().zip(["login", "password", "menu", "status"]) {
        keyboard.types(line, &format!("console-after-{name}"));
    }
    assert!(guest.machine().shut_down(PATIENCE).success());
}

/// The cut hits before, within or after what the wizard does: either all of it is there afterwards, or nothing.
#[test]
fn a_power_cut_while_the_wizard_applies_leaves_the_previous_state_or_the_new_one() {
    let mut random = fastrand::Rng::with_seed(random::seed("power cuts of the wizard"));
    let lab = Lab::single_arm_with_guest();
    lab.client().ip("address add 192.168.2.50/24 dev eth0");
    let disk = LossyDisk::of_the_ova(&lab.appliance().new_folder("disk"));
    let guest = Guest::with_hardware(&lab, Hardware::with_disk(disk.drive()));
    let machine = guest.power_on();
    let mut line = booted(&machine);
    answer_all(&mut line, &TO_THE_ADDRESS);
    line.answer("IP address/prefix [192.168.2.21/24]: ", "192.168.10.10/24");
    line.answer("Default gateway [none]: ", "");
    line.answer("DNS servers [none]: ", "");
    line.answer("Password (8 to 256 characters): ", PASSWORD);
    line.answer("The same again: ", PASSWORD);
    line.answer("Apply this? (Yes/No) [Yes]: ", "");
    line.expect("Applying");
    machine.cut_power();
    disk.lose_power(&mut random);

    let machine = guest.power_on();
    let mut found = None;
    wait::until(BOOT, "an answer at one of the two addresses", || {
        machine.expect_running();
        let new = guest.request("GET", "/api/v1/status", None).status;
        let old = https(lab.client(), "GET", &format!("{DEFAULT}/api/v1/status"), None, None).status;
        found = Some((old, new)).filter(|found| *found != (0, 0));
        found.is_some()
    });
    let (old, new) = found.expect("one of them");
    println!("after the cut: {old} at the old address, {new} at the new one");
    match new {
        0 => {
            let mut line = booted(&machine);
            answer_all(&mut line, &TO_THE_ADDRESS);
            line.expect("IP address/prefix [192.168.2.21/24]: ");
        }
        _ => assert_eq!(new, 200, "the new address with the new password"),
    }
}
