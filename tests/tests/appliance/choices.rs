//! What a service may be told beyond the usual, on the kernel of the appliance: it must have every part of it that the rules
//! name, and load it by itself.

use lab::topology::ipv6;
use lab::vm::Guest;
use lab::vm::guest::PASSWORD;
use lab::vm::properties::Properties;
use lab::{Lab, Pool};

fn pools(lab: &Lab) -> Vec<Pool> {
    let pool = |label: &str, number: u8| {
        // A check that an emulated machine is slow with is no failure.
        lab.pool().named(label, lab.vip(number)).check_every(10, 10)
    };
    let deserted = |label: &str, number: u8| pool(label, number).ports("2009").server_port(2009);
    let node2 = lab.server("NODE2").address();
    vec![
        deserted("REJECTED", 0).fallback("dicom-reject"),
        deserted("PAGE", 1).fallback("http-page").with("fallback_page = \"Call 4711\""),
        deserted("FALLEN", 2).with(&format!("fallback_server = \"{node2}:2001\"")),
        pool("HASHED", 3).persistence(None).with("scheduler = \"source-hash\""),
        pool("SOURCES", 4).with("snat_pool = [\"192.168.10.210-192.168.10.211\"]"),
        pool("PROXIED", 5).with("forwarding_method = \"proxy\""),
        pool("PINGED", 6).checked_by("type = \"ping\""),
        pool("SIX", 7).at(&[ipv6(lab.vip(7)).into()]).without_servers().server("SIX1", ipv6(node2)),
    ]
}

#[test]
fn every_choice_works_on_the_kernel_of_the_appliance() {
    let lab = Lab::single_arm_with_guest().with_ipv6();
    for node in ["NODE1", "NODE2"] {
        lab.server(node).named_server(node, 2001);
    }
    let guest = Guest::new(&lab);
    let pools = pools(&lab);
    let config = lab.config(&pools).with_network(lab.arms(), lab.gateway());
    let own = lab.arms()[0].1;
    let both = format!("\"{own}/24\", \"{}/64\"", ipv6(own));
    let config = config.replacing(&format!("\"{own}/24\""), &both);
    guest.boot_with(&Properties::default().with_password(PASSWORD).with("configuration", config.as_str()));

    for label in ["REJECTED", "PAGE", "FALLEN"] {
        guest.wait_service(label, "down");
    }
    lab.client().echoscu(lab.vip(0), 2009, "DW_SCP").expect_failure("Temporary Congestion");
    let page = lab.client().run(format!("curl --silent --max-time 60 http://{}:2009/", lab.vip(1)));
    assert_eq!(page.expect_ok(), "Call 4711");
    assert_eq!(lab.client().ask(lab.vip(2), 2009).server, "NODE2");

    for label in ["HASHED", "SOURCES", "PROXIED", "PINGED", "SIX"] {
        guest.wait_service(label, "up");
    }
    let hashed = lab.client().ask(lab.vip(3), 2001);
    assert_eq!(lab.client().ask(lab.vip(3), 2001), hashed, "a client keeps its server by its address");
    let seen = lab.client().ask(lab.vip(4), 2001).seen;
    assert!(["192.168.10.210", "192.168.10.211"].contains(&seen.as_str()), "{seen}");
    for number in [5, 6] {
        lab.client().ask(lab.vip(number), 2001);
    }
    let six = lab.client().ask(ipv6(lab.vip(7)), 2001);
    assert_eq!((six.server.as_str(), six.seen), ("NODE2", ipv6(lab.vip(7)).to_string()));
    assert_eq!(guest.status()["problems"], serde_json::json!([]));
    // By a gigabyte of memory; left alone the kernel would know 8,192.
    let words = "the kernel may know 131072 connections";
    let path = format!("/api/v1/log?text={}", words.replace(' ', "%20"));
    let log = guest.request("GET", &path, None).expect(200).json;
    assert!(log["lines"].to_string().contains(words), "{log}");
}
