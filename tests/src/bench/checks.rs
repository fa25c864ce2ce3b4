//! Benchmark of the health checks: CPU and punctuality with 2,000 servers, a tenth of which hang.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lab::process::Process;
use lab::{Host, Lab, Pool, wait};
use serde_json::Value;

use crate::daemon::cpu_microseconds;
use crate::farm;
use crate::report::{Comparison, Goal, Report, Samples};

/// Network of the servers: one host that has all addresses.
const SERVERS: &str = "10.9.0.0/16";
/// Services of ten servers each.
const GOOD_SERVICES: u16 = 180;
/// Services whose servers hang, of each kind.
const HANGING_SERVICES: u16 = 7;
const SERVERS_OF_SERVICE: u16 = 10;
/// No check may be later, in milliseconds.
const MOST_LATE: f64 = 200.0;
/// What CPU time is taken over, in each round: three intervals.
const WINDOW: Duration = Duration::from_secs(15);

/// 2,000 servers checked every 5 s by C-ECHO, of which some hang at connect, at accept and in the middle of a PDU.
pub fn checks(rounds: u32) -> Report {
    let lab = Lab::single_arm();
    let host = lab.server("NODE1");
    let servers = start_farm(&lab, host);
    lab.lbd().start(&lab.config(&pools(&lab)));
    // Until every verdict stands, and what the start has made late is forgotten.
    wait::until(Duration::from_secs(120), "every server to have a verdict", || {
        lab.lbd().status()["virtual_services"].as_array().is_some_and(|services| {
            services.iter().all(|service| service["state"] != "checking" && service["state"] != "degraded")
        })
    });
    std::thread::sleep(Duration::from_secs(125));
    let lbd = lab.lbd().process();
    let (mut shares, mut lateness) = (Vec::new(), Vec::new());
    // The line that is under way began before.
    let told_before = told(&servers).len() + 1;
    for _ in 0..rounds {
        let (began, cpu) = (Instant::now(), cpu_microseconds(&lbd));
        std::thread::sleep(WINDOW);
        shares.push((cpu_microseconds(&lbd) - cpu) / began.elapsed().as_micros() as f64 * 100.0);
        lateness.push(lab.lbd().status()["checks"]["latest_start_milliseconds"].as_f64().unwrap_or(f64::NAN));
    }
    let mut report = report(&lab, &shares.into_iter().collect(), &lateness.into_iter().collect());
    as_the_servers_see_it(&mut report, told(&servers).get(told_before..).unwrap_or_default());
    report
}

/// What the good servers told of each interval.
fn told(servers: &Process) -> Vec<Value> {
    servers.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// lbd's own word of its punctuality is one thing, what arrives another.
fn as_the_servers_see_it(report: &mut Report, told: &[Value]) {
    let figures = |name: &str| told.iter().filter_map(|line| line[name].as_f64()).collect::<Samples>();
    let (checks, pauses) = (figures("checks"), figures("longest_pause_milliseconds"));
    report.system("checks that arrived per interval", &checks);
    report.system("longest pause between two of a server, ms", &pauses);
    let servers = f64::from(GOOD_SERVICES * SERVERS_OF_SERVICE);
    let interval = farm::TOLD.as_secs_f64() * 1e3;
    for (name, unit, ours, peer, theirs, goal) in [
        (
            "checks per interval",
            "checks",
            checks.median(),
            "good servers",
            servers,
            Goal::RatioAtLeast(0.999),
        ),
        (
            "longest pause",
            "ms",
            pauses.highest(),
            "goal",
            interval + MOST_LATE,
            Goal::OursAtMost(interval + MOST_LATE),
        ),
    ] {
        report.compare(Comparison { name, unit, ours, peer, theirs, goal });
    }
}

fn report(lab: &Lab, shares: &Samples, lateness: &Samples) -> Report {
    let mut report = Report::new("Checks: 2,000 servers every 5 s by C-ECHO, a tenth of them hanging");
    report.system("CPU, % of one core", shares);
    report.system("latest start, ms after its time", lateness);
    // No check may be late: one late check in one round counts.
    for (name, unit, ours, most) in
        [("cpu of checks", "%", shares.median(), 25.0), ("latest start", "ms", lateness.highest(), MOST_LATE)]
    {
        let goal = Goal::OursAtMost(most);
        report.compare(Comparison { name, unit, ours, peer: "goal", theirs: most, goal });
    }
    let status = lab.lbd().status();
    let services = status["virtual_services"].as_array().cloned().unwrap_or_default();
    let count = |state: &str| services.iter().filter(|service| service["state"] == state).count();
    report.note(format!("different checks: {}", status["checks"]["different"]));
    let hanging = 3 * usize::from(HANGING_SERVICES);
    assert_eq!((count("up"), count("down")), (usize::from(GOOD_SERVICES), hanging), "services up and down");
    report.note(format!("services up: {GOOD_SERVICES}, down, as their servers hang: {hanging}"));
    report
}

fn start_farm(lab: &Lab, host: &Host) -> Arc<Process> {
    host.use_addresses(SERVERS);
    lab.appliance().ip(format!("route add {SERVERS} via {}", host.address()));
    host.drop_silently(farm::DROPPED);
    let mut command = host.command(&crate::own_program());
    command.args(["load", "farm"]);
    let servers = host.start(command, "farm");
    servers.wait_listening(farm::GOOD);
    servers
}

fn pools(lab: &Lab) -> Vec<Pool> {
    let hanging = [farm::SILENT, farm::DROPPED, farm::MIDWAY];
    let hanging = hanging.into_iter().flat_map(|port| (0..HANGING_SERVICES).map(move |_| port));
    let ports = (0..GOOD_SERVICES).map(|_| farm::GOOD).chain(hanging);
    ports.zip(0..).map(|(port, number)| pool(lab, number, port)).collect()
}

fn pool(lab: &Lab, number: u16, port: u16) -> Pool {
    let server = |n: u16| {
        let [high, low] = (1 + number * SERVERS_OF_SERVICE + n).to_be_bytes();
        (format!("NODE{n}"), Ipv4Addr::new(10, 9, high, low), 100)
    };
    Pool::new(&format!("POOL{number}"), lab.vip(0), (0..SERVERS_OF_SERVICE).map(server).collect())
        .ports(&(3000 + number).to_string())
        .server_port(port)
        .echo_check("DW_SCP")
        .check_every(5, 3)
}
