//! Two people at two machines, each with a browser of their own, at the same settings.

use std::net::Ipv4Addr;

use lab::browser::{Browser, PASSWORD};
use lab::{Config, Lab, topology};
use serde_json::json;

use crate::admin::{fingerprint_on_the_wire, pair};

const SEND: &str = ".closing button.primary";

/// The second administrator, ann, at NODE2; the first one is there already.
fn ann(lab: &Lab) -> Browser {
    let user = json!({"name": "ann", "role": "administrator", "password": PASSWORD});
    lab.lbd().request("POST", "/api/v1/users", Some(&user.to_string())).expect(201);
    let browser = Browser::start(lab.server("NODE2"), &format!("https://{}:9443", topology::MANAGEMENT));
    browser.log_in("ann", PASSWORD);
    browser.wait_text("h1", "System Overview");
    browser
}

#[test]
fn the_second_of_two_people_is_told_who_changed_what_meanwhile_and_overwrites_nothing() {
    let lab = Lab::single_arm();
    lab.lbd().start(&lab.config([&lab.pool()]));
    let first = Browser::of(&lab);
    let second = ann(&lab);
    for browser in [&first, &second] {
        browser.open("/cluster/servers/POOL/NODE1/edit");
        assert_eq!(browser.value("#weight"), "100");
    }
    second.fill("#weight", "70");
    second.click(SEND);
    second.wait_text(".notice", "version 2 is in force");
    first.fill("#port", "2002");
    first.fill("#weight", "20");
    first.click(SEND);
    first.wait_text(".faults h2", "changed meanwhile");
    first.wait_text(".faults", &format!("version 2 by ann from {}", lab.server("NODE2").address()));
    first.wait_text(".faults", "weight of NODE1 100 -> 70");
    first.wait_text(".field:has(#weight)", "In force now: 70");
    // No field is wrong: the cursor stands where it is said what happened.
    first.wait_focus(".faults");
    first.judge_refused("together-outdated", 412);
    assert_eq!(lab.lbd().server("POOL", "NODE1")["weight"], 70, "nothing is overwritten");
    assert_eq!(first.value("#port"), "2002", "what was typed is kept");
    first.click(SEND);
    first.wait_text(".notice", "version 3 is in force");
    assert_eq!(lab.lbd().server("POOL", "NODE1")["weight"], 20);

    // Removing is refused the same way, and looked at anew.
    first.open("/cluster/servers/POOL/NODE2/remove");
    second.open("/cluster/servers/POOL/NODE2/edit");
    second.fill("#weight", "10");
    second.click(SEND);
    second.wait_text(".notice", "version 4 is in force");
    first.click("button.danger");
    first.wait_text(".faults", "weight of NODE2 100 -> 10");
    first.wait_focus(".faults");
    assert_eq!(lab.lbd().server("POOL", "NODE2")["weight"], 10, "it is still there");
}

#[test]
fn an_old_page_decides_nothing_about_the_trial_of_somebody_else() {
    let lab = Lab::single_arm();
    lab.appliance().ip("address flush dev eth0");
    let gateway = |last: u8| -> Config {
        let address = Ipv4Addr::new(192, 168, 10, last);
        lab.config([&lab.pool()]).with_network(lab.arms(), Some(address))
    };
    lab.lbd().start(&gateway(1));
    let first = Browser::of(&lab);
    let second = ann(&lab);
    let on_trial = || lab.lbd().status()["pending_confirmation"]["version"].clone();
    for verdict in ["confirm", "revert"] {
        lab.lbd().put(&gateway(2)).expect(200);
        first.open("/support");
        first.wait_text("main .problems", &format!("version {}", on_trial()));
        // Ann takes it back, and another one begins its trial.
        second.open("/support");
        second.click("main .problems button[value=revert]");
        second.wait_text("h1", "Support");
        lab.lbd().put(&gateway(3)).expect(200);
        let version = on_trial();
        first.click(&format!("main .problems button[value={verdict}]"));
        first.wait_text("h1", "changed meanwhile");
        first.wait_text("main", &format!("Version {version} is in force now"));
        first.wait_text("main .changes", "192.168.10.2 -> 192.168.10.3");
        assert_eq!(on_trial(), version, "still on trial");
        first.judge_refused(&format!("together-{verdict}-of-another"), 412);
        lab.lbd().request("POST", "/api/v1/config/revert", None).expect(200);
    }
}

#[test]
fn an_old_page_decides_nothing_about_the_certificate_of_somebody_else() {
    let lab = Lab::single_arm();
    lab.lbd().start(&lab.config([&lab.pool()]));
    let first = Browser::of(&lab);
    let second = ann(&lab);
    let bring = |browser: &Browser, name: &str| {
        let [certificate, key] = pair(&lab, name);
        browser.open("/local/webui");
        browser.fill("#certificate", &certificate);
        browser.fill("#private_key", &key);
        browser.click("form[action='/local/webui/certificate'] button");
        browser.wait_text("main .facts", name);
    };
    bring(&first, "mine.example");
    second.open("/local/webui");
    second.click("button[value=revert]");
    second.wait_text("main .panel h2 .state", "valid");
    bring(&second, "hers.example");
    let hers = fingerprint_on_the_wire(&lab);
    first.wait_text("#trial-title", "on trial");
    for verdict in ["confirm", "revert"] {
        first.click(&format!("button[value={verdict}]"));
        first.wait_text("h1", "Another certificate is on trial");
        first.wait_text("main", &hers);
        assert_eq!(fingerprint_on_the_wire(&lab), hers);
        // The way back in the browser is the way to the old page.
        first.go_back();
    }
    first.judge_refused("together-other-certificate", 412);
    second.click("button[value=confirm]");
    second.wait_text("main .panel h2 .state", "ends soon");
    assert_eq!(fingerprint_on_the_wire(&lab), hers);
}
