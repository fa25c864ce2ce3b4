//! The networks in which stories happen.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use crate::config::{Config, Pool};
use crate::host::Host;
use crate::lbd::Lbd;
use crate::namespace::{LabName, Namespace, cable};
use crate::process;
use crate::vm;

/// The appliance's address towards the servers, where it is managed.
pub const MANAGEMENT: Ipv4Addr = Ipv4Addr::new(192, 168, 10, 10);
/// Servers of the example configuration: label and last byte of the address.
const NODES: [(&str, u8); 4] = [("NODE1", 110), ("NODE2", 111), ("POOL2_NODE1", 112), ("POOL3_NODE1", 114)];

/// A network with a client, the appliance and servers. Everything ends when it is dropped.
#[derive(Debug)]
pub struct Lab {
    // Dropped in this order: lbd and peers before the namespaces they run in.
    lbd: Lbd,
    hosts: BTreeMap<String, Arc<Host>>,
    switches: Vec<Namespace>,
    name: LabName,
    folder: TempDir,
    client_network: [u8; 3],
    server_network: [u8; 3],
    appliance_kind: ApplianceKind,
    /// Host, interface and address of every cable.
    plugs: Vec<(String, String, Ipv4Addr)>,
    /// Interfaces and addresses of the appliance, in the order in which they were plugged in.
    arms: Vec<(String, Ipv4Addr)>,
}

/// What stands where the appliance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ApplianceKind {
    /// A namespace in which lbd runs.
    Namespace,
    /// A virtual machine, whose adapters are joined with the cables of that namespace.
    Guest,
}

impl Lab {
    /// Everything on one network, 192.168.10.0/24: the appliance uses `eth0` only.
    pub fn single_arm() -> Self {
        Self::single_arm_of(ApplianceKind::Namespace)
    }

    /// The same, for a [`crate::vm::Guest`].
    pub fn single_arm_with_guest() -> Self {
        Self::single_arm_of(ApplianceKind::Guest)
    }

    fn single_arm_of(kind: ApplianceKind) -> Self {
        let mut lab = Self::empty(kind, [192, 168, 10], [192, 168, 10]);
        lab.add_switch("lan", &[("client", "eth0", 50), ("appliance", "eth0", 10)], [192, 168, 10]);
        lab.plug_servers(0);
        lab
    }

    /// Adds a host to the first network whose cable leads to the first adapter of a virtual machine, which has all
    /// addresses itself: another balancer beside a [`vm::Guest`].
    pub fn plug_machine(&mut self, name: &str) {
        let host = Host::create(&self.name, name, Ipv4Addr::UNSPECIFIED, self.folder.path());
        cable((host.namespace(), "eth0"), (&self.switches[0], name));
        self.switches[0].ip(format!("link set {name} master br0"));
        vm::network::join(&host, "eth0");
        self.hosts.insert(name.to_owned(), Arc::new(host));
    }

    /// The virtual machine's second adapter leads into the same network as its first: for a bond.
    pub fn single_arm_with_two_cables() -> Self {
        let mut lab = Self::single_arm_with_guest();
        cable((lab.appliance().namespace(), "eth1"), (&lab.switches[0], "appliance1"));
        lab.switches[0].ip("link set appliance1 master br0");
        vm::network::join(lab.appliance(), "eth1");
        lab.arms.push(("eth1".to_owned(), host_address(lab.client_network, 11)));
        lab
    }

    /// Lets every cable and switch carry packets of so many bytes.
    pub fn set_mtu(&self, bytes: u32) {
        let everywhere = self.hosts.values().map(|host| host.namespace()).chain(&self.switches);
        for namespace in everywhere {
            let listing = process::run(ip_links(namespace));
            let listed: Value = serde_json::from_str(listing.expect_ok()).expect("ip prints JSON");
            let names = listed.as_array().into_iter().flatten().filter_map(|link| link["ifname"].as_str());
            // A bridge takes the least of its ports, which come first in the second round.
            let names: Vec<_> = names.filter(|name| *name != "lo").collect();
            for name in names.iter().chain(&names) {
                let mut command = namespace.command("ip");
                command.args(["link", "set", name, "mtu", &bytes.to_string()]);
                process::run(command);
            }
        }
    }

    /// Clients on 172.16.1.0/24 (appliance's `eth1`), servers on 192.168.10.0/24 (`eth0`).
    ///
    /// The client has a route to the servers through the appliance, to try what must not work.
    pub fn two_arm() -> Self {
        Self::two_arm_of(ApplianceKind::Namespace)
    }

    /// The same, for a [`crate::vm::Guest`] whose other two adapters lead to the hosts `side2` (172.16.2.50) and
    /// `side3` (172.16.3.50).
    pub fn two_arm_with_guest() -> Self {
        let mut lab = Self::two_arm_of(ApplianceKind::Guest);
        for side in [2, 3] {
            let (host, interface) = (format!("side{side}"), format!("eth{side}"));
            let plugs = [(host.as_str(), "eth0", 50), ("appliance", interface.as_str(), 10)];
            lab.add_switch(&format!("net{side}"), &plugs, [172, 16, side]);
        }
        lab
    }

    fn two_arm_of(kind: ApplianceKind) -> Self {
        let mut lab = Self::empty(kind, [172, 16, 1], [192, 168, 10]);
        lab.add_switch("clients", &[("client", "eth0", 50), ("appliance", "eth1", 10)], [172, 16, 1]);
        lab.add_switch("servers", &[("appliance", "eth0", 10)], [192, 168, 10]);
        lab.plug_servers(1);
        lab.client().ip("route add 192.168.10.0/24 via 172.16.1.10");
        lab
    }

    /// Client and appliance on 192.168.10.0/24, servers on 192.168.20.0/24 behind a router.
    pub fn routed() -> Self {
        let lab = Self::routed_of(ApplianceKind::Namespace);
        lab.appliance().ip("route add default via 192.168.10.1");
        lab
    }

    /// The same, for a [`crate::vm::Guest`].
    pub fn routed_with_guest() -> Self {
        Self::routed_of(ApplianceKind::Guest)
    }

    fn routed_of(kind: ApplianceKind) -> Self {
        let mut lab = Self::empty(kind, [192, 168, 10], [192, 168, 20]);
        let near = [("client", "eth0", 50), ("appliance", "eth0", 10), ("router", "eth0", 1)];
        lab.add_switch("near", &near, [192, 168, 10]);
        lab.add_switch("far", &[("router", "eth1", 1)], [192, 168, 20]);
        lab.plug_servers(1);
        lab.host("router").run("sysctl -qw net.ipv4.ip_forward=1").expect_ok();
        for (node, _) in NODES {
            lab.server(node).ip("route add default via 192.168.20.1");
        }
        lab
    }

    /// The same with an IPv6 address beside each IPv4 address, see [`ipv6`]; a virtual machine has its own from elsewhere.
    #[must_use]
    pub fn with_ipv6(self) -> Self {
        let is_machine = |host: &str| self.appliance_kind == ApplianceKind::Guest && host == "appliance";
        for (host, interface, address) in self.plugs.iter().filter(|(host, ..)| !is_machine(host)) {
            self.host(host).ip(format!("address add {}/64 dev {interface} nodad", ipv6(*address)));
        }
        self
    }

    /// The host that connects to virtual addresses.
    pub fn client(&self) -> &Host {
        self.host("client")
    }

    /// The host on which lbd runs.
    pub fn appliance(&self) -> &Host {
        self.host("appliance")
    }

    /// A server: `NODE1`, `NODE2`, `POOL2_NODE1` or `POOL3_NODE1`.
    pub fn server(&self, name: &str) -> &Host {
        self.host(name)
    }

    /// Any host by its name.
    pub fn host(&self, name: &str) -> &Host {
        self.hosts.get(name).unwrap_or_else(|| panic!("no host {name} in this lab"))
    }

    /// The daemon under test.
    pub fn lbd(&self) -> &Lbd {
        &self.lbd
    }

    /// The virtual address of the service with this number, in the clients' network: .100, .101, ...
    pub fn vip(&self, number: u8) -> Ipv4Addr {
        host_address(self.client_network, 100 + number)
    }

    /// A pool to start from: `POOL` at `vip(0)`, port 2001, servers NODE1 and NODE2, TCP checks each second.
    pub fn pool(&self) -> Pool {
        let servers = ["NODE1", "NODE2"].map(|node| (node.to_owned(), self.server(node).address(), 100));
        Pool::new("POOL", self.vip(0), servers.to_vec())
    }

    /// The configuration of an appliance with these pools, managed on [`MANAGEMENT`].
    pub fn config<'a>(&self, pools: impl IntoIterator<Item = &'a Pool>) -> Config {
        Config::with_pools(MANAGEMENT, pools)
    }

    /// Interfaces and addresses of the appliance.
    pub fn arms(&self) -> &[(String, Ipv4Addr)] {
        &self.arms
    }

    /// The router in the network of the appliance, where there is one.
    pub fn gateway(&self) -> Option<Ipv4Addr> {
        let mut plugs = self.plugs.iter();
        plugs
            .find(|(host, interface, _)| host == "router" && interface == "eth0")
            .map(|(.., address)| *address)
    }

    /// A host in the network of [`MANAGEMENT`] that is not the appliance.
    pub fn administrator(&self) -> &Arc<Host> {
        let name = if self.client_network == MANAGEMENT.octets()[..3] { "client" } else { "POOL3_NODE1" };
        &self.hosts[name]
    }

    fn empty(appliance_kind: ApplianceKind, client_network: [u8; 3], server_network: [u8; 3]) -> Self {
        let name = LabName::next();
        let folder = name.folder();
        // lbd's own user must be able to reach its state.
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).expect("own folder");
        let appliance = Arc::new(Host::create(&name, "appliance", MANAGEMENT, folder.path()));
        let lbd = Lbd::new(Arc::clone(&appliance), folder.path());
        let hosts = BTreeMap::from([("appliance".to_owned(), appliance)]);
        let (switches, plugs, arms) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            lbd,
            hosts,
            switches,
            name,
            folder,
            client_network,
            server_network,
            appliance_kind,
            plugs,
            arms,
        }
    }

    /// Adds a switch and plugs `hosts` (name, interface, last byte of the address) into it.
    fn add_switch(&mut self, switch: &str, hosts: &[(&str, &str, u8)], network: [u8; 3]) {
        let switch = Namespace::create(&self.name, switch);
        switch.ip("link add br0 type bridge");
        switch.ip("link set br0 up");
        self.switches.push(switch);
        for (host, interface, last) in hosts {
            self.plug(self.switches.len() - 1, host, interface, host_address(network, *last));
        }
    }

    fn plug(&mut self, switch: usize, name: &str, interface: &str, address: Ipv4Addr) {
        if !self.hosts.contains_key(name) {
            let host = Host::create(&self.name, name, address, self.folder.path());
            self.hosts.insert(name.to_owned(), Arc::new(host));
        }
        let port = name.to_lowercase();
        let switch = &self.switches[switch];
        cable((self.host(name).namespace(), interface), (switch, &port));
        switch.ip(format!("link set {port} master br0"));
        self.plugs.push((name.to_owned(), interface.to_owned(), address));
        let is_appliance = name == "appliance";
        if is_appliance {
            self.arms.push((interface.to_owned(), address));
        }
        if is_appliance && self.appliance_kind == ApplianceKind::Guest {
            vm::network::join(self.host(name), interface);
        } else {
            self.host(name).ip(format!("address add {address}/24 dev {interface}"));
        }
    }

    fn plug_servers(&mut self, switch: usize) {
        for (node, last) in NODES {
            self.plug(switch, node, "eth0", host_address(self.server_network, last));
        }
    }
}

/// The IPv6 address that goes with an IPv4 address of the lab: `fd00:192:168:10::100` with 192.168.10.100.
pub fn ipv6(address: Ipv4Addr) -> Ipv6Addr {
    let digits = |byte: u8| u16::from_str_radix(&byte.to_string(), 16).expect("decimal digits");
    let [a, b, c, last] = address.octets().map(digits);
    Ipv6Addr::new(0xfd00, a, b, c, 0, 0, 0, last)
}

fn ip_links(namespace: &Namespace) -> std::process::Command {
    let mut command = namespace.command("ip");
    command.args(["-j", "link", "show"]);
    command
}

fn host_address([a, b, c]: [u8; 3], last: u8) -> Ipv4Addr {
    Ipv4Addr::new(a, b, c, last)
}
