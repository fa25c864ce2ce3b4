//! The SNMP agent, asked by net-snmp's own commands.

use std::time::Duration;

use lab::topology::MANAGEMENT;
use lab::{Config, Lab, Output, wait};
use serde_json::Value;

const COMMUNITY: &str = "dose:watch^2026";
/// The counters in the View are some seconds old.
const SEEN: Duration = Duration::from_secs(30);
/// Answers come within milliseconds; a machine that is busy with other stories takes longer.
const PATIENT: &str = "-t 5 -r 3";
/// For questions that get no answer.
const IMPATIENT: &str = "-t 1 -r 0";

const ALL_VERSIONS: &str = "\n[snmp]\nenabled = true\nversions = [\"v1\", \"v2c\", \"v3\"]\nlocation = \"Room 3, rack 2\"\n\
                            contact = \"pacs@hospital.example\"\n";

/// A lab with an appliance and somebody who manages it.
struct Managed {
    lab: Lab,
}

impl Managed {
    fn start(config: &Config) -> Self {
        let lab = Lab::single_arm();
        lab.lbd().start(config);
        let managed = Self { lab };
        managed.command_with("snmp community", COMMUNITY).expect_ok();
        managed
    }

    fn command_with(&self, arguments: &str, input: &str) -> Output {
        let socket = self.lab.lbd().control_socket();
        self.lab.lbd().command(&format!("{arguments} --control-socket {}", socket.display()), input)
    }

    /// One of net-snmp's commands, with numeric names and no MIB files.
    fn ask(&self, program: &str, how: &str, names: &str) -> Output {
        self.lab.client().run(format!("{program} -m : -On {how} {MANAGEMENT} {names}"))
    }

    fn walk(&self, name: &str) -> String {
        let how = format!("-v 2c -c {COMMUNITY} {PATIENT}");
        self.ask("snmpbulkwalk", &how, name).expect_ok().to_owned()
    }

    fn counter(&self, name: &str) -> u64 {
        self.snmp()["counters"][name].as_u64().expect("a counter")
    }

    fn snmp(&self) -> Value {
        self.lab.lbd().status()["snmp"].clone()
    }
}

#[test]
fn versions_1_and_2c_are_answered_to_who_knows_the_community_and_to_nobody_else() {
    let managed = Managed::start(&Config::datalink().followed_by(ALL_VERSIONS));
    for version in ["1", "2c"] {
        let how = format!("-v {version} -c {COMMUNITY} {PATIENT}");
        let answer = managed.ask("snmpget", &how, ".1.3.6.1.2.1.1.6.0 .1.3.6.1.2.1.1.4.0");
        let answer = answer.expect_ok();
        assert!(
            answer.contains("\"Room 3, rack 2\"") && answer.contains("pacs@hospital.example"),
            "{answer}"
        );
        let walked = managed.ask("snmpwalk", &how, ".1.3.6.1.2.1.2.2.1.2");
        assert!(walked.expect_ok().contains("\"eth0\""), "{walked:?}");
        let wrong = format!("-v {version} -c public {IMPATIENT}");
        managed.ask("snmpget", &wrong, ".1.3.6.1.2.1.1.6.0").expect_failure("Timeout");
    }
    wait::until(SEEN, "both wrong communities to be counted", || managed.counter("wrong_community") == 2);
    assert_eq!(managed.counter("malformed"), 0);
    // What the community is nobody learns.
    let told = managed.lab.lbd().request("GET", "/api/v1/snmp", None).expect(200).text;
    assert!(!told.contains(COMMUNITY) && told.contains("\"community_set\":true"), "{told}");
    let stored = managed.lab.lbd().stored_files();
    let leaks = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(COMMUNITY);
    let with_it: Vec<_> = stored.iter().filter(|(_, bytes)| leaks(bytes)).map(|(name, _)| name).collect();
    assert!(with_it.iter().all(|name| name.ends_with("secrets/snmp.json")), "{with_it:?}");
}

#[test]
fn nobody_is_answered_before_somebody_wants_it_nor_from_elsewhere() {
    let managed = Managed::start(&Config::datalink());
    let how = format!("-v 2c -c {COMMUNITY} {IMPATIENT}");
    let system = ".1.3.6.1.2.1.1.1.0";
    managed.ask("snmpget", &how, system).expect_failure("Timeout");
    assert_eq!(managed.snmp()["configured"], false);
    let apply = |more: &str| {
        let config = Config::datalink().followed_by(more);
        let file = managed.lab.client().new_path("new.toml");
        std::fs::write(&file, config.as_str()).expect("lab folder");
        managed.command_with(&format!("config apply {}", file.display()), "").expect_ok();
    };
    apply("\n[snmp]\nenabled = true\nsources = [\"10.1.0.0/16\"]\n");
    managed.ask("snmpget", &how, system).expect_failure("Timeout");
    let client = managed.lab.client().address();
    apply(&format!("\n[snmp]\nenabled = true\nsources = [\"10.1.0.0/16\", \"{client}\"]\nport = 1161\n"));
    let there = format!("{MANAGEMENT}:1161 {system}");
    let patient = format!("-v 2c -c {COMMUNITY} {PATIENT}");
    let asked = managed.lab.client().run(format!("snmpget -m : -On {patient} {there}"));
    assert!(asked.expect_ok().contains("Evenkeel"), "{asked:?}");
    // On the management address alone.
    managed.lab.client().run(format!("snmpget {how} 192.168.10.100:1161 {system}")).expect_failure("");
    apply("");
    wait::until(SEEN, "the agent to be off", || managed.snmp()["configured"] == false);
    let asked = managed.lab.client().run(format!("snmpget -m : -On {how} {there}"));
    asked.expect_failure("Timeout");
}

#[test]
fn version_3_is_answered_with_every_algorithm_and_boots_outlive_a_crash() {
    let proofs = [
        ("md5", "MD5"),
        ("sha1", "SHA"),
        ("sha224", "SHA-224"),
        ("sha256", "SHA-256"),
        ("sha384", "SHA-384"),
        ("sha512", "SHA-512"),
    ];
    let encryptions = [
        ("none", ""),
        ("des", "DES"),
        ("aes128", "AES"),
        ("aes192", "AES-192"),
        ("aes256", "AES-256"),
        ("aes192c", "AES-192-C"),
        ("aes256c", "AES-256-C"),
    ];
    // Each with each is 42 users; each of either once is what differs.
    let pairs: Vec<_> = (0..encryptions.len()).map(|n| (proofs[n % proofs.len()], encryptions[n])).collect();
    let user = |((proof, _), (encryption, _)): &((&str, &str), (&str, &str))| {
        format!(
            "[[snmp.user]]\nname = \"{proof}_{encryption}\"\nauthentication = \"{proof}\"\nprivacy = \"{encryption}\"\n"
        )
    };
    let users: String = pairs.iter().map(user).collect();
    let config =
        Config::datalink().followed_by("\n[snmp]\nenabled = true\nversions = [\"v3\"]\n").followed_by(&users);
    let managed = Managed::start(&config);
    let how = |((proof, p), (encryption, e)): &((&str, &str), (&str, &str))| {
        let privacy = match *e {
            "" => "-l authNoPriv".to_owned(),
            name => format!("-l authPriv -x {name} -X privacy?{encryption}"),
        };
        format!("-v 3 -u {proof}_{encryption} -a {p} -A authentic!{proof} {privacy}")
    };
    for ((proof, _), (encryption, _)) in &pairs {
        let set = |purpose: &str, passphrase: &str| {
            let command = format!("snmp passphrase {proof}_{encryption} {purpose}");
            managed.command_with(&command, passphrase).expect_ok();
        };
        set("authentication", &format!("authentic!{proof}"));
        if *encryption != "none" {
            set("privacy", &format!("privacy?{encryption}"));
        }
    }
    let name = ".1.3.6.1.2.1.1.5.0";
    for pair in &pairs {
        let asked = managed.ask("snmpget", &format!("{} {PATIENT}", how(pair)), name);
        assert!(asked.expect_ok().contains("STRING"), "{asked:?}");
    }
    let encrypted = &pairs[2];
    let ((proof, algorithm), (encryption, _)) = encrypted;
    let user = format!("{proof}_{encryption}");
    let wrong = format!("-v 3 -u {user} -l authNoPriv -a {algorithm} -A wrong-passphrase {IMPATIENT}");
    managed.ask("snmpget", &wrong, name).expect_failure("");
    let nobody = format!("-v 3 -u nobody -l authNoPriv -a SHA -A authentication {IMPATIENT}");
    managed.ask("snmpget", &nobody, name).expect_failure("Unknown user name");
    // Who has a passphrase for it must encrypt.
    let open = format!("-v 3 -u {user} -l authNoPriv -a {algorithm} -A authentic!{proof} {PATIENT}");
    managed.ask("snmpget", &open, name).expect_failure("authorizationError");
    managed.ask("snmpget", &format!("-v 2c -c {COMMUNITY} {IMPATIENT}"), name).expect_failure("Timeout");
    wait::until(SEEN, "each refusal to be counted", || {
        ["wrong_proof", "unknown_user", "wrong_version"].iter().all(|name| managed.counter(name) > 0)
    });
    let boots = managed.snmp()["engine_boots"].as_u64();
    managed.lab.lbd().kill();
    managed.lab.lbd().start_again();
    wait::until(SEEN, "the agent to answer again", || managed.snmp()["listening"] == true);
    assert_eq!(managed.snmp()["engine_boots"].as_u64(), boots.map(|boots| boots + 1));
    managed.ask("snmpget", &format!("{} {PATIENT}", how(encrypted)), name).expect_ok();
}

#[test]
fn the_tables_of_lvs_show_services_and_servers() {
    let managed = Managed::start(&Config::datalink().followed_by(ALL_VERSIONS));
    let walked = managed.walk(".1.3.6.1.4.1.8225.4711");
    for line in [
        ".1.3.6.1.4.1.8225.4711.2.0 = INTEGER: 3",
        ".1.3.6.1.4.1.8225.4711.17.1.4.1 = IpAddress: 192.168.10.100",
        ".1.3.6.1.4.1.8225.4711.17.1.5.1 = INTEGER: 2001",
        ".1.3.6.1.4.1.8225.4711.18.1.3.1.1 = IpAddress: 192.168.10.110",
        // Nobody answers the checks.
        ".1.3.6.1.4.1.8225.4711.18.1.6.1.1 = INTEGER: 0",
    ] {
        assert!(walked.contains(line), "{line} in\n{walked}");
    }
    let all = managed.walk(".1.3.6.1");
    for name in [
        ".1.3.6.1.2.1.25.3.3.1.2.196608",
        ".1.3.6.1.4.1.2021.10.1.3.1",
        ".1.3.6.1.2.1.31.1.1.1.6.",
        ".1.3.6.1.6.3.15.1.1.3.0",
    ] {
        assert!(all.contains(name), "{name} in\n{all}");
    }
}
