//! The appliance's own network in Debian's Chromium: interfaces, routes, names; with mistakes, on trial, confirmed.

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
fn interfaces_routes_and_names_are_shown_and_changed() {
    let lab = Lab::single_arm();
    lab.lbd().start(&lab.config([&lab.pool()]).with_network(lab.arms(), None));
    let browser = Browser::of(&lab);
    browser.open("/local/interfaces");
    browser.wait_text("main table", "192.168.10.10/24");
    browser.wait_text("main .state.up", "link");
    browser.judge("interfaces");
    browser.click("main a[href='/local/interfaces/interface/eth0/edit']");
    browser.wait_text("h1", "Edit eth0");
    browser.judge("interface-edit");
    browser.fill("#mtu", "9300");
    browser.click(SEND);
    browser.wait_text("#mtu-error", "9300 is out of range");
    browser.judge_refused("interface-refused", 422);
    browser.fill("#mtu", "1400");
    browser.click(SEND);
    confirm(&lab, &browser, 2);
    browser.wait_text("main table", "1400");
    assert!(lab.appliance().run("ip link show eth0").stdout.contains("mtu 1400 "));

    browser.click("main a[href='/local/interfaces/bond/_new']");
    browser.wait_text("h1", "Add a bond");
    browser.judge("bond-new");
    browser.fill("#name", "eth5");
    browser.fill("#members", "eth0, eth1");
    browser.click(SEND);
    browser.wait_text("#name-error", "is the name of something else");
    browser.judge_refused("bond-refused", 422);
    browser.open("/local/interfaces/vlan/_new");
    browser.fill("#name", "eth0.5");
    browser.fill("#link", "eth0");
    browser.click(SEND);
    browser.wait_text("#id-error", "There is no VLAN number");
    browser.judge_refused("vlan-refused", 422);

    browser.open("/local/routing");
    browser.wait_text("main", "what is not near is reached by the default gateway");
    browser.judge("routing-empty");
    browser.click("main a[href='/local/routing/route/_new']");
    browser.fill("#destination", "10.0.0.1/8");
    browser.fill("#gateway", "192.168.10.1");
    browser.click(SEND);
    browser.wait_text("#destination-error", "write 10.0.0.0/8");
    browser.judge_refused("route-refused", 422);
    browser.fill("#destination", "10.0.0.0/8");
    browser.click(SEND);
    confirm(&lab, &browser, 3);
    browser.wait_text("main table", "10.0.0.0/8");
    browser.judge("routing");
    assert!(lab.appliance().run("ip route").stdout.contains("10.0.0.0/8 via 192.168.10.1 "));

    // The rest without scripts, but for the judge.
    browser.set_scripts(false);
    browser.open("/local/routing/route/10.0.0.0_8/remove");
    browser.click("main form button");
    confirm(&lab, &browser, 4);
    assert!(!lab.appliance().run("ip route").stdout.contains("10.0.0.0/8"));
    browser.open("/local/hostname");
    browser.click("main a[href='/local/hostname/edit']");
    browser.fill("#search-domain", "hospital.example");
    browser.click(SEND);
    browser.wait_text(".notice", "version 5 is in force");
    browser.wait_text("main", "hospital.example");
}
