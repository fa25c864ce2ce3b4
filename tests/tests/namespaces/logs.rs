//! The log of a real lbd: on disk, over restarts, followed, and without a disk.

use std::time::Duration;

use lab::lbd::{SOON, binary};
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
