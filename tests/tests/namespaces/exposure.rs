//! From the client's side nothing but the virtual services is there.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use lab::topology::MANAGEMENT;
use lab::{Host, Lab, lbd};

/// Usual suspects: SSH, DNS, web, SNMP, the product's own ports, DICOM's, and the service's neighbours.
const PORTS: [u16; 18] =
    [22, 53, 80, 104, 123, 161, 443, 2000, 2001, 2002, 6694, 7778, 9000, 9080, 9081, 9443, 11112, 25565];
const PASSWORD: &str = "a password for stories";

/// Starts a pool; servers and the appliance itself listen on more ports than a client may see.
fn start(lab: &Lab) {
    lab.server("NODE1").named_server("NODE1", 2001);
    lab.server("NODE1").named_server("SSH-OF-NODE1", 22);
    lab.server("NODE2").named_server("NODE2", 2001);
    for port in [22, 80, 161] {
        lab.appliance().named_server("APPLIANCE", port);
    }
    lab.lbd().start(&lab.config([&lab.pool()]));
    lab.lbd().set_password(PASSWORD);
    lab.lbd().wait_service("POOL", "up");
    lbd::wait_https(lab.server("NODE2"), &api("status"));
}

/// The API at the appliance's own address.
fn api(path: &str) -> String {
    format!("https://{MANAGEMENT}:9443/api/v1/{path}")
}

fn open_ports(from: &Host, address: Ipv4Addr) -> Vec<u16> {
    let found = from.scan(address, &PORTS);
    found.into_iter().filter(|(_, state)| state == "open").map(|(port, _)| port).collect()
}

#[test]
fn only_the_service_ports_of_a_virtual_address_answer_single_arm() {
    let lab = Lab::single_arm();
    start(&lab);
    assert_eq!(open_ports(lab.client(), lab.vip(0)), [2001]);
    lbd::https(lab.client(), "GET", &api("status"), Some(PASSWORD), None).expect(200);
    let on_vip = format!("https://{}:9443/api/v1/status", lab.vip(0));
    lbd::https(lab.client(), "GET", &on_vip, Some(PASSWORD), None).expect(0);
}

#[test]
fn the_appliance_is_no_router_single_arm() {
    let lab = Lab::single_arm();
    start(&lab);
    // The server lies on a network that only the appliance could lead to.
    lab.server("NODE1").ip("address add 10.9.9.9/32 dev lo");
    let node = lab.server("NODE1").address();
    lab.appliance().ip(format!("route add 10.9.9.9/32 via {node}"));
    lab.client().ip(format!("route add 10.9.9.9/32 via {MANAGEMENT}"));
    assert!(lab.appliance().run("ping -c 1 -W 10 10.9.9.9").is_ok(), "the appliance itself reaches it");
    assert_eq!(open_ports(lab.client(), Ipv4Addr::new(10, 9, 9, 9)), [0; 0]);
    assert!(!lab.client().run("ping -c 1 -W 1 10.9.9.9").is_ok());
}

#[test]
fn clients_reach_neither_servers_nor_management_two_arm() {
    let lab = Lab::two_arm();
    start(&lab);
    // The servers know the way back, so that a forwarded packet would have an answer.
    for node in ["NODE1", "NODE2"] {
        lab.server(node).ip(format!("route add 172.16.1.0/24 via {MANAGEMENT}"));
    }
    assert_eq!(open_ports(lab.client(), lab.vip(0)), [2001]);
    assert_eq!(open_ports(lab.client(), lab.server("NODE1").address()), [0; 0], "server, by the appliance");
    let answered = lab.client().ask_udp(lab.server("NODE1").address(), 2001);
    assert!(!answered.contains("NODE1"), "over UDP: {answered}");
    assert!(!lab.client().run(format!("ping -c 1 -W 1 {}", lab.server("NODE1").address())).is_ok());
    assert_eq!(open_ports(lab.client(), Ipv4Addr::new(172, 16, 1, 10)), [0; 0], "the clients' arm");
    assert_eq!(open_ports(lab.client(), MANAGEMENT), [0; 0], "the servers' arm, over the clients'");
    lbd::https(lab.server("NODE2"), "GET", &api("status"), Some(PASSWORD), None).expect(200);
}

#[test]
fn the_api_answers_nobody_without_the_password() {
    let lab = Lab::single_arm();
    lab.lbd().start(&lab.config([&lab.pool()]));
    lbd::wait_https(lab.client(), &api("status"));
    lbd::https(lab.client(), "GET", &api("status"), None, None).expect(503);
    lbd::https(lab.client(), "GET", &api("status"), Some("loadbalancer"), None).expect(503);
    lab.lbd().set_password(PASSWORD);
    for path in ["status", "config"] {
        lbd::https(lab.client(), "GET", &api(path), None, None).expect(401);
        lbd::https(lab.client(), "GET", &api(path), Some("wrong"), None).expect(401);
        lbd::https(lab.client(), "GET", &api(path), Some(PASSWORD), None).expect(200);
    }
    let config = lab.config([&lab.pool().weights(&[10, 20])]);
    lbd::https(lab.client(), "PUT", &api("config"), None, Some(config.as_str())).expect(401);
    lbd::https(lab.client(), "PUT", &api("config"), Some(PASSWORD), Some(config.as_str())).expect(200);
    assert_eq!(lab.lbd().server("POOL", "NODE2")["weight"], 20);
}

#[test]
fn lbd_runs_as_its_own_user_with_three_capabilities() {
    let lab = Lab::single_arm();
    start(&lab);
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", lab.lbd().process().pid())).expect("running");
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a field");
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let user = lbd::USER.to_string();
    assert!(field("Uid:").iter().chain(&field("Gid:")).all(|id| *id == user), "{status}");
    // CAP_NET_BIND_SERVICE (10), CAP_NET_ADMIN (12) and CAP_NET_RAW (13).
    for set in ["CapPrm:", "CapEff:", "CapBnd:"] {
        assert_eq!(
            u64::from_str_radix(&field(set)[0], 16),
            Ok(1 << 10 | 1 << 12 | 1 << 13),
            "{set} in {status}"
        );
    }
    assert_eq!(field("NoNewPrivs:"), ["1"], "{status}");
    assert!(field("Groups:").iter().all(|group| *group == user), "{status}");
}

/// What no scan can show, because what answers nothing may still listen: UDP, and addresses that drop.
#[test]
fn lbd_listens_on_nothing_but_management_and_the_answer_of_the_fallback() {
    let lab = Lab::single_arm();
    lab.server("NODE1").named_server("NODE1", 2001);
    lab.lbd().start(&lab.config([&lab.pool().weights(&[100])]));
    lab.lbd().wait_service("POOL", "up");
    lbd::wait_https(lab.client(), &api("status"));
    let sockets = lab.appliance().run("ss --no-header --listening --numeric --tcp --udp --sctp --raw --dccp");
    let socket = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        format!("{} {}", fields[0], fields[4])
    };
    let found: BTreeSet<_> = sockets.expect_ok().lines().map(socket).collect();
    let management = format!("tcp {MANAGEMENT}:9443");
    // The answer of services without a server, which the input chain lets nobody reach but through a service.
    let fallback = ["tcp 0.0.0.0:9081", "tcp [::]:9081"];
    let expected = fallback.into_iter().chain([management.as_str()]).map(str::to_owned).collect();
    assert_eq!(found, expected);
}
