//! Every operation of the API that changes something leaves a line in the audit log; one that nobody thought of here
//! makes the story fail.

use std::collections::BTreeSet;

use lab::lbd::{https, https_with};
use lab::{Config, Lab, wait};
use serde_json::{Value, json};

use super::{PASSWORD, opened};

/// What changes nothing, or cannot succeed in the lab, and why.
const EXCEPTIONS: [(&str, &str, &str); 20] = [
    ("POST", "/api/v1/probe", "asks a server, as a health check does"),
    ("POST", "/api/v1/probe/ae-titles", "asks a server"),
    ("POST", "/api/v1/tools/ping", "asks a host, changes nothing"),
    ("POST", "/api/v1/tools/connect", "asks a host, changes nothing"),
    ("POST", "/api/v1/tools/dns", "asks DNS servers, changes nothing"),
    ("POST", "/api/v1/tools/traceroute", "asks a host, changes nothing"),
    ("POST", "/api/v1/tools/dicom-echo", "asks a server, changes nothing"),
    ("POST", "/api/v1/network/address-probe", "asks whether somebody has an address"),
    ("POST", "/api/v1/restore/review", "tells what a backup would change"),
    ("POST", "/api/v1/factory-reset", "ends everything: tests/tests/namespaces/factory_reset.rs"),
    ("PUT", "/api/v1/clock", "lbd sets the clock of the appliance only"),
    (
        "PUT",
        "/api/v1/update/archive",
        "init is asked, which the lab has not: lbd/src/web/guard/tests/updates.rs",
    ),
    ("DELETE", "/api/v1/update/archive", "the same"),
    (
        "POST",
        "/api/v1/update/install",
        "init is asked, which the lab has not: lbd/src/web/guard/tests/updates.rs",
    ),
    ("POST", "/api/v1/update/activate", "the same"),
    ("POST", "/api/v1/update/rollback", "the same"),
    ("POST", "/api/v1/update/look", "a server of updates is asked: tests/tests/namespaces/online_updates.rs"),
    ("POST", "/api/v1/update/download", "the same"),
    ("POST", "/api/v1/update/download/cancel", "the same"),
    ("POST", "/api/v1/restart", "the same"),
];

/// A running lbd whose audit log is looked at after each order.
struct Story {
    lab: Lab,
    base: String,
    /// Method and path, as the description has it, of what was shown.
    shown: BTreeSet<(String, String)>,
}

impl Story {
    fn start() -> Self {
        let lab = Lab::single_arm();
        lab.appliance().ip("address flush dev eth0");
        lab.server("NODE1").named_server("NODE1", 2001);
        lab.lbd().start(&with_gateway(&lab, 1));
        let base = opened(&lab);
        Self { lab, base, shown: BTreeSet::new() }
    }

    /// How many lines of the audit log have these words.
    fn lines(&self, words: &str) -> usize {
        let audit = self.lab.lbd().request("GET", "/api/v1/audit?most=1000", None).expect(200).json;
        let has = |entry: &&Value| entry["what"].as_str().is_some_and(|what| what.contains(words));
        audit.as_array().expect("a list").iter().filter(has).count()
    }

    /// Does something, after which there must be one line more with these words; remembers the operation.
    fn show(&mut self, method: &str, path: &str, words: &str, order: impl FnOnce(&Self)) {
        let before = self.lines(words);
        order(self);
        let what = format!("{words:?} in the audit log after {method} {path}");
        wait::until(lab::lbd::SOON, what, || self.lines(words) > before);
        self.shown.insert((method.to_owned(), path.to_owned()));
    }

    /// Confirms what is on trial, if anything is: another change would be refused.
    fn keep(&self) {
        if self.lab.lbd().status()["pending_confirmation"].is_object() {
            self.lab.lbd().request("POST", "/api/v1/config/confirm", None).expect(200);
        }
    }

    /// An order over the control socket; the path's names in braces are those of `names`.
    fn order(&mut self, method: &str, path: &str, names: &[&str], body: Option<Value>, words: &str) {
        let mut parts = names.iter();
        let filled: Vec<&str> = path
            .split('/')
            .map(|part| if part.starts_with('{') { *parts.next().expect("a name") } else { part })
            .collect();
        let (filled, body) = (filled.join("/"), body.map(|body| body.to_string()));
        self.show(method, path, words, |story| {
            let answer = story.lab.lbd().request(method, &filled, body.as_deref());
            assert!(
                (200..300).contains(&answer.status),
                "{method} {filled}: {} {}",
                answer.status,
                answer.text
            );
        });
    }
}

/// The pool on an appliance whose lbd sets the addresses, with what the orders need.
fn with_gateway(lab: &Lab, last: u8) -> Config {
    let gateway = std::net::Ipv4Addr::new(192, 168, 10, last);
    let config = lab.config([&lab.pool().weights(&[100])]).with_network(lab.arms(), Some(gateway));
    config.followed_by(
        "\n[time]\nntp_servers = [\"192.168.10.114\"]\n\
         [alerts]\nsource = \"lb@hospital.example\"\ndestinations = [\"pacs@hospital.example\"]\n\
         hold_down_seconds = 3600\n\
         [mail]\nsmart_host = \"192.168.10.114\"\n\
         [snmp]\nenabled = true\nversions = [\"v3\"]\n[[snmp.user]]\nname = \"manager\"\n",
    )
}

#[test]
fn every_operation_that_changes_something_leaves_a_line_in_the_audit_log() {
    let mut story = Story::start();
    configuration(&mut story);
    services(&mut story);
    own_services(&mut story);
    secrets(&mut story);
    mail(&mut story);
    people(&mut story);
    persistence(&mut story);
    backups(&mut story);

    let description = story.lab.lbd().request("GET", "/api/v1/openapi.json", None).expect(200).json;
    let paths = description["paths"].as_object().expect("paths");
    let methods = |(path, item): (&String, &Value)| {
        let methods = item.as_object().expect("operations").keys().map(|method| method.to_uppercase());
        let changing = methods.filter(|method| ["POST", "PUT", "PATCH", "DELETE"].contains(&method.as_str()));
        changing.map(|method| (method, path.clone())).collect::<Vec<_>>()
    };
    let all: BTreeSet<(String, String)> = paths.iter().flat_map(methods).collect();
    let excepted = EXCEPTIONS.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()));
    let known: BTreeSet<_> = excepted.chain(story.shown).collect();
    let forgotten: Vec<_> = all.difference(&known).collect();
    assert!(
        forgotten.is_empty(),
        "show here that these are in the audit log, or why they need not be: {forgotten:?}"
    );
    let gone: Vec<_> = known.difference(&all).collect();
    assert!(gone.is_empty(), "there are no such operations any more: {gone:?}");
}

fn configuration(story: &mut Story) {
    let another = |story: &Story, last| {
        let config = with_gateway(&story.lab, last);
        story.lab.lbd().put(&config).expect(200);
    };
    let words = "192.168.10.1 -> 192.168.10.2";
    story.show("PUT", "/api/v1/config", words, |story| another(story, 2));
    story.order("POST", "/api/v1/config/revert", &[], None, "trial ended: back to version 1");
    another(story, 3);
    story.order("POST", "/api/v1/config/confirm", &[], None, "version 3 confirmed");
    let path = "/api/v1/config/versions/{version}/restore";
    story.order("POST", path, &["1"], None, "192.168.10.3 -> 192.168.10.1");
    story.lab.lbd().request("POST", "/api/v1/config/confirm", None).expect(200);
}

fn services(story: &mut Story) {
    let [first, address] = ["NODE1", "NODE2"].map(|node| story.lab.server(node).address().to_string());
    let server = |label: &str, weight: u8| json!({"label": label, "address": address, "weight": weight});
    let service = |label: &str, ports: &str| {
        json!({"label": label, "addresses": [story.lab.vip(3)], "ports": ports, "health_check": "EXTRA",
               "real_server": [{"label": "NODE1", "address": first}]})
    };
    let check = |port: u16| json!({"label": "EXTRA", "type": "tcp", "port": port});
    let syslog = |port: u16| json!({"label": "SIEM", "address": "192.168.10.114", "port": port});
    let [added, replaced] = [service("OTHER", "2005"), service("OTHER", "2006")];
    let [one, heavier] = [server("NODE9", 10), server("NODE9", 20)];
    const SERVERS: &str = "/api/v1/services/{service}/servers";
    const SERVER: &str = "/api/v1/services/{service}/servers/{server}";
    let state = |state: &str| Some(json!({"state": state}));
    for (method, path, names, body, words) in [
        ("POST", "/api/v1/health-checks", &[][..], Some(check(2001)), "EXTRA"),
        ("PUT", "/api/v1/health-checks/{check}", &["EXTRA"], Some(check(2002)), "2001 -> 2002"),
        ("POST", "/api/v1/services", &[], Some(added), "OTHER"),
        ("PUT", "/api/v1/services/{service}", &["OTHER"], Some(replaced), "2005 -> 2006"),
        ("POST", SERVERS, &["OTHER"], Some(one), "NODE9"),
        ("PUT", SERVER, &["OTHER", "NODE9"], Some(heavier), "weight of NODE9 10 -> 20"),
        (
            "PUT",
            "/api/v1/services/{service}/servers/{server}/state",
            &["OTHER", "NODE9"],
            state("drain"),
            "NODE9",
        ),
        ("PUT", "/api/v1/servers/{address}/state", &[&address], state("halt"), "halt"),
        ("DELETE", SERVER, &["OTHER", "NODE9"], None, "NODE9"),
        ("DELETE", "/api/v1/services/{service}", &["OTHER"], None, "OTHER"),
        ("DELETE", "/api/v1/health-checks/{check}", &["EXTRA"], None, "EXTRA"),
        ("POST", "/api/v1/syslog-servers", &[], Some(syslog(514)), "SIEM"),
        ("PUT", "/api/v1/syslog-servers/{server}", &["SIEM"], Some(syslog(1514)), "1514"),
        ("DELETE", "/api/v1/syslog-servers/{server}", &["SIEM"], None, "SIEM"),
    ] {
        story.order(method, path, names, body, words);
    }
}

/// Ways to manage the appliance, and what is started anew.
fn own_services(story: &mut Story) {
    let custom = json!({"mode": "custom", "http": false});
    story.order("PUT", "/api/v1/security", &[], Some(custom), "security");
    story.keep();
    let mut sockets = story.lab.lbd().request("GET", "/api/v1/sockets", None).expect(200).json;
    sockets["fallback_page_port"] = json!(9082);
    story.order("PUT", "/api/v1/sockets", &[], Some(sockets), "9082");
    story.keep();
    let restart = "/api/v1/sockets/{service}/restart";
    story.order("POST", restart, &["fallback-page"], None, "Fallback answers: restarted");
    story.order("POST", "/api/v1/snmp/restart", &[], None, "SNMP: agent restarted");
    story.order("POST", "/api/v1/clock/synchronise", &[], None, "clock: synchronised at once");
}

/// Secrets, which no version of the configuration has.
fn secrets(story: &mut Story) {
    let community = "/api/v1/snmp/community";
    story.order("PUT", community, &[], Some(json!({"community": "dose:watch"})), "SNMP: community set");
    story.order("DELETE", community, &[], None, "SNMP: community removed");
    let passphrases = json!({"authentication": "correct_horse", "privacy": "battery_staple"});
    let path = "/api/v1/snmp/users/{user}/passphrases";
    story.order("PUT", path, &["manager"], Some(passphrases), "SNMP: passphrases of manager set");
    let pair = story.lab.server("NODE1").authority("lb.example");
    let key = std::fs::read_to_string(&pair.key).expect("a key that was just made");
    let certificate = json!({"certificate": pair.pem(), "private_key": key});
    let path = "/api/v1/certificate";
    story.order("PUT", path, &[], Some(certificate.clone()), "certificate of");
    story.order("POST", "/api/v1/certificate/revert", &[], None, "trial of a certificate ended");
    story.order("PUT", path, &[], Some(certificate), "certificate of");
    story.order("POST", "/api/v1/certificate/confirm", &[], None, "certificate confirmed");
    let password = "/api/v1/mail/password";
    story.order(
        "PUT",
        password,
        &[],
        Some(json!({"password": "of the host"})),
        "password of the smart host set",
    );
    story.order("DELETE", password, &[], None, "password of the smart host removed");
    let entered = Some(json!({"step": "entered"}));
    story.order("POST", "/api/v1/recovery", &[], entered, "recovery at the console was entered");
}

/// Nobody takes the mail: it waits until it is thrown away.
fn mail(story: &mut Story) {
    story.order("POST", "/api/v1/alerts/test", &[], Some(json!({})), "test alert sent");
    story.order("POST", "/api/v1/mail/retry", &[], None, "mail queue: tried at once");
    // It cannot be thrown away while it is being tried.
    let waits = |lbd: &lab::lbd::Lbd| lbd.status()["mail"]["waiting"][0]["next_attempt"].is_string();
    wait::until(lab::lbd::SOON, "a mail that waits", || waits(story.lab.lbd()));
    let queue = story.lab.lbd().request("GET", "/api/v1/mail", None).expect(200).json;
    let id = queue["waiting"][0]["id"].as_str().unwrap_or_else(|| panic!("a mail in {queue}")).to_owned();
    story.order("DELETE", "/api/v1/mail/queue/{mail}", &[&id], None, &format!("{id} thrown away"));
}

fn people(story: &mut Story) {
    let ann = json!({"name": "ann", "role": "viewer", "password": "a password of ann"});
    story.order("POST", "/api/v1/users", &[], Some(ann), "ann");
    story.order("PUT", "/api/v1/users/{user}", &["ann"], Some(json!({"role": "operator"})), "ann");
    story.order("DELETE", "/api/v1/users/{user}", &["ann"], None, "ann");
    let token = json!({"name": "spare", "role": "viewer", "days": 1});
    story.order("POST", "/api/v1/tokens", &[], Some(token), "spare");
    story.order("DELETE", "/api/v1/tokens/{token}", &["spare"], None, "spare");
    sessions(story);
}

fn sessions(story: &mut Story) {
    let at = |story: &Story, path: &str| format!("{}/api/v1/{path}", story.base);
    let send = |story: &Story, method: &str, path: &str, body: Option<&str>, status: u16| {
        https(story.lab.administrator(), method, &at(story, path), Some(PASSWORD), body).expect(status);
    };
    // Each request logs in, the second one leaves the first one's session to be ended.
    story.show("POST", "/api/v1/session", "logged in", |story| send(story, "GET", "status", None, 200));
    let words = "other sessions of their own";
    story.show("DELETE", "/api/v1/sessions", words, |story| send(story, "DELETE", "sessions", None, 204));
    story
        .show("DELETE", "/api/v1/session", "logged out", |story| send(story, "DELETE", "session", None, 204));
    let new = json!({"current": PASSWORD, "new": "another password of the stories"}).to_string();
    story.show("PUT", "/api/v1/password", "password of loadbalancer changed", |story| {
        send(story, "PUT", "password", Some(&new), 204);
    });
    let nobody = https_with(story.lab.administrator(), "DELETE", &at(story, "session"), &[], None);
    assert_eq!(nobody.status, 401, "who is not logged in cannot log out");
}

fn persistence(story: &mut Story) {
    story.lab.lbd().wait_server("POOL", "NODE1", "up");
    story.lab.client().ask(story.lab.vip(0), 2001);
    let client = story.lab.client().address().to_string();
    let path = "/api/v1/persistence/{service}/{client}";
    story.order("DELETE", path, &["POOL", &client], None, &format!("persistence entry of {client}"));
}

fn backups(story: &mut Story) {
    let sealed = json!({"passphrase": "a long passphrase"});
    story.order("POST", "/api/v1/backup", &[], Some(sealed), "backup made, encrypted, with secrets");
    let backup = story.lab.lbd().request("GET", "/api/v1/backup", None).expect(200).text;
    let restore = json!({"backup": backup});
    story.order("POST", "/api/v1/restore", &[], Some(restore), "restored from the backup of");
}
