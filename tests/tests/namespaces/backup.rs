//! Backup and restore: what comes back is what was there, in the kernel too; what cannot be used changes nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use lab::browser::Browser;
use lab::in_force::InForce;
use lab::kernel::{Table, addresses};
use lab::lbd::{SOON, wait_https};
use lab::topology::MANAGEMENT;
use lab::{Config, Lab, wait};
use serde_json::{Value, json};

const PASSPHRASE: &str = "five words that nobody guesses";
const PASSWORD: &str = "a password of the stories";

/// Everything that makes an appliance, as it shows.
#[derive(Debug, PartialEq)]
struct Picture {
    config: Value,
    table: BTreeSet<String>,
    addresses: BTreeSet<String>,
    users: Value,
    tokens: Value,
    snmp_secrets: String,
    mail_password: String,
}

impl Picture {
    fn of(lab: &Lab) -> Self {
        let get = |path: &str| lab.lbd().request("GET", path, None).expect(200).json;
        let secret = |name: &str| {
            let file = lab.lbd().state_folder().join("secrets").join(name);
            std::fs::read_to_string(file).expect("a file of secrets")
        };
        Self {
            config: lab.lbd().config(),
            table: Table::read(lab.appliance()).mentions(),
            addresses: addresses(lab.appliance()),
            users: get("/api/v1/users"),
            tokens: get("/api/v1/tokens"),
            snmp_secrets: secret("snmp.json"),
            mail_password: secret("mail.json"),
        }
    }
}

fn ask(lab: &Lab, method: &str, path: &str, body: &Value, status: u16) -> String {
    lab.lbd().request(method, path, Some(&body.to_string())).expect(status).text
}

fn set_secrets(lab: &Lab, user: &str, word: &str) {
    let user = json!({"name": user, "role": "operator", "password": format!("the password {word}")});
    ask(lab, "POST", "/api/v1/users", &user, 201);
    ask(lab, "POST", "/api/v1/tokens", &json!({"name": word, "role": "viewer", "days": 10}), 201);
    ask(lab, "PUT", "/api/v1/mail/password", &json!({"password": format!("mail {word}")}), 204);
    ask(lab, "PUT", "/api/v1/snmp/community", &json!({"community": format!("snmp:{word}")}), 204);
}

fn wait_up(lab: &Lab) {
    wait::until(Duration::from_secs(60), "all services to be up", || lab.lbd().status()["state"] == "up");
}

/// An appliance with two pools, users and secrets, which is as it is configured.
fn original() -> Lab {
    let lab = Lab::single_arm();
    for node in ["NODE1", "NODE2"] {
        lab.server(node).named_server(node, 2001);
        lab.server(node).named_server(node, 2002);
    }
    let pools = [lab.pool().weights(&[100, 50]), lab.pool().named("SECOND", lab.vip(1)).ports("2002")];
    lab.lbd().start(&lab.config(&pools).with_network(lab.arms(), None));
    lab.lbd().set_password(PASSWORD);
    set_secrets(&lab, "ann", "original");
    wait_up(&lab);
    lab
}

fn encrypted_backup(lab: &Lab) -> String {
    ask(lab, "POST", "/api/v1/backup", &json!({"passphrase": PASSPHRASE}), 200)
}

fn everything(backup: &str) -> Value {
    json!({"backup": backup, "passphrase": PASSPHRASE, "keep_own": false})
}

#[test]
fn a_restored_appliance_equals_the_original() {
    let lab = original();
    let before = Picture::of(&lab);
    let backup = encrypted_backup(&lab);

    lab.server("NODE1").named_server("NODE1", 2003);
    let other = lab.config([&lab.pool().named("OTHER", lab.vip(5)).ports("2003").weights(&[10])]);
    lab.lbd().put(&other.with_network(lab.arms(), None)).expect(200);
    lab.lbd().request("DELETE", "/api/v1/users/ann", None).expect(204);
    lab.lbd().request("DELETE", "/api/v1/tokens/original", None).expect(204);
    set_secrets(&lab, "bob", "changed");
    wait_up(&lab);
    let changed = Picture::of(&lab);
    assert!(changed.table != before.table && changed.addresses != before.addresses);
    assert!(changed.users != before.users && changed.tokens != before.tokens);

    let review: Value =
        serde_json::from_str(&ask(&lab, "POST", "/api/v1/restore/review", &everything(&backup), 200))
            .expect("JSON");
    let told = review["configuration"].to_string() + &review["secrets"].to_string();
    for line in [
        "virtual service OTHER removed",
        "virtual service SECOND added",
        "user ann added",
        "user bob removed",
    ] {
        assert!(told.contains(line), "{line} in {told}");
    }
    assert!(!told.contains("mail original") && !told.contains("argon2"), "{told}");
    assert_eq!(Picture::of(&lab), changed, "looking changes nothing");

    ask(&lab, "POST", "/api/v1/restore", &everything(&backup), 200);
    wait_up(&lab);
    assert_eq!(Picture::of(&lab), before);
    lab.lbd().wait_audit("restored from the backup of");
    lab.lbd().wait_audit("user ann added");
}

#[test]
fn another_appliance_keeps_its_network_or_takes_the_originals_once_it_is_confirmed() {
    let backup = {
        let lab = original();
        encrypted_backup(&lab)
    };
    let lab = Lab::single_arm();
    for node in ["NODE1", "NODE2"] {
        lab.server(node).named_server(node, 2001);
        lab.server(node).named_server(node, 2002);
    }
    let own = lab.config([]).with_network(lab.arms(), None);
    let own = own.replacing("[network]\n", "[network]\nhost_name = \"lb2\"\n");
    lab.lbd().start(&own.replacing("name = \"eth0\"\n", "name = \"eth0\"\nmtu = 1400\n"));
    let mtu = |bytes: u32| {
        let text = lab.appliance().run("ip link show eth0").stdout;
        assert!(text.contains(&format!("mtu {bytes} ")), "{text}");
    };
    let has_user = |name: &str| lab.lbd().request("GET", "/api/v1/users", None).text.contains(name);
    let own_network = lab.lbd().config()["network"].clone();
    let certificate = || lab.lbd().request("GET", "/api/v1/certificate", None).json["fingerprint"].clone();
    wait::until(SOON, "a certificate", || certificate().is_string());
    let own_certificate = certificate();

    let keeping = json!({"backup": backup, "passphrase": PASSPHRASE});
    let answer = lab.lbd().request("POST", "/api/v1/restore", Some(&keeping.to_string())).expect(200);
    assert_eq!(answer.json["confirm_until"], Value::Null);
    wait_up(&lab);
    assert_eq!(lab.lbd().config()["network"], own_network);
    assert_eq!(certificate(), own_certificate);
    mtu(1400);
    assert!(has_user("ann") && lab.lbd().service("SECOND").is_object());

    // Now all of it: on trial, because the network is another one; what is secret follows when it is confirmed.
    lab.lbd().request("DELETE", "/api/v1/users/ann", None).expect(204);
    let restore =
        || lab.lbd().request("POST", "/api/v1/restore", Some(&everything(&backup).to_string())).expect(200);
    assert!(restore().json["confirm_until"].is_string());
    lab.lbd().request("POST", "/api/v1/config/revert", None).expect(200);
    let audit = || lab.lbd().request("GET", "/api/v1/audit", None).text;
    wait::until(SOON, "word of the trial's end", || audit().contains("secrets of the backup not restored"));
    assert_eq!(
        (lab.lbd().config()["network"].clone(), certificate()),
        (own_network, own_certificate.clone())
    );
    assert!(!has_user("ann"), "what was taken back left users behind");
    mtu(1400);

    assert!(restore().json["confirm_until"].is_string());
    assert!(!has_user("ann"), "before it is confirmed");
    lab.lbd().request("POST", "/api/v1/config/confirm", None).expect(200);
    wait::until(SOON, "the secrets to follow", || has_user("ann"));
    wait::until(SOON, "the certificate of the original", || certificate() != own_certificate);
    assert_eq!(lab.lbd().config()["network"]["host_name"], Value::Null);
    mtu(1500);
}

#[test]
fn what_cannot_be_restored_changes_nothing_and_says_why() {
    let lab = original();
    let sealed = encrypted_backup(&lab);
    let plain = lab.lbd().request("GET", "/api/v1/backup", None).expect(200).text;
    for secret in ["argon2", "mail original", "snmp:original", "PRIVATE KEY"] {
        assert!(!plain.contains(secret), "{secret} in {plain}");
    }
    let before = InForce::read(&lab);
    let order = |backup: &str, passphrase: &str| json!({"backup": backup, "passphrase": passphrase, "keep_own": false});
    let foreign = Config::datalink();
    let middle = sealed.len() / 2;
    let other = if sealed[middle..].starts_with('A') { 'B' } else { 'A' };
    let damaged = format!("{}{other}{}", &sealed[..middle], &sealed[middle + 1..]);
    for (order, words) in [
        (order(&sealed, "five words that nobody guessed"), "the passphrase is wrong"),
        (order(&sealed, ""), "this backup is encrypted"),
        (order(&sealed[..sealed.len() / 2], PASSPHRASE), "not whole"),
        (order(&damaged, PASSPHRASE), "not whole"),
        (order(&plain[..plain.len() - 10], ""), "not whole, or was changed"),
        (order(&plain.replacen("2001", "2009", 1), ""), "not whole, or was changed"),
        (order(foreign.as_str(), ""), "no backup of Evenkeel"),
    ] {
        for path in ["/api/v1/restore/review", "/api/v1/restore"] {
            let told = ask(&lab, "POST", path, &order, 422);
            assert!(told.contains(words), "{words} in {told}");
        }
    }
    ask(&lab, "POST", "/api/v1/backup", &json!({"passphrase": "too short"}), 422);
    before.expect_still(&lab, "backups that cannot be used");
}

#[test]
fn the_command_line_shows_the_difference_before_it_restores() {
    let lab = original();
    let [readable, sealed] =
        ["lb1.toml", "lb1.age"].map(|name| lab.appliance().new_path(name).display().to_string());
    let run = |line: &str, input: &str| {
        let socket = lab.lbd().control_socket();
        lab.lbd().command(&format!("{line} --control-socket {}", socket.display()), input)
    };
    run(&format!("backup {readable}"), "").expect_ok();
    run(&format!("backup --encrypt {sealed}"), PASSPHRASE).expect_ok();
    lab.lbd().request("DELETE", "/api/v1/services/SECOND", None).expect(200);
    let told = run(&format!("restore {readable}"), "").expect_ok().to_owned();
    assert!(told.contains("virtual service SECOND added") && told.contains("Nothing was changed"), "{told}");
    assert_eq!(lab.lbd().status()["virtual_services"].as_array().map(Vec::len), Some(1));
    let wrong = run(&format!("restore --apply {sealed}"), "not the passphrase");
    assert!(!wrong.status.success() && wrong.stderr.contains("the passphrase is wrong"), "{}", wrong.stderr);
    assert_eq!(lab.lbd().status()["virtual_services"].as_array().map(Vec::len), Some(1));
    let done = run(&format!("restore --apply {sealed}"), PASSPHRASE).expect_ok().to_owned();
    assert!(done.contains("is in force"), "{done}");
    assert_eq!(lab.lbd().status()["virtual_services"].as_array().map(Vec::len), Some(2));
}

#[test]
fn the_page_shows_what_would_change_and_restores_it_without_scripts() {
    let lab = original();
    wait_https(lab.administrator(), &format!("https://{MANAGEMENT}:9443"));
    let browser = Browser::of(&lab);
    // After the browser has set its password: whose password is replaced is logged out.
    let backup = lab.appliance().new_path("lb1.age");
    std::fs::write(&backup, encrypted_backup(&lab)).expect("lab folder");
    lab.lbd().request("DELETE", "/api/v1/services/SECOND", None).expect(200);
    browser.open("/maintenance/backup");
    browser.wait_text("h1", "Backup & Restore");
    browser.judge("backup");
    browser.attach("#file", &backup);
    browser.fill("#opens", "not the passphrase");
    browser.click("form[enctype] button");
    browser.wait_text(".faults", "the passphrase is wrong");
    browser.judge_refused("backup-refused", 422);

    browser.attach("#file", &backup);
    browser.fill("#opens", PASSPHRASE);
    browser.click("form[enctype] button");
    browser.wait_text("h1", "Restore the backup of");
    browser.wait_text("main", "virtual service SECOND added");
    browser.judge("backup-review");
    browser.set_scripts(false);
    browser.open("/maintenance/backup");
    browser.attach("#file", &backup);
    browser.fill("#opens", PASSPHRASE);
    browser.click("form[enctype] button");
    browser.wait_text("main", "virtual service SECOND added");
    browser.fill("#comment", "ticket 4711");
    browser.click("main form button.primary");
    browser.wait_text("h1", "View Configuration");
    browser.wait_text("main", "ticket 4711");
    assert!(lab.lbd().service("SECOND").is_object());
}

/// As one that was kept before an update: those stories run in a machine of their own.
#[test]
fn a_backup_that_was_kept_is_listed_read_and_restored() {
    const NAME: &str = "evenkeel-lb1-20261127-010000.toml";
    let lab = original();
    let text = lab.lbd().request("GET", "/api/v1/backup", None).expect(200).text;
    let folder = lab.lbd().state_folder().join("backups");
    std::fs::create_dir(&folder).expect("state folder");
    std::fs::write(folder.join(NAME), &text).expect("state folder");
    lab.lbd().request("DELETE", "/api/v1/services/SECOND", None).expect(200);

    let kept = lab.lbd().request("GET", "/api/v1/backups", None).expect(200).json;
    assert_eq!((kept.as_array().map(Vec::len), &kept[0]["name"]), (Some(1), &json!(NAME)));
    assert_eq!(lab.lbd().request("GET", &format!("/api/v1/backups/{NAME}"), None).expect(200).text, text);
    lab.lbd().request("GET", "/api/v1/backups/..%2Fsecrets%2Fusers.json", None).expect(404);
    let socket = lab.lbd().control_socket();
    let told = |of: &str| {
        let output = lab.lbd().command(&format!("backups --control-socket {}{of}", socket.display()), "");
        output.expect_ok().to_owned()
    };
    assert!(told("").contains(NAME), "{}", told(""));
    assert_eq!(told(&format!(" {NAME}")), text);

    let browser = Browser::of(&lab);
    browser.open("/maintenance/backup");
    browser.wait_text("main", "Under version");
    browser.judge("backup-kept");
    browser.click("button[name=name]");
    browser.wait_text("h1", "Restore the backup of");
    browser.wait_text("main", "virtual service SECOND added");
    browser.click("main form button.primary");
    browser.wait_text("h1", "View Configuration");
    assert!(lab.lbd().service("SECOND").is_object());
}
