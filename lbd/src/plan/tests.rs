//! Golden files: what each configuration becomes. `INSTA_UPDATE=always` refreshes them.

use std::fmt::Write;

use super::*;
use crate::config::{Config, Document, Format, validate};
use crate::network::topology::{Egress, Interface, Network};
use crate::traffic::difference::difference;
use crate::traffic::listing::Listing;

const EXAMPLE: &str = include_str!("../../../examples/datalink.toml");

fn config(text: &str) -> Config {
    validate(Document::parse(text, Format::Toml).unwrap()).unwrap()
}

fn topology(interfaces: &[(&str, &str, u8)], routes: &[(&str, &str)]) -> Topology {
    let address = |name: &str| interfaces.iter().find(|(n, ..)| *n == name).unwrap().1.parse().unwrap();
    let interface = |name: &str, prefix| Interface {
        networks: BTreeSet::from([Network { address: address(name), prefix }]),
        carrier: true,
        ..Interface::default()
    };
    let egress = |name: &str| Egress { interface: name.to_owned(), source: address(name) };
    Topology {
        interfaces: interfaces.iter().map(|(n, _, p)| ((*n).to_owned(), interface(n, *p))).collect(),
        routes: routes.iter().map(|(server, name)| (server.parse().unwrap(), egress(name))).collect(),
    }
}

fn plan_of(config: &Config, topology: &Topology, down: &[&str], fast_path: bool) -> Plan {
    plan(&Inputs {
        config,
        numbering: &Numbering::default().assign(config),
        topology,
        in_service: &|_, server| !down.contains(&server.label.as_str()),
        is_full: &|_, _| false,
        share: &|_, server| server.weight.get().into(),
        fast_path,
    })
}

/// The first load, and what people are told about it.
fn golden(plan: &Plan) -> String {
    let mut text = difference(&Listing::default(), &plan.desired.table.whole());
    for service in plan.desired.proxied.values() {
        writeln!(text, "# {service:#?}").unwrap();
    }
    for address in &plan.desired.places.virtual_addresses {
        writeln!(text, "# address {} on {}", address.address, address.interface).unwrap();
    }
    for service in &plan.services {
        writeln!(text, "# service on {:?}", service.interfaces).unwrap();
        for source in service.servers.iter().chain(&service.fallback_server) {
            writeln!(text, "#   seen as {:?}: {}", source.address, source.reason).unwrap();
        }
    }
    text
}

#[test]
fn single_arm() {
    let servers = ["110", "111", "112", "114"].map(|last| format!("192.168.10.{last}"));
    let routes: Vec<_> = servers.iter().map(|server| (server.as_str(), "eth0")).collect();
    let topology = topology(&[("eth0", "192.168.10.10", 24)], &routes);
    insta::assert_snapshot!(golden(&plan_of(&config(EXAMPLE), &topology, &["DATALINK_POOL2_NODE1"], true)));
}

/// One service in both families; IPv6 servers near and behind a router.
#[test]
fn both_families() {
    let text = r#"
        schema = 1
        management = { interface = "eth0", address = "192.168.10.10" }
        [[health_check]]
        label = "tcp"
        type = "tcp"
        [[virtual_service]]
        label = "A"
        addresses = ["192.168.10.100", "192.168.10.101", "fd00::100"]
        ports = "104"
        protocol = "tcp+udp"
        idle_timeout_seconds = 900
        health_check = "tcp"
        persistence = { ipv4_prefix_length = 20, ipv6_prefix_length = 60 }
        pin = [{ client = "fd00::/16", server = "six" }]
        real_server = [
            { label = "four", address = "192.168.10.110", port = 11112 },
            { label = "six", address = "fd00::110", port = 11112 },
            { label = "far", address = "fd01::110" },
        ]
    "#;
    let mut topology = topology(
        &[("eth0", "192.168.10.10", 24), ("eth6", "fd00::10", 64)],
        &[("192.168.10.110", "eth0"), ("fd00::110", "eth6"), ("fd01::110", "eth6")],
    );
    // Both networks on one interface.
    let six = topology.interfaces.remove("eth6").unwrap();
    topology.interfaces.get_mut("eth0").unwrap().networks.extend(six.networks);
    topology.routes.values_mut().for_each(|egress| egress.interface = "eth0".into());
    insta::assert_snapshot!(golden(&plan_of(&config(text), &topology, &[], true)));
}

/// Clients on eth1, one server on eth0, one behind eth0's router, one without a route.
#[test]
fn two_arms() {
    let text = r#"
        schema = 1
        management = { interface = "eth0", address = "10.0.0.10" }
        [[health_check]]
        label = "tcp"
        type = "tcp"
        [[virtual_service]]
        label = "A"
        addresses = ["192.0.2.100"]
        ports = "104,11112-11114"
        snat_pool = ["10.0.0.200-10.0.0.202", "192.0.2.200", "203.0.113.9"]
        health_check = "tcp"
        persistence = { enabled = false }
        pin = [{ client = "10.0.0.0/8", server = "far" }, { client = "10.1.2.3", server = "near" },
            { client = "10.1.0.0/16", server = "near" }, { client = "10.2.0.0/16", server = "lost" }]
        real_server = [
            { label = "near", address = "10.0.0.1", weight = 2 },
            { label = "far", address = "10.9.0.1", weight = 1 },
            { label = "lost", address = "203.0.113.1", port = 104 },
        ]
        [[virtual_service]]
        label = "B"
        addresses = ["198.51.100.1"]
        ports = "80"
        health_check = "tcp"
        snat_source = "virtual-address"
        fallback_server = "10.9.0.1:8081"
        real_server = [{ label = "near", address = "10.0.0.1", port = 8080 }]
    "#;
    let interfaces = [("eth0", "10.0.0.10", 24), ("eth1", "192.0.2.10", 24)];
    let topology = topology(&interfaces, &[("10.0.0.1", "eth0"), ("10.9.0.1", "eth0")]);
    insta::assert_snapshot!(golden(&plan_of(&config(text), &topology, &["lost"], false)));
}

/// Clients behind a router on eth1, servers on eth0, where the default gateway is; a VLAN on a bond beside them.
#[test]
fn answers_by_a_gateway_of_their_own() {
    let text = r#"
        schema = 1
        management = { interface = "eth0", address = "10.0.0.10" }
        [network]
        default_gateway = "10.0.0.1"
        interface = [
            { name = "eth0", addresses = ["10.0.0.10/24"] },
            { name = "eth1", addresses = ["192.0.2.10/24", "fd00::10/64"], gateway = "192.0.2.1", mtu = 9000 },
            { name = "bond0.7", addresses = ["198.51.100.10/24"] },
            { name = "eth9", addresses = ["203.0.113.10/24"], gateway = "203.0.113.1" },
        ]
        bond = [{ name = "bond0", mode = "active-backup", members = ["eth2", "eth8"] }]
        vlan = [{ name = "bond0.7", link = "bond0", id = 7 }, { name = "eth9.7", link = "eth9", id = 7 }]
        route = [
            { destination = "10.9.0.0/16", gateway = "10.0.0.2" },
            { destination = "10.8.0.0/16", gateway = "203.0.113.2" },
        ]
        [[health_check]]
        label = "tcp"
        type = "tcp"
        [[virtual_service]]
        label = "A"
        addresses = ["192.0.2.100"]
        ports = "104"
        health_check = "tcp"
        persistence = { enabled = false }
        real_server = [{ label = "near", address = "10.0.0.1" }]
    "#;
    let interfaces = [("eth0", "10.0.0.10", 24), ("eth1", "192.0.2.10", 24), ("eth2", "192.0.2.11", 32)];
    let topology = topology(&interfaces, &[("10.0.0.1", "eth0")]);
    let plan = plan_of(&config(text), &topology, &[], true);
    let mut told = String::new();
    let places = &plan.desired.places;
    for (name, link) in &places.links {
        writeln!(told, "{name}: {link:?}").unwrap();
    }
    places.routes.iter().for_each(|route| writeln!(told, "table {}: {route}", route.table).unwrap());
    places.rules.iter().for_each(|rule| writeln!(told, "{rule}").unwrap());
    let table = plan.desired.table.whole();
    for name in ["answers", "answers_out", "forward"] {
        let chain = &table.chains[name];
        writeln!(told, "{name}: {}", chain.hook).unwrap();
        chain.rules.iter().for_each(|rule| writeln!(told, "    {}", rule.text()).unwrap());
    }
    insta::assert_snapshot!(told);
}

#[test]
fn without_a_route_the_kernel_chooses_the_source() {
    let topology = topology(&[("eth0", "192.168.10.10", 24)], &[]);
    let plan = plan_of(&config(EXAMPLE), &topology, &[], true);
    assert_eq!(plan.desired.settings["ipv4/conf/eth0/send_redirects"], "0");
    assert!(plan.services[0].servers.iter().all(|source| source.address.is_none()));
    assert!(plan.desired.table.whole().maps["sources"].elements.is_empty(), "masquerade takes over");
}

#[test]
fn a_virtual_address_on_another_interface_is_no_source() {
    let interfaces = [("eth0", "192.168.10.10", 24), ("eth1", "192.0.2.10", 24)];
    let topology = topology(&interfaces, &[("192.168.10.110", "eth0")]);
    let text = EXAMPLE.replace(
        "addresses = [\"192.168.10.100\"]\n",
        "addresses = [\"192.168.10.100\"]\ninterface = \"eth1\"\n",
    );
    let plan = plan_of(&config(&text), &topology, &[], false);
    assert_eq!(plan.services[0].interfaces, [Ok("eth1".to_owned())]);
    assert_eq!(plan.services[0].servers[0].address, Some("192.168.10.10".parse().unwrap()));
}

#[test]
fn a_server_of_weight_0_is_not_reached_by_clients_that_knew_it_either() {
    let topology = topology(&[("eth0", "192.168.10.10", 24)], &[]);
    let text = EXAMPLE.replacen("weight = 100", "weight = 0", 1);
    let plan = plan_of(&config(&text), &topology, &[], false);
    let table = plan.desired.table.whole();
    let servers = &table.maps["servers"].elements;
    assert!(!servers.contains_key("0x00010001") && servers.contains_key("0x00010002"), "{servers:?}");
}

/// At the first boot nothing has an address; the rules must be in the kernel before anything gets one.
#[test]
fn without_any_network_there_is_no_flowtable() {
    let plan = plan_of(&config(EXAMPLE), &topology(&[], &[]), &[], true);
    assert_eq!(plan.desired.table.common.fast_path, None);
}

#[test]
fn the_fallback_server_is_reached_exactly_while_no_server_is() {
    let routes = ["110", "111", "120"].map(|last| format!("192.168.10.{last}"));
    let routes: Vec<_> = routes.iter().map(|server| (server.as_str(), "eth0")).collect();
    let topology = topology(&[("eth0", "192.168.10.10", 24)], &routes);
    let text = EXAMPLE.replacen("ports =", "fallback_server = \"192.168.10.120\"\nports =", 1);
    let maps = |down: &[&str]| plan_of(&config(&text), &topology, down, false).desired.table.whole().maps;
    let of_one_down = maps(&["DATALINK_POOL1_NODE1"]);
    assert!(!of_one_down["servers_same_port"].elements.contains_key("0x0001ffff"));
    assert_eq!(of_one_down["numbering"].elements["0x0001ffff"], "DATALINK_POOL1/fallback server");
    let of_all_down = maps(&["DATALINK_POOL1_NODE1", "DATALINK_POOL1_NODE2"]);
    assert_eq!(of_all_down["servers_same_port"].elements["0x0001ffff"], "192.168.10.120");
    assert_eq!(of_all_down["sources"].elements["0x0001ffff"], "192.168.10.100");
}

#[test]
fn a_pool_serves_the_servers_of_its_network_and_no_others() {
    let interfaces = [("eth0", "192.168.10.10", 24), ("eth1", "10.0.0.10", 24)];
    let topology = topology(&interfaces, &[("192.168.10.110", "eth0"), ("192.168.10.111", "eth1")]);
    let pool = "snat_pool = [\"192.168.10.200-192.168.10.203\", \"203.0.113.9\"]\nports =";
    let plan = plan_of(&config(&EXAMPLE.replacen("ports =", pool, 1)), &topology, &[], false);
    let ServicePlan { servers, homeless, .. } = &plan.services[0];
    assert_eq!([servers[0].pool.len(), servers[1].pool.len()], [4, 0]);
    assert!(servers[0].reason.contains("one of the 4 addresses"), "{}", servers[0].reason);
    assert_eq!(homeless, &["203.0.113.9".parse::<IpAddr>().unwrap()]);
    let places = &plan.desired.places.virtual_addresses;
    assert_eq!(places.iter().filter(|place| place.interface == "eth0").count(), 3 + 4);
    assert!(plan.desired.table.whole().maps["addresses"].elements.contains_key("192.168.10.203"));
}

/// A service that lbd forwards beside one that the kernel does.
#[test]
fn proxied() {
    let text = EXAMPLE
        .replacen("protocol = \"tcp\"", "forwarding_method = \"proxy\"\nidle_timeout_seconds = 60", 1)
        .replacen(
            "ports = \"2001\"",
            "ports = \"104,2001-2002\"\nsnat_pool = [\"192.168.10.200-192.168.10.201\"]",
            1,
        )
        .replacen("weight = 100", "weight = 50\nmaximum_connections = 10", 1);
    let topology = topology(&[("eth0", "192.168.10.10", 24)], &[("192.168.10.110", "eth0")]);
    insta::assert_snapshot!(golden(&plan_of(&config(&text), &topology, &["DATALINK_POOL1_NODE2"], true)));
}

/// Refused as early as elsewhere, unless lbd has an answer.
#[test]
fn clients_of_a_proxied_service_are_let_in_while_somebody_answers_them() {
    let topology = topology(&[("eth0", "192.168.10.10", 24)], &[("192.168.10.110", "eth0")]);
    let all = ["DATALINK_POOL1_NODE1", "DATALINK_POOL1_NODE2"];
    let let_in = |more: &str, down: &[&str]| {
        let text = EXAMPLE.replacen("protocol = \"tcp\"", &format!("forwarding_method = \"proxy\"{more}"), 1);
        let desired = plan_of(&config(&text), &topology, down, false).desired;
        assert_eq!(desired.proxied[&0x10000].places.len(), 1, "lbd listens all the time");
        let table = desired.table.whole();
        assert_eq!(table.maps["services"].elements.len(), 2);
        !table.maps["proxied"].elements.is_empty()
    };
    assert!(let_in("", &all[..1]) && !let_in("", &all));
    assert!(let_in("\nfallback = \"dicom-reject\"", &all));
    assert!(let_in("\nfallback_server = \"192.168.10.120\"", &all));
}
