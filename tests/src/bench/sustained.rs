//! Benchmark of endurance: new connections second after second, where each leaves a port behind for two minutes.
//!
//! The server closes first, as DICOM servers and web servers do: it keeps the connection in TIME_WAIT, and so does the
//! kernel's table, for 120 s. One SNAT address has 64,512 ports towards one port of a server, which is some 530 new
//! connections a second; beyond that connections stall, unless there is a pool of addresses.

use std::time::Duration;

use lab::{Lab, Pool};
use serde_json::Value;

use crate::report::{Comparison, Goal, Report, Samples};

/// Three times what one address sustains, and no more than the kernel's table holds for two minutes (262,144).
const RATE: u64 = 1_600;
const SNAT_ADDRESSES: &str = "192.168.10.120-192.168.10.127";
/// As many clients, so that the pool is made use of: each has one address of it.
const CLIENTS: &str = "10.77.0.0";
const PORT: u16 = 7008;
/// For the last connections to end.
const ENDING: Duration = Duration::from_secs(60);

/// So many seconds of it.
pub fn sustained(seconds: u32) -> Report {
    let lab = Lab::single_arm();
    let server = lab.server("NODE1");
    let mut command = server.command(&crate::own_program());
    command.args(["load", "serve-and-close", &PORT.to_string()]);
    server.start(command, "serve-and-close").wait_listening(PORT);
    lab.client().use_addresses(&format!("{CLIENTS}/24"));
    lab.appliance().ip(format!("route add {CLIENTS}/24 via {}", lab.client().address()));
    lab.lbd().start(&lab.config([&pool(&lab)]));
    lab.lbd().wait_service("POOL", "up");
    report(&lab, &churn(&lab, seconds), seconds)
}

/// What the clients found.
fn churn(lab: &Lab, seconds: u32) -> Value {
    let mut command = lab.client().command(&crate::own_program());
    let place = format!("{}:{PORT}", lab.vip(0));
    command.args(["load", "churn", &place, CLIENTS, &RATE.to_string(), &seconds.to_string()]);
    let clients = lab.client().start(command, "churn");
    let status = clients.wait_exit(Duration::from_secs(seconds.into()) + ENDING);
    assert!(status.success(), "{}", clients.log());
    let log = clients.log();
    serde_json::from_str(log.lines().last().unwrap_or_default()).expect("JSON in the last line")
}

fn pool(lab: &Lab) -> Pool {
    let snat_pool = format!("snat_pool = [\"{SNAT_ADDRESSES}\"]");
    lab.pool().ports(&PORT.to_string()).weights(&[100]).persistence(None).with(&snat_pool)
}

fn report(lab: &Lab, figures: &Value, seconds: u32) -> Report {
    let finished = figures["finished"].as_array().into_iter().flatten().filter_map(Value::as_f64);
    let finished: Vec<_> = finished.collect();
    let title = format!("Endurance: {RATE} new connections per second, {seconds} s, server closes first");
    let mut report = Report::new(title);
    report.system("finished, per second", &finished.iter().copied().collect());
    let lowest = finished.iter().copied().fold(f64::INFINITY, f64::min);
    let wanted = Samples::from_iter([RATE as f64]);
    report.compare(Comparison {
        name: "the worst second",
        unit: "connections",
        ours: lowest,
        peer: "wanted",
        theirs: wanted.median(),
        goal: Goal::RatioAtLeast(0.9),
    });
    // Whose first packet is dropped waits a second for the next one.
    report.compare(Comparison {
        name: "slowest connection",
        unit: "ms",
        ours: figures["slowest_milliseconds"].as_f64().unwrap_or(f64::NAN),
        peer: "a lost SYN",
        theirs: 1_000.0,
        goal: Goal::RatioAtMost(1.0),
    });
    let begun = finished.iter().sum::<f64>() + figures["failed"].as_f64().unwrap_or(f64::NAN);
    report.compare(Comparison {
        name: "connections served",
        unit: "connections",
        ours: finished.iter().sum(),
        peer: "begun",
        theirs: begun,
        goal: Goal::RatioAtLeast(1.0),
    });
    lab.lbd().wait_status("the ports in use", |lbd| lbd.server("POOL", "NODE1")["snat_ports_in_use"] != 0);
    let server = lab.lbd().server("POOL", "NODE1");
    report.note(format!(
        "SNAT ports in use at the end: {} of {}",
        server["snat_ports_in_use"], server["snat_ports_available"]
    ));
    report
}
