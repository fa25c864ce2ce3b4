//! The appliance's own network: what the configuration says of it stands in the kernel.

use lab::{Lab, wait};

#[test]
fn the_default_gateways_of_both_families_are_set_changed_and_taken_back() {
    let lab = Lab::single_arm();
    lab.server("NODE1").named_server("NODE1", 2001);
    let with_gateways = |lines: &str| {
        let own = lab.config([&lab.pool().weights(&[100])]).with_network(lab.arms(), None);
        let own = own.replacing("[network]\n", &format!("[network]\n{lines}"));
        own.replacing(
            "addresses = [\"192.168.10.10/24\"]",
            "addresses = [\"192.168.10.10/24\", \"fd00:10::10/64\"]",
        )
    };
    let routes =
        |family: &str| lab.appliance().run(format!("ip -{family} route show default")).expect_ok().to_owned();
    lab.lbd()
        .start(&with_gateways("default_gateway = \"192.168.10.1\"\ndefault_gateway_ipv6 = \"fd00:10::1\"\n"));
    lab.lbd().wait_service("POOL", "up");
    wait::until(std::time::Duration::from_secs(10), "both default routes", || {
        routes("4").contains("via 192.168.10.1 ") && routes("6").contains("via fd00:10::1 ")
    });
    assert_eq!(lab.lbd().status()["problems"], serde_json::json!([]));
    let changed = with_gateways("default_gateway = \"192.168.10.2\"\n");
    lab.lbd().put(&changed).expect(200);
    let (ipv4, ipv6) = (routes("4"), routes("6"));
    assert!(ipv4.contains("via 192.168.10.2 ") && !ipv4.contains("192.168.10.1 "), "{ipv4}");
    assert_eq!(ipv6.trim(), "");
}

/// A server that knows another Ethernet address for an address of the SNAT pool learns ours without asking; its answers
/// would go astray until then.
#[test]
fn servers_are_told_where_the_addresses_of_the_snat_pool_live() {
    let lab = Lab::single_arm();
    let node = lab.server("NODE1");
    node.named_server("NODE1", 2001);
    let pool = lab.pool().weights(&[100]);
    lab.lbd().start(&lab.config([&pool]));
    lab.lbd().wait_service("POOL", "up");
    let addresses = ["192.168.10.120", "192.168.10.121"];
    for address in addresses {
        node.ip(format!("neigh add {address} lladdr 02:00:00:00:00:77 dev eth0 nud stale"));
    }
    lab.lbd().put(&lab.config([&pool.with("snat_pool = [\"192.168.10.120-192.168.10.121\"]")])).expect(200);
    let shown = lab.appliance().run("cat /sys/class/net/eth0/address");
    let ours = shown.expect_ok().trim();
    wait::until(lab::lbd::SOON, "the server to learn the Ethernet address of both", || {
        let known = |address| node.run(format!("ip neigh show {address}")).stdout.contains(ours);
        addresses.into_iter().all(known)
    });
    assert!(addresses.contains(&lab.client().ask(lab.vip(0), 2001).seen.as_str()));
}
