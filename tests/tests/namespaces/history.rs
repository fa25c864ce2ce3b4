//! The history of a real lbd: over restarts, and on a disk that is full.

use std::time::Duration;

use lab::lbd::SOON;
use lab::small_disk::SmallDisk;
use lab::{Lab, wait};
use serde_json::Value;

/// A sample is taken every ten seconds, and lbd looks at its disk every 15.
const RECORDED: Duration = Duration::from_secs(60);

fn course(lab: &Lab, series: &str) -> Value {
    lab.lbd().request("GET", &format!("/api/v1/history?from=10m&series={series}"), None).expect(200).json
}

/// Beginning and mean of each step that is known.
fn known(lab: &Lab, series: &str) -> Vec<(i64, f64)> {
    let course = course(lab, series);
    let times = course["times"].as_array().expect("times").iter();
    let pairs = times.zip(course["series"][0]["means"].as_array().expect("means"));
    pairs.filter_map(|(time, mean)| Some((time.as_i64()?, mean.as_f64()?))).collect()
}

fn wait_known(lab: &Lab, series: &str, count: usize) -> Vec<(i64, f64)> {
    wait::until(RECORDED, format!("{count} steps of {series}"), || known(lab, series).len() >= count);
    known(lab, series)
}

#[test]
fn the_history_tells_what_was_and_outlives_lbd() {
    let lab = Lab::single_arm();
    lab.server("NODE1").named_server("NODE1", 2001);
    lab.lbd().start(&lab.config([&lab.pool()]));
    lab.lbd().wait_service("POOL", "degraded");
    let before = wait_known(&lab, "service/POOL/servers_up", 2);
    assert_eq!(before.last().map(|(_, up)| *up), Some(1.0), "{before:?}");
    lab.lbd().kill();
    lab.lbd().start_again();
    let after = wait_known(&lab, "service/POOL/servers_up", before.len() + 1);
    assert!(after.starts_with(&before[1..]) || after.starts_with(&before), "{before:?}, then {after:?}");
    for series in ["appliance/cpu", "appliance/memory", "interface/eth0/bytes_in", "server/POOL/NODE1/check"]
    {
        let found = wait_known(&lab, series, 1);
        assert!(found.iter().all(|(_, figure)| *figure > 0.0), "{series}: {found:?}");
    }
    let refused = lab.lbd().request("GET", "/api/v1/history?series=service/POOL/nothing", None);
    assert_eq!(refused.status, 400, "{}", refused.text);
    let unknown = course(&lab, "server/POOL/NODE9/check");
    assert_eq!(unknown["series"][0]["mean"], Value::Null);
}

fn report(lab: &Lab) -> Value {
    lab.lbd().request("GET", "/api/v1/reports/availability", None).expect(200).json
}

#[test]
fn an_outage_is_in_the_report_with_its_reason_and_length_over_a_restart() {
    let lab = Lab::single_arm();
    let node = lab.server("NODE1").named_server("NODE1", 2001);
    lab.server("NODE2").named_server("NODE2", 2001);
    lab.lbd().start(&lab.config([&lab.pool()]));
    lab.lbd().wait_service("POOL", "up");
    let service = |lab: &Lab| report(lab)["services"][0].clone();
    wait::until(RECORDED, "the service to be recorded", || service(&lab)["label"] == "POOL");
    node.kill();
    lab.lbd().wait_service("POOL", "degraded");
    let server = |lab: &Lab| service(lab)["servers"][0].clone();
    wait::until(SOON, "the outage to be recorded", || server(&lab)["outage_count"] == 1);
    assert_eq!(server(&lab)["outages"][0]["end"], Value::Null, "{:#}", server(&lab));
    lab.lbd().kill();
    lab.lbd().start_again();
    lab.server("NODE1").named_server("NODE1", 2001);
    lab.lbd().wait_service("POOL", "up");
    wait::until(RECORDED, "its end to be recorded", || server(&lab)["outages"][0]["end"].is_string());
    let found = service(&lab);
    let outage = &server(&lab)["outages"][0];
    let moment = |name: &str| outage[name].as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let (begin, end) = (moment("begin").expect("a beginning"), moment("end").expect("an end"));
    let lasted = end.duration_since(begin).as_secs();
    let down = outage["down_seconds"].as_i64().expect("a length");
    assert!((1..=lasted).contains(&down), "{found:#}");
    assert!(outage["reason"].as_str().is_some_and(|why| why.contains("refused")), "{found:#}");
    assert_eq!((&found["outage_count"], &found["uptime_percent"]), (&0.into(), &100.0.into()), "{found:#}");
    assert!(found["degraded_seconds"].as_i64().is_some_and(|seconds| seconds >= 1), "{found:#}");
    let socket = lab.lbd().control_socket();
    let csv =
        lab.lbd().command(&format!("report availability --csv --control-socket {}", socket.display()), "");
    let text = csv.expect_ok();
    let line = text.lines().find(|line| line.starts_with("outage,")).expect("a line for the outage");
    assert!(line.contains(",POOL,POOL_NODE1,") || line.contains(",POOL,NODE1,"), "{line}");
    let words = lab.lbd().command(&format!("report availability --control-socket {}", socket.display()), "");
    assert!(words.expect_ok().contains("refused"));
    let history = |more: &str| {
        let figures = "report history service/POOL/connections server/POOL/NODE1/check";
        lab.lbd().command(&format!("{figures} --from 10m{more} --control-socket {}", socket.display()), "")
    };
    wait_known(&lab, "server/POOL/NODE1/check", 1);
    let summary = history("");
    let line = summary.expect_ok().lines().find(|line| line.starts_with("server/POOL/NODE1/check"));
    assert!(line.is_some_and(|line| line.ends_with(" ms") && !line.contains("not known")), "{summary:?}");
    let csv = history(" --csv");
    let lines: Vec<_> = csv.expect_ok().lines().collect();
    assert_eq!(lines[0], "time,service/POOL/connections (1),server/POOL/NODE1/check (ms)");
    assert!(lines.len() > 2 && lines[1].matches(',').count() == 2, "{lines:?}");
    history(" --to tomorrow").expect_failure("to=tomorrow is not understood");
    let refused = lab.lbd().request("GET", "/api/v1/reports/availability?month=2026-13", None);
    assert_eq!(refused.status, 400, "{}", refused.text);
}

fn is_told(lab: &Lab) -> bool {
    lab.lbd().status()["problems"]
        .to_string()
        .contains("The history for graphs and reports cannot be written")
}

#[test]
fn a_full_disk_stops_the_history_and_neither_traffic_nor_changes() {
    let lab = Lab::single_arm();
    let disk = SmallDisk::below(lab.lbd().state_folder());
    for node in ["NODE1", "NODE2"] {
        lab.server(node).named_server(node, 2001);
    }
    lab.lbd().start(&lab.config([&lab.pool().in_turn()]));
    lab.lbd().wait_service("POOL", "up");
    wait_known(&lab, "service/POOL/connections", 1);
    let load = lab.client().load(lab.vip(0), 2001, 2, 2);
    // Less than the twentieth that is kept for the configuration.
    disk.fill(150_000);
    wait::until(RECORDED, "the trouble to be told", || is_told(&lab));
    let known_then = known(&lab, "service/POOL/connections").len();
    for weight in [40, 30, 20] {
        let arguments = format!("server weight POOL NODE1 {weight} --control-socket");
        let output = lab.lbd().command(&format!("{arguments} {}", lab.lbd().control_socket().display()), "");
        output.expect_ok();
    }
    load.wait_more(50);
    assert_eq!(known(&lab, "service/POOL/connections").len(), known_then, "nothing is recorded");
    let logged =
        lab.lbd().request("GET", "/api/v1/log?text=not%20take%20the%20history", None).expect(200).json;
    assert_eq!(logged["lines"].as_array().map(Vec::len), Some(1), "said once: {logged:#}");
    disk.clear();
    wait::until(RECORDED, "the trouble to be over", || !is_told(&lab));
    wait_known(&lab, "service/POOL/connections", known_then + 1);
    load.expect_no_failures();
    wait::until(SOON, "the end to be told", || {
        let told =
            lab.lbd().request("GET", "/api/v1/log?text=takes%20the%20history%20again", None).expect(200);
        told.json["lines"].as_array().is_some_and(|lines| lines.len() == 1)
    });
}

#[test]
fn a_disk_without_a_byte_left_stops_no_traffic_either() {
    let lab = Lab::single_arm();
    let disk = SmallDisk::below(lab.lbd().state_folder());
    lab.server("NODE1").named_server("NODE1", 2001);
    lab.lbd().start(&lab.config([&lab.pool()]));
    lab.lbd().wait_service("POOL", "degraded");
    let load = lab.client().load(lab.vip(0), 2001, 2, 2);
    disk.fill(0);
    // The disk as a whole is told then, not each of what is on it.
    wait::until(RECORDED, "the full disk to be told", || {
        lab.lbd().status()["problems"].to_string().contains("The disk takes no writes")
    });
    load.wait_more(50);
    disk.clear();
    wait_known(&lab, "service/POOL/connections", 1);
    load.expect_no_failures();
}
