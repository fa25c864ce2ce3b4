//! The appliance's own network: what the configuration says of it stands in the kernel.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use lab::lbd::SOON;
use lab::vm::properties::Properties;
use lab::{Config, Lab, random, wait};
use serde_json::{Value, json};

/// The kernel has it a moment before the status tells of it.
fn wait_calm(lab: &Lab) {
    lab.lbd().wait_status("no problems", |lbd| lbd.status()["problems"] == json!([]));
}

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
    wait::until(SOON, "both default routes", || {
        routes("4").contains("via 192.168.10.1 ") && routes("6").contains("via fd00:10::1 ")
    });
    wait_calm(&lab);
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
    wait::until(SOON, "the server to learn the Ethernet address of both", || {
        let known = |address| node.run(format!("ip neigh show {address}")).stdout.contains(ours);
        addresses.into_iter().all(known)
    });
    assert!(addresses.contains(&lab.client().ask(lab.vip(0), 2001).seen.as_str()));
}

/// What lbd may have set, by the kernel's own words: MTUs and groups, addresses, routes of all tables, rules.
fn network_of(lab: &Lab) -> BTreeSet<String> {
    let listing = |line: &str| {
        let shown = lab.appliance().run(format!("ip -j {line}"));
        let listed: Value = serde_json::from_str(shown.expect_ok()).expect("ip prints JSON");
        listed.as_array().cloned().unwrap_or_default()
    };
    let mut all = BTreeSet::new();
    for link in listing("-d address show").iter().filter(|link| link["ifname"] != "lo") {
        let name = &link["ifname"];
        all.insert(format!("{name} mtu {} group {}", link["mtu"], link["group"]));
        for address in link["addr_info"].as_array().into_iter().flatten().filter(|it| it["scope"] != "link") {
            all.insert(format!("{name} {}/{}", address["local"], address["prefixlen"]));
        }
    }
    for family in ["-4", "-6"] {
        let routes = listing(&format!("{family} route show table all"));
        for route in routes.iter().filter(|route| route["protocol"] == "236") {
            let part = |name: &str| route[name].to_string();
            all.insert(["dst", "gateway", "dev", "table"].map(part).join(" "));
        }
        let rules = listing(&format!("{family} rule show"));
        all.extend(rules.iter().map(|rule| format!("{family} {} {}", rule["fwmark"], rule["table"])));
    }
    all
}

/// Puts a configuration in force; one that is on trial is confirmed.
fn settle(lab: &Lab, config: &Config) {
    let accepted = lab.lbd().put(config).expect(200).json;
    if accepted["confirm_until"].is_string() {
        lab.lbd().request("POST", "/api/v1/config/confirm", None).expect(200);
    }
}

fn has(lab: &Lab, line: &str, words: &str) -> bool {
    lab.appliance().run(line).stdout.contains(words)
}

#[test]
fn mtu_and_routes_stand_and_a_restarted_lbd_touches_none_of_it() {
    let lab = Lab::single_arm();
    lab.server("NODE1").named_server("NODE1", 2001);
    let plain = lab.config([&lab.pool().weights(&[100])]).with_network(lab.arms(), None);
    let plain = plain.replacing("[\"192.168.10.10/24\"]", "[\"192.168.10.10/24\", \"fd00:10::10/64\"]");
    let route = |destination: &str, gateway: &str| {
        format!("[[network.route]]\ndestination = \"{destination}\"\ngateway = \"{gateway}\"\n")
    };
    let routes = route("10.8.0.0/16", "192.168.10.1") + &route("fd08::/32", "fd00:10::1");
    lab.lbd().start(&plain.followed_by(&format!("mtu = 1400\n{routes}")));
    lab.lbd().wait_service("POOL", "up");
    let stands = || {
        has(&lab, "ip link show eth0", "mtu 1400 ")
            && has(&lab, "ip route", "10.8.0.0/16 via 192.168.10.1 dev eth0 ")
            && has(&lab, "ip -6 route", "fd08::/32 via fd00:10::1 dev eth0 ")
    };
    wait::until(SOON, "MTU and routes", stands);
    wait_calm(&lab);

    // The kernel tells when it has found nobody else with an IPv6 address (RFC 4862 section 5.4), a second later.
    wait::until(SOON, "duplicate address detection", || !has(&lab, "ip -6 address show", "tentative"));
    let mut monitor = lab.appliance().command("ip");
    monitor.args(["-o", "monitor", "link", "address", "route", "rule"]);
    let monitor = lab.appliance().start(monitor, "monitor");
    // Notices of our own show that it listens, and that nothing was still on its way.
    let note = |address: &str| {
        wait::until(SOON, format!("a notice of {address}"), || {
            lab.appliance().run(format!("ip address add {address}/32 dev lo"));
            lab.appliance().run(format!("ip address del {address}/32 dev lo"));
            monitor.log().contains(address)
        });
    };
    note("10.99.0.1");
    lab.lbd().kill();
    lab.lbd().start_again();
    lab.lbd().wait_service("POOL", "up");
    note("10.99.0.2");
    let log = monitor.log();
    let foreign: Vec<_> = log.lines().filter(|line| !line.contains("10.99.0.")).collect();
    assert_eq!(foreign, [""; 0], "what is right was touched");
    assert!(stands());

    settle(&lab, &plain.followed_by(&route("10.8.0.0/16", "192.168.10.2")));
    assert!(has(&lab, "ip link show eth0", "mtu 1500 ") && !has(&lab, "ip -6 route", "fd08::/32"));
    assert!(has(&lab, "ip route", "via 192.168.10.2 ") && !has(&lab, "ip route", "via 192.168.10.1 "));
    settle(&lab, &plain);
    assert!(!has(&lab, "ip route", "10.8.0.0/16"));
    assert!(has(&lab, "ip address show eth0", "192.168.10.10/24"), "it was never without its address");
}

/// Whether this machine's kernel can make bonds: those of small virtual machines cannot.
fn kernel_has_bonds(lab: &Lab) -> bool {
    let made = lab.host("NODE2").run("ip link add probe type bond");
    lab.host("NODE2").run("ip link del probe");
    made.is_ok()
}

/// What the console's wizard asks can be given at deployment too.
#[test]
fn an_appliance_begins_with_the_network_that_its_deployment_passed() {
    let lab = Lab::two_arm();
    for arm in ["eth0", "eth1"] {
        lab.appliance().ip(format!("address flush dev {arm}"));
    }
    let given = Properties::default()
        .with("ip_address", "10.0.0.5/24")
        .with("gateway", "10.0.0.1")
        .with("search_domain", "hospital.example")
        .with("time_zone", "europe/berlin");
    let with_links = kernel_has_bonds(&lab);
    let (given, interface) = match with_links {
        true => (given.with("bond_members", "eth0, eth1").with("vlan_id", "100"), "bond0.100"),
        false => (given.with("management_interface", "eth1"), "eth1"),
    };
    lab.lbd().start_deployed(&given);
    let addresses = format!("ip address show dev {interface}");
    wait::until(SOON, "the address of the management", || has(&lab, &addresses, "10.0.0.5/24"));
    let route = format!("default via 10.0.0.1 dev {interface}");
    wait::until(SOON, "the default route", || has(&lab, "ip route show", &route));
    if with_links {
        assert!(has(&lab, "ip -d link show dev bond0.100", "vlan protocol 802.1Q id 100"));
        assert!(has(&lab, "ip -d link show dev bond0", "mode active-backup"));
    }
    wait_calm(&lab);
    let config = lab.lbd().config();
    assert_eq!(
        config["management"],
        json!({"interface": interface, "address": "10.0.0.5", "https_port": 9443})
    );
    assert_eq!(config["network"]["search_domain"], "hospital.example");
    assert_eq!(config["time"], json!({"zone": "Europe/Berlin"}));
}

#[test]
fn a_bond_is_made_or_refused_with_its_name_and_nothing_is_changed() {
    let lab = Lab::two_arm();
    lab.server("NODE1").named_server("NODE1", 2001);
    let config = lab.config([&lab.pool().weights(&[100])]).with_network(lab.arms(), None);
    lab.lbd().start(&config);
    lab.lbd().wait_service("POOL", "up");
    let before = network_of(&lab);
    // Clients are reached over a bond then.
    let bond = "[[network.bond]]\nname = \"bond7\"\nmode = \"active-backup\"\nmembers = [\"eth1\"]\n";
    let bonded = config.replacing("name = \"eth1\"", "name = \"bond7\"").followed_by(bond);
    if kernel_has_bonds(&lab) {
        settle(&lab, &bonded);
        wait::until(SOON, "the service to answer over the bond", || {
            lab.client().scan(lab.vip(0), &[2001])[&2001] == "open"
        });
        settle(&lab, &config);
        wait::until(SOON, "everything to be as before", || network_of(&lab) == before);
    } else {
        let refused = lab.lbd().put(&bonded).expect(500).json;
        let why = refused["detail"].as_str().unwrap_or_default();
        assert!(why.contains("making the bond bond7 (active-backup)"), "{why}");
        assert_eq!(network_of(&lab), before);
    }
    assert_eq!(lab.client().ask(lab.vip(0), 2001).server, "NODE1");
    wait_calm(&lab);
}

/// Clients behind a router on eth1 while the default gateway is on eth0: without a way of its own for answers none of them
/// would get one.
#[test]
fn answers_leave_where_their_requests_came_in() {
    const FAR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 5);
    let lab = Lab::two_arm();
    lab.server("NODE1").named_server("NODE1", 2001);
    lab.client().use_addresses("10.77.0.0/24");
    let router = lab.client().address();
    let translated = lab.pool().weights(&[100]);
    let proxied = translated.clone().named("PROXIED", lab.vip(1)).with("forwarding_method = \"proxy\"");
    let page = lab.pool().named("PAGE", lab.vip(2)).fallback("http-page").ports("80").weights(&[100]);
    let plain = lab
        .config([&translated, &proxied, &page])
        .with_network(lab.arms(), Some(lab.server("NODE2").address()));
    lab.lbd().start(&plain);
    lab.lbd().wait_service("POOL", "up");
    lab.lbd().wait_service("PROXIED", "up");
    lab.lbd().wait_service("PAGE", "down");
    assert_eq!(lab.client().ask(lab.vip(0), 2001).server, "NODE1", "a near client needs no router");
    let ping = || lab.client().run(format!("ping -c 1 -W 1 -I {FAR} 172.16.1.10")).is_ok();
    assert!(!ping(), "the answer leaves by the default gateway");

    let own = plain.replacing(
        "addresses = [\"172.16.1.10/24\"]",
        &format!("addresses = [\"172.16.1.10/24\"]\ngateway = \"{router}\""),
    );
    settle(&lab, &own);
    wait::until(SOON, "the answer to a ping", ping);
    for service in [0, 1] {
        for address in [FAR, router] {
            let reply = lab.client().ask_as(&[address], lab.vip(service), 2001).remove(0);
            assert_eq!(reply.server, "NODE1", "service {service} asked from {address}");
        }
    }
    // From now on the client is far by itself; what has taken the kernel's short cut finds its way too.
    lab.client().ip(format!("route replace 172.16.1.0/24 dev eth0 src {FAR}"));
    let held = lab.client().hold(lab.vip(0), 2001);
    (0..5).for_each(|_| held.expect_alive());
    assert_eq!(lab.client().ask(lab.vip(0), 2001).server, "NODE1");
    let url = format!("http://{}/", lab.vip(2));
    let shown =
        lab.client().run(format!("curl -s -m 20 --interface {FAR} -o /dev/null -w %{{http_code}} {url}"));
    assert_eq!(shown.stdout, "503", "{shown:?}");
    wait_calm(&lab);
    // The servers' answers to the appliance itself are no answers to clients.
    assert!(has(&lab, "ip rule", "fwmark 0x10000000/0xf0000000 lookup 1001"));
    settle(&lab, &plain);
    assert!(!has(&lab, "ip rule", "fwmark") && !has(&lab, "ip route show table all", "table 1001"));
    assert!(!ping(), "no answer any more");
}

#[test]
fn a_network_that_nobody_confirms_is_back_after_two_minutes_or_a_crash() {
    let labs = [Lab::single_arm(), Lab::single_arm()];
    let change = |lab: &Lab| {
        lab.server("NODE1").named_server("NODE1", 2001);
        let before = lab.config([&lab.pool().weights(&[100])]).with_network(lab.arms(), None);
        lab.lbd().start(&before);
        lab.lbd().wait_service("POOL", "up");
        let stood = network_of(lab);
        // The administrator's network is another one now.
        let cut = before
            .replacing("address = \"192.168.10.10\"", "address = \"192.168.77.10\"")
            .replacing("[\"192.168.10.10/24\"]", "[\"192.168.77.10/24\"]\nmtu = 1400");
        let accepted = lab.lbd().put(&cut).expect(200).json;
        assert!(accepted["confirm_until"].is_string(), "{accepted}");
        assert!(has(lab, "ip address show eth0", "192.168.77.10/24") && network_of(lab) != stood);
        stood
    };
    let [waited, killed] = &labs;
    let stood = change(waited);
    let stood_before_crash = change(killed);
    killed.lbd().kill();
    killed.lbd().start_again();
    wait::until(SOON, "the network of before the crash", || network_of(killed) == stood_before_crash);
    let until = Duration::from_secs(150);
    wait::until(until, "the network of before the change", || network_of(waited) == stood);
    // The kernel has it a moment before the status tells of it.
    waited.lbd().wait_status("the end of the trial to be told", |api| {
        api.status()["problems"].to_string().contains("was not confirmed")
    });
    waited.lbd().wait_service("POOL", "up");
}

/// Random networks applied one after the other equal a fresh start with the last one.
#[test]
fn random_networks_end_where_a_fresh_start_does() {
    let mut random = fastrand::Rng::with_seed(random::seed("random networks"));
    let with_nothing = || {
        let lab = Lab::two_arm();
        // Nobody but lbd gives it addresses.
        let _ =
            ["eth0", "eth1"].map(|name| lab.appliance().ip(format!("address flush dev {name} scope global")));
        lab
    };
    let lab = with_nothing();
    let base = lab.config([&lab.pool()]);
    lab.lbd().start(&base.followed_by(&any_network(&mut random)));
    for round in 1..=random::rounds(10, 200) {
        let last = base.followed_by(&any_network(&mut random));
        settle(&lab, &last);
        // A fresh start takes a second; a difference that one change made is still there after ten.
        if round % 10 == 0 {
            let fresh = with_nothing();
            fresh.lbd().start(&last);
            wait::until(
                SOON,
                format!("round {round} to equal a fresh start with\n{}", last.as_str()),
                || network_of(&lab) == network_of(&fresh),
            );
            let there = network_of(&fresh);
            assert!(there.iter().any(|line| line.contains("192.168.10.10")), "{there:#?}");
            // The kernel has it a moment before the status tells of it.
            let problems = || [&lab, &fresh].map(|lab| lab.lbd().status()["problems"].clone());
            wait::until(SOON, format!("the same problems: {:?}", problems()), || {
                let [ours, fresh] = problems();
                ours == fresh
            });
        }
    }
}

/// A valid section with any part of what there may be.
fn any_network(random: &mut fastrand::Rng) -> String {
    let mut text = "[network]\ndefault_gateway = \"192.168.10.1\"\n".to_owned();
    let mut some = |choices: &[&str]| choices[random.usize(..choices.len())].to_owned();
    text += "[[network.interface]]\nname = \"eth0\"\n";
    text += &some(&[
        "addresses = [\"192.168.10.10/24\"]\n",
        "addresses = [\"192.168.10.10/24\", \"192.168.10.11/24\", \"fd00:10::10/64\"]\n",
        "addresses = [\"192.168.10.10/16\", \"fd00:10::11/64\"]\n",
    ]);
    text += &some(&["", "mtu = 1400\n", "mtu = 1300\n"]);
    text += &some(&["", "gateway = \"192.168.10.2\"\n"]);
    let with_second = some(&["", "eth1", "eth1"]);
    if !with_second.is_empty() {
        text +=
            "[[network.interface]]\nname = \"eth1\"\naddresses = [\"172.16.1.10/24\", \"172.16.2.10/24\"]\n";
        text += &some(&["", "mtu = 1400\n", "mtu = 9000\n"]);
        text += &some(&["", "gateway = \"172.16.1.50\"\n", "gateway = \"172.16.2.50\"\n"]);
    }
    for destination in ["10.8.0.0/16", "10.9.0.0/24"] {
        let route = format!("[[network.route]]\ndestination = \"{destination}\"\ngateway = ");
        let far = format!("{route}\"172.16.1.50\"\n");
        let choices = ["", "192.168.10.1", "192.168.10.3", "interface"];
        match some(&choices).as_str() {
            "" => {}
            "interface" if !with_second.is_empty() => text += &(far + "interface = \"eth1\"\n"),
            "interface" => {}
            gateway => text += &format!("{route}\"{gateway}\"\n"),
        }
    }
    text
}
