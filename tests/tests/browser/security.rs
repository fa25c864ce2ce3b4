//! Security, Firewall Lockdown Wizard and Service Socket Addresses in Debian's Chromium.

use lab::browser::Browser;
use lab::lbd::SOON;
use lab::{Lab, wait};

const SEND: &str = ".closing button.primary";

/// What was sent is on trial: goes where it is to be confirmed, and confirms it.
fn confirm(lab: &Lab, browser: &Browser, version: u64) {
    browser.wait_text("h1", &format!("Version {version} is on trial"));
    browser.click("main a.primary");
    browser.click("main .problems button[value=confirm]");
    wait::until(SOON, "the trial to end", || lab.lbd().status()["pending_confirmation"].is_null());
}

#[test]
fn ways_to_manage_the_appliance_are_shown_locked_down_and_moved() {
    let lab = Lab::single_arm();
    lab.lbd().start(&lab.config([&lab.pool()]));
    let browser = Browser::of(&lab);
    browser.open("/local/security");
    browser.wait_text("main table", "WebUI and API (HTTPS)");
    browser.wait_text("main", "off: it is not built yet");
    browser.judge("security");
    browser.click("main a[href='/local/security/edit']");
    browser.wait_text("h1", "Edit the security mode");
    browser.judge("security-edit");
    browser.click("#security-http");
    browser.click(SEND);
    browser.wait_text("#security-http-error", "There is no HTTP in the mode");
    browser.judge_refused("security-refused", 422);

    browser.open("/maintenance/lockdown");
    browser.wait_text("main", "You come from");
    browser.judge("lockdown");
    browser.click("main a[href='/maintenance/lockdown/edit']");
    browser.fill("#security-web-sources", "10.99.0.0/16");
    browser.judge("lockdown-edit");
    browser.click(SEND);
    browser.wait_text("#security-web-sources-error", "You come from");
    browser.judge_refused("lockdown-refused", 422);
    browser.fill("#security-web-sources", "192.168.10.0/24");
    browser.click(SEND);
    confirm(&lab, &browser, 2);
    browser.wait_text("main", "192.168.10.0/24");

    browser.open("/local/sockets");
    browser.wait_text("main table", "192.168.10.10, port 9443");
    browser.judge("sockets");
    browser.click("button[name=service][value=fallback-page]");
    browser.wait_text(".notice", "Fallback answers was started anew");
    browser.click("main a[href='/local/sockets/edit']");
    browser.wait_text("h1", "Edit the service socket addresses");
    browser.judge("sockets-edit");
    browser.fill("#layer4-fallback-page-port", "9443");
    browser.click(SEND);
    browser.wait_text("#management-https-port-error", "that of the fallback page");
    browser.judge_refused("sockets-refused", 422);
    browser.fill("#layer4-fallback-page-port", "8081");
    browser.click(SEND);
    browser.wait_text(".notice", "version 3 is in force");
    browser.wait_text("main table", "port 8081");
}
