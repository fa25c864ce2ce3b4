//! Benchmarks of the daemon itself: its memory, and the CPU time of a health check.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use jiff::Timestamp;
use lab::lbd::https;
use lab::{Config, Host, Lab, Pool, Process, topology};
use serde_json::Value;

use crate::proxies::{Frontend, Proxy};
use crate::report::{Comparison, Goal, Report, Samples};

/// When memory is read after the start.
const SETTLING: Duration = Duration::from_secs(30);
const PASSWORD: &str = "a password of the benchmark";
/// AE title and port of each pool of the example, and the last byte of its servers' addresses.
const EXAMPLE_POOLS: [(&str, u16, &[u8]); 3] =
    [("DW_SCP", 2001, &[110, 111]), ("DW_MPPS_SCP", 2003, &[112]), ("DW_RDSR_SCP", 2002, &[114])];

/// Resident memory of lbd with the shipped example, half a minute after its start and one visit to the WebUI.
pub fn memory(rounds: u32) -> Report {
    let lab = Lab::single_arm();
    start_example(&lab);
    // It need not carry traffic, so any host does.
    let haproxy = Proxy::haproxy(lab.client(), &example_frontends());
    let before = resident(&lab.lbd().process());
    visit_webui(lab.client());
    std::thread::sleep(SETTLING);
    // The kernel's figure of both processes at the same moments, a second apart.
    let samples: Vec<_> = (0..rounds)
        .map(|_| {
            std::thread::sleep(Duration::from_secs(1));
            (resident(&lab.lbd().process()), resident(haproxy.process()))
        })
        .collect();
    let ours: Samples = samples.iter().map(|(ours, _)| *ours).collect();
    let theirs: Samples = samples.iter().map(|(_, theirs)| *theirs).collect();
    let mut report = Report::new("Memory: VmRSS with the three pools of the example, MB");
    report.system("evenkeel", &ours);
    report.system("haproxy", &theirs);
    report.compare(comparison(("memory", "MB"), &ours, ("haproxy", &theirs), Goal::OursAtMost(25.0)));
    report.note(format!("evenkeel before the visit to its WebUI: {before:.2} MB"));
    report
}

fn start_example(lab: &Lab) {
    for (server, (title, port, _)) in [
        ("NODE1", EXAMPLE_POOLS[0]),
        ("NODE2", EXAMPLE_POOLS[0]),
        ("POOL2_NODE1", EXAMPLE_POOLS[1]),
        ("POOL3_NODE1", EXAMPLE_POOLS[2]),
    ] {
        lab.server(server).storescp(title, port);
    }
    lab.lbd().start(&Config::datalink());
    lab.lbd().set_password(PASSWORD);
    for number in 1..=EXAMPLE_POOLS.len() {
        lab.lbd().wait_service(&format!("DATALINK_POOL{number}"), "up");
    }
}

fn comparison(
    (name, unit): (&'static str, &'static str),
    ours: &Samples,
    (peer, theirs): (&'static str, &Samples),
    goal: Goal,
) -> Comparison {
    Comparison { name, unit, ours: ours.median(), peer, theirs: theirs.median(), goal }
}

fn example_frontends() -> Vec<Frontend> {
    let frontend = |(_, port, servers): &(&str, u16, &[u8])| {
        let server = |last: &u8| SocketAddrV4::new(Ipv4Addr::new(192, 168, 10, *last), *port);
        Frontend {
            listen: SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, *port),
            servers: servers.iter().map(server).collect(),
        }
    };
    EXAMPLE_POOLS.iter().map(frontend).collect()
}

/// Logs in over HTTPS and loads what a browser would.
fn visit_webui(visitor: &Host) {
    let base = format!("https://{}:9443", topology::MANAGEMENT);
    for path in ["/lbadmin/", "/api/v1/status"] {
        https(visitor, "GET", &format!("{base}{path}"), Some(PASSWORD), None).expect(200);
    }
}

/// `VmRSS` in MB of 1,000,000 bytes.
pub fn resident(process: &Process) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid())).expect("a live process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kilobytes * 1024.0 / 1e6
}

/// The moment at which the check of a server came to the verdict that stands, as lbd's status tells it.
pub fn decided(lab: &Lab, service: &str, server: &str) -> Timestamp {
    let since = lab.lbd().server(service, server)["since"].as_str().expect("a time").to_owned();
    since.parse().expect("a time")
}

/// Services of the echo benchmark, each with as many servers.
const POOLS: u8 = 10;
/// What lbd's CPU time is taken over, in each round.
const WINDOW: Duration = Duration::from_secs(12);
/// Programs started in each round for comparison.
const FORKS: u32 = 40;
/// Ports of the SCPs, which take turns so that none has to answer 100 checks in a row.
const SCP_PORTS: [u16; 4] = [11112, 11113, 11114, 11115];
/// Network of the servers: one host that has all addresses.
const SERVERS: &str = "10.9.0.0/24";

/// CPU time of one C-ECHO: lbd's, everything else that it does included, beside `echoscu` started anew.
pub fn echo(rounds: u32) -> Report {
    let lab = Lab::single_arm();
    let host = lab.server("NODE1");
    host.use_addresses(SERVERS);
    lab.appliance().ip(format!("route add {SERVERS} via {}", host.address()));
    let scps = SCP_PORTS.map(|port| (port, start_scp(host, port)));
    lab.lbd().start(&echo_configuration(&lab));
    (0..POOLS).for_each(|number| _ = lab.lbd().wait_service(&format!("POOL{number}"), "up"));
    let lbd = lab.lbd().process();
    let answered = || scps.iter().map(|(_, scp)| echoes(scp)).sum::<usize>();
    let (mut ours, mut theirs, mut checks) = (Vec::new(), Vec::new(), 0);
    for _ in 0..rounds {
        let (count, cpu) = (answered(), cpu_microseconds(&lbd));
        std::thread::sleep(WINDOW);
        let (count, cpu) = (answered() - count, cpu_microseconds(&lbd) - cpu);
        checks += count;
        ours.push(cpu / count as f64);
        theirs.push(forked_echo(lab.appliance(), host.address()));
    }
    let (ours, theirs) = (ours.into_iter().collect(), theirs.into_iter().collect());
    let title = "CPU per C-ECHO: 100 servers checked each second, microseconds";
    let mut report = Report::new(title);
    report.system("evenkeel, in process", &ours);
    report.system("echoscu, fork and exec", &theirs);
    let named = ("cpu per C-ECHO", "microseconds");
    report.compare(comparison(named, &ours, ("echoscu", &theirs), Goal::RatioAtMost(1.0 / 20.0)));
    let expected = WINDOW.as_secs() * u64::from(rounds) * u64::from(POOLS) * u64::from(POOLS);
    report.note(format!("C-ECHOs that the servers answered: {checks} of about {expected}"));
    report.note(format!("services not up at the end: {}", not_up(&lab.lbd().status())));
    report
}

fn start_scp(host: &Host, port: u16) -> std::sync::Arc<Process> {
    let mut command = host.command("storescp");
    command.args(["--verbose", "-aet", "DW_SCP", &port.to_string()]);
    let process = host.start(command, "storescp");
    process.wait_listening(port);
    process
}

fn echo_configuration(lab: &Lab) -> Config {
    let pool = |number: u8| {
        let server = |n: u8| (format!("NODE{n}"), Ipv4Addr::new(10, 9, 0, 1 + POOLS * number + n), 100);
        Pool::new(&format!("POOL{number}"), lab.vip(number), (0..POOLS).map(server).collect())
            .echo_check("DW_SCP")
            .server_port(SCP_PORTS[usize::from(number) % SCP_PORTS.len()])
            .check_every(1, 1)
    };
    let pools: Vec<_> = (0..POOLS).map(pool).collect();
    lab.config(&pools)
}

/// How many C-ECHOs an SCP says it has received.
fn echoes(scp: &Process) -> usize {
    scp.log().matches("Received Echo Request").count()
}

/// CPU time that it has taken so far.
pub fn cpu_microseconds(process: &Process) -> f64 {
    process.cpu_time().as_secs_f64() * 1e6
}

fn forked_echo(appliance: &Host, server: Ipv4Addr) -> f64 {
    let port = SCP_PORTS[0];
    let program = crate::own_program();
    let output = appliance.run(format!("{program} load cpu {FORKS} echoscu -aec DW_SCP {server} {port}"));
    let figures: Value = serde_json::from_str(output.expect_ok()).expect("the helper prints JSON");
    figures["microseconds"].as_f64().expect("a number")
}

fn not_up(status: &Value) -> usize {
    let services = status["virtual_services"].as_array().into_iter().flatten();
    services.filter(|service| service["state"] != "up").count()
}
