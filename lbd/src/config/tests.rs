use super::*;

const GOOD: &str = include_str!("../../../examples/datalink.toml");

fn config(text: &str) -> Result<Config, Vec<Problem>> {
    validate(Document::parse(text, Format::Toml)?)
}

#[test]
fn the_shipped_example_is_valid_and_survives_a_round_trip() {
    let first = config(GOOD).unwrap();
    assert_eq!(first.services.len(), 3);
    assert_eq!(config(&first.document.to_toml()).unwrap(), first);
    let json = serde_json::to_string(&*first.document).unwrap();
    assert_eq!(validate(Document::parse(&json, Format::Json).unwrap()).unwrap(), first);
}

#[test]
fn defaults_are_those_of_the_specification() {
    let service = &config(GOOD).unwrap().services[2];
    assert_eq!(service.persistence, Some(Duration::from_secs(300)));
    assert_eq!(service.snat_source, SnatSource::Auto);
    assert_eq!(service.servers[0].weight.get(), 100);
    let HealthCheck { question, thresholds, .. } = &service.check;
    let rhythm = [question.interval, question.fast_interval, question.timeout];
    assert_eq!(rhythm.map(|time| time.as_secs()), [5, 2, 3]);
    assert_eq!((thresholds.rise, thresholds.fall), (2, 2));
}

#[test]
fn every_problem_is_reported_at_once() {
    let text = GOOD.replace("schema = 1", "schema = 2").replace("192.168.10.110", "nowhere");
    let fields: Vec<_> = config(&text).unwrap_err().into_iter().map(|problem| problem.field).collect();
    assert_eq!(fields, ["schema", "virtual_service[0].real_server[0].address"]);
}

#[test]
fn a_misspelt_missing_or_mistyped_field_is_named() {
    let cases = [
        (GOOD.replace("ports = \"2003\"", "prots = \"2003\""), "virtual_service[1].prots", "spelling"),
        (GOOD.replace("ports = \"2003\"", ""), "virtual_service[1].ports", "add this field"),
        (GOOD.replace("ports = \"2003\"", "ports = 2003"), "virtual_service[1].ports", "type"),
        (GOOD.replace("ports = \"2003\"", "ports = \"2003"), "line", "quotation"),
    ];
    for (text, field, remedy) in cases {
        let problems = config(&text).unwrap_err();
        assert!(problems[0].field.starts_with(field), "{problems:?}");
        assert!(problems[0].remedy.contains(remedy), "{problems:?}");
    }
}

#[test]
fn a_key_without_end_makes_no_error_text_without_end() {
    let key = "k".repeat(100_000);
    for text in
        [format!("{key} = 1\n{GOOD}"), format!("{GOOD}\n[{key}.{key}]\n"), format!("management.{key} = 1")]
    {
        let told = config(&text).unwrap_err()[0].to_string();
        assert!(told.len() < 1_000, "{} bytes", told.len());
    }
}

#[test]
fn services_on_one_address_share_no_port() {
    let text = GOOD.replace("192.168.10.101", "192.168.10.100").replace("\"2003\"", "\"1999-2001\"");
    let problems = config(&text).unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "virtual_service[1].ports: 192.168.10.100 port 2001 already belongs to DATALINK_POOL1; use another port or another address"
    );
}

#[test]
fn families_are_not_translated_into_each_other() {
    let both = GOOD.replace("[\"192.168.10.100\"]", "[\"192.168.10.100\", \"fd00::100\"]");
    let told = config(&both).unwrap_err();
    assert_eq!(
        told[0].to_string(),
        "virtual_service[0].addresses[1]: fd00::100 is an IPv6 address, and no real server has one; add a real \
         server with an IPv6 address, or remove this address"
    );
    let served = both.replace("\"192.168.10.111\"", "\"fd00::111\"");
    let config = config(&served).unwrap();
    assert_eq!(config.services[0].families().count(), 2);
}

#[test]
fn special_addresses_are_named_as_what_they_are() {
    for (address, kind) in [
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("::ffff:192.0.2.1", "IPv4 address written"),
        ("::192.0.2.1", "IPv4 address written"),
        ("ff02::1", "multicast"),
        ("fe80::1", "link-local"),
        ("127.0.0.1", "loopback"),
        ("fd00::1/64", "network"),
    ] {
        let told = config(&GOOD.replacen("192.168.10.100", address, 1)).unwrap_err()[0].to_string();
        assert!(told.contains(kind), "{address}: {told}");
    }
}

mod values {
    use super::super::values::*;
    use proptest::prelude::*;

    #[test]
    fn ports_are_sorted_and_written_back() {
        let ports = Ports::try_from("2003-2005, 2001").unwrap();
        assert_eq!(ports.to_string(), "2001,2003-2005");
        assert_eq!(ports.first(), 2001);
        for wrong in ["", "0", "70000", "5-3", "1,1", "1-5,5", "a", "1-", "-1", "1,,2"] {
            assert!(Ports::try_from(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ae_titles_follow_ps3_5() {
        assert_eq!(AeTitle::try_from(" DW SCP ").unwrap().as_str(), "DW SCP");
        for wrong in ["", "   ", "12345678901234567", "A\\B", "A\nB", "Ä"] {
            assert!(AeTitle::try_from(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_a_value_panic(text in any::<String>()) {
            let _ = (Label::try_from(text.as_str()), AeTitle::try_from(text.as_str()));
            let _ = (InterfaceName::try_from(text.as_str()), Ports::try_from(text.as_str()));
        }

        #[test]
        fn labels_are_safe_in_a_ruleset(text in "[ -~]{0,70}") {
            if let Ok(label) = Label::try_from(text.as_str()) {
                prop_assert!(label.as_str().chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c)));
            }
        }
    }
}

mod network {
    use super::*;

    const NETWORK: &str = r#"
        [network]
        host_name = "lbmaster"
        default_gateway = "192.168.10.1"
        dns_servers = ["192.168.10.2"]
        [[network.interface]]
        name = "eth0"
        addresses = ["192.168.10.10/24"]
    "#;

    fn problem(wrong: &str, right: &str) -> String {
        let text = format!("{GOOD}{}", NETWORK.replace(right, wrong));
        config(&text).unwrap_err()[0].to_string()
    }

    #[test]
    fn a_whole_section_is_understood() {
        let network = config(&format!("{GOOD}{NETWORK}")).unwrap().network.unwrap();
        let addresses = network
            .interfaces
            .values()
            .flat_map(|it| it.addresses.clone())
            .map(|n| (n.address.to_string(), n.prefix));
        assert_eq!(addresses.collect::<Vec<_>>(), [("192.168.10.10".to_owned(), 24)]);
    }

    #[test]
    fn ntp_servers_in_their_earlier_place_are_moved() {
        let earlier = NETWORK.replace("dns_servers", "ntp_servers = [\"192.168.10.3\"]\n        dns_servers");
        let earlier = config(&format!("{GOOD}{earlier}")).unwrap();
        let present =
            config(&format!("{GOOD}{NETWORK}\n[time]\nntp_servers = [\"192.168.10.3\"]\n")).unwrap();
        assert_eq!((earlier.time.ntp_servers.len(), earlier), (1, present));
    }

    #[test]
    fn both_families_have_addresses_and_a_gateway() {
        let both = NETWORK
            .replace("\"192.168.10.10/24\"", "\"192.168.10.10/24\", \"fd00::10/64\"")
            .replace("dns_servers", "default_gateway_ipv6 = \"fd00::1\"\n        dns_servers");
        let network = config(&format!("{GOOD}{both}")).unwrap().network.unwrap();
        assert_eq!(network.default_gateway_ipv6, "fd00::1".parse().ok());
        let far = both.replace("fd00::1\"", "fd01::1\"");
        let told = config(&format!("{GOOD}{far}")).unwrap_err()[0].to_string();
        assert!(told.contains("network.default_gateway_ipv6"), "{told}");
    }

    #[test]
    fn mistakes_are_answered_with_their_remedy() {
        let cases = [
            ("192.168.10.10/255.255.255.0", "192.168.10.10/24", "write 192.168.10.10/24"),
            ("192.168.10.10", "192.168.10.10/24", "has no prefix"),
            ("192.168.10.10/33", "192.168.10.10/24", "give 1 to 32"),
            ("fd00::1/129", "192.168.10.10/24", "give 1 to 128, usually 64"),
            ("192.168.10.11/24", "192.168.10.10/24", "management.address"),
            ("192.168.11.1", "192.168.10.1\"", "network.default_gateway"),
            ("lb_master", "lbmaster", "network.host_name"),
            ("nowhere", "192.168.10.2", "network.dns_servers[0]"),
        ];
        for (wrong, right, expected) in cases {
            let wrong = if right.ends_with('"') { format!("{wrong}\"") } else { wrong.to_owned() };
            let told = problem(&wrong, right);
            assert!(told.contains(expected), "{wrong}: {told}");
        }
    }

    /// Two arms, with everything that there may be.
    const LINKS: &str = r#"
        [network]
        default_gateway = "192.168.10.1"
        search_domain = "hospital.example"
        [[network.interface]]
        name = "bond0"
        addresses = ["192.168.10.10/24", "fd00::10/64"]
        mtu = 9000
        [[network.interface]]
        name = "bond0.100"
        addresses = ["172.16.1.10/24"]
        gateway = "172.16.1.1"
        [[network.bond]]
        name = "bond0"
        mode = "802.3ad"
        members = ["eth0", "eth1"]
        lacp_rate = "fast"
        [[network.vlan]]
        name = "bond0.100"
        link = "bond0"
        id = 100
        [[network.route]]
        destination = "10.0.0.0/8"
        gateway = "192.168.10.9"
        [[network.route]]
        destination = "fd10::/32"
        gateway = "fd00::1"
        interface = "bond0"
    "#;

    fn managed_by_bond(network: &str) -> String {
        GOOD.replace("interface = \"eth0\"", "interface = \"bond0\"") + network
    }

    #[test]
    fn bonds_vlans_and_routes_are_understood() {
        let config = config(&managed_by_bond(LINKS)).unwrap();
        let network = config.network.unwrap();
        let bond = network.bonds.values().next().unwrap();
        assert_eq!((bond.members.len(), bond.miimon_milliseconds, bond.fast_lacp), (2, 100, true));
        assert_eq!(network.vlans.values().next().map(|vlan| vlan.id), Some(100));
        let routes: Vec<_> = network.routes.keys().map(ToString::to_string).collect();
        assert_eq!(routes, ["10.0.0.0/8", "fd10::/32"]);
        let document = (*config.document).clone();
        assert_eq!(Document::parse(&document.to_toml(), Format::Toml).unwrap(), document);
    }

    #[test]
    fn names_without_a_dot_are_in_the_search_domain() {
        let text = LINKS.to_owned() + "[time]\nntp_servers = [\"ntp\", \"ntp.example\", \"10.1.2.3\"]\n";
        let config = config(&managed_by_bond(&(text + "[mail]\nsmart_host = \"mail\"\n"))).unwrap();
        let servers: Vec<_> = config.time.ntp_servers.iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["ntp.hospital.example", "ntp.example", "10.1.2.3"]);
        let host = config.alerting.mail.smart_host.as_ref().map(ToString::to_string);
        assert_eq!(host.as_deref(), Some("mail.hospital.example"));
    }

    #[test]
    fn mistakes_of_links_and_routes_are_answered_with_their_remedy() {
        let vlan = "name = \"bond0.100\"\n        link";
        let route = "destination = \"10.0.0.0/8\"";
        let bond = "name = \"bond0\"\n        mode";
        let cases = [
            ("mtu = 9000", "mtu = 67", "interface[0].mtu", "give 68 to 9216"),
            ("mtu = 9000", "mtu = 9217", "interface[0].mtu", "give 68 to 9216"),
            ("mtu = 9000", "mtu = 1279", "interface[0].mtu", "give 1280 to 9216"),
            ("mtu = 9000", "mtu = 1400", "interface[1].mtu", "or bond0 at least 1500"),
            ("\"172.16.1.10/24\"", "\"192.168.10.10/24\"", "interface[1].addresses[0]", "each address once"),
            (
                "gateway = \"172.16.1.1\"",
                "gateway = \"172.16.2.1\"",
                "interface[1].gateway",
                "this interface",
            ),
            ("default_gateway = \"192.168.10.1\"", "", "interface[1].gateway", "write default_gateway in"),
            ("gateway = \"172.16.1.1\"", "gateway = \"fd00::2\"", "interface[1].gateway", "give an IPv4"),
            (
                "gateway = \"172.16.1.1\"",
                "gateway_ipv6 = \"172.16.1.1\"",
                "gateway_ipv6",
                "write it as gateway",
            ),
            (bond, "name = \"eth7\"\n mode", "bond[0].name", "bond0"),
            (bond, "name = \"all\"\n mode", "bond[0].name", "bond0"),
            (bond, "name = \"bond0123456789ab\"\n mode", "bond[0].name", "15 characters"),
            (vlan, "name = \"bond0\"\n link", "vlan[0].name", "a name of its own"),
            ("\"802.3ad\"", "\"lacp\"", "bond[0].mode", "\"802.3ad\""),
            ("\"802.3ad\"", "\"balance-rr\"", "bond[0].lacp_rate", "802.3ad"),
            ("\"fast\"", "\"often\"", "bond[0].lacp_rate", "\"slow\""),
            ("lacp_rate = \"fast\"", "miimon_milliseconds = 5", "bond[0].miimon_milliseconds", "give 10"),
            ("[\"eth0\", \"eth1\"]", "[]", "bond[0].members", "eth0"),
            ("[\"eth0\", \"eth1\"]", "[\"eth0\", \"eth0\"]", "bond[0].members[1]", "once"),
            ("[\"eth0\", \"eth1\"]", "[\"bond0.100\"]", "bond[0].members[0]", "adapters"),
            ("link = \"bond0\"", "link = \"bond1\"", "vlan[0].link", "listed"),
            ("link = \"bond0\"", "link = \"eth1\"", "vlan[0].link", "write link = \"bond0\""),
            ("link = \"bond0\"", "link = \"bond0.100\"", "vlan[0].link", "listed"),
            ("id = 100", "id = 0", "vlan[0].id", "1 to 4094"),
            ("id = 100", "id = 4095", "vlan[0].id", "1 to 4094"),
            (route, "destination = \"10.0.0.1/8\"", "route[0].destination", "write 10.0.0.0/8"),
            (route, "destination = \"10.0.0.0\"", "route[0].destination", "10.0.0.0/8"),
            (route, "destination = \"0.0.0.0/0\"", "route[0].destination", "default_gateway"),
            (route, "destination = \"224.0.0.0/4\"", "route[0].destination", "10.0.0.0/8"),
            (route, "destination = \"172.16.1.0/24\"", "route[0].destination", "remove the route"),
            (route, "destination = \"fd11::/32\"", "route[0].gateway", "give an IPv6 router"),
            ("gateway = \"192.168.10.9\"", "gateway = \"192.168.9.9\"", "route[0].gateway", "one of these"),
            (
                "interface = \"bond0\"\n    ",
                "interface = \"eth9\"\n    ",
                "route[1].interface",
                "leave it out",
            ),
            (
                "interface = \"bond0\"\n    ",
                "interface = \"bond0.100\"\n    ",
                "route[1].gateway",
                "one of these",
            ),
        ];
        for (right, wrong, field, remedy) in cases {
            assert!(LINKS.contains(right), "{right}");
            let told = config(&managed_by_bond(&LINKS.replacen(right, wrong, 1))).unwrap_err();
            let fits = |problem: &Problem| problem.field.contains(field) && problem.remedy.contains(remedy);
            assert!(told.iter().any(fits), "{wrong}: {told:?}");
        }
        let twice = "\n[[network.route]]\ndestination = \"10.0.0.0/8\"\ngateway = \"192.168.10.8\"\n";
        let eth0 = "\n[[network.interface]]\nname = \"eth0\"\naddresses = [\"10.9.9.9/24\"]\n";
        let vlan = "\n[[network.vlan]]\nname = \"other\"\nlink = \"bond0\"\nid = 100\n";
        let bond = "\n[[network.bond]]\nname = \"bond1\"\nmode = \"active-backup\"\nmembers = [\"eth1\"]\n";
        for (more, field, remedy) in [
            (twice, "route[2].destination", "one route"),
            (eth0, "interface[2].name", "write them for bond0"),
            (vlan, "vlan[1].id", "another number"),
            (bond, "bond[1].members[0]", "one bond only"),
        ] {
            let told = config(&managed_by_bond(&format!("{LINKS}{more}"))).unwrap_err();
            let fits = |problem: &Problem| problem.field.contains(field) && problem.remedy.contains(remedy);
            assert!(told.iter().any(fits), "{more}: {told:?}");
        }
    }
}

/// The fields of a check that are wrong, with the remedy of the first.
fn check_faults(fields: &str) -> (Vec<String>, String) {
    let text = format!("label = \"check\"\n{fields}");
    let problems = check_problems(&toml::from_str(&text).unwrap()).err().unwrap_or_default();
    let remedy = problems.first().map(|problem| problem.remedy.clone()).unwrap_or_default();
    (problems.into_iter().map(|problem| problem.field).collect(), remedy)
}

#[test]
fn every_type_of_check_has_its_fields_and_no_others() {
    let good = [
        "type = \"tcp\"\nport = 104",
        "type = \"tls\"\ntls_verify = \"system\"\ntls_server_name = \"pacs.example\"",
        "type = \"dicom-c-echo\"\ncalling_ae_title = \"A\"\ncalled_ae_title = \"B\"\ntls = true\ntls_verify = \"none\"",
        "type = \"http\"\npath = \"/health\"\nhost = \"pacs.example\"\nexpected_status = \"200,301-302\"\nexpected_body = \"ok\"",
        "type = \"https\"",
        "type = \"send-expect\"\nsend = 'PING\\r\\n'\nexpect = \"+PONG\"",
        "type = \"ping\"",
        "type = \"always-on\"",
        "type = \"always-off\"",
    ];
    for fields in good {
        assert_eq!(check_faults(fields).0, Vec::<String>::new(), "{fields}");
    }
    let wrong = [
        ("type = \"icmp\"", "type", "ping"),
        ("type = \"ping\"\nport = 1", "port", "remove it"),
        ("type = \"tcp\"\ncalled_ae_title = \"B\"", "called_ae_title", "remove it"),
        ("type = \"dicom-c-echo\"\ncalling_ae_title = \"A\"", "called_ae_title", "called_ae_title = "),
        ("type = \"send-expect\"\nexpect = \"x\"\ntls_verify = \"none\"", "tls_verify", "tls = true"),
        ("type = \"send-expect\"\nexpect = \"\"", "expect", "at least one byte"),
        ("type = \"https\"\ntls_verify = \"yes\"", "tls_verify", "BEGIN CERTIFICATE"),
        ("type = \"http\"\npath = \"health\"", "path", "begin with /"),
        ("type = \"http\"\nexpected_status = \"ok\"", "expected_status", "200-399"),
        (
            "type = \"tcp\"\ninterval_seconds = 4\nfast_interval_seconds = 5",
            "fast_interval_seconds",
            "at most",
        ),
        ("type = \"tcp\"\nport = 70000", "port", "65535"),
    ];
    for (fields, field, remedy) in wrong {
        let told = check_faults(fields);
        assert_eq!(told.0, [field], "{fields}");
        assert!(told.1.contains(remedy), "{told:?}");
    }
}

#[test]
fn limits_of_connections_have_an_order() {
    let limit = |fields: &str| {
        let text = GOOD.replacen("weight = 100", &format!("weight = 100\n{fields}"), 1);
        let config = config(&text);
        config.map(|config| config.services[0].servers[0].limit.map(|limit| (limit.full_at, limit.again_at)))
    };
    assert_eq!(limit(""), Ok(None));
    assert_eq!(limit("maximum_connections = 0"), Ok(None));
    assert_eq!(limit("maximum_connections = 10"), Ok(Some((10, 7))), "as in IPVS");
    assert_eq!(limit("maximum_connections = 1"), Ok(Some((1, 0))));
    assert_eq!(limit("maximum_connections = 10\nminimum_connections = 9"), Ok(Some((10, 9))));
    for wrong in ["maximum_connections = 10\nminimum_connections = 10", "minimum_connections = 3"] {
        let problems = limit(wrong).unwrap_err();
        assert_eq!(problems[0].field, "virtual_service[0].real_server[0].minimum_connections");
    }
    assert!(limit("maximum_connections = -1").is_err());
}

#[test]
fn pins_and_prefixes_name_what_is_wrong() {
    let with = |fields: &str| {
        let text = GOOD.replacen("ports = \"2001\"", &format!("ports = \"2001\"\n{fields}"), 1);
        config(&text).map(|config| config.services[0].clone())
    };
    let pin = |client: &str, server: &str| {
        with(&format!("pin = [{{ client = \"{client}\", server = \"DATALINK_POOL1_{server}\" }}]"))
    };
    for (client, told) in [("10.1.2.3", "10.1.2.3/32"), ("10.0.0.0/8", "10.0.0.0/8")] {
        let pins = pin(client, "NODE2").unwrap().pins;
        assert_eq!(pins.keys().map(ToString::to_string).collect::<Vec<_>>(), [told]);
    }
    let field = |result: Result<VirtualService, Vec<Problem>>| result.unwrap_err()[0].to_string();
    let remedy = field(pin("10.1.2.3/8", "NODE2"));
    assert!(remedy.ends_with("write 10.0.0.0/8 for all of it, or 10.1.2.3 for this client"), "{remedy}");
    assert!(
        field(pin("10.1.2.3", "NODE9"))
            .starts_with("virtual_service[0].pin[0].server: there is no real server")
    );
    assert!(field(pin("fd00::1", "NODE1")).contains("has no IPv6 address"));
    let twice = "pin = [{ client = \"10.1.2.3\", server = \"DATALINK_POOL1_NODE1\" }, \
                 { client = \"10.1.2.3/32\", server = \"DATALINK_POOL1_NODE2\" }]";
    assert!(field(with(twice)).starts_with("virtual_service[0].pin[1].client: 10.1.2.3/32 is pinned twice"));
    let prefix = |lengths: &str| {
        config(&GOOD.replacen("timeout_seconds = 300", &format!("timeout_seconds = 300\n{lengths}"), 1))
            .map(|config| config.services[0].sticky_prefixes)
    };
    assert_eq!(prefix(""), Ok(StickyPrefixes { ipv4: 32, ipv6: 128 }));
    let lengths = "ipv4_prefix_length = 24\nipv6_prefix_length = 64";
    assert_eq!(prefix(lengths), Ok(StickyPrefixes { ipv4: 24, ipv6: 64 }));
    assert_eq!(
        prefix("ipv4_prefix_length = 7").unwrap_err()[0].field,
        "virtual_service[0].persistence.ipv4_prefix_length"
    );
}

#[test]
fn a_fallback_server_is_a_place_of_its_own() {
    let server = |text: &str| {
        let text = GOOD.replacen("ports =", &format!("fallback_server = \"{text}\"\nports ="), 1);
        config(&text).map(|config| config.services[0].fallback_server.map(|server| server.to_string()))
    };
    for good in ["192.168.10.120:2001", "192.168.10.120", "192.168.10.110:2002"] {
        assert_eq!(server(good), Ok(Some(good.to_owned())));
    }
    for (wrong, why) in [
        ("", "is not an IP address"),
        ("sorry.example:2001", "is not an IP address"),
        ("192.168.10.120:0", "0 is not a port"),
        ("192.168.10.120:dicom", "\"dicom\" is not a port"),
        ("192.168.10.120:", "\"\" is not a port"),
        ("[fd00::120]:2001", "is an IPv6 address, and the service has none"),
        ("fd00::120", "is an IPv6 address, and the service has none"),
        ("192.168.10.110:2001", "is the real server DATALINK_POOL1_NODE1"),
        ("192.168.10.101:2001", "is the virtual address of DATALINK_POOL2"),
        ("192.168.10.10:2001", "is the management address"),
    ] {
        let problems = server(wrong).unwrap_err();
        assert_eq!(problems[0].field, "virtual_service[0].fallback_server", "{wrong}");
        assert!(problems[0].problem.contains(why), "{wrong}: {problems:?}");
    }
}

#[test]
fn an_idle_time_out_is_neither_a_blink_nor_for_ever() {
    let timeout = |seconds: i64| {
        let text = GOOD.replacen("ports =", &format!("idle_timeout_seconds = {seconds}\nports ="), 1);
        config(&text).map(|config| config.services[0].idle_timeout.map(|time| time.as_secs()))
    };
    assert_eq!([timeout(0), timeout(5), timeout(432_000)], [Ok(None), Ok(Some(5)), Ok(Some(432_000))]);
    for wrong in [-1, 4, 432_001] {
        let problems = timeout(wrong).unwrap_err();
        assert_eq!(problems[0].field, "virtual_service[0].idle_timeout_seconds");
        assert!(problems[0].remedy.contains("give 5 to 432000"), "{problems:?}");
    }
}

#[test]
fn a_pool_of_source_addresses_is_nobody_elses() {
    let pool = |texts: &str| {
        let text = GOOD.replacen("ports =", &format!("snat_pool = [{texts}]\nports ="), 1);
        config(&text)
            .map(|config| config.services[0].snat_pool.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let good = pool("\"192.168.10.129\", \"192.168.10.254-192.168.11.1\", \"192.168.10.100\"");
    assert_eq!(
        good.unwrap(),
        [
            "192.168.10.129",
            "192.168.10.254",
            "192.168.10.255",
            "192.168.11.0",
            "192.168.11.1",
            "192.168.10.100"
        ]
    );
    for (wrong, why) in [
        ("\"10.0.0.0/24\"", "is a network"),
        ("\"10.0.0.9-10.0.0.8\"", "runs backwards"),
        ("\"10.0.0.9-fd00::1\"", "mixes IPv4 and IPv6"),
        ("\"10.0.0.0-10.0.0.64\"", "has more than 64 addresses"),
        ("\"fd00::-fd00:1::\"", "has more than 64 addresses"),
        ("\"fd00::1-fd00::2\"", "is an IPv6 address, and the service has none"),
        ("\"10.0.0.1-10.0.0.60\", \"10.0.1.1-10.0.1.5\"", "the pool has more than 64"),
        ("\"10.0.0.1\", \"10.0.0.1\"", "named twice"),
        ("\"192.168.10.110\"", "is the real server DATALINK_POOL1_NODE1 of DATALINK_POOL1"),
        ("\"192.168.10.99-192.168.10.101\"", "192.168.10.101 is the virtual address of DATALINK_POOL2"),
        ("\"192.168.10.10\"", "is the management address"),
    ] {
        let problems = pool(wrong).unwrap_err();
        assert!(problems[0].field.starts_with("virtual_service[0].snat_pool"), "{problems:?}");
        assert!(problems[0].problem.contains(why), "{wrong}: {problems:?}");
    }
}

#[test]
fn a_fallback_page_is_shown_over_http_only_and_bounded() {
    let with = |lines: &str| {
        let text = GOOD.replacen("ports = \"2001\"", &format!("ports = \"2001\"\n{lines}"), 1);
        config(&text).map(|config| config.services[0].fallback).map_err(|problems| problems[0].to_string())
    };
    assert_eq!(with("fallback = \"http-page\""), Ok(Fallback::HttpPage));
    assert_eq!(
        with("fallback = \"http-page\"\nfallback_page = \"\"\"\n<h1>\n\tCall 4711</h1>\"\"\""),
        Ok(Fallback::HttpPage)
    );
    let long = format!("fallback = \"http-page\"\nfallback_page = \"{}\"", "x".repeat(65_537));
    for (lines, field, words) in [
        ("fallback_page = \"Call 4711\"", "fallback_page", "http-page"),
        ("fallback = \"dicom-reject\"\nfallback_page = \"Call 4711\"", "fallback_page", "remove the page"),
        (long.as_str(), "fallback_page", "65537 bytes"),
        ("fallback = \"http-page\"\nfallback_page = \" \"", "fallback_page", "empty"),
        ("fallback = \"http-page\"\nfallback_page = \"a\\u0007\"", "fallback_page", "U+0007"),
        ("fallback = \"page\"", "fallback", "http-page"),
    ] {
        let told = with(lines).unwrap_err();
        let field = format!("virtual_service[0].{field}: ");
        assert!(told.starts_with(&field) && told.contains(words), "{told}");
    }
}

#[test]
fn what_is_proxied_is_tcp_and_few_places() {
    let with = |more: &str| {
        let text = GOOD.replacen("protocol = \"tcp\"", &format!("forwarding_method = \"proxy\"\n{more}"), 1);
        config(&text)
            .map(|config| config.services[0].forwarding_method)
            .map_err(|problems| problems[0].to_string())
    };
    assert_eq!(config(GOOD).unwrap().services[0].forwarding_method, ForwardingMethod::Snat);
    assert_eq!(with(""), Ok(ForwardingMethod::Proxy));
    let told = with("protocol = \"tcp+udp\"").unwrap_err();
    assert!(told.starts_with("virtual_service[0].forwarding_method: \"proxy\" forwards TCP only"), "{told}");
    let ports = |ports: &str| {
        let text = GOOD.replacen(
            "ports = \"2001\"",
            &format!("ports = \"{ports}\"\nforwarding_method = \"proxy\""),
            1,
        );
        config(&text).map(|_| ()).map_err(|problems| problems[0].to_string())
    };
    assert_eq!(ports("3001-3256"), Ok(()));
    let told = ports("3001-3257").unwrap_err();
    assert!(told.starts_with("virtual_service[0].ports: 257 addresses and ports are too many"), "{told}");
    let told = ports("9000-9100").unwrap_err();
    assert!(told.contains("lbd itself answers on port 9081"), "{told}");
    let unknown = GOOD.replacen("protocol = \"tcp\"", "forwarding_method = \"dr\"", 1);
    assert_eq!(config(&unknown).unwrap_err()[0].field, "virtual_service[0].forwarding_method");
}

#[test]
fn the_places_of_all_proxied_services_are_bounded() {
    let service = |number: usize| {
        format!(
            "\n[[virtual_service]]\nlabel = \"P{number}\"\naddresses = [\"10.7.0.{number}\"]\nports = \"3001-3256\"\n\
             forwarding_method = \"proxy\"\nhealth_check = \"DICOM-C_Echo-Check-VIP1\"\n\
             real_server = [{{ label = \"S\", address = \"10.8.0.1\" }}]\n"
        )
    };
    let text = |count| GOOD.to_owned() + &(1..=count).map(service).collect::<String>();
    assert!(config(&text(16)).is_ok());
    let problems = config(&text(18)).unwrap_err();
    assert_eq!(
        problems.iter().map(|it| it.field.as_str()).collect::<Vec<_>>(),
        ["virtual_service[19].ports"]
    );
}
