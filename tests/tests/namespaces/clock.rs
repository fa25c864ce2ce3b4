//! The clock: chrony as NTP server, servers that misbehave, and what lbd may not do on a machine that is not its own.

use std::time::Duration;

use lab::{Config, Lab};
use serde_json::Value;

/// A server is asked again within 16 s, twice where one answer was lost.
const ASKED: Duration = Duration::from_secs(60);

fn config(lab: &Lab, servers: &[&str]) -> Config {
    let network = "\n[network]\ndns_servers = [\"192.168.10.112\"]\n[[network.interface]]\nname = \"eth0\"\n\
                   addresses = [\"192.168.10.10/24\"]\n";
    let time = format!("\n[time]\nzone = \"Europe/Berlin\"\nntp_servers = {servers:?}\n");
    lab.config([&lab.pool()]).followed_by(network).followed_by(&time)
}

fn clock(lab: &Lab) -> Value {
    lab.lbd().request("GET", "/api/v1/clock", None).expect(200).json
}

fn wait_state(lab: &Lab, state: &str) -> Value {
    let what = format!("the clock to be {state}");
    lab::wait::until_some(ASKED, what, || Some(clock(lab)).filter(|clock| clock["state"] == state)).0
}

fn time(lab: &Lab, arguments: &str) -> lab::Output {
    let socket = lab.lbd().control_socket();
    lab.lbd().command(&format!("time {arguments} --control-socket {}", socket.display()), "")
}

fn reason(clock: &Value) -> &str {
    clock["reason"].as_str().expect("a reason")
}

#[test]
fn a_clock_that_is_right_is_measured_by_chrony_and_left_alone() {
    let lab = Lab::single_arm();
    lab.server("POOL2_NODE1").name_server(&["host-record=ntp.hospital.example,192.168.10.114"]);
    lab.server("POOL3_NODE1").chrony();
    lab.lbd().start(&config(&lab, &["ntp.hospital.example"]));
    let clock = wait_state(&lab, "measured");
    assert!(reason(&clock).contains("lbd only measures it"), "{clock:#}");
    let offset = clock["offset_seconds"].as_f64().expect("an offset");
    assert!(offset.abs() < 0.5, "the lab has one clock: {offset} s");
    let server = &clock["servers"][0];
    assert_eq!((&server["server"], &clock["source"]), (&"ntp.hospital.example".into(), &server["server"]));
    assert_eq!((&server["address"], &server["stratum"]), (&"192.168.10.114".into(), &8.into()), "{clock:#}");
    assert_eq!(clock["zone"], "Europe/Berlin");
    let told = time(&lab, "status").expect_ok().to_owned();
    for words in ["right, measured only", "ntp.hospital.example", "192.168.10.114", "Europe/Berlin", " CE"] {
        assert!(told.contains(words), "no {words:?} in:\n{told}");
    }
    assert!(!lab.lbd().status()["conditions"].to_string().contains("\"clock\""), "nothing is wrong");

    // The machine is not lbd's own: it has no daemon, no right to set the clock, and says so.
    let folder = lab.lbd().state_folder();
    assert!(!folder.join("ntpd.toml").exists(), "no time daemon was started");
    time(&lab, "set 2030-01-01T00:00:00Z").expect_failure("sets the clock of the appliance only");
    time(&lab, "synchronise").expect_ok();

    // Without a server nothing is known, and nothing is complained of.
    lab.lbd().put(&config(&lab, &[])).expect(200);
    wait_state(&lab, "free");
    time(&lab, "synchronise").expect_failure("There is no NTP server");
}

#[test]
fn a_clock_that_is_wrong_is_told_and_one_false_server_of_three_is_not_believed() {
    let lab = Lab::single_arm();
    lab.server("NODE1").nasty_time_server("offset:3600");
    lab.lbd().start(&config(&lab, &["192.168.10.110"]));
    let clock = wait_state(&lab, "unsynchronised");
    assert!(reason(&clock).starts_with("the clock is 1 h 0 min slow by 192.168.10.110"), "{clock:#}");
    assert!(reason(&clock).contains("lbd may not set it on this machine"), "{clock:#}");
    let status = lab.lbd().status();
    let condition = status["conditions"].as_array().expect("conditions").iter();
    let condition = condition.filter(|condition| condition["kind"] == "clock").collect::<Vec<_>>();
    assert_eq!(condition.len(), 1, "{status:#}");
    assert!(condition[0]["text"].as_str().expect("text").contains("System Date & Time"), "{condition:?}");

    lab.server("NODE2").chrony();
    lab.server("POOL2_NODE1").chrony();
    lab.lbd().put(&config(&lab, &["192.168.10.110", "192.168.10.111", "192.168.10.112"])).expect(200);
    let clock = wait_state(&lab, "measured");
    assert!(reason(&clock).contains("192.168.10.110 disagrees by"), "{clock:#}");
}

#[test]
fn a_server_that_misbehaves_is_described() {
    // Each says something else than the one before.
    let cases = [
        ("silent", "no answer from 192.168.10.110 within 2 s"),
        ("alarm", "the server's own clock is not synchronised"),
        ("garbage", "no answer from 192.168.10.110 within 2 s"),
        ("kiss", "does not want to be asked (kiss code RATE)"),
        ("foreign", "no answer from 192.168.10.110 within 2 s"),
    ];
    let lab = Lab::single_arm();
    lab.lbd().start(&config(&lab, &["192.168.10.110", "nowhere.hospital.example"]));
    let wait_reason = |number: usize, words: &str| {
        lab::wait::until(ASKED, format!("{words:?} of server {number}"), || {
            let clock = clock(&lab);
            clock["servers"][number]["reason"].as_str().is_some_and(|reason| reason.contains(words))
        });
    };
    wait_reason(0, "refused");
    for (mode, words) in cases {
        let server = lab.server("NODE1").nasty_time_server(mode);
        lab.lbd().request("POST", "/api/v1/clock/synchronise", None).expect(204);
        wait_reason(0, words);
        server.kill();
    }
    // The name server of the configuration does not answer.
    wait_reason(1, "the NTP server nowhere.hospital.example");
}

/// What lbd writes for ntpd is compared with this file by lbd's own tests.
const CONFIGURATION: &str = include_str!("../../../lbd/src/clock/ntpd.golden.toml");

#[test]
fn the_time_daemon_understands_its_configuration_and_refuses_where_it_may_not_set_the_clock() {
    let lab = Lab::single_arm();
    let file = lab.appliance().new_path("ntpd.toml");
    std::fs::write(&file, CONFIGURATION).expect("lab folder");
    let run = |arguments: &str| lab.lbd().command(arguments, "");
    run(&format!("time-daemon --config {}", file.display())).expect_failure("Could not control clock");
    std::fs::write(&file, CONFIGURATION.replace("startup-step", "startup-stop")).expect("lab folder");
    run(&format!("time-daemon --config {}", file.display())).expect_failure("error loading the config");
    run("set-clock 2030-01-01T00:00:00Z").expect_failure("EPERM");
}
