//! The log of a real lbd: on disk, over restarts, followed, and without a disk.

use std::time::Duration;

use lab::lbd::{SOON, binary, https, https_with, wait_https};
use lab::topology::MANAGEMENT;
use lab::{Config, Lab, wait};
use serde_json::Value;

/// lbd looks at its disk every 15 seconds.
const LOOKED: Duration = Duration::from_secs(40);

fn log(lab: &Lab, question: &str) -> Vec<Value> {
    let answer = lab.lbd().request("GET", &format!("/api/v1/log?{question}"), None).expect(200);
    answer.json["lines"].as_array().expect("lines").clone()
}

fn texts(lab: &Lab, question: &str) -> Vec<String> {
    log(lab, question).iter().map(|line| line["text"].as_str().expect("a text").to_owned()).collect()
}

/// The files of the log, one after the other.
fn on_disk(lab: &Lab) -> String {
    let folder = std::fs::read_dir(lab.lbd().state_folder().join("log")).expect("the log's folder");
    let text = |file: std::fs::DirEntry| std::fs::read_to_string(file.path()).expect("a file of the log");
    folder.map(|file| text(file.expect("an entry"))).collect()
}

fn change(lab: &Lab, weight: u8) {
    let output = lab.lbd().command(
        &format!(
            "server weight DATALINK_POOL1 DATALINK_POOL1_NODE1 {weight} --control-socket {}",
            lab.lbd().control_socket().display()
        ),
        "",
    );
    output.expect_ok();
}

#[test]
fn the_log_outlives_lbd_and_each_line_is_there_once() {
    let lab = Lab::single_arm();
    lab.lbd().start(&Config::datalink());
    change(&lab, 50);
    lab.lbd().stop();
    lab.lbd().start_again();
    // lbd answers a moment before it says so, and a thread of its own writes that down: a crash costs what is on its way.
    wait::until(SOON, "the second start to be on disk", || {
        on_disk(&lab).matches("lbd is running").count() == 2
    });
    lab.lbd().kill();
    lab.lbd().start_again();
    wait::until(SOON, "the third start to be told", || texts(&lab, "text=is%20running").len() >= 3);
    let told: Vec<_> = texts(&lab, "").into_iter().rev().collect();
    let count = |words: &str| told.iter().filter(|text| text.contains(words)).count();
    assert_eq!(count("lbd is running"), 3, "{told:#?}");
    assert_eq!(count("lbd ends; the kernel goes on forwarding"), 1, "{told:#?}");
    assert_eq!(count("weight of DATALINK_POOL1_NODE1 100 -> 50"), 1, "{told:#?}");
    let lines = log(&lab, "text=WEIGHT%20of&severity=info&source=lbd");
    assert_eq!((lines.len(), &lines[0]["severity"]), (1, &Value::from("info")));
    let until = lines[0]["time"].as_str().expect("a time");
    assert_eq!(texts(&lab, &format!("until={until}&text=is%20running")).len(), 1);
    assert_eq!(log(&lab, "most=2").len(), 2);
    assert_eq!(log(&lab, "source=kernel"), [Value::Null; 0], "only the appliance's init may hand it over");
}

#[test]
fn the_log_is_followed() {
    let lab = Lab::single_arm();
    lab.lbd().start(&Config::datalink());
    let mut command = lab.appliance().command(binary().to_str().expect("a path"));
    command.args(["log", "--follow", "--text", "weight", "--control-socket"]).arg(lab.lbd().control_socket());
    let follower = lab.appliance().start(command, "follower");
    for weight in [40, 30] {
        change(&lab, weight);
        let words = format!("-> {weight}");
        wait::until(SOON, "the follower to tell", || follower.log().contains(&words));
    }
    assert_eq!(follower.log().lines().count(), 2, "each line once: {}", follower.log());
    assert!(follower.exited().is_none());
    follower.kill();
}

#[test]
fn a_disk_that_does_not_take_the_log_is_told_and_stops_nothing() {
    let lab = Lab::single_arm();
    lab.lbd().start(&Config::datalink());
    lab.lbd().stop();
    let folder = lab.lbd().state_folder().join("log");
    std::fs::remove_dir_all(&folder).expect("the log's folder is there");
    std::fs::write(&folder, "a file where the folder should be").expect("a file");
    lab.lbd().start_again();
    let problem =
        |lab: &Lab| lab.lbd().status()["problems"].to_string().contains("The log cannot be written");
    wait::until(LOOKED, "the trouble to be told", || problem(&lab));
    change(&lab, 60);
    let answer = lab.lbd().request("GET", "/api/v1/log?text=weight", None).expect(200).json;
    assert!(answer["lines"][0]["text"].as_str().is_some_and(|text| text.contains("-> 60")), "{answer:#}");
    assert!(answer["trouble"].is_string(), "{answer:#}");
    std::fs::remove_file(&folder).expect("the file is there");
    change(&lab, 70);
    wait::until(LOOKED, "the trouble to be over", || !problem(&lab));
    wait::until(SOON, "the end of the trouble in the log", || {
        texts(&lab, "").iter().any(|text| text.contains("the disk takes the log again"))
    });
}

/// Where secrets pass, they leave nothing: neither right nor wrong ones, neither in the log nor in the audit log.
#[test]
fn no_secret_that_people_or_programs_show_stands_in_a_log() {
    const RIGHT: &str = "R1ght-and-long-4711";
    const WRONG: &str = "Wr0ng-and-long-4711";
    const NEW: &str = "N3w-and-long-4711";
    let lab = Lab::single_arm();
    lab.lbd().start(&Config::datalink());
    lab.lbd().set_password(RIGHT);
    let api = |path: &str| format!("https://{MANAGEMENT}:9443/api/v1/{path}");
    wait_https(lab.client(), &api("status"));
    for (password, status) in [(RIGHT, 200), (WRONG, 401)] {
        https(lab.client(), "GET", &api("status"), Some(password), None).expect(status);
    }
    let user = format!(r#"{{"name": "ann", "role": "viewer", "password": "{NEW}"}}"#);
    https(lab.client(), "POST", &api("users"), Some(RIGHT), Some(&user)).expect(201);
    let token = r#"{"name": "backup", "role": "viewer", "days": 1}"#;
    let made = https(lab.client(), "POST", &api("tokens"), Some(RIGHT), Some(token)).expect(201).json;
    let token = made["token"].as_str().expect("a token").to_owned();
    let bearer = |token: &str| format!("Authorization: Bearer {token}");
    https_with(lab.client(), "GET", &api("status"), &[&bearer(&token)], None).expect(200);
    https_with(lab.client(), "GET", &api("status"), &[&bearer(WRONG)], None).expect(401);
    let pair = lab.server("NODE1").authority("lb.example");
    let key = std::fs::read_to_string(&pair.key).expect("a key that was just made");
    let certificate = serde_json::json!({"certificate": pair.pem(), "private_key": key}).to_string();
    lab.lbd().request("PUT", "/api/v1/certificate", Some(&certificate)).expect(200);
    lab.lbd().wait_audit("ann");
    let of_the_key = key.lines().nth(1).expect("a line of the key").to_owned();
    let audit = lab.lbd().request("GET", "/api/v1/audit", None).expect(200).text;
    assert!(audit.contains("lbd set-password"), "who set the first password: {audit}");
    let log = lab.lbd().request("GET", "/api/v1/log?most=1000", None).expect(200).text;
    for (what, text) in [
        ("audit", &audit),
        ("log", &log),
        ("output", &lab.lbd().process().log()),
        ("disk", &on_disk(&lab)),
        ("support file", &lab.lbd().support_file()),
    ] {
        for secret in [RIGHT, WRONG, NEW, &token, &of_the_key] {
            assert!(!text.contains(secret), "{secret} in the {what}: {text}");
        }
    }
}
