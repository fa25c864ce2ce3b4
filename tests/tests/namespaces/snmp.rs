//! The SNMP agent, asked by net-snmp's own commands.

use std::sync::Arc;
use std::time::Duration;

use lab::topology::{MANAGEMENT, ipv6};
use lab::{Config, Lab, Output, Process, wait};
use serde_json::Value;

const COMMUNITY: &str = "dose:watch^2026";
/// The counters in the View are some seconds old.
const SEEN: Duration = Duration::from_secs(60);
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
    // A client that has nothing in common with net-snmp, nor with the agent's library.
    let system = "1.3.6.1.2.1.1.6.0";
    let peer = lab::tcp::peer_program();
    let asked = managed.lab.client().run(format!("{peer} snmp-get {MANAGEMENT}:161 {COMMUNITY} {system}"));
    assert_eq!(asked.expect_ok().trim(), "\"Room 3, rack 2\"");
    // What the community is nobody learns.
    let told = managed.lab.lbd().request("GET", "/api/v1/snmp", None).expect(200).text;
    assert!(!told.contains(COMMUNITY) && told.contains("\"community_set\":true"), "{told}");
    let stored = managed.lab.lbd().stored_files();
    let leaks = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(COMMUNITY);
    let with_it: Vec<_> = stored.iter().filter(|(_, bytes)| leaks(bytes)).map(|(name, _)| name).collect();
    assert!(with_it.iter().all(|name| name.ends_with("secrets/snmp.json")), "{with_it:?}");
    let log = managed.lab.lbd().request("GET", "/api/v1/log?most=1000", None).expect(200).text;
    assert!(log.contains("community") && !log.contains(COMMUNITY), "{log}");
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
        let walked = managed.ask("snmpwalk", &format!("{} {PATIENT}", how(pair)), ".1.3.6.1.2.1.2.2.1.2");
        assert!(walked.expect_ok().contains("\"eth0\""), "{walked:?}");
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
    let log = managed.lab.lbd().request("GET", "/api/v1/log?most=1000", None).expect(200).text;
    assert!(log.contains("passphrase"), "it tells that they were set: {log}");
    for secret in ["authentic!", "privacy?", "wrong-passphrase"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
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
    // By the names of the published module, each as what that says it is.
    let modules = lab::peers::root().join("tests/peers/mibs");
    let line = format!(
        "snmpwalk -M {} -m LVS-MIB -v 2c -c {COMMUNITY} {PATIENT} {MANAGEMENT} LVS-MIB::lvs",
        modules.display()
    );
    let named = managed.lab.client().run(line);
    let named = named.expect_ok();
    for line in [
        "LVS-MIB::lvsServiceProto.1 = INTEGER: tcp(6)",
        "LVS-MIB::lvsServicePort.1 = INTEGER: 2001",
        "LVS-MIB::lvsRealServerAddr.1.1 = IpAddress: 192.168.10.110",
        "LVS-MIB::lvsRealServerFlags.1.1 = INTEGER: masq(0)",
        "LVS-MIB::lvsRealRateOutBPS.3.1 = Gauge32: 0",
    ] {
        assert!(named.contains(line), "{line} in\n{named}");
    }
    assert!(!named.contains("Wrong Type"), "{named}");
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

/// Users to whom traps go, each algorithm once: its names here and in net-snmp's words.
const TRAP_USERS: [[&str; 5]; 8] = [
    ["old", "sha1", "SHA", "des", "DES"],
    ["nms", "sha256", "SHA-256", "aes128", "AES"],
    ["plain", "md5", "MD5", "none", ""],
    ["u224", "sha224", "SHA-224", "aes192", "AES-192"],
    ["u384", "sha384", "SHA-384", "aes256", "AES-256"],
    ["u512", "sha512", "SHA-512", "aes128", "AES"],
    ["cisco192", "sha256", "SHA-256", "aes192c", "AES-192-C"],
    ["cisco256", "sha512", "SHA-512", "aes256c", "AES-256-C"],
];

fn trap_users() -> String {
    let user = |[name, proof, _, privacy, _]: &[&str; 5]| {
        format!("[[snmp.user]]\nname = \"{name}\"\nauthentication = \"{proof}\"\nprivacy = \"{privacy}\"\n")
    };
    TRAP_USERS.iter().map(user).collect()
}

/// snmptrapd on a host of the lab, which knows the appliance's users.
fn snmptrapd(managed: &Managed, engine: &str) -> Arc<Process> {
    let host = managed.lab.client();
    let folder = host.new_folder("snmptrapd");
    let file = folder.join("snmptrapd.conf");
    // It knows each user at the appliance's engine, for traps, and at its own, for informs.
    let user = |[name, _, proof, _, privacy]: &[&str; 5]| {
        let privacy = match *privacy {
            "" => String::new(),
            privacy => format!("{privacy} privacy?{name}"),
        };
        let create =
            |engine: &str| format!("createUser {engine} {name} {proof} authentic!{name} {privacy}\n");
        let level = if privacy.is_empty() { "auth" } else { "priv" };
        create(&format!("-e 0x{engine}")) + &create("") + &format!("authUser log {name} {level}\n")
    };
    let text: String = TRAP_USERS.iter().map(user).collect();
    std::fs::write(&file, format!("authCommunity log {COMMUNITY}\n{text}")).expect("lab folder");
    let mut command = host.command("snmptrapd");
    command.env("SNMP_PERSISTENT_DIR", &folder).env("MIBS", "");
    command
        .args(["-f", "-Lo", "-On", "-C", "-c"])
        .arg(&file)
        .arg("-p")
        .arg(folder.join("pid"))
        .arg("udp:162");
    let process = host.start(command, "snmptrapd");
    // It says so before or after it does: what is sent before that is lost.
    let sockets = || host.run("ss -Hlnu sport = :162").stdout;
    wait::until(SEEN, "snmptrapd to listen", || {
        process.log().contains("NET-SNMP version") && !sockets().trim().is_empty()
    });
    process
}

/// Gives each user its passphrases; snmptrapd on a host of the lab knows them too.
fn with_passphrases(managed: &Managed) -> Arc<Process> {
    for [user, _, _, privacy, _] in TRAP_USERS {
        let set = |purpose: &str, passphrase: &str| {
            managed.command_with(&format!("snmp passphrase {user} {purpose}"), passphrase).expect_ok();
        };
        set("authentication", &format!("authentic!{user}"));
        if privacy != "none" {
            set("privacy", &format!("privacy?{user}"));
        }
    }
    let engine = || managed.snmp()["engine_id"].as_str().filter(|id| !id.is_empty()).map(str::to_owned);
    let (engine, _) = wait::until_some(SEEN, "the engine of version 3", engine);
    snmptrapd(managed, &engine)
}

#[test]
fn managers_are_told_in_version_3_with_every_algorithm() {
    let lab = Lab::single_arm();
    let client = lab.client().address();
    let trap = |[name, ..]: &[&str; 5]| {
        format!(
            "[[snmp.trap]]\nlabel = \"{name}\"\naddress = \"{client}\"\nversion = \"v3\"\nuser = \"{name}\"\n"
        )
    };
    let traps: String = TRAP_USERS.iter().map(trap).collect();
    let quiet = "\n[alerts]\nhold_down_seconds = 3600\n[snmp]\n";
    lab.lbd().start(&Config::datalink().followed_by(quiet).followed_by(&trap_users()).followed_by(&traps));
    let managed = Managed { lab };
    let snmptrapd = with_passphrases(&managed);
    managed.command_with("snmp test", "").expect_ok();
    let told = || snmptrapd.log().matches("This is a test of the alerts").count();
    wait::until(SEEN, format!("a trap of each user; snmptrapd: {}", snmptrapd.log()), || {
        told() == TRAP_USERS.len()
    });
}

#[test]
fn managers_are_told_of_alerts_by_traps_and_informs_of_every_version() {
    let lab = Lab::single_arm();
    let client = lab.client().address();
    let ways = [
        ("V1", "v1", ""),
        ("V2C", "v2c", ""),
        ("INFORM", "v2c", "inform = true\n"),
        ("V3", "v3", "user = \"nms\"\n"),
        ("INFORM3", "v3", "user = \"nms\"\ninform = true\n"),
        ("DES3", "v3", "user = \"old\"\n"),
    ];
    let trap = |(label, version, more): &(&str, &str, &str)| {
        format!("[[snmp.trap]]\nlabel = \"{label}\"\naddress = \"{client}\"\nversion = \"{version}\"\n{more}")
    };
    let dead = format!(
        "[[snmp.trap]]\nlabel = \"DEAD\"\naddress = \"{}\"\ninform = true\n",
        lab.server("NODE2").address()
    );
    let traps: String = ways.iter().map(trap).collect();
    // Nothing but the test is to be told.
    let quiet = "[alerts]\nhold_down_seconds = 3600\n";
    let config = Config::datalink()
        .followed_by("\n")
        .followed_by(quiet)
        .followed_by("\n[snmp]\n")
        .followed_by(&trap_users())
        .followed_by(&traps)
        .followed_by(&dead);
    lab.lbd().start(&config);
    let managed = Managed { lab };
    managed.command_with("snmp community", COMMUNITY).expect_ok();
    let snmptrapd = with_passphrases(&managed);
    managed.command_with("snmp test", "").expect_ok();
    let told = || snmptrapd.log().matches("This is a test of the alerts").count();
    // An inform that is confirmed late is sent again, which is no mistake; that each was sent is asked below.
    wait::until(SEEN, "each trap and inform", || told() >= ways.len());
    let of = |label: &str| {
        let all = managed.snmp()["traps"].as_array().cloned().unwrap_or_default();
        all.into_iter().find(|trap| trap["label"] == label).unwrap_or_default()
    };
    wait::until(SEEN, "what came of it to be told", || {
        ways.iter().all(|(label, ..)| of(label)["sent"] == 1) && of("DEAD")["failed"] == 1
    });
    assert!(of("DEAD")["last_error"].is_string() && of("INFORM")["last_error"].is_null());
    let log = snmptrapd.log();
    // In version 1 the alert is a number of the enterprise, in the others a name of its own (RFC 3584 section 3).
    assert!(log.contains("8072.9999.9999.6694.0.3") && log.contains("Enterprise Specific Trap (3)"), "{log}");
    assert_eq!(managed.snmp()["configured"], false, "nobody is answered because somebody is told");
    // One is under way to nobody, one waits behind it; neither a passphrase nor another address makes that one go.
    for _ in 0..2 {
        managed.command_with("snmp test", "").expect_ok();
    }
    managed.command_with("snmp passphrase nms privacy", "privacy?nms").expect_ok();
    let nobody = format!("{}\"\ninform", managed.lab.server("NODE2").address());
    let config = config.replacing(&nobody, &format!("{client}\"\ninform"));
    managed.lab.lbd().put(&config).expect(200);
    wait::until(SEEN, "what waited for the dead one", || of("DEAD")["sent"] == 1);
}

#[test]
fn mutated_datagrams_neither_end_nor_grow_it() {
    let user = "[[snmp.user]]\nname = \"nms\"\n";
    let managed = Managed::start(&Config::datalink().followed_by(ALL_VERSIONS).followed_by(user));
    managed.command_with("snmp passphrase nms authentication", "authentic!nms").expect_ok();
    managed.command_with("snmp passphrase nms privacy", "privacy?nms").expect_ok();
    let client = managed.lab.client();
    let (peer, file) = (lab::tcp::peer_program(), client.new_path("session.txt"));
    let mut recorder = client.command(&peer);
    recorder.args(["snmp-record", "1161", &format!("{MANAGEMENT}:161")]).arg(&file);
    let recorder = client.start(recorder, "recorder");
    wait::until(SEEN, "the recorder", || file.exists());
    let version3 = "-v 3 -u nms -l authPriv -a SHA-256 -A authentic!nms -x AES -X privacy?nms";
    for (program, how, names) in [
        ("snmpget", "-v 2c", ".1.3.6.1.2.1.1.5.0 .1.3.6.1.2.1.1.3.0"),
        ("snmpgetnext", "-v 1", ".1.3.6.1.2.1.1"),
        ("snmpbulkwalk", "-v 2c", ".1.3.6.1.4.1.8225.4711"),
        ("snmpset", "-v 2c", ".1.3.6.1.2.1.1.5.0 s other"),
        ("snmpbulkwalk", version3, ".1.3.6.1.2.1.2"),
    ] {
        let asked = client.run(format!(
            "{program} -m : -On {how} -c {COMMUNITY} {PATIENT} {}:1161 {names}",
            client.address()
        ));
        // Nothing can be set.
        assert_eq!(asked.is_ok(), program != "snmpset", "{program}: {asked:?}");
    }
    recorder.kill();
    let recorded = std::fs::read_to_string(&file).expect("a recorded session");
    assert!(recorded.lines().count() > 10, "{recorded}");
    let (rounds, seed) = (lab::random::rounds(1_000, 100_000), lab::random::seed("mutated datagrams"));
    let send = |count: u64, seed: u64| {
        let line = format!("{peer} snmp-mutations {MANAGEMENT}:161 {} {count} {seed}", file.display());
        let mut words = line.split(' ');
        let mut command = client.command(words.next().expect("a program"));
        command.args(words);
        let sending = client.start(command, "mutations");
        let status = sending.wait_exit(Duration::from_secs(30 + count / 100));
        assert!(status.success(), "{}", sending.log());
    };
    // What lbd takes for the first managers it keeps.
    send(rounds, seed);
    let (process, before) = (managed.lab.lbd().process(), resident(managed.lab.lbd().process().pid()));
    send(rounds, seed);
    let grown = resident(process.pid()).saturating_sub(before);
    assert!(grown < 2_000, "{grown} kB more after {rounds} datagrams, which came once more");
    assert!(!process.log().contains("panicked"), "{}", process.log());
    assert!(managed.walk(".1.3.6.1.2.1.1").contains("Evenkeel"));
    wait::until(SEEN, "what came to be counted", || {
        managed.counter("malformed") > 0 && managed.counter("wrong_community") > 0
    });
}

/// `VmRSS` in kB.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a live process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[test]
fn the_module_of_our_own_has_no_mistakes_and_the_appliance_gives_it_out() {
    let lab = Lab::single_arm();
    lab.lbd().start(&Config::datalink());
    let module = lab.lbd().request("GET", "/local/snmp/EVENKEEL-MIB.txt", None).expect(200).text;
    let folder = lab.client().new_folder("mibs");
    let file = folder.join("EVENKEEL-MIB");
    std::fs::write(&file, &module).expect("lab folder");
    let standard = lab::peers::root().join("tests/peers/mibs");
    let lint = format!("env SMIPATH={} smilint -l 6 -s {}", standard.display(), file.display());
    let checked = lab.client().run(lint);
    assert!(checked.is_ok() && checked.stdout.is_empty() && checked.stderr.is_empty(), "{checked:?}");
}

/// What is over must be so for a minute, before it is told.
const TAKEN_BACK: Duration = Duration::from_secs(180);

/// All that our own module has, by its names, in which net-snmp finds nothing wrong.
fn own_tables(managed: &Managed) -> String {
    let host = managed.lab.client();
    let folder = host.new_folder("mibs");
    let module = managed.lab.lbd().request("GET", "/local/snmp/EVENKEEL-MIB.txt", None).expect(200).text;
    std::fs::write(folder.join("EVENKEEL-MIB"), module).expect("lab folder");
    let standard = lab::peers::root().join("tests/peers/mibs");
    let line = format!(
        "snmpwalk -M {}:{} -m EVENKEEL-MIB -v 2c -c {COMMUNITY} {PATIENT} {MANAGEMENT} EVENKEEL-MIB::evenkeelObjects",
        folder.display(),
        standard.display()
    );
    let walked = host.run(line);
    assert!(
        !walked.expect_ok().contains("Wrong Type") && !walked.stderr.contains("Cannot find"),
        "{walked:?}"
    );
    walked.stdout
}

/// What an outage and its end look like to a manager, over both families.
#[test]
fn an_outage_and_its_end_are_told_by_traps_and_stand_in_our_own_tables() {
    let lab = Lab::single_arm().with_ipv6();
    let servers = ["NODE1", "NODE2"].map(|node| lab.server(node).named_server(node, 2001));
    let pool = lab.pool().at(&[lab.vip(0).into(), ipv6(lab.vip(0)).into()]);
    let pool = pool.server("SIX", ipv6(lab.server("NODE1").address()));
    let client = lab.client().address();
    let ways =
        [("PLAIN", "v2c", ""), ("INFORM", "v2c", "inform = true\n"), ("SAFE", "v3", "user = \"nms\"\n")];
    let traps: String = ways
        .iter()
        .map(|(label, version, more)| {
            format!(
                "[[snmp.trap]]\nlabel = \"{label}\"\naddress = \"{client}\"\nversion = \"{version}\"\n{more}"
            )
        })
        .collect();
    let alerts = "\n[alerts]\nhold_down_seconds = 5\ngathering_seconds = 2\n";
    let config = lab.config([&pool]).followed_by(alerts).followed_by(ALL_VERSIONS).followed_by(&trap_users());
    lab.lbd().start(&config.followed_by(&traps));
    let managed = Managed { lab };
    managed.command_with("snmp community", COMMUNITY).expect_ok();
    let snmptrapd = with_passphrases(&managed);
    managed.lab.lbd().wait_service("POOL", "up");
    servers[1].kill();
    let down = "NODE2 of POOL (192.168.10.111) is down";
    let told = |name: u32, words: &str| {
        let log = snmptrapd.log();
        let of_kind = format!("OID: .1.3.6.1.4.1.8072.9999.9999.6694.0.{name}");
        log.lines().filter(|line| line.contains(&of_kind) && line.contains(words)).count()
    };
    wait::until(SEEN, "the outage to be told in each way", || told(1, down) >= ways.len());
    let tables = own_tables(&managed);
    for words in
        ["evkServerAddressType", "ipv6(2)", "evkServerReason", "connection refused", "evkServiceLabel"]
    {
        assert!(tables.contains(words), "{words} in {tables}");
    }
    let _back = managed.lab.server("NODE2").named_server("NODE2", 2001);
    wait::until(TAKEN_BACK, "its end to be told in each way", || told(2, "is up again") >= ways.len());
    let all = || managed.snmp()["traps"].as_array().cloned().unwrap_or_default();
    wait::until(SEEN, "each way to be counted twice", || all().iter().all(|trap| trap["sent"] == 2));
    assert!(all().iter().all(|trap| trap["failed"] == 0), "{:#?}", all());
}
