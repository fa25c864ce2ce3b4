//! Which ways to manage the appliance are open, and to whom: told, scanned from outside by nmap, locked down, moved.

use std::collections::BTreeSet;
use std::net::IpAddr;

use lab::exposure::{Port, scan, told};
use lab::lbd::{SOON, https, https_with, wait_https};
use lab::topology::{MANAGEMENT, ipv6};
use lab::{Host, Lab, wait};
use serde_json::{Value, json};

const PASSWORD: &str = "a password for stories";
/// Packets that nmap sends on a busy machine without falling behind: then it sends all it has before it looks at an answer, and
/// has given up on what was answered.
const A_SECOND: u32 = 4_000;
const COMMUNITY: &str = "dose:watch^2026";
/// For an address of the SNAT pool, where nothing answers.
const SNAT: &str = "192.168.10.120";
fn api(path: &str) -> String {
    format!("https://{MANAGEMENT}:9443/api/v1/{path}")
}

/// Over the local socket, as at the console.
fn set_security(lab: &Lab, security: &Value) -> Value {
    lab.lbd().request("PUT", "/api/v1/security", Some(&security.to_string())).expect(200).json
}

fn confirm(lab: &Lab) {
    lab.lbd().request("POST", "/api/v1/config/confirm", None).expect(200);
}

/// Both families, a pool of SNAT addresses, SNMP; servers listen on more than anybody may see.
fn start(lab: &Lab) {
    for node in ["NODE1", "NODE2"] {
        lab.server(node).named_server(node, 2001);
    }
    for port in [22, 80, 8080] {
        lab.appliance().named_server("APPLIANCE", port);
    }
    let nodes = ["NODE1", "NODE2"].map(|node| ipv6(lab.server(node).address()));
    let pool = lab.pool().at(&[lab.vip(0).into(), ipv6(lab.vip(0)).into()]);
    // Patient checks: to a scanner a service whose servers seem to fail, on a busy machine, is no open port.
    let pool = pool.server("NODE1-6", nodes[0]).server("NODE2-6", nodes[1]).check_every(10, 10);
    let config = lab.config([&pool.with(&format!("snat_pool = [\"{SNAT}\"]"))]);
    lab.lbd().start(&config.followed_by("\n[snmp]\nenabled = true\n"));
    lab.lbd().set_password(PASSWORD);
    let socket = lab.lbd().control_socket();
    lab.lbd()
        .command(&format!("snmp community --control-socket {}", socket.display()), COMMUNITY)
        .expect_ok();
    lab.lbd().wait_service("POOL", "up");
    wait_https(lab.client(), &api("status"));
}

fn every_address(lab: &Lab) -> [IpAddr; 5] {
    let snat = SNAT.parse().expect("an address");
    [MANAGEMENT.into(), ipv6(MANAGEMENT).into(), lab.vip(0).into(), ipv6(lab.vip(0)).into(), snat]
}

fn is_asked(from: &Host) -> bool {
    let name = "1.3.6.1.2.1.1.5.0";
    from.run(format!("snmpget -m : -v 2c -c {COMMUNITY} -t 2 -r 3 {MANAGEMENT} {name}")).is_ok()
}

#[test]
fn a_port_scan_finds_what_the_page_says_and_from_a_locked_out_network_nothing() {
    let lab = Lab::single_arm().with_ipv6();
    start(&lab);
    let addresses = every_address(&lab);
    let told_open = told(&lab.lbd().status());
    let of_tcp = |ports: &BTreeSet<Port>| -> BTreeSet<Port> {
        ports.iter().filter(|(_, transport, _)| transport == "tcp").cloned().collect()
    };
    let found = scan(lab.client(), &addresses, A_SECOND);
    assert_eq!(of_tcp(&found), of_tcp(&told_open));
    // nmap knows no community: what answers by UDP may look closed to it, but nothing else may look open.
    assert!(found.is_subset(&told_open), "{found:?} is more than {told_open:?}");
    assert!(is_asked(lab.client()));

    // Only NODE2 manages from now on, and only NODE1 asks by SNMP.
    let [node1, node2] = ["NODE1", "NODE2"].map(|name| lab.server(name));
    let document = https(node2, "GET", &api("config"), Some(PASSWORD), None).expect(200);
    let mut document = document.json;
    document["security"] = json!({"web_sources": [node2.address().to_string()]});
    document["snmp"]["sources"] = json!([node1.address().to_string()]);
    let text = document.to_string();
    let refused = https(lab.client(), "PUT", &api("config"), Some(PASSWORD), Some(&text)).expect(422);
    assert!(refused.text.contains("you come from 192.168.10.50"), "{}", refused.text);
    let accepted = https(node2, "PUT", &api("config"), Some(PASSWORD), Some(&text)).expect(200);
    assert!(accepted.json["confirm_until"].is_string(), "it is on trial: {}", accepted.text);
    https(node2, "POST", &api("config/confirm"), Some(PASSWORD), None).expect(200);

    let management = [MANAGEMENT.into(), ipv6(MANAGEMENT).into()];
    assert_eq!(scan(lab.client(), &management, A_SECOND), BTreeSet::new());
    assert!(!is_asked(lab.client()) && is_asked(node1));
    https(node2, "GET", &api("status"), Some(PASSWORD), None).expect(200);
    // Clients are served as before.
    lab.lbd().wait_service("POOL", "up");
    let served = scan(lab.client(), &addresses[2..], A_SECOND);
    let expected = of_tcp(&told_open).into_iter().filter(|port| port.2 == 2001).collect();
    assert_eq!(of_tcp(&served), expected, "{:#}", lab.lbd().service("POOL"));
}

#[test]
fn a_lockdown_that_nobody_confirms_can_be_taken_back_at_the_console() {
    let lab = Lab::single_arm();
    lab.lbd().start(&lab.config([&lab.pool()]));
    lab.lbd().set_password(PASSWORD);
    wait_https(lab.client(), &api("status"));
    let accepted = set_security(&lab, &json!({"web_sources": ["10.99.0.0/16"]}));
    assert!(accepted["confirm_until"].is_string(), "{accepted}");
    https(lab.client(), "GET", &api("status"), Some(PASSWORD), None).expect(0);
    lab.lbd().request("POST", "/api/v1/config/revert", None).expect(200);
    https(lab.client(), "GET", &api("status"), Some(PASSWORD), None).expect(200);
    let wrong = json!({"http": true}).to_string();
    let refused = lab.lbd().request("PUT", "/api/v1/security", Some(&wrong)).expect(422);
    assert_eq!(refused.json["problems"][0]["field"], "http", "{}", refused.text);
}

#[test]
fn over_http_people_get_in_where_it_is_switched_on_and_tokens_never_do() {
    let lab = Lab::single_arm();
    lab.lbd().start(&lab.config([&lab.pool()]));
    lab.lbd().set_password(PASSWORD);
    wait_https(lab.client(), &api("status"));
    let clear = format!("http://{MANAGEMENT}:9080/api/v1/status");
    https(lab.client(), "GET", &clear, None, None).expect(0);
    let body = json!({"name": "monitoring", "role": "viewer", "days": 1}).to_string();
    let token = lab.lbd().request("POST", "/api/v1/tokens", Some(&body)).expect(201).json;
    let bearer = format!("Authorization: Bearer {}", token["token"].as_str().expect("a token"));
    let with_token = |url: &str| https_with(lab.client(), "GET", url, &[&bearer], None).status;
    assert_eq!(with_token(&api("status")), 200);

    set_security(&lab, &json!({"mode": "custom", "http": true, "api_tokens": false}));
    confirm(&lab);
    wait::until(SOON, "the WebUI over HTTP", || https(lab.client(), "GET", &clear, None, None).status == 401);
    https(lab.client(), "GET", &clear, Some(PASSWORD), None).expect(200);
    https(lab.client(), "GET", &clear, Some("wrong"), None).expect(401);
    assert_eq!((with_token(&clear), with_token(&api("status"))), (403, 401));
    let services: Vec<_> = lab.lbd().status()["openings"].as_array().into_iter().flatten().cloned().collect();
    assert!(services.iter().any(|opening| opening["port"] == 9080), "{services:?}");

    set_security(&lab, &json!({}));
    confirm(&lab);
    https(lab.client(), "GET", &clear, None, None).expect(0);
    assert_eq!(with_token(&api("status")), 200);
}

#[test]
fn services_answer_at_other_ports_and_are_started_anew() {
    let lab = Lab::single_arm();
    let pool = lab.pool().weights(&[100]).fallback("http-page");
    lab.lbd().start(&lab.config([&pool]));
    lab.lbd().set_password(PASSWORD);
    wait_https(lab.client(), &api("status"));
    lab.lbd().wait_service("POOL", "down");
    let page = format!("http://{}:2001/", lab.vip(0));
    https(lab.client(), "GET", &page, None, None).expect(503);
    let mut sockets = lab.lbd().request("GET", "/api/v1/sockets", None).expect(200).json;
    assert_eq!((&sockets["https_port"], &sockets["fallback_page_port"]), (&json!(9443), &json!(9081)));
    sockets["fallback_page_port"] = json!(9443);
    let refused = lab.lbd().request("PUT", "/api/v1/sockets", Some(&sockets.to_string())).expect(422);
    assert!(refused.text.contains("port 9443 is that of the fallback page"), "{}", refused.text);
    sockets["fallback_page_port"] = json!(8081);
    sockets["https_port"] = json!(9444);
    lab.lbd().request("PUT", "/api/v1/sockets", Some(&sockets.to_string())).expect(200);
    confirm(&lab);
    let moved = format!("https://{MANAGEMENT}:9444/api/v1/status");
    wait_https(lab.client(), &moved);
    wait::until(SOON, "the page from its new port", || {
        https(lab.client(), "GET", &page, None, None).status == 503
    });
    assert!(lab.appliance().run("ss --no-header --listening --numeric --tcp").stdout.contains(":8081 "));
    for service in ["webui", "snmp", "fallback-page"] {
        let path = format!("/api/v1/sockets/{service}/restart");
        lab.lbd().request("POST", &path, None).expect(204);
    }
    lab.lbd().request("POST", "/api/v1/sockets/ssh/restart", None).expect(404);
    wait_https(lab.client(), &moved);
    https(lab.client(), "GET", &moved, Some(PASSWORD), None).expect(200);
    wait::until(SOON, "the page after a restart", || {
        https(lab.client(), "GET", &page, None, None).status == 503
    });
}
