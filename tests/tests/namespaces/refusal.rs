//! Invalid configurations: each is refused with its field and a remedy, and nothing changes.

use lab::kernel::{Table, addresses, wait_address};
use lab::topology::MANAGEMENT;
use lab::{Config, InForce, Lab, lbd, wait};

/// An edit of the shipped example that must be refused.
struct Case {
    name: &'static str,
    /// The first occurrence of this text ...
    old: &'static str,
    /// ... becomes this.
    new: &'static str,
    field: &'static str,
    remedy: &'static str,
}

const fn case(
    name: &'static str,
    [old, new]: [&'static str; 2],
    field: &'static str,
    remedy: &'static str,
) -> Case {
    Case { name, old, new, field, remedy }
}

const SCHEMA: &str = "schema = 1";
const MANAGEMENT_ADDRESS: &str = "address = \"192.168.10.10\"";
const VIP1: &str = "addresses = [\"192.168.10.100\"]";
const VIP2: &str = "addresses = [\"192.168.10.101\"]";
const PORTS1: &str = "ports = \"2001\"";
const PORTS2: &str = "ports = \"2003\"";
const NODE1: &str = "address = \"192.168.10.110\"";
const NODE2: &str = "address = \"192.168.10.111\"";
const CHECK1: &str = "label = \"DICOM-C_Echo-Check-VIP1\"";
const CALLED1: &str = "called_ae_title = \"DW_SCP\"";
const PERSISTENCE: &str = "timeout_seconds = 300";

const SERVICE0: &str = "virtual_service[0]";
const PORT_REMEDY: &str = "give ports from 1 to 65535";
const ADDRESS_REMEDY: &str = "give an IPv4 address";

/// Text and shape of the document.
const SHAPE: [Case; 11] = [
    case("not TOML", [SCHEMA, "schema = "], "line ", "correct that line"),
    case("a key twice", [SCHEMA, "schema = 1\nschema = 1"], "line ", "each key stands once"),
    case("a later schema", [SCHEMA, "schema = 2"], "schema", "write schema = 1"),
    case("no schema", [SCHEMA, ""], "schema", "add this field"),
    case("an unknown table", [SCHEMA, "schema = 1\nextra = 1"], "extra", "correct its spelling"),
    case("a misspelt field", ["fall = 2", "fell = 2"], "health_check[0].fell", "correct its spelling"),
    case("text for a number", ["rise = 2", "rise = \"2\""], "health_check[0].rise", "type that is expected"),
    case("a number for text", [PORTS1, "ports = 2001"], "virtual_service[0].ports", "type that is expected"),
    case("a fraction", ["weight = 100", "weight = 1.5"], "real_server[0].weight", "type that is expected"),
    case("no address", [VIP1, ""], "virtual_service[0].addresses", "add this field"),
    case("no management interface", ["interface = \"eth0\"", ""], "management.interface", "add this field"),
];

/// Addresses, interfaces and ports.
const NETWORK: [Case; 28] = [
    case(
        "a management host name",
        [MANAGEMENT_ADDRESS, "address = \"lb\""],
        "management.address",
        ADDRESS_REMEDY,
    ),
    case("management port 0", ["= 9443", "= 0"], "management.https_port", "1 to 65535"),
    case("management port 65536", ["= 9443", "= 65536"], "management.https_port", "1 to 65535"),
    case(
        "an interface's name too long",
        ["\"eth0\"", "\"ethernet-adapter-0\""],
        "management.interface",
        "eth0",
    ),
    case("an interface with a blank", ["\"eth0\"", "\"eth 0\""], "management.interface", "eth0"),
    case(
        "an IPv6 address without a server",
        [VIP1, "addresses = [\"192.168.10.100\", \"2001:db8::1\"]"],
        "virtual_service[0].addresses[1]",
        "add a real server with an IPv6 address",
    ),
    case(
        "an IPv6 server",
        [NODE1, "address = \"2001:db8::1\""],
        "real_server[0].address",
        "remove this server",
    ),
    case("a link-local address", [VIP1, "addresses = [\"fe80::1\"]"], SERVICE0, ADDRESS_REMEDY),
    case("an address twice", [VIP1, "addresses = [\"fd00::2\", \"fd00::2\"]"], SERVICE0, "each address once"),
    case("an empty list of addresses", [VIP1, "addresses = []"], SERVICE0, "give 1 to 16 addresses"),
    case("an address with prefix", [VIP1, "addresses = [\"192.168.10.100/24\"]"], SERVICE0, ADDRESS_REMEDY),
    case("an address byte of 256", [VIP1, "addresses = [\"192.168.10.256\"]"], SERVICE0, ADDRESS_REMEDY),
    case("a loopback address", [VIP1, "addresses = [\"127.0.0.1\"]"], SERVICE0, ADDRESS_REMEDY),
    case("a multicast address", [VIP1, "addresses = [\"224.0.0.1\"]"], SERVICE0, ADDRESS_REMEDY),
    case("the broadcast address", [VIP1, "addresses = [\"255.255.255.255\"]"], SERVICE0, ADDRESS_REMEDY),
    case(
        "the unspecified address",
        [NODE1, "address = \"0.0.0.0\""],
        "real_server[0].address",
        ADDRESS_REMEDY,
    ),
    case("no port", [PORTS1, "ports = \"\""], "virtual_service[0].ports", PORT_REMEDY),
    case("port 0", [PORTS1, "ports = \"0\""], "virtual_service[0].ports", PORT_REMEDY),
    case("port 70000", [PORTS1, "ports = \"70000\""], "virtual_service[0].ports", PORT_REMEDY),
    case(
        "a range backwards",
        [PORTS1, "ports = \"2005-2001\""],
        "virtual_service[0].ports",
        "write 2001-2005",
    ),
    case("an open range", [PORTS1, "ports = \"2001-\""], "virtual_service[0].ports", PORT_REMEDY),
    case(
        "ports separated by blanks",
        [PORTS1, "ports = \"2001 2002\""],
        "virtual_service[0].ports",
        PORT_REMEDY,
    ),
    case("a port twice", [PORTS1, "ports = \"2001,2000-2002\""], "virtual_service[0].ports", "once"),
    case("a server's port 0", ["port = 2001", "port = 0"], "real_server[0].port", "1 to 65535"),
    case("a negative port", ["port = 2001", "port = -1"], "real_server[0].port", "1 to 65535"),
    case("a protocol of another layer", ["\"tcp\"", "\"icmp\""], "virtual_service[0].protocol", "\"tcp\""),
    case(
        "an unknown SNAT source",
        ["\"auto\"", "\"client\""],
        "virtual_service[0].snat_source",
        "\"interface\"",
    ),
    case(
        "an unknown fallback",
        ["health_check = ", "fallback = \"sorry\"\nhealth_check = "],
        "virtual_service[0].fallback",
        "\"dicom-reject\"",
    ),
];

/// Labels, checks, weights and what must fit together.
const MEANING: [Case; 26] = [
    case("an empty label", [CHECK1, "label = \"\""], "health_check[0].label", "give a name"),
    case("a label with a blank", ["\"DATALINK_POOL1\"", "\"POOL 1\""], "virtual_service[0].label", "use A-Z"),
    case("a label of markup", ["\"DATALINK_POOL1\"", "\"<b>\""], "virtual_service[0].label", "use A-Z"),
    case(
        "a label of 64 characters",
        ["\"DATALINK_POOL1\"", "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\""],
        "virtual_service[0].label",
        "shorten",
    ),
    case(
        "a service's label twice",
        ["\"DATALINK_POOL2\"", "\"DATALINK_POOL1\""],
        "virtual_service[1].label",
        "own label",
    ),
    case("a check's label twice", ["Check-VIP2\"", "Check-VIP1\""], "health_check[1].label", "own label"),
    case("a server's label twice", ["POOL1_NODE2", "POOL1_NODE1"], "real_server[1].label", "own label"),
    case(
        "a check that is not there",
        ["health_check = \"DICOM", "health_check = \"X"],
        "virtual_service[0].health_check",
        "use one that exists",
    ),
    case("an unknown check type", ["\"dicom-c-echo\"", "\"ldap\""], "health_check[0].type", "\"tcp\""),
    case(
        "AE titles for a TCP check",
        ["\"dicom-c-echo\"", "\"tcp\""],
        "health_check[0].calling_ae_title",
        "remove it",
    ),
    case("no called AE title", [CALLED1, ""], "health_check[0].called_ae_title", "add it"),
    case(
        "an AE title of 17",
        [CALLED1, "called_ae_title = \"AAAAAAAAAAAAAAAAA\""],
        "health_check[0].called_ae_title",
        "at most 16",
    ),
    case(
        "an empty AE title",
        [CALLED1, "called_ae_title = \" \""],
        "health_check[0].called_ae_title",
        "give the AE title",
    ),
    case(
        "an AE title with backslash",
        [CALLED1, "called_ae_title = 'A\\B'"],
        "health_check[0].called_ae_title",
        "backslash",
    ),
    case(
        "an AE title with umlaut",
        [CALLED1, "called_ae_title = \"RÖNTGEN\""],
        "health_check[0].called_ae_title",
        "ASCII",
    ),
    case(
        "interval 0",
        ["interval_seconds = 5", "interval_seconds = 0"],
        "health_check[0].interval_seconds",
        "give 1 to",
    ),
    case(
        "a time-out above the interval",
        ["timeout_seconds = 3", "timeout_seconds = 6"],
        "health_check[0].timeout_seconds",
        "at most the interval",
    ),
    case("rise 0", ["rise = 2", "rise = 0"], "health_check[0].rise", "give 1 to"),
    case("fall 1000", ["fall = 2", "fall = 1000"], "health_check[0].fall", "give 1 to"),
    case(
        "persistence of 0 s",
        [PERSISTENCE, "timeout_seconds = 0"],
        "persistence.timeout_seconds",
        "give 1 to",
    ),
    case("weight 257", ["weight = 100", "weight = 257"], "virtual_service[0].real_server[0].weight", "256"),
    case(
        "a negative weight",
        ["weight = 100", "weight = -1"],
        "virtual_service[0].real_server[0].weight",
        "256",
    ),
    case(
        "a VIP on the management address",
        [VIP2, "addresses = [\"192.168.10.10\"]"],
        "virtual_service[1].addresses[0]",
        "address of its own",
    ),
    case(
        "a server on a VIP",
        [NODE1, "address = \"192.168.10.101\""],
        "virtual_service[0].real_server[0].address",
        "the server's own",
    ),
    case("a server twice", [NODE2, NODE1], "virtual_service[0].real_server[1].address", "each server once"),
    case(
        "a server on the management address",
        [NODE2, MANAGEMENT_ADDRESS],
        "real_server[1].address",
        "the server's own",
    ),
];

/// What needs more than one edit, or a document of its own.
fn special_cases() -> Vec<(Config, &'static str, &'static str)> {
    let good = Config::datalink();
    let overlap = good.replacing(VIP2, VIP1).replacing(PORTS2, "ports = \"2000-2010\"");
    let weightless = good.replacing("weight = 100", "weight = 0").replacing("weight = 100", "weight = 0");
    let elsewhere = good.replacing(VIP2, "addresses = [\"192.168.10.100\"]\ninterface = \"eth1\"");
    let serverless = "\n[[virtual_service]]\nlabel = \"EMPTY\"\naddresses = [\"192.168.10.103\"]\nports = \"1\"\n\
                      health_check = \"DICOM-C_Echo-Check-VIP1\"\n[[virtual_service]]\nlabel = \"DATALINK_POOL2\"";
    let network = "\n[network]\ndefault_gateway = \"192.168.10.1\"\n[[network.interface]]\nname = \"eth0\"\naddresses = \
                   [\"192.168.10.10/24\"]\n";
    let network = |more: &str| good.followed_by(&format!("{network}{more}"));
    let bond =
        "[[network.bond]]\nname = \"bond0\"\nmode = \"active-backup\"\nmembers = [\"eth0\", \"eth1\"]\n";
    let vlan = "[[network.vlan]]\nname = \"eth0.100\"\nlink = \"eth0\"\nid = 5000\n";
    let route = |destination: &str, gateway: &str| {
        network(&format!("[[network.route]]\ndestination = \"{destination}\"\ngateway = \"{gateway}\"\n"))
    };
    let serverless = good.replacing("\n[[virtual_service]]\nlabel = \"DATALINK_POOL2\"", serverless);
    vec![
        (overlap, "virtual_service[1].ports", "another port or another address"),
        (weightless, "virtual_service[0].real_server[0].weight", "weight of 1 or more"),
        (elsewhere, "virtual_service[1].interface", "the same interface"),
        (serverless, "virtual_service[1].real_server", "give 1 to"),
        (network("mtu = 9300\n"), "network.interface[0].mtu", "give 68 to 9216"),
        (network("gateway = \"172.16.1.1\"\n"), "network.interface[0].gateway", "a router in a network"),
        (network(bond), "network.interface[0].name", "write them for bond0"),
        (network(vlan), "network.vlan[0].id", "1 to 4094"),
        (route("10.0.0.5/8", "192.168.10.1"), "network.route[0].destination", "write 10.0.0.0/8"),
        (route("10.0.0.0/8", "192.168.11.1"), "network.route[0].gateway", "a router in one of these"),
    ]
}

/// Name, document, field and remedy of each.
fn all_cases() -> impl Iterator<Item = (&'static str, Config, &'static str, &'static str)> {
    let edits =
        SHAPE.iter().chain(&NETWORK).chain(&MEANING).map(|case| {
            (case.name, Config::datalink().replacing(case.old, case.new), case.field, case.remedy)
        });
    edits.chain(special_cases().into_iter().map(|(config, field, remedy)| (field, config, field, remedy)))
}

#[test]
fn each_invalid_configuration_is_refused_with_its_field_and_a_remedy() {
    let lab = Lab::single_arm();
    lab.lbd().check_config(&Config::datalink()).expect_ok();
    assert!(all_cases().count() >= 40);
    let wrong: Vec<String> = all_cases()
        .filter_map(|(name, config, field, remedy)| {
            let output = lab.lbd().check_config(&config);
            let named = |line: &str| {
                line.split(": ").take(2).any(|part| part.contains(field)) && line.contains(remedy)
            };
            let right = output.status.code() == Some(1) && output.stderr.lines().any(named);
            (!right).then(|| {
                format!("{name}: expected {field} ... {remedy}, got {}: {}", output.status, output.stderr)
            })
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn all_problems_are_named_at_once() {
    let lab = Lab::single_arm();
    let config =
        Config::datalink().replacing("rise = 2", "rise = 0").replacing("weight = 100", "weight = 999");
    let output = lab.lbd().check_config(&config);
    output.expect_failure("health_check[0].rise");
    output.expect_failure("virtual_service[0].real_server[0].weight");
}

#[test]
fn a_refused_change_leaves_the_running_configuration_in_force() {
    let lab = Lab::single_arm();
    lab.lbd().start(&Config::datalink());
    // The certificate is made with the listener, and is a stored file too; the first checks change the kernel's rules.
    lbd::wait_https(lab.client(), &format!("https://{MANAGEMENT}:9443/"));
    for (number, pool) in (0..).zip(["DATALINK_POOL1", "DATALINK_POOL2", "DATALINK_POOL3"]) {
        lab.lbd().wait_service(pool, "down");
        wait_address(lab.appliance(), lab.vip(number));
    }
    let before = InForce::read(&lab);
    for (name, config, field, remedy) in all_cases() {
        let answer = lab.lbd().put(&config).expect(422);
        let problems = answer.json["problems"].as_array().cloned().unwrap_or_default();
        let has =
            |part: &serde_json::Value, text: &str| part.as_str().is_some_and(|part| part.contains(text));
        let named = problems.iter().any(|p| has(&p["field"], field) && has(&p["remedy"], remedy));
        assert!(named && answer.json["title"].is_string(), "{name}: {:#}", answer.json);
        before.expect_still(&lab, name);
    }
}

#[test]
fn a_service_on_a_missing_interface_says_so_and_the_others_go_on() {
    let lab = Lab::single_arm();
    lab.server("NODE1").named_server("NODE1", 2001);
    let pool = lab.pool().weights(&[100]);
    lab.lbd().start(&lab.config([&pool]));
    lab.lbd().wait_service("POOL", "up");
    // Valid as a document: the adapter may be plugged in later.
    let elsewhere = pool.clone().named("ELSEWHERE", lab.vip(1)).ports("2001\"\ninterface = \"eth3");
    lab.lbd().put(&lab.config([&pool, &elsewhere])).expect(200);
    wait::until(lbd::SOON, "the status to name eth3", || {
        lab.lbd().service("ELSEWHERE")["problem"].as_str().is_some_and(|problem| problem.contains("eth3"))
    });
    assert!(!addresses(lab.appliance()).iter().any(|address| address.contains(&lab.vip(1).to_string())));
    assert_eq!(lab.client().ask(lab.vip(0), 2001).server, "NODE1");
}

#[test]
fn a_change_that_cannot_be_applied_leaves_the_running_configuration_in_force() {
    let lab = Lab::single_arm();
    lab.server("NODE1").named_server("NODE1", 2001);
    let pool = lab.pool().weights(&[100]);
    let broken = lab.lbd().start_with_breakable_nft(&lab.config([&pool]));
    lab.lbd().wait_service("POOL", "up");
    // The certificate is made with the listener, and is a stored file too.
    lbd::wait_https(lab.client(), &format!("https://{MANAGEMENT}:9443/"));
    let before = InForce::read(&lab);
    std::fs::write(&broken, "").expect("lab folder");
    let second = pool.clone().named("SECOND", lab.vip(1));
    let answer = lab.lbd().put(&lab.config([&pool, &second]));
    assert_eq!(answer.status, 500, "{answer:?}");
    let said = answer.json["detail"].as_str().unwrap_or_default();
    assert!(said.contains("nft says: broken by the lab"), "the user reads why: {answer:?}");
    assert_eq!(lab.lbd().status()["configuration_version"], 1, "the View stays on the old one");
    std::fs::remove_file(&broken).expect("lab folder");
    before.expect_still(&lab, "a broken nft");
    assert_eq!(lab.client().ask(lab.vip(0), 2001).server, "NODE1");
    lab.lbd().put(&lab.config([&pool, &second])).expect(200);
    lab.lbd().wait_service("SECOND", "up");
}

#[test]
fn a_change_that_fails_after_the_kernel_took_it_is_taken_out_of_the_kernel_again() {
    let lab = Lab::single_arm();
    lab.server("NODE1").named_server("NODE1", 2001);
    let pool = lab.pool().weights(&[100]);
    let broken = lab.lbd().start_with_nft_that_breaks_late(&lab.config([&pool]));
    lab.lbd().wait_service("POOL", "up");
    lbd::wait_https(lab.client(), &format!("https://{MANAGEMENT}:9443/"));
    let before =
        (Table::read(lab.appliance()).mentions(), addresses(lab.appliance()), lab.lbd().stored_files());
    std::fs::write(&broken, "once").expect("lab folder");
    // lbd's own user empties it.
    std::os::unix::fs::chown(&broken, Some(lbd::USER), None).expect("lab folder");
    let second = pool.clone().named("SECOND", lab.vip(1));
    lab.lbd().put(&lab.config([&pool, &second])).expect(500);
    assert_eq!(std::fs::read(&broken).ok(), Some(Vec::new()), "the kernel has taken the change");
    let after =
        || (Table::read(lab.appliance()).mentions(), addresses(lab.appliance()), lab.lbd().stored_files());
    wait::until(lbd::SOON, "the kernel to have what it had", || after() == before);
    assert_ne!(lab.client().scan(lab.vip(1), &[2001])[&2001], "open");
    assert_eq!(lab.client().ask(lab.vip(0), 2001).server, "NODE1");
    lab.lbd().put(&lab.config([&pool, &second])).expect(200);
    lab.lbd().wait_service("SECOND", "up");
}

#[test]
fn a_change_that_the_disk_does_not_take_is_in_force_nowhere() {
    let lab = Lab::single_arm();
    let pool = lab.pool().weights(&[100]);
    lab.server("NODE1").named_server("NODE1", 2001);
    lab.lbd().start(&lab.config([&pool]));
    lab.lbd().wait_service("POOL", "up");
    lbd::wait_https(lab.client(), &format!("https://{MANAGEMENT}:9443/"));
    let folder = lab.lbd().state_folder().join("configuration-1");
    let before =
        || (Table::read(lab.appliance()).mentions(), addresses(lab.appliance()), lab.lbd().stored_files());
    let known = before();
    // A folder that is somebody else's takes no file of lbd's.
    let give = |user: u32| std::os::unix::fs::chown(&folder, Some(user), None).expect("state folder");
    give(0);
    let second = pool.clone().named("SECOND", lab.vip(1));
    let refused = lab.lbd().put(&lab.config([&pool, &second])).expect(507);
    let why = refused.json["detail"].as_str().unwrap_or_default();
    assert!(why.contains("Cannot store the configuration") && why.contains("in force"), "{why}");
    wait::until(lbd::SOON, "the kernel to have what it had", || before() == known);
    give(lbd::USER);
    lab.lbd().put(&lab.config([&pool, &second])).expect(200);
}
