//! Two administrators at once, over the network: who decides upon what is not in force any more decides nothing, and is
//! told what changed.

use std::time::{Duration, Instant};

use lab::lbd::{Answer, SOON, https_with};
use lab::topology::MANAGEMENT;
use lab::{Config, Host, InForce, Lab, wait};
use serde_json::json;

use super::{PORT, new_token, start};

/// An administrator's program on another machine.
struct Program<'a> {
    host: &'a Host,
    base: String,
    token: String,
}

impl<'a> Program<'a> {
    fn new(lab: &'a Lab, base: &str) -> Self {
        let token = format!("Authorization: Bearer {}", new_token(lab, "administrator"));
        Self { host: lab.administrator(), base: base.to_owned(), token }
    }

    fn send(&self, method: &str, path: &str, if_match: &str, body: Option<&str>) -> Answer {
        let if_match = format!("If-Match: {if_match}");
        let url = format!("{}/api/v1/{path}", self.base);
        https_with(self.host, method, &url, &[&self.token, &if_match], body)
    }
}

/// The pool with this weight of its first server.
fn weighing(lab: &Lab, weight: u16) -> Config {
    lab.config([&lab.pool().echo_check("DW_SCP").weights(&[weight, 100])])
}

#[test]
fn whoever_bases_a_change_on_what_is_not_in_force_any_more_is_told_what_changed_and_changes_nothing() {
    let lab = Lab::single_arm();
    let base = start(&lab);
    let program = Program::new(&lab, &base);
    lab.lbd().put(&weighing(&lab, 50)).expect(200);
    // The first checks change the kernel's rules.
    lab.lbd().wait_service("POOL", "down");
    let before = InForce::read(&lab);
    let server = json!({"label": "NODE1", "address": lab.server("NODE1").address(), "weight": 7}).to_string();
    let service = json!({
        "label": "OTHER", "addresses": [lab.vip(3)], "ports": "2001", "health_check": "POOL-check",
        "real_server": [{"label": "NODE1", "address": lab.server("NODE1").address()}],
    });
    let (service, whole) = (service.to_string(), weighing(&lab, 20));
    for (method, path, body) in [
        ("PUT", "config", Some(whole.as_str())),
        ("PUT", "services/POOL/servers/NODE1", Some(server.as_str())),
        ("PUT", "services/POOL/servers/NODE1/state", Some(r#"{"state":"drain"}"#)),
        ("DELETE", "services/POOL/servers/NODE2", None),
        ("POST", "services", Some(service.as_str())),
        ("DELETE", "services/POOL", None),
        ("POST", "config/versions/1/restore", None),
    ] {
        let answer = program.send(method, path, "\"v1\"", body).expect(412);
        assert_eq!(answer.json["title"], "The configuration was changed meanwhile", "{method} {path}");
        let changed = answer.json["changed"].to_string();
        assert!(changed.contains("version 2") && changed.contains("weight of NODE1 100 -> 50"), "{changed}");
        before.expect_still(&lab, &format!("{method} {path}"));
    }
    // What names the version in force is carried out, and names the next one.
    program.send("PUT", "services/POOL/servers/NODE1", "\"v2\"", Some(&server)).expect(200);
    assert_eq!(lab.lbd().server("POOL", "NODE1")["weight"], 7);
}

#[test]
fn a_verdict_about_another_trial_than_the_one_seen_decides_nothing() {
    let lab = Lab::single_arm();
    lab.appliance().ip("address flush dev eth0");
    let gateway = |last: u8| {
        let address = std::net::Ipv4Addr::new(192, 168, 10, last);
        weighing(&lab, 100).with_network(lab.arms(), Some(address))
    };
    lab.lbd().start(&gateway(1));
    let base = super::opened(&lab);
    let program = Program::new(&lab, &base);
    lab.lbd().put(&gateway(2)).expect(200);
    lab.lbd().request("POST", "/api/v1/config/revert", None).expect(200);
    // Somebody else's trial.
    lab.lbd().put(&gateway(3)).expect(200);
    let pending = || lab.lbd().status()["pending_confirmation"]["version"].clone();
    assert_eq!(pending(), 3);
    // The first checks change the kernel's rules.
    lab.lbd().wait_service("POOL", "down");
    let before = InForce::read(&lab);
    for verdict in ["confirm", "revert"] {
        for seen in ["\"v2\"", "\"v1\""] {
            let answer = program.send("POST", &format!("config/{verdict}"), seen, None).expect(412);
            assert!(answer.json["detail"].to_string().contains("Version 3"), "{}", answer.text);
        }
        program.send("POST", &format!("config/{verdict}"), "version 3", None).expect(400);
    }
    assert_eq!(pending(), 3, "still on trial");
    before.expect_still(&lab, "verdicts about other versions");
    program.send("POST", "config/confirm", "\"v3\"", None).expect(200);
    wait::until(SOON, "the trial to end", || pending().is_null());
    assert_eq!(lab.lbd().config()["network"]["default_gateway"], "192.168.10.3");
}

#[test]
fn a_verdict_about_another_certificate_than_the_one_seen_decides_nothing() {
    let lab = Lab::single_arm();
    let base = start(&lab);
    let program = Program::new(&lab, &base);
    let fingerprint = || lab.lbd().request("GET", "/api/v1/certificate", None).expect(200).json;
    let first = fingerprint()["fingerprint"].as_str().expect("text").to_owned();
    let issuer = lab.administrator().authority("other.example");
    let key = std::fs::read_to_string(&issuer.key).expect("a key that was just made");
    let pair = json!({"certificate": issuer.pem(), "private_key": key}).to_string();
    program.send("PUT", "certificate", "*", Some(&pair)).expect(200);
    let shown = fingerprint();
    let on_trial = shown["fingerprint"].as_str().expect("text");
    assert!(on_trial != first && shown["confirm_until"].is_string(), "{shown}");
    for verdict in ["confirm", "revert"] {
        let path = format!("certificate/{verdict}");
        let answer = program.send("POST", &path, &format!("\"{first}\""), None).expect(412);
        assert!(answer.json["detail"].to_string().contains(on_trial), "{}", answer.text);
        program.send("POST", &path, &first, None).expect(400);
        assert_eq!(fingerprint(), shown, "still on trial");
    }
    program.send("POST", "certificate/revert", &format!("\"{on_trial}\""), None).expect(200);
    assert_eq!(fingerprint()["fingerprint"], first);
}

/// Nobody could reach the WebUI with what nobody has confirmed there.
#[test]
fn a_certificate_that_nobody_confirms_is_taken_back_after_two_minutes() {
    const TRIAL: Duration = Duration::from_secs(120);
    let lab = Lab::single_arm();
    start(&lab);
    let shown = || lab.administrator().fingerprint_at(&format!("{MANAGEMENT}:{PORT}"));
    let first = shown();
    let pair = lab.server("NODE1").authority("lb.example");
    let key = std::fs::read_to_string(&pair.key).expect("a key that was just made");
    let body = json!({"certificate": pair.pem(), "private_key": key}).to_string();
    let begun = Instant::now();
    lab.lbd().request("PUT", "/api/v1/certificate", Some(&body)).expect(200);
    assert_ne!(shown(), first);
    wait::until(TRIAL + SOON, "the first one to be back", || shown() == first);
    assert!(begun.elapsed() >= TRIAL, "after {:?}", begun.elapsed());
}
