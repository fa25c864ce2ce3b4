//! Benchmarks in virtual machines with Debian's kernel, which has what the lab's kernel lacks: the appliance, with
//! its fast path, beside IPVS with SNAT, HAProxy and nginx. All are alike: one adapter in the same network, two
//! processors, the same kernel; only one runs at a time.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::sync::Arc;

use lab::vm::guest::BOOT;
use lab::vm::{Guest, Hardware, Machine, network};
use lab::{Config, Host, Lab};

use crate::arena::{ECHO, IPERF, start_echo, start_iperf};
use crate::proxies::{Frontend, NGINX_STREAM_MODULE, haproxy_configuration, nginx_configuration};
use crate::report::{Comparison, Goal, Report};
use crate::systems::{FAILED, Kit, READY};
use crate::traffic::{Measured, iperf, load};

/// Emulated processors are busy with fewer than the lab's sixteen.
const CONNECTING_THREADS: u32 = 8;
const CONNECTION_SECONDS: u32 = 5;

/// What stands where the appliance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum System {
    Evenkeel,
    Ipvs,
    Haproxy,
    Nginx,
}

impl System {
    const ALL: [Self; 4] = [Self::Evenkeel, Self::Ipvs, Self::Haproxy, Self::Nginx];
    const OTHERS: [Self; 3] = [Self::Ipvs, Self::Haproxy, Self::Nginx];

    fn name(self) -> &'static str {
        match self {
            Self::Evenkeel => "evenkeel",
            Self::Ipvs => "ipvs",
            Self::Haproxy => "haproxy",
            Self::Nginx => "nginx",
        }
    }

    /// The virtual address.
    fn number(self) -> u8 {
        self as u8
    }

    /// The programs of this machine that it needs.
    fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Evenkeel => &[],
            Self::Ipvs => &["/usr/sbin/ipvsadm", "/usr/sbin/nft"],
            Self::Haproxy => &["/usr/sbin/haproxy"],
            Self::Nginx => &["/usr/sbin/nginx", NGINX_STREAM_MODULE],
        }
    }
}

/// New connections and bits per second through each.
pub fn guest(rounds: u32, tell: &mut dyn FnMut(Report)) {
    let mut lab = Lab::single_arm_with_guest();
    System::OTHERS.iter().for_each(|system| lab.plug_machine(system.name()));
    let lab = lab;
    let server = lab.server("NODE1");
    let _servers = [start_echo(server), start_echo(lab.server("NODE2"))];
    let iperf_server = start_iperf(server);
    let guest = Guest::new(&lab);
    guest.boot(&configuration(&lab));
    ["IPERF", "ECHO"].iter().for_each(|service| _ = guest.wait_service(service, "up"));
    let fast_path = guest.status()["fast_path"].clone();
    assert_eq!(fast_path["available"], true, "{fast_path:#}");
    let kit = Kit::read();
    let machines = System::ALL.map(|system| match system {
        System::Evenkeel => guest.machine(),
        _ => Arc::new(power_on(&lab, &kit, system)),
    });
    machines.iter().for_each(|machine| machine.pause());
    let turn = |system: System, measure: &mut dyn FnMut(Ipv4Addr) -> f64| {
        let machine = &machines[usize::from(system.number())];
        machine.resume();
        let measured = measure(lab.vip(system.number()));
        machine.pause();
        measured
    };

    let mut failed = 0;
    let connections = Measured::interleaved(&System::ALL, rounds, |system| {
        turn(system, &mut |address| {
            let figures = new_connections(lab.client(), address);
            failed += figures.1;
            figures.0
        })
    });
    let title = format!(
        "In a guest: new connections, {CONNECTING_THREADS} threads, {CONNECTION_SECONDS} s, per second"
    );
    let goals = [Goal::RatioAtLeast(1.2), Goal::Context, Goal::Context];
    let mut first = report(title, ("guest: new connections", "per second"), &connections, goals);
    first.note(format!("connections that failed: {failed}; the fast path is on"));
    tell(first);

    let bits = Measured::interleaved(&System::ALL, rounds, |system| {
        turn(system, &mut |address| {
            let ready = || iperf_server.log().matches("Server listening").count();
            let before = ready();
            let measured = iperf(lab.client(), address) / 1e6;
            // It serves one test at a time, and a machine that pauses would keep the end of this one from it.
            lab::wait::until(BOOT, "iperf3 to be ready for the next", || ready() > before);
            measured
        })
    });
    let named = ("guest: throughput", "Mbit/s");
    let goals = [Goal::Context, Goal::Context, Goal::Context];
    tell(report("In a guest: iperf3, 2 streams, Mbit/s".into(), named, &bits, goals));
}

fn report(
    title: String,
    (name, unit): (&'static str, &'static str),
    measured: &Measured<System, f64>,
    goals: [Goal; 3],
) -> Report {
    let mut report = Report::new(title);
    for system in System::ALL {
        report.system(system.name(), &measured.of(system, |value| *value));
    }
    let ours = measured.of(System::Evenkeel, |value| *value).median();
    for (peer, goal) in System::OTHERS.into_iter().zip(goals) {
        let theirs = measured.of(peer, |value| *value).median();
        report.compare(Comparison { name, unit, ours, peer: peer.name(), theirs, goal });
    }
    report
}

fn new_connections(client: &Host, address: Ipv4Addr) -> (f64, u64) {
    let figures = load(client, "connections", address, &format!("{CONNECTING_THREADS} {CONNECTION_SECONDS}"));
    (figures["per_second"].as_f64().unwrap_or_default(), figures["failed"].as_u64().unwrap_or_default())
}

/// As in the arena: iperf3 wants one server, and a check would end its test.
fn configuration(lab: &Lab) -> Config {
    let iperf = lab.pool().named("IPERF", lab.vip(0)).ports(&IPERF.to_string()).weights(&[100]);
    let iperf = iperf.check_every(3600, 3).rise_fall(1, 2);
    let echo = lab.pool().named("ECHO", lab.vip(0)).ports(&ECHO.to_string());
    lab.config([&iperf, &echo])
}

fn power_on(lab: &Lab, kit: &Kit, system: System) -> Machine {
    let host = lab.host(system.name());
    let folder = host.new_folder("machine");
    let uki = folder.join("system.efi");
    let (script, files) = set_up(lab, system);
    let files: Vec<_> = files.iter().map(|(path, content)| (*path, content.as_str())).collect();
    std::fs::write(&uki, kit.balancer(&script, system.programs(), &files)).expect("lab folder");
    let mut hardware = Hardware::with_disk("format=raw,file.driver=null-co,file.size=1M");
    hardware.uki = Some(uki);
    hardware.number = system.number();
    hardware.adapters[0] = Some(network::netdev("eth0"));
    let command = host.command("qemu-system-x86_64");
    let machine = Machine::power_on(&hardware, command, &folder, |command| host.start(command, "qemu"));
    lab::wait::until(BOOT, format!("{} to be ready", system.name()), || {
        machine.expect_running();
        let said = machine.serial();
        assert!(!said.contains(FAILED), "{}: {said}", system.name());
        said.contains(READY)
    });
    machine
}

/// What the init of a system does, and the files that it needs.
fn set_up(lab: &Lab, system: System) -> (String, Vec<(&'static str, String)>) {
    let address = lab.vip(system.number());
    let nodes = ["NODE1", "NODE2"].map(|node| lab.server(node).address());
    let frontends = [(IPERF, &nodes[..1]), (ECHO, &nodes[..])].map(|(port, servers)| Frontend {
        listen: SocketAddrV4::new(address, port),
        servers: servers.iter().map(|server| SocketAddrV4::new(*server, port)).collect(),
    });
    let start = format!(
        "for adapter in /sys/class/net/*; do\n    if grep -q {} $adapter/address; then eth=${{adapter##*/}}; fi\ndone\n\
         ip link set $eth up\nip address add {address}/24 dev $eth\n",
        Hardware::mac(system.number(), 0)
    );
    let run = Path::new("/run/balancer");
    let (script, files) = match system {
        System::Evenkeel => unreachable!("the appliance is set up by its own configuration"),
        System::Ipvs => (ipvs(&frontends), Vec::new()),
        System::Haproxy => (
            "haproxy -D -f /etc/haproxy.cfg".into(),
            vec![("etc/haproxy.cfg", haproxy_configuration(&frontends))],
        ),
        System::Nginx => {
            let configuration = nginx_configuration(run, &frontends).replace("daemon off;", "");
            (
                "mkdir -p /run/balancer\nnginx -e /run/early.log -c /etc/nginx.conf".into(),
                vec![("etc/nginx.conf", configuration)],
            )
        }
    };
    (start + &script, files)
}

/// NAT by IPVS, and the source address translated by netfilter, which IPVS then has to ask (`vs/conntrack`).
fn ipvs(frontends: &[Frontend]) -> String {
    let mut script = String::from(
        "for module in nf_conntrack nf_nat nf_tables nft_chain_nat nft_ct nft_masq ip_vs ip_vs_rr; do modprobe $module; done\n\
         echo 1 > /proc/sys/net/ipv4/ip_forward\necho 1 > /proc/sys/net/ipv4/vs/conntrack\n",
    );
    for Frontend { listen, servers } in frontends {
        script += &format!("ipvsadm -A -t {listen} -s rr\n");
        for server in servers {
            script += &format!("ipvsadm -a -t {listen} -r {server} -m\n");
        }
    }
    let servers: Vec<_> =
        frontends.iter().flat_map(|frontend| &frontend.servers).map(|to| to.ip().to_string()).collect();
    script += &format!(
        "nft 'table ip benchmark {{ chain post {{ type nat hook postrouting priority srcnat; \
         ip daddr {{ {} }} masquerade; }}; }}'",
        servers.join(", ")
    );
    script
}
