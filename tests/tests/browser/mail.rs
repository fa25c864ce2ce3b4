//! Alerts and mail in Debian's Chromium, with a mail server that refuses at first.

use lab::Lab;
use lab::browser::Browser;

const SEND: &str = ".closing button.primary";

/// axe-core is a script itself.
fn judge(browser: &Browser, name: &str) {
    let path = browser.path();
    browser.set_scripts(true);
    browser.open(&path);
    browser.judge(name);
    browser.set_scripts(false);
    browser.open(&path);
}

#[test]
fn who_gets_mail_is_set_the_way_is_tried_and_what_waits_is_seen() {
    let lab = Lab::single_arm();
    lab.lbd().start(&lab.config([&lab.pool()]));
    let browser = Browser::of(&lab);
    browser.open("/cluster/advanced");
    browser.wait_text("main", "nobody, but for services with addresses of their own");
    browser.click("main a[href='/cluster/advanced/alerts/edit']");
    browser.wait_text("h1", "Edit alerts by e-mail");
    browser.judge("alerts-edit");
    browser.fill("#source", "lb@hospital.example");
    browser.fill("#destinations", "pacs@hospital.example, nobody");
    browser.click(SEND);
    browser.wait_text("#destinations-error", "\"nobody\" is not a mail address");
    browser.judge_refused("alerts-refused", 422);
    browser.fill("#destinations", "pacs@hospital.example");
    browser.click(SEND);
    browser.wait_text(".notice", "is in force");
    browser.wait_text("main", "pacs@hospital.example");
    browser.judge("cluster-advanced-alerts");

    // The rest without scripts.
    browser.set_scripts(false);
    browser.click("main a[href='/local/physical']");
    browser.wait_text("h1", "Physical - Advanced");
    judge(&browser, "physical-empty");
    browser.click("main a[href='/local/physical/mail/edit']");
    browser.fill("#smart-host", "192.168.10.114");
    browser.fill("#port", "2525");
    browser.fill("#user", "lbmaster");
    browser.choose("#encryption", "none");
    browser.click(SEND);
    browser.wait_text(".notice", "is in force");
    browser.click("main details summary");
    browser.click("button[name=to][value=set]");
    browser.wait_text(".faults", "This is no password");
    // The browser tells its console of the status, as it should.
    browser.expect_only_refusals();
    browser.click("main details summary");
    browser.fill("#password", "a secret");
    browser.click("button[name=to][value=set]");
    browser.wait_text(".notice", "The password is set");
    lab.lbd().wait_status("a password", |lbd| lbd.status()["mail"]["password_set"] == true);
    browser.click("button[name=order][value=test]");
    browser.wait_text(".notice", "A test mail is under way");
    lab.lbd().wait_status("a failure", |lbd| lbd.status()["mail"]["last_error"].is_string());
    browser.open("/local/physical");
    browser.wait_text("main", "Connection refused");
    judge(&browser, "physical-waiting");

    // Without a user the mail server takes it.
    lab.server("POOL3_NODE1").nasty_mail_server(2525, "good", None);
    browser.click("main a[href='/local/physical/mail/edit']");
    browser.fill("#user", "");
    browser.click(SEND);
    browser.wait_text(".notice", "is in force");
    browser.click("button[name=order][value=retry]");
    lab.lbd().wait_status("an empty queue", |lbd| lbd.status()["mail"]["waiting_count"] == 0);
    browser.open("/local/physical");
    browser.wait_text("main table", "took it: 250 2.0.0 taken as 4711");
    judge(&browser, "physical-delivered");
}
