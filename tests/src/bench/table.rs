//! Benchmark of the connection list: what 100,000 open connections cost lbd while nobody looks, and how long a look takes.

use std::time::{Duration, Instant};

use lab::{Config, Lab, wait};

use crate::daemon::cpu_microseconds;
use crate::report::{Comparison, Goal, Report, Samples};

/// Flows of datagrams, which are connections to the kernel as those of TCP are, and cost the client no socket each.
const CONNECTIONS: u64 = 100_000;
/// Of each client. Clients take turns between two servers, and no two of a server have a port in common: the kernel need not
/// look for other ones.
const PORTS: u16 = 12_500;
const FIRST_PORT: u16 = 10_000;
/// In which each is opened and counted.
const OPENED: Duration = Duration::from_secs(120);
/// What CPU time is taken over, in each round.
const WINDOW: Duration = Duration::from_secs(10);
/// A twentieth of one core: lbd looks at the kernel's table less often as it grows.
const MOST_CPU: f64 = 5.0;
/// In which a person gets an answer.
const MOST_SECONDS: f64 = 1.0;

/// Percent of one core with 100,000 connections, and seconds of a question for those of one client.
pub fn table(rounds: u32) -> Report {
    let lab = Lab::single_arm();
    start(&lab);
    let lbd = lab.lbd().process();
    let (mut shares, mut looks) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (began, before) = (Instant::now(), cpu_microseconds(&lbd));
        std::thread::sleep(WINDOW);
        shares.push((cpu_microseconds(&lbd) - before) / began.elapsed().as_micros() as f64 * 100.0);
        looks.push(look(&lab));
    }
    let (shares, looks): (Samples, Samples) = (shares.into_iter().collect(), looks.into_iter().collect());
    let mut report = Report::new("Connection list with 100,000 connections");
    report.system("CPU while nobody looks, % of one core", &shares);
    report.system("a question for one client's, s", &looks);
    for (name, unit, samples, most) in [
        ("cpu of 100,000 connections", "%", &shares, MOST_CPU),
        ("look at 100,000", "s", &looks, MOST_SECONDS),
    ] {
        let (ours, goal) = (samples.median(), Goal::OursAtMost(most));
        report.compare(Comparison { name, unit, ours, peer: "goal", theirs: most, goal });
    }
    report
}

/// Opens them all, and waits until they are counted.
fn start(lab: &Lab) {
    for node in ["NODE1", "NODE2"] {
        lab.server(node).named_server(node, 2001);
    }
    let pool = lab.pool().in_turn().with("idle_timeout_seconds = 3600");
    let config: Config = lab.config([&pool]).replacing("protocol = \"tcp\"", "protocol = \"tcp+udp\"");
    lab.lbd().start(&config);
    lab.lbd().wait_service("POOL", "up");
    let clients = CONNECTIONS / u64::from(PORTS);
    for last in 0..clients {
        let first = FIRST_PORT + PORTS * u16::try_from(last / 2).expect("a few");
        lab.client().ip(format!("address add 192.168.10.{}/24 dev eth0", 60 + last));
        lab.client().leave_flows_as(
            std::net::Ipv4Addr::new(192, 168, 10, 60 + u8::try_from(last).expect("a few")),
            first..first + PORTS,
            lab.vip(0),
            2001,
        );
    }
    let counted = || lab.lbd().service("POOL")["connections_now"].as_u64() >= Some(CONNECTIONS);
    wait::until(OPENED, "all connections to be counted", counted);
}

fn look(lab: &Lab) -> f64 {
    let started = Instant::now();
    let answer =
        lab.lbd().request("GET", "/api/v1/connections?client=192.168.10.61&limit=100", None).expect(200);
    assert_eq!(answer.json["connections"].as_array().map(Vec::len), Some(100));
    started.elapsed().as_secs_f64()
}
