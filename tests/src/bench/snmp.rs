//! Benchmarks of the SNMP agent: a walk of the server table of a large farm, and what three managers cost.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use lab::{Config, Lab, Pool, topology, wait};

use crate::daemon::cpu_microseconds;
use crate::report::{Comparison, Goal, Report, Samples};

const COMMUNITY: &str = "benchmark";
const AGENT: &str = "\n[snmp]\nenabled = true\n";
/// `evkServerTable`.
const SERVERS: &str = ".1.3.6.1.4.1.8072.9999.9999.6694.1.5";
/// Its column that a server has only once a check of it has passed; nobody answers the checks here.
const CHECK_DURATION: usize = 10;
const SERVICES: u16 = 1_000;
const SERVERS_OF_SERVICE: u16 = 10;
/// Columns of the table that can be read: all but its two indexes.
const COLUMNS: usize = 20;
/// For a configuration of this size to be taken over.
const START: Duration = Duration::from_secs(120);
const MANAGERS: usize = 3;
/// Each manager asks so often for so many objects.
const POLL_EVERY: Duration = Duration::from_secs(10);
const OBJECTS: usize = 30;
/// Polls in which the processor's time is measured.
const POLLS: u32 = 3;

/// Seconds of a bulk walk, and percent of a core of three managers.
pub fn snmp(rounds: u32) -> Report {
    let walks: Samples = walks(rounds);
    let (idle, polled) = polls(rounds);
    let mut report =
        Report::new("SNMP: bulk walk of 10,000 servers, and three managers that poll 30 objects every 10 s");
    report.system("bulk walk, s", &walks);
    report.system("three managers, % of a core", &polled);
    report.system("none, % of a core", &idle);
    for (name, unit, samples, most) in
        [("bulk walk", "s", &walks, 10.0), ("three managers", "% of a core", &polled.above(&idle), 5.0)]
    {
        let (ours, goal) = (samples.median(), Goal::OursAtMost(most));
        report.compare(Comparison { name, unit, ours, peer: "goal", theirs: most, goal });
    }
    report
}

fn set_community(lab: &Lab) {
    let socket = lab.lbd().control_socket();
    let command = format!("snmp community --control-socket {}", socket.display());
    lab.lbd().command(&command, COMMUNITY).expect_ok();
    wait::until(START, "the agent to answer", || lab.lbd().status()["snmp"]["listening"] == true);
}

fn walks(rounds: u32) -> Samples {
    let lab = Lab::single_arm();
    let pool = |number: u16| {
        let server = |n: u16| {
            let [high, low] = (number * SERVERS_OF_SERVICE + n + 1).to_be_bytes();
            (format!("NODE{n}"), Ipv4Addr::new(10, 9, high, low), 100)
        };
        Pool::new(&format!("POOL{number}"), lab.vip(0), (0..SERVERS_OF_SERVICE).map(server).collect())
            .ports(&(3_000 + number).to_string())
            .server_port(2_001)
            .checked_by("type = \"always-on\"")
    };
    let pools: Vec<_> = (0..SERVICES).map(pool).collect();
    lab.lbd().start(&lab.config(&pools).followed_by(AGENT));
    set_community(&lab);
    let walk = || {
        let started = Instant::now();
        let line = format!(
            "snmpbulkwalk -m : -On -Cr50 -v 2c -c {COMMUNITY} -t 5 {} {SERVERS}",
            topology::MANAGEMENT
        );
        let walked = lab.client().run(line);
        // An address of which each octet can be printed is shown as text, perhaps with an end of line in it.
        let lines = walked.expect_ok().lines().filter(|line| line.starts_with(SERVERS)).count();
        assert_eq!(lines, usize::from(SERVICES) * usize::from(SERVERS_OF_SERVICE) * COLUMNS);
        started.elapsed().as_secs_f64()
    };
    (0..rounds).map(|_| walk()).collect()
}

/// Percent of a core, without and with managers.
fn polls(rounds: u32) -> (Samples, Samples) {
    let lab = Lab::single_arm();
    lab.lbd().start(&Config::datalink().followed_by(AGENT));
    set_community(&lab);
    let columns: Vec<_> = (2..=20).filter(|column| *column != CHECK_DURATION).collect();
    let name = |n: usize| format!("{SERVERS}.1.{}.{}.1", columns[n % columns.len()], 1 + n / columns.len());
    let names: Vec<_> = (0..OBJECTS).map(name).collect();
    let line =
        format!("snmpget -m : -On -v 2c -c {COMMUNITY} -t 5 {} {}", topology::MANAGEMENT, names.join(" "));
    let percent = |managers: usize| {
        let (began, before) = (Instant::now(), cpu_microseconds(&lab.lbd().process()));
        for poll in 1..=POLLS {
            for _ in 0..managers {
                let answer = lab.client().run(&line);
                let lines = answer.expect_ok().lines();
                assert_eq!(lines.filter(|line| !line.contains("No Such")).count(), OBJECTS, "{answer:?}");
            }
            std::thread::sleep((POLL_EVERY * poll).saturating_sub(began.elapsed()));
        }
        let used = cpu_microseconds(&lab.lbd().process()) - before;
        used / began.elapsed().as_secs_f64() / 1e4
    };
    let (mut idle, mut polled) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        idle.push(percent(0));
        polled.push(percent(MANAGERS));
    }
    (idle.into_iter().collect(), polled.into_iter().collect())
}
