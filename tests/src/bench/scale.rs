//! Benchmark of size: 10, 100 and 1,000 services of ten servers. How long a full load takes, how soon the kernel knows
//! of a check result, and how much memory lbd needs.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use lab::{Config, Lab, Pool, Process, wait};

use crate::daemon::{decided, resident};
use crate::report::{Comparison, Goal, Report, Samples};

const SIZES: [u16; 3] = [10, 100, 1000];
const SERVERS_OF_SERVICE: u16 = 10;
/// Network of the servers: one host that has all addresses.
const SERVERS: &str = "10.9.0.0/16";
const PORT: u16 = 2001;
/// The service whose server dies and comes back.
const WATCHED: &str = "WATCHED";
/// So that ten thousand checks do not drown what is measured.
const CHECK_INTERVAL: u32 = 60;
/// For every server of the largest to pass its first check, and for a death to be noticed.
const CHECKED: Duration = Duration::from_secs(180);

/// Far below what is measured.
const LOOK: Duration = Duration::from_micros(200);

/// What one size took: medians.
struct Figures {
    services: u16,
    load: Samples,
    to_kernel: Samples,
    memory: Samples,
}

/// All sizes, one after the other.
pub fn scale(rounds: u32) -> Report {
    let figures = SIZES.map(|services| measure(services, rounds));
    let mut report = Report::new("Size: services of ten servers");
    for Figures { services, load, to_kernel, memory } in &figures {
        report.system(format!("{services} services: full load, ms"), load);
        report.system(format!("{services} services: check result to kernel, ms"), to_kernel);
        report.system(format!("{services} services: VmRSS, MB"), memory);
    }
    let [_, middle, largest] = &figures;
    for (name, unit, samples, most) in [
        ("1,000 services: full load", "ms", &largest.load, 1000.0),
        ("1,000 services: check result to kernel", "ms", &largest.to_kernel, 20.0),
        ("1,000 services: memory", "MB", &largest.memory, 120.0),
    ] {
        let (ours, goal) = (samples.median(), Goal::OursAtMost(most));
        report.compare(Comparison { name, unit, ours, peer: "goal", theirs: most, goal });
    }
    let (name, peer) = ("full load: 1,000 services", "10 times that of 100");
    let (ours, theirs) = (largest.load.median(), 10.0 * middle.load.median());
    report.compare(Comparison { name, unit: "ms", ours, peer, theirs, goal: Goal::RatioAtMost(1.0) });
    report
}

fn measure(services: u16, rounds: u32) -> Figures {
    let lab = Lab::single_arm();
    let farm = lab.server("NODE1");
    farm.use_addresses(SERVERS);
    lab.appliance().ip(format!("route add {SERVERS} via {}", farm.address()));
    farm.named_server("FARM", PORT);
    let (small, full) = (config(&lab, 0), config(&lab, services));
    lab.lbd().start(&small);
    let load = (0..rounds).map(|_| {
        lab.lbd().put(&small).expect(200);
        let began = Instant::now();
        lab.lbd().put(&full).expect(200);
        milliseconds(began.elapsed())
    });
    let load = load.collect();
    wait::until(CHECKED, "all but the watched service to be up", || {
        let status = lab.lbd().status();
        let services = status["virtual_services"].as_array().into_iter().flatten();
        services.filter(|service| service["state"] != "up").count() <= 1
    });
    let monitor = Monitor::start(&lab);
    let to_kernel = (0..rounds).map(|_| death_in_kernel(&lab, &monitor)).collect();
    let memory = [resident(&lab.lbd().process())].into_iter().collect();
    Figures { services, load, to_kernel, memory }
}

fn config(lab: &Lab, services: u16) -> Config {
    let nodes = vec![("NODE2".into(), lab.server("NODE2").address(), 100)];
    let watched = Pool::new(WATCHED, lab.vip(1), nodes).rise_fall(1, 1);
    let pools: Vec<_> = (0..services).map(|number| pool(lab, number)).chain([watched]).collect();
    lab.config(&pools)
}

fn pool(lab: &Lab, number: u16) -> Pool {
    let server = |n: u16| {
        let [high, low] = (1 + number * SERVERS_OF_SERVICE + n).to_be_bytes();
        (format!("NODE{n}"), Ipv4Addr::new(10, 9, high, low), 100)
    };
    Pool::new(&format!("POOL{number}"), lab.vip(0), (0..SERVERS_OF_SERVICE).map(server).collect())
        .ports(&(3000 + number).to_string())
        .server_port(PORT)
        .check_every(CHECK_INTERVAL, 3)
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// What the kernel says of changes to its rules, as they happen.
struct Monitor(Arc<Process>);

impl Monitor {
    fn start(lab: &Lab) -> Self {
        let mut command = lab.appliance().command("nft");
        command.args(["monitor", "elements"]);
        Self(lab.appliance().start(command, "monitor"))
    }

    fn lines(&self) -> usize {
        self.0.log().lines().count()
    }
}

/// From the moment at which the check has failed, which the View tells, to the change in the kernel.
fn death_in_kernel(lab: &Lab, monitor: &Monitor) -> f64 {
    let node = lab.server("NODE2").named_server("NODE2", PORT);
    lab.lbd().wait_service(WATCHED, "up");
    let before = monitor.lines();
    node.kill();
    let killed = Instant::now();
    // Looked at more often than a story would: the moment is what is measured.
    while monitor.lines() == before {
        assert!(killed.elapsed() < CHECKED, "the kernel was told of no death");
        std::thread::sleep(LOOK);
    }
    let changed = Timestamp::now();
    lab.lbd().wait_service(WATCHED, "down");
    // Not before the verdict: then it would be another change that was seen.
    let took = changed.duration_since(decided(lab, WATCHED, "NODE2"));
    milliseconds(took.try_into().unwrap_or_else(|_| panic!("the kernel changed {took:#} after the verdict")))
}
