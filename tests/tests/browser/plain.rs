//! Every form that no other story sends with JavaScript off, in one walk.

use lab::browser::{ADMINISTRATOR, Browser, PASSWORD};
use lab::lbd::SOON;
use lab::topology::MANAGEMENT;
use lab::{Lab, Mode, Scp, wait};

use crate::admin::{fingerprint_on_the_wire, pair};

/// The button that sends a form of Cluster Configuration.
pub(crate) const SEND: &str = ".closing button.primary";

fn start(lab: &Lab) -> (Browser, Vec<Scp>) {
    let peers = ["NODE1", "NODE2"].map(|node| lab.server(node).scp("DW_SCP", 2001, Mode::Good));
    lab.lbd().start(&lab.config([&lab.pool()]));
    let browser = Browser::of(lab);
    browser.set_scripts(false);
    browser.open("/");
    browser.click(".leave button");
    browser.wait_text("h1", "Log in");
    browser.log_in(ADMINISTRATOR, PASSWORD);
    browser.wait_text("h1", "System Overview");
    (browser, peers.into())
}

pub(crate) fn send(browser: &Browser, fields: &[(&str, &str)]) {
    for (field, text) in fields {
        browser.fill(field, text);
    }
    browser.click(SEND);
}

fn services_servers_and_checks(browser: &Browser) {
    browser.open("/cluster/checks/_new");
    let template = "template=DICOM-C-ECHO\naet=LOADBALANCER\naec=DW_SCP\n";
    browser.fill("#label", "ECHO");
    browser.fill("#template", template);
    browser.choose("#target", "POOL/NODE1");
    browser.click("button[name=test]");
    browser.wait_text(".tested .state", "passed");
    browser.click(SEND);
    browser.wait_text(".notice", "Saved");

    browser.open("/cluster/services/_new");
    browser.choose("#health-check", "ECHO");
    send(browser, &[("#label", "PLAIN"), ("#addresses", "192.168.10.190"), ("#ports", "none")]);
    browser.wait_text("#ports-error", "none");
    browser.fill("#real-server-0--address", "192.168.10.110");
    browser.click("button[name=more]");
    browser.wait_text("body", "Real server 3");
    send(browser, &[("#ports", "2001")]);
    browser.wait_text(".notice", "is in force");
    browser.open("/cluster/services/PLAIN/edit");
    browser.choose("#scheduler", "source-hash");
    send(browser, &[("#comment", "without scripts")]);
    browser.wait_text(".facts", "By the client's address");
    browser.click("button[name=to][value=off]");
    browser.wait_text("h1 .state", "off");
    browser.click("button[name=to][value=on]");
    browser.wait_text("button[name=to]", "Disable");

    browser.open("/cluster/servers/PLAIN/_new");
    send(browser, &[("#label", "SECOND"), ("#address", "192.168.10.111")]);
    browser.wait_text("main table", "SECOND");
    browser.open("/cluster/servers/PLAIN/SECOND/edit");
    send(browser, &[("#weight", "50")]);
    browser.wait_text("main table", "50");
    browser.open("/cluster/servers/PLAIN/SECOND/remove");
    browser.click("button.danger");
    browser.wait_text(".notice", "Saved");
    browser.open("/cluster/checks/ECHO");
    browser.fill("#template", &template.replace("aec=DW_SCP", "aec=DW_SCP\ninterval=7"));
    browser.click(SEND);
    browser.wait_text(".notice", "Saved");
    browser.open("/cluster/services/PLAIN/remove");
    browser.click("button.danger");
    browser.wait_text(".notice", "Saved");
    browser.open("/cluster/checks/ECHO/remove");
    browser.click("button.danger");
    browser.wait_text(".notice", "Saved");
}

fn people(browser: &Browser) {
    browser.open("/password/users");
    browser.fill("#name", "ann");
    browser.choose("#role", "operator");
    browser.click("form[action='/password/users'] button[type=submit]");
    browser.wait_text("h1", "One-time password of ann");
    browser.click("main a.primary");
    browser.choose("#u-ann select", "viewer");
    browser.click("#u-ann form[action$='/role'] button");
    browser.wait_text("#u-ann option[selected]", "viewer");
    browser.click("#u-ann details:first-of-type summary");
    browser.click("#u-ann details:first-of-type button");
    browser.wait_text("h1", "One-time password of ann");
    browser.open("/password/tokens");
    browser.fill("#name", "backup");
    browser.click("form[action='/password/tokens'] button[type=submit]");
    browser.wait_text("h1", "Token backup");
    browser.click("main a.primary");
    browser.click("#t-backup summary");
    browser.click("#t-backup button");
    browser.wait_text(".empty", "There is no token yet");
    browser.open("/audit");
    browser.fill("#q", "backup");
    browser.click("main form button[type=submit]");
    browser.wait_text("main table", "token backup revoked");
}

/// Who is told, and what takes the log, besides.
fn alerts_and_syslog(lab: &Lab, browser: &Browser) {
    browser.open("/cluster/advanced/alerts/edit");
    send(browser, &[("#source", "lb@hospital.example"), ("#destinations", "pacs@hospital.example")]);
    browser.wait_text(".notice", "is in force");
    browser.open("/logs/servers/_new");
    send(browser, &[("#label", "SIEM"), ("#address", "192.168.10.112"), ("#port", "10514")]);
    browser.wait_text(".notice", "is in force");
    // A session of the same person elsewhere ends.
    let form = format!("--data user={ADMINISTRATOR} --data password={}", PASSWORD.replace(' ', "+"));
    lab.server("NODE1")
        .run(format!("curl --insecure --silent {form} https://{MANAGEMENT}:9443/login"))
        .expect_ok();
    browser.open("/password");
    browser.click("form[action='/password/sessions'] button");
    browser.wait_text("main", "this browser");
    assert!(!browser.has("form[action='/password/sessions']"), "there is no other session any more");
}

/// The WebUI moves to another port, which is confirmed there.
fn listener(lab: &Lab, browser: &Browser) {
    browser.open("/local/webui");
    browser.fill("#port", "9444");
    browser.click("form[action='/local/webui/listener'] button");
    browser.wait_text("h1", "is on trial");
    browser.click("main a.primary");
    browser.wait_text("main .problems", "on trial");
    browser.click("form[action='/order/trial'] button[value=confirm]");
    wait::until(SOON, "the trial to end", || lab.lbd().status()["pending_confirmation"].is_null());
    assert_eq!(lab.lbd().config()["management"]["https_port"], 9444);
}

/// A certificate is pasted as text, and taken back.
fn certificate(lab: &Lab, browser: &Browser) {
    let first = fingerprint_on_the_wire(lab);
    let [certificate, key] = pair(lab, "plain.example");
    browser.open("/local/webui");
    assert!(!browser.is_seen("#certificate-file"), "what needs scripts is not offered");
    browser.fill("#certificate", &certificate);
    browser.fill("#private_key", &key);
    browser.click("form[action='/local/webui/certificate'] button");
    browser.wait_text("main .facts", "plain.example");
    assert_ne!(fingerprint_on_the_wire(lab), first);
    browser.click("button[value=revert]");
    browser.wait_text("main .panel h2 .state", "valid");
    assert_eq!(fingerprint_on_the_wire(lab), first);
}

fn own_password(browser: &Browser) {
    const NEW: &str = "another one of the stories";
    browser.open("/password");
    browser.fill("#current", PASSWORD);
    browser.fill("#new", NEW);
    browser.fill("#again", NEW);
    browser.click("main form[action='/password'] button[type=submit]");
    browser.wait_text("h1", "The password is changed");
    browser.log_in(ADMINISTRATOR, NEW);
    browser.wait_text("h1", "System Overview");
}

#[test]
fn every_form_works_without_scripts() {
    let lab = Lab::single_arm();
    let (browser, _peers) = start(&lab);
    services_servers_and_checks(&browser);
    people(&browser);
    certificate(&lab, &browser);
    alerts_and_syslog(&lab, &browser);
    own_password(&browser);
    listener(&lab, &browser);
}
