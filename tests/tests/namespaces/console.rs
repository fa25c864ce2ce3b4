//! The console in a terminal of its own, as on the appliance: what it does through lbd, and what it does without it.

use std::time::Duration;

use lab::lbd::{SOON, USER, binary, https};
use lab::peers::Mode;
use lab::terminal::{End, Line};
use lab::{Lab, wait};
use serde_json::json;

const PASSWORD: &str = "four words of it";
const NEW_PASSWORD: &str = "five words of it";
const LOG_IN: &str = " login: ";
/// For what a step of the console takes: a network that is applied and confirmed, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// `lbd console` with lbd's user and no right beyond; nobody is at the socket of the first process.
fn console(lab: &Lab) -> Line {
    console_with(lab, "")
}

fn console_with(lab: &Lab, options: &str) -> Line {
    let (lbd, socket) = (binary(), lab.lbd().control_socket());
    let nobody = lab.appliance().new_path("init.sock");
    let mut command = lab.appliance().command("script");
    let own = format!(
        "setpriv --reuid {USER} --regid {USER} --clear-groups --no-new-privs --inh-caps -all {} console \
         --control-socket {} --init-socket {} {options}",
        lbd.display(),
        socket.display(),
        nobody.display()
    );
    command.args(["--quiet", "--flush", "--echo", "never", "--command", &own, "/dev/null"]);
    Line::to(End::Program(lab.appliance().start(command, "console")), PATIENCE)
}

fn start(lab: &Lab) {
    let pool = lab.pool().weights(&[100]);
    lab.lbd().start(&lab.config([&pool]).with_network(lab.arms(), None));
}

/// From the log-in to the question for the address.
fn to_the_address(line: &mut Line) {
    line.answer("Configure the management IP? (Yes/No) [Yes]: ", "");
    line.answer("Recover from a peer? (Yes/No) [No]: ", "yes");
    line.expect("not built yet");
    line.answer("Use centralised management? (Yes/No) [No]: ", "");
    line.answer("Press Enter: ", "");
    line.answer("Bond adapters? (Yes/No) [No]: ", "");
    line.answer("Use a VLAN? (Yes/No) [No]: ", "");
    line.answer("Interface [eth0]: ", "");
}

#[test]
fn the_wizard_sets_network_and_password_in_one_go_and_then_belongs_to_administrators() {
    let lab = Lab::single_arm();
    start(&lab);
    let mut line = console(&lab);
    line.expect("locked: no password is set");
    line.answer(LOG_IN, "setup");
    line.answer("Password: ", "setup");
    to_the_address(&mut line);
    line.answer("[192.168.10.10/24]: ", "192.168.10.50/24");
    line.expect("in use already, by the device with the Ethernet address");
    line.answer("[192.168.10.50/24]: ", "192.168.10.60/24");
    line.answer("Default gateway [none]: ", "192.168.10.1");
    line.answer("DNS servers [none]: ", "192.168.10.2 192.168.10.3");
    line.answer("Password (8 to 256 characters): ", PASSWORD);
    line.answer("The same again: ", PASSWORD);
    line.answer("Apply this? (Yes/No) [Yes]: ", "yes");
    line.expect("Configuration complete");
    line.expect("https://192.168.10.60:9443/");
    assert!(!line.all().contains(PASSWORD), "a password was shown:\n{}", line.all());

    let status =
        || https(lab.client(), "GET", "https://192.168.10.60:9443/api/v1/status", Some(PASSWORD), None);
    wait::until(SOON, "the WebUI at its new address", || status().status == 200);
    assert_eq!(status().json["pending_confirmation"], serde_json::Value::Null);
    let network = lab.lbd().config()["network"].clone();
    assert_eq!(network["default_gateway"], "192.168.10.1");
    assert_eq!(network["dns_servers"], serde_json::json!(["192.168.10.2", "192.168.10.3"]));

    line.answer("Press Enter: ", "");
    line.answer(LOG_IN, "setup");
    line.expect("The appliance is configured");
    again_from_the_menu(&lab, &mut line);
}

/// By name: every change is in the log under the administrator's own.
fn again_from_the_menu(lab: &Lab, line: &mut Line) {
    line.answer(LOG_IN, "root");
    line.answer("Password: ", PASSWORD);
    line.answer("Your choice: ", "3");
    to_the_address(line);
    line.answer("[192.168.10.60/24]: ", "192.168.10.61/24");
    line.answer("Default gateway [192.168.10.1]: ", "");
    line.answer("DNS servers [192.168.10.2 192.168.10.3]: ", "none");
    line.answer("[unchanged]: ", "");
    line.answer("Apply this? (Yes/No) [Yes]: ", "");
    line.expect("https://192.168.10.61:9443/");
    line.answer("Press Enter: ", "");
    line.answer("Your choice: ", "4");
    line.answer("Present password: ", PASSWORD);
    line.answer("New password (8 to 256 characters): ", NEW_PASSWORD);
    line.answer("New password again: ", NEW_PASSWORD);
    line.expect("The password is changed");
    line.answer(LOG_IN, "loadbalancer");
    line.answer("Password: ", NEW_PASSWORD);
    line.answer("Your choice: ", "5");
    line.answer("Type yes to restart: ", "yes");
    line.expect("The first process is not reached");
    line.answer("Your choice: ", "0");
    line.expect(LOG_IN);
    // The log is written beside what it tells of.
    let by_name = || {
        let audit = lab.lbd().request("GET", "/api/v1/audit", None).expect(200).json;
        let entries = audit.as_array().expect("a list").iter();
        format!("{:?}", entries.filter(|entry| entry["user"] == "loadbalancer").collect::<Vec<_>>())
    };
    for what in
        ["logged in", "192.168.10.61/24", "confirmed", "password of loadbalancer changed", "logged out"]
    {
        wait::until(SOON, format!("{what:?} by name in the audit log"), || by_name().contains(what));
    }
}

/// Who sees the machine's own screen only finds out whether it reaches a server, and as whom it may call it.
#[test]
fn an_administrator_looks_for_a_fault_with_the_tools() {
    let lab = Lab::single_arm();
    start(&lab);
    lab.lbd().set_password(PASSWORD);
    let _scp = lab.server("NODE1").scp("DW_SCP", 2001, Mode::Good);
    let mut line = console(&lab);
    line.expect("Its certificate");
    line.answer(LOG_IN, "root");
    line.answer("Password: ", PASSWORD);
    line.answer("Your choice: ", "9");
    line.answer("Your choice: ", "2");
    line.answer("by address or name: ", "192.168.10.110");
    line.expect("192.168.10.110 is reached: on a network of the appliance itself.");
    line.answer("back to the tools: ", "");
    line.answer("Your choice: ", "5");
    line.answer("[192.168.10.110]: ", "");
    line.answer("Port: ", "2001");
    line.answer("Called AE title: ", "DW_MPPS_SCP");
    line.expect("are answered there: DW_SCP.");
    line.answer("back to the tools: ", "");
    line.answer("Your choice: ", "5");
    line.answer("[192.168.10.110]: ", "");
    line.answer("[2001]: ", "");
    line.answer("[DW_MPPS_SCP]: ", "DW_SCP");
    line.expect("DW_SCP at 192.168.10.110:2001 answers the C-ECHO");
    line.answer("back to the tools: ", "");
    line.answer("Your choice: ", "6");
    line.expect("192.168.10.110");
    line.answer("back to the tools: ", "q");
    line.answer("Your choice: ", "1");
    lab.lbd().kill();
    line.answer("[192.168.10.110]: ", "");
    line.expect("Cannot reach lbd");
    line.answer("Your choice: ", "0");
    line.expect("Factory reset");
}

#[test]
fn guesses_are_slowed_down_as_everywhere() {
    let lab = Lab::single_arm();
    start(&lab);
    lab.lbd().set_password(PASSWORD);
    let mut line = console(&lab);
    for _ in 0..5 {
        line.answer(LOG_IN, "loadbalancer");
        line.answer("Password: ", "guessed wrongly");
        line.expect("Login incorrect: name or password are wrong");
    }
    line.answer(LOG_IN, "loadbalancer");
    line.answer("Password: ", PASSWORD);
    line.expect("too many wrong passwords");
}

#[test]
fn it_outlives_lbd_and_says_why_it_waits() {
    let lab = Lab::single_arm();
    start(&lab);
    lab.lbd().set_password(PASSWORD);
    let mut line = console(&lab);
    line.expect(LOG_IN);
    lab.lbd().kill();
    line.expect("The daemon lbd does not answer: cannot reach lbd");
    line.answer(LOG_IN, "loadbalancer");
    line.expect("Nobody can log in while lbd does not answer");
    lab.lbd().start_again();
    line.expect("WebUI: https://192.168.10.10:9443/");
    line.answer(LOG_IN, "loadbalancer");
    line.answer("Password: ", PASSWORD);
    line.expect("Log out");
}

#[test]
fn the_first_console_after_a_boot_takes_a_new_password_from_whoever_stands_there() {
    let lab = Lab::single_arm();
    start(&lab);
    lab.lbd().set_password(PASSWORD);
    let mut late = console(&lab);
    late.answer(LOG_IN, "recover");
    late.answer("Password: ", "recover");
    late.expect("Login incorrect");
    let mut line = console_with(&lab, "--offers-recovery");
    line.expect("Password lost?");
    line.answer(LOG_IN, "recover");
    line.answer("Your choice: ", "1");
    line.answer("New password (8 to 256 characters): ", NEW_PASSWORD);
    line.answer("New password again: ", NEW_PASSWORD);
    line.expect("The password is changed");
    line.answer(LOG_IN, "loadbalancer");
    line.answer("Password: ", NEW_PASSWORD);
    line.expect("Factory reset");
    assert!(!line.all().contains(NEW_PASSWORD), "a password was shown:\n{}", line.all());

    for what in ["recovery at the console was entered", "has set another password for loadbalancer"] {
        lab.lbd().wait_audit(what);
    }
    let step = json!({"step": "new-password", "password": PASSWORD}).to_string();
    let url = "https://192.168.10.10:9443/api/v1/recovery";
    let refused = https(lab.client(), "POST", url, Some(NEW_PASSWORD), Some(&step));
    assert_eq!(refused.status, 403, "{}", refused.text);
}
