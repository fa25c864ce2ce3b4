//! The command line against a real lbd: on the appliance over its socket, elsewhere over HTTPS with a token.

mod completions;

use std::fs;
use std::path::Path;

use lab::lbd::{SOON, wait_https};
use lab::process::Output;
use lab::{Config, Lab, topology, wait};
use serde_json::Value;

const LABEL: &str = "DATALINK_POOL1";
const NODE1: &str = "DATALINK_POOL1_NODE1";

fn base() -> String {
    format!("https://{}:9443", topology::MANAGEMENT)
}

fn started() -> Lab {
    let lab = Lab::single_arm();
    lab.lbd().start(&Config::datalink());
    lab
}

/// `lbd` on the appliance.
fn run(lab: &Lab, arguments: &str) -> Output {
    run_with(lab, arguments, "")
}

fn run_with(lab: &Lab, arguments: &str, input: &str) -> Output {
    lab.lbd()
        .command(&format!("{arguments} --control-socket {}", lab.lbd().control_socket().display()), input)
}

fn works(lab: &Lab, arguments: &str) -> String {
    run(lab, arguments).expect_ok().to_owned()
}

fn json(lab: &Lab, arguments: &str) -> Value {
    let text = works(lab, &format!("{arguments} --json"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments}: {error}: {text}"))
}

/// What a command that must be refused says; `code` is its exit code.
fn refused(output: &Output, code: i32) -> &str {
    assert_eq!(output.status.code(), Some(code), "{}{}", output.stdout, output.stderr);
    &output.stderr
}

#[test]
fn a_service_lives_its_whole_life_by_commands() {
    let lab = started();
    let add = "service add EXTRA --address 192.168.10.109 --ports 2010 --check DICOM-C_Echo-Check-VIP1 \
               --server N1=192.168.10.110 --server N2=192.168.10.111:2001 scheduler=source-hash --comment ticket-1";
    assert_eq!(works(&lab, add), "Version 2 is in force.\n");
    assert!(works(&lab, "config history").contains("ticket-1"));
    assert!(works(&lab, "service list").contains("192.168.10.109:2010/tcp"));
    let shown = works(&lab, "service show EXTRA");
    assert!(shown.contains("scheduler = \"source-hash\"") && shown.contains("port = 2001"), "{shown}");
    works(&lab, "service edit EXTRA ports=2010-2012 persistence.timeout_seconds=600 scheduler=");
    let service = json(&lab, "service show EXTRA");
    assert_eq!(service["ports"], "2010-2012");
    assert_eq!(
        (&service["persistence"]["timeout_seconds"], &service["scheduler"]),
        (&600.into(), &Value::Null)
    );
    works(&lab, "service disable EXTRA");
    assert_eq!(lab.lbd().service("EXTRA")["state"], "off");
    works(&lab, "service enable EXTRA");
    assert_ne!(lab.lbd().service("EXTRA")["state"], "off");
    works(&lab, "server add EXTRA N3 192.168.10.112 weight=50");
    works(&lab, "server weight EXTRA N3 25");
    works(&lab, "server edit EXTRA N3 port=2002");
    let row = works(&lab, "server list --service EXTRA");
    assert!(row.lines().any(|line| line.contains("N3") && line.contains("192.168.10.112:2002  25")), "{row}");
    works(&lab, "server remove EXTRA N3");
    works(&lab, "check add WEB https path=/health expected_status=200");
    works(&lab, "check edit WEB timeout_seconds=4");
    assert!(works(&lab, "check list").contains("timeout_seconds=4"));
    works(&lab, "check remove WEB");
    works(&lab, "service remove EXTRA");
    assert_eq!(json(&lab, "service list").as_array().map(Vec::len), Some(3));
}

#[test]
fn a_server_is_drained_halted_and_brought_back_in_one_service_or_everywhere() {
    let lab = started();
    let state = |service: &str, server: &str| lab.lbd().server(service, server)["state"].clone();
    works(&lab, &format!("server drain {LABEL} {NODE1}"));
    assert_eq!(state(LABEL, NODE1), "drained");
    works(&lab, &format!("server halt {LABEL} {NODE1}"));
    assert_eq!(state(LABEL, NODE1), "halted");
    works(&lab, &format!("server online {LABEL} {NODE1}"));
    assert_ne!(state(LABEL, NODE1), "halted");
    // The same machine behind another service too: one transaction drains both.
    let add = "service add SECOND --address 192.168.10.109 --ports 2010 --check DICOM-C_Echo-Check-VIP1 \
               --server SAME=192.168.10.110 --server OTHER=192.168.10.111";
    works(&lab, add);
    let before = lab.lbd().status()["configuration_version"].as_u64().unwrap();
    works(&lab, "server drain --everywhere 192.168.10.110");
    assert_eq!((state(LABEL, NODE1), state("SECOND", "SAME")), ("drained".into(), "drained".into()));
    assert_ne!(state("SECOND", "OTHER"), "drained");
    assert_eq!(lab.lbd().status()["configuration_version"], before + 1);
    works(&lab, "server halt --everywhere 192.168.10.110");
    assert_eq!((state(LABEL, NODE1), state("SECOND", "SAME")), ("halted".into(), "halted".into()));
    works(&lab, "server online --everywhere 192.168.10.110");
    for back in [state(LABEL, NODE1), state("SECOND", "SAME")] {
        assert!(back == "checking" || back == "down", "online, and nobody answers there: {back}");
    }
    let output = run(&lab, "server drain --everywhere 192.168.10.250");
    assert!(refused(&output, 1).contains("real server at 192.168.10.250"), "{}", output.stderr);
}

#[test]
fn the_configuration_is_shown_compared_applied_and_gone_back_to() {
    let lab = started();
    let file = lab.appliance().new_path("my.toml");
    let toml = works(&lab, "config show");
    fs::write(&file, toml.replacen("weight = 100", "weight = 50", 1)).unwrap();
    let file = file.display();
    let words = format!("{LABEL}: weight of {NODE1} 100 -> 50\n");
    assert_eq!(works(&lab, &format!("config diff {file}")), words);
    assert!(works(&lab, &format!("config apply {file} --comment lighter")).contains("as version 2"));
    assert_eq!(works(&lab, "config diff 1"), words);
    assert_eq!(works(&lab, &format!("config diff {file} 2")), "Both say the same.\n");
    works(&lab, "config back 1");
    assert_eq!(works(&lab, "config diff 1 3"), "Both say the same.\n");
    let history = works(&lab, "config history");
    assert!(
        history.lines().nth(1).is_some_and(|line| line.starts_with("3") && line.contains("in force")),
        "{history}"
    );
    let output = run(&lab, "config back 99");
    assert!(refused(&output, 1).contains("no version 99"), "{}", output.stderr);
    let other_port = toml.replacen("https_port = 9443", "https_port = 9444", 1);
    let moved = lab.appliance().new_path("moved.toml");
    fs::write(&moved, other_port).unwrap();
    assert!(works(&lab, &format!("config apply {}", moved.display())).contains("lbd config confirm"));
    assert!(works(&lab, "config history").contains("on trial"));
    assert!(refused(&run(&lab, "config revert 2"), 1).contains("changed meanwhile"));
    works(&lab, &format!("config revert {}", lab.lbd().status()["pending_confirmation"]["version"]));
    assert_eq!(lab.lbd().config()["management"]["https_port"], 9443);
    assert!(refused(&run(&lab, "config confirm"), 1).contains("No configuration is on trial"));
}

#[test]
fn mistakes_are_told_with_field_problem_and_remedy_and_change_nothing() {
    let lab = started();
    for (arguments, code, words) in [
        (format!("service edit {LABEL} ports=0"), 1, "ports: "),
        (format!("service edit {LABEL} port=2001"), 1, "known are"),
        (format!("service edit {LABEL}"), 1, "nothing to change"),
        ("service show NONE".to_owned(), 1, "There is no virtual service \"NONE\""),
        ("check remove DICOM-C_Echo-Check-VIP1".to_owned(), 1, "health_check"),
        (format!("server weight {LABEL} {NODE1} 1000"), 1, "weight: "),
        ("server drain".to_owned(), 2, "Usage"),
        ("config apply /nowhere.toml".to_owned(), 1, "/nowhere.toml"),
    ] {
        let output = run(&lab, &arguments);
        assert!(refused(&output, code).contains(words), "{arguments}: {}", output.stderr);
    }
    assert_eq!(lab.lbd().status()["configuration_version"], 1);
    let output = lab.lbd().command("status --control-socket /nowhere.sock", "");
    assert!(refused(&output, 3).contains("is it running"), "{}", output.stderr);
}

/// The options with which another machine reaches the appliance.
fn over_the_network(token_file: &Path, trust: &str) -> String {
    format!("--url {} --token-file {} {trust}", base(), token_file.display())
}

#[test]
fn elsewhere_a_token_opens_what_its_role_may_and_only_a_trusted_certificate_gets_it() {
    let lab = started();
    lab.lbd().set_password("a password of the stories");
    wait_https(lab.administrator(), &base());
    let file = lab.administrator().new_path("operator.token");
    fs::write(&file, works(&lab, "token create script --role operator --days 1")).unwrap();
    let elsewhere = |arguments: &str, trust: &str| {
        let options = over_the_network(&file, trust);
        let line = format!("{} {arguments} {options}", lab::lbd::binary().display());
        lab.administrator().run(line.trim_end())
    };
    let pem = fs::read_to_string(lab.lbd().state_folder().join("secrets/webui.pem")).unwrap();
    let certificate = lab.administrator().new_path("webui.crt");
    let end = "-----END CERTIFICATE-----\n";
    fs::write(&certificate, pem.split_inclusive(end).next().unwrap()).unwrap();
    let fingerprint = lab
        .administrator()
        .run(format!("openssl x509 -noout -fingerprint -sha256 -in {}", certificate.display()))
        .expect_ok()
        .to_owned();
    let fingerprint = format!("--fingerprint {}", fingerprint.trim().split_once('=').unwrap().1);
    let ca = format!("--ca {}", certificate.display());
    for trust in [&fingerprint, &ca] {
        let output = elsewhere("service list", trust);
        assert!(output.expect_ok().contains(LABEL), "{}", output.stdout);
    }
    elsewhere(&format!("server drain {LABEL} {NODE1}"), &fingerprint).expect_ok();
    assert_eq!(lab.lbd().server(LABEL, NODE1)["state"], "drained");
    let output = elsewhere("user list", &fingerprint);
    assert!(refused(&output, 1).contains("administrator"), "{}", output.stderr);
    let other = format!("--fingerprint {}", "AB:".repeat(32).trim_end_matches(':'));
    for trust in ["", &other] {
        let output = elsewhere("service list", trust);
        assert!(refused(&output, 3).contains("is not trusted"), "{}", output.stderr);
    }
    let shown = works(&lab, "certificate show");
    assert!(
        shown.contains(&fingerprint.replace("--fingerprint ", "")) && shown.contains("Evenkeel"),
        "{shown}"
    );
    works(&lab, "token revoke script");
    assert!(refused(&elsewhere("status", &fingerprint), 1).contains("revoked"));
}

#[test]
fn a_certificate_is_set_on_trial_and_kept_or_taken_back() {
    let lab = started();
    lab.lbd().set_password("a password of the stories");
    wait_https(lab.administrator(), &base());
    let first = json(&lab, "certificate show")["fingerprint"].clone();
    let [key, file] = ["key.pem", "certificate.pem"].map(|name| lab.appliance().new_path(name));
    let line = format!(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 20 -subj /CN=lb -keyout {} -out {}",
        key.display(),
        file.display()
    );
    lab.appliance().run(line).expect_ok();
    let output = run(&lab, &format!("certificate set {}", file.display()));
    assert!(refused(&output, 1).contains("private_key: "), "{}", output.stderr);
    let set = format!("certificate set {} --key {}", file.display(), key.display());
    assert!(works(&lab, &set).contains("lbd certificate confirm"));
    assert!(refused(&run(&lab, &set), 1).contains("A certificate is on trial"));
    works(&lab, "certificate revert");
    assert_eq!(json(&lab, "certificate show")["fingerprint"], first);
    works(&lab, &set);
    let another = format!("certificate confirm {}", first.as_str().unwrap());
    assert!(refused(&run(&lab, &another), 1).contains("Another certificate is on trial"));
    works(&lab, "certificate confirm");
    let last = json(&lab, "certificate show");
    assert!(last["fingerprint"] != first && last["confirm_until"].is_null(), "{last}");
}

#[test]
fn users_are_managed_and_every_command_explains_itself() {
    let lab = started();
    lab.lbd().set_password("a password of the stories");
    run_with(&lab, "user add ann --role operator --one-time", "change me soon\n").expect_ok();
    let users = works(&lab, "user list");
    assert!(users.lines().any(|line| line.starts_with("ann") && line.contains("one-time")), "{users}");
    let output = run_with(&lab, "user add bob --role viewer", "short\n");
    assert!(refused(&output, 1).contains("password: "), "{}", output.stderr);
    works(&lab, "user edit ann --role viewer");
    run_with(&lab, "user edit ann --new-password", "a password of ann\n").expect_ok();
    let users = works(&lab, "user list");
    assert!(users.lines().any(|line| line.starts_with("ann   ") && line.contains("viewer  ")), "{users}");
    works(&lab, "user remove ann");
    // The log is written beside what it tells of.
    let told = || works(&lab, "audit --most 1").contains("user ann removed");
    wait::until(SOON, "the removal to stand in the audit log", told);
    assert_eq!(json(&lab, "user list").as_array().map(Vec::len), Some(1));
    // So does every other change, in its own words.
    works(&lab, &format!("server edit {LABEL} {NODE1} weight=7"));
    works(&lab, &format!("server drain {LABEL} {NODE1}"));
    let told = || {
        let audit = works(&lab, "audit --most 20");
        ["weight of DATALINK_POOL1_NODE1 100 -> 7", "drain"].iter().all(|words| audit.contains(words))
    };
    wait::until(SOON, "the changes to stand in the audit log", told);
    for verb in ["service", "server", "check", "config", "user", "token", "certificate"] {
        let help = lab.lbd().command(&format!("{verb} --help"), "").expect_ok().to_owned();
        assert!(help.contains("Examples:") && help.contains("--json"), "{help}");
    }
}

/// Whatever has no command of its own is set by its name, and nothing else changes.
#[test]
fn settings_are_set_by_name_and_mistakes_named() {
    let lab = started();
    let before = json(&lab, "config show");
    let said = works(
        &lab,
        "config set alerts.destinations=pacs@hospital.example,ct@hospital.example alerts.source=lb@hospital.example \
        time.zone=Europe/Berlin snmp.enabled=true snmp.versions=v3 --comment ticket-2",
    );
    assert!(said.starts_with("Version 2 is in force."), "{said}");
    let mut expected = before.clone();
    let destinations = ["pacs@hospital.example", "ct@hospital.example"];
    expected["alerts"] = serde_json::json!({"destinations": destinations, "source": "lb@hospital.example"});
    expected["time"] = serde_json::json!({"zone": "Europe/Berlin"});
    expected["snmp"] = serde_json::json!({"enabled": true, "versions": ["v3"]});
    let now = json(&lab, "config show");
    for part in ["alerts", "time", "snmp", "virtual_service", "management"] {
        let known = |document: &Value| {
            let entries = document[part].as_object().cloned().unwrap_or_default();
            entries
                .into_iter()
                .filter(|(_, value)| !value.is_null() && *value != serde_json::json!([]))
                .collect::<Vec<_>>()
        };
        assert_eq!(known(&now), known(&expected), "{part}");
    }
    assert_eq!(now["virtual_service"], before["virtual_service"]);
    assert!(works(&lab, "config history").contains("ticket-2"));
    for (wrong, code, words) in [
        ("config set", 1, "Name a setting"),
        ("config set mail.smarthost=a", 1, "known are"),
        ("config set time.zone=Mars/Olympus", 1, "time.zone"),
        ("config set snmp.enabled=on", 1, "true or false"),
    ] {
        let output = run(&lab, wrong);
        assert!(refused(&output, code).contains(words), "{wrong}: {}", output.stderr);
    }
    works(&lab, "config set alerts.destinations=");
    assert_eq!(lab.lbd().status()["configuration_version"], 3);
}
