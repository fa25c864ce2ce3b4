//! Syslog servers in Debian's Chromium, with and without scripts. The page of the log is in `admin.rs`.

use lab::browser::{Browser, PATIENCE};
use lab::{Config, Lab, wait};

const SEND: &str = ".closing button.primary";

#[test]
fn the_log_is_filtered_with_and_without_scripts() {
    let lab = Lab::single_arm();
    lab.lbd().start(&Config::datalink());
    let browser = Browser::of(&lab);
    let warning = "/api/v1/log?severity=warning";
    lab.lbd().wait_status("a warning in the log", |lbd| {
        lbd.request("GET", warning, None).json["lines"].as_array().is_some_and(|lines| !lines.is_empty())
    });
    for scripts in [true, false] {
        browser.set_scripts(scripts);
        browser.open("/logs");
        browser.wait_text("main table", "lbd is running");
        browser.choose("#severity", "warning");
        browser.click("#view button[type=submit]");
        wait::until(PATIENCE, "calm lines to go", || !browser.text("main table").contains("lbd is running"));
        assert!(browser.text("main table").contains("is down"), "{}", browser.text("main table"));
        browser.open("/logs");
        browser.choose("#source", "kernel");
        browser.click("#view button[type=submit]");
        browser.wait_text(".empty", "No line");
        browser.open("/logs");
        browser.fill("#q", "is running");
        browser.click("#view button[type=submit]");
        wait::until(PATIENCE, "other lines to go", || !browser.text("main table").contains("is down"));
        assert!(browser.text("main table").contains("lbd is running"), "{}", browser.text("main table"));
    }
}

#[test]
fn a_syslog_server_is_added_with_mistakes_edited_and_removed() {
    let lab = Lab::single_arm();
    lab.lbd().start(&Config::datalink());
    let browser = Browser::of(&lab);
    browser.open("/logs/servers");
    browser.wait_text(".empty", "Nobody else gets the log");
    browser.judge("syslog-empty");
    browser.click("main a[href='/logs/servers/_new']");
    browser.wait_text("h1", "Add a syslog server");
    browser.judge("syslog-new");
    browser.fill("#label", "SIEM");
    browser.fill("#address", "siem.hospital.example");
    browser.fill("#port", "70000");
    browser.click(SEND);
    browser.wait_text("#address-error", "is not an IP address");
    browser.wait_text("#port-error", "is not a port");
    browser.judge_refused("syslog-refused", 422);
    assert_eq!(browser.value("#label"), "SIEM");
    // Nobody listens there.
    browser.fill("#address", &lab.server("NODE1").address().to_string());
    browser.fill("#port", "10514");
    browser.choose("#transport", "tcp");
    browser.click(SEND);
    browser.wait_text(".notice", "is in force");
    lab.lbd().wait_status("the syslog server to be found missing", |lbd| {
        lbd.status()["syslog_servers"][0]["state"] == "down"
    });
    browser.open("/logs/servers");
    browser.wait_text("#y-SIEM .state", "not taken");
    browser.wait_text("#y-SIEM", "refused");
    browser.judge("syslog-list");
    browser.open("/");
    browser.wait_text("main .problems", "The syslog server SIEM");
    browser.set_scripts(false);
    browser.open("/logs/servers");
    browser.click("a[aria-label='Edit SIEM']");
    browser.choose("#severity", "warning");
    browser.click(SEND);
    browser.wait_text("#y-SIEM", "warning and graver");
    browser.click("a[aria-label='Remove SIEM']");
    browser.wait_text("h1", "Remove the syslog server SIEM?");
    browser.click("main form button");
    browser.wait_text(".empty", "Nobody else gets the log");
}
