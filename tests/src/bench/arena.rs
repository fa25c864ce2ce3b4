//! Client, balancers and server: every balancer sits between the same two hosts, on two cables of its own.
//!
//! ```text
//!            10.1.0.2  +------- router (direct) -------+  10.2.0.2, 10.2.0.3
//!  client    10.1.1.2  +------- lbd -------------------+  10.2.1.2, 10.2.1.3    server
//!            10.1.2.2  +------- HAProxy ---------------+  10.2.2.2, 10.2.2.3
//!            10.1.3.2  +------- nginx -----------------+  10.2.3.2, 10.2.3.3
//!            10.1.4.2  +------- two rules -------------+  10.2.4.2
//!            10.1.5.2  +------- lbd as a proxy --------+  10.2.5.2, 10.2.5.3
//! ```
//!
//! The direct route has a router of its own, because lbd forwards nothing but translated connections. The two
//! addresses of the server play the two servers of a pool. "Two rules" is the least that the kernel's NAT can cost:
//! one dnat rule and one snat rule to one server. What lies between it and the direct route is conntrack and NAT
//! themselves, which no ruleset avoids.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use lab::namespace::{LabName, cable};
use lab::{Config, Host, Lbd, Pool, Process};
use tempfile::TempDir;

use crate::proxies::{Frontend, Proxy};

/// Where `iperf3` serves.
pub const IPERF: u16 = 5201;
/// Where bytes are echoed.
pub const ECHO: u16 = 7007;

/// What a connection goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum System {
    /// A router without any rules.
    Direct,
    /// The product.
    Evenkeel,
    /// HAProxy in TCP mode with splicing.
    Haproxy,
    /// nginx's stream module.
    Nginx,
    /// The kernel's NAT with one rule each way.
    TwoRules,
    /// The product with the forwarding method `proxy`.
    Proxy,
}

impl System {
    /// In the order of the measurements.
    pub const ALL: [Self; 6] =
        [Self::Direct, Self::Evenkeel, Self::Haproxy, Self::Nginx, Self::TwoRules, Self::Proxy];

    /// Its name in tables and results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Evenkeel => "evenkeel",
            Self::Haproxy => "haproxy",
            Self::Nginx => "nginx",
            Self::TwoRules => "two rules",
            Self::Proxy => "evenkeel as a proxy",
        }
    }

    fn client_side(self, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 1, self as u8, last)
    }

    fn server_side(self, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 2, self as u8, last)
    }

    /// Where the client finds the service.
    pub fn address(self) -> Ipv4Addr {
        match self {
            Self::Direct => self.server_side(2),
            Self::Evenkeel | Self::Proxy => self.client_side(100),
            Self::Haproxy | Self::Nginx | Self::TwoRules => self.client_side(1),
        }
    }

    fn frontends(self) -> Vec<Frontend> {
        // iperf3 wants all connections of a test on one server, which only persistence promises.
        let frontend = |port, servers: &[u8]| Frontend {
            listen: SocketAddrV4::new(self.address(), port),
            servers: servers.iter().map(|last| SocketAddrV4::new(self.server_side(*last), port)).collect(),
        };
        vec![frontend(IPERF, &[2]), frontend(ECHO, &[2, 3])]
    }
}

/// The whole set-up, everything running. All of it ends on drop.
#[derive(Debug)]
pub struct Arena {
    // Dropped in this order: programs, then the hosts they run on.
    _proxies: [Proxy; 2],
    _servers: [Arc<Process>; 2],
    lbd: Lbd,
    _proxying_lbd: Lbd,
    client: Host,
    _server: Host,
    _balancers: Vec<Arc<Host>>,
    _folder: TempDir,
}

impl Arena {
    /// Builds the networks, starts everything, and waits until it works.
    pub fn new() -> Self {
        let lab = LabName::next();
        let folder = lab.folder();
        // lbd's own user must be able to reach its state.
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).expect("own folder");
        let proxy_folder = folder.path().join("proxy");
        std::fs::create_dir(&proxy_folder).expect("lab folder");
        let host = |name: &str, address| Host::create(&lab, name, address, folder.path());
        let client = host("client", System::Direct.client_side(2));
        let server = host("server", System::Direct.server_side(2));
        let balancers: Vec<_> = System::ALL
            .into_iter()
            .map(|system| Arc::new(host(&system.name().replace(' ', "-"), system.server_side(1))))
            .collect();
        for (system, balancer) in System::ALL.into_iter().zip(&balancers) {
            connect(system, &client, balancer, &server);
        }
        make_direct_route(&client, &balancers[System::Direct as usize], &server);
        translate_by_two_rules(&balancers[System::TwoRules as usize]);
        let servers = [start_iperf(&server), start_echo(&server)];
        let proxies = [
            Proxy::haproxy(&balancers[System::Haproxy as usize], &System::Haproxy.frontends()),
            Proxy::nginx(&balancers[System::Nginx as usize], &System::Nginx.frontends()),
        ];
        let lbd = start_lbd(System::Evenkeel, &balancers, folder.path());
        let proxying_lbd = start_lbd(System::Proxy, &balancers, &proxy_folder);
        Self {
            _proxies: proxies,
            _servers: servers,
            lbd,
            _proxying_lbd: proxying_lbd,
            client,
            _server: server,
            _balancers: balancers,
            _folder: folder,
        }
    }

    /// The host that all connections come from.
    pub fn client(&self) -> &Host {
        &self.client
    }

    /// Connections that clients have opened to a service, as lbd counts them.
    pub fn opened_through_lbd(&self, service: &str) -> u64 {
        self.lbd.service(service)["connections_opened"].as_u64().unwrap_or_default()
    }
}

fn connect(system: System, client: &Host, balancer: &Host, server: &Host) {
    let interface = format!("eth{}", system as u8);
    cable((client.namespace(), &interface), (balancer.namespace(), "eth1"));
    cable((server.namespace(), &interface), (balancer.namespace(), "eth0"));
    client.ip(format!("address add {}/24 dev {interface}", system.client_side(2)));
    balancer.ip(format!("address add {}/24 dev eth1", system.client_side(1)));
    balancer.ip(format!("address add {}/24 dev eth0", system.server_side(1)));
    for last in [2, 3] {
        server.ip(format!("address add {}/24 dev {interface}", system.server_side(last)));
    }
}

fn make_direct_route(client: &Host, router: &Host, server: &Host) {
    router.run("sysctl -qw net.ipv4.ip_forward=1").expect_ok();
    client.ip(format!("route add 10.2.0.0/24 via {}", System::Direct.client_side(1)));
    server.ip(format!("route add 10.1.0.0/24 via {}", System::Direct.server_side(1)));
}

fn translate_by_two_rules(balancer: &Host) {
    let (here, there) = (System::TwoRules.address(), System::TwoRules.server_side(2));
    balancer.run("sysctl -qw net.ipv4.ip_forward=1").expect_ok();
    let rules = format!(
        "table ip least {{
            chain prerouting {{ type nat hook prerouting priority dstnat; ip daddr {here} dnat to {there}; }}
            chain postrouting {{ type nat hook postrouting priority srcnat; snat to {}; }}
        }}",
        System::TwoRules.server_side(1)
    );
    balancer.run_with_input("nft -f -", &rules).expect_ok();
}

/// Serves `iperf3` on [`IPERF`].
pub fn start_iperf(server: &Host) -> Arc<Process> {
    let mut command = server.command("iperf3");
    command.args(["--server", "--forceflush", "--port", &IPERF.to_string()]);
    listening(server.start(command, "iperf3"), IPERF)
}

/// Echoes bytes on [`ECHO`].
pub fn start_echo(server: &Host) -> Arc<Process> {
    let mut command = server.command(&crate::own_program());
    command.args(["load", "serve", &ECHO.to_string()]);
    listening(server.start(command, "echo"), ECHO)
}

fn start_lbd(system: System, balancers: &[Arc<Host>], folder: &Path) -> Lbd {
    let lbd = Lbd::new(Arc::clone(&balancers[system as usize]), folder);
    lbd.start(&configuration(system));
    lbd.wait_service("IPERF", "up");
    lbd.wait_service("ECHO", "up");
    lbd
}

fn listening(process: Arc<Process>, port: u16) -> Arc<Process> {
    process.wait_listening(port);
    process
}

/// Two services with persistence and TCP checks. A check that met iperf3 at work would end its test, so that
/// one is checked at the start and then not for an hour.
fn configuration(system: System) -> Config {
    let method = if system == System::Proxy { "proxy" } else { "snat" };
    let method = format!("forwarding_method = \"{method}\"");
    let pool = |label, port: u16, servers: &[u8]| {
        let servers = servers.iter().map(|last| (format!("NODE{last}"), system.server_side(*last), 100));
        Pool::new(label, system.address(), servers.collect())
            .ports(&port.to_string())
            .persistence(Some(300))
            .with(&method)
    };
    let iperf = pool("IPERF", IPERF, &[2]).check_every(3600, 3).rise_fall(1, 2);
    let echo = pool("ECHO", ECHO, &[2, 3]);
    Config::with_pools(system.server_side(1), [&iperf, &echo])
}
