//! SNMP Configuration in Debian's Chromium: the agent, its community and users, who is told by traps.

use lab::Lab;
use lab::browser::Browser;
use lab::topology::MANAGEMENT;

const SEND: &str = ".closing button.primary";
const DETAILS: &str = "document.querySelectorAll('main details').forEach(one => one.open = true)";

#[test]
fn managers_are_let_in_and_told_by_hand() {
    let lab = Lab::single_arm();
    lab.lbd().start(&lab.config([&lab.pool()]));
    let browser = Browser::of(&lab);
    browser.open("/local/snmp");
    browser.wait_text("main .state", "off");
    browser.wait_text("main", "version 3 is answered to nobody");
    browser.judge("snmp-off");
    browser.click("main a[href='/local/snmp/edit']");
    browser.wait_text("h1", "Edit the SNMP agent");
    browser.judge("snmp-edit");
    browser.click("#enabled");
    browser.fill("#versions", "v2c, v4");
    browser.fill("#location", "Room 3");
    browser.click(SEND);
    browser.wait_text("#versions-error", "v4");
    browser.judge_refused("snmp-refused", 422);
    browser.fill("#versions", "v2c, v3");
    browser.click(SEND);
    browser.wait_text(".notice", "is in force");

    browser.evaluate(DETAILS);
    browser.fill("#community", "a community with blanks");
    browser.click("button[name=to][value=set]");
    browser.wait_text("main", "the community has the character");
    // The browser tells its console of the status, as it should.
    browser.expect_only_refusals();
    browser.open("/local/snmp");
    browser.evaluate(DETAILS);
    browser.fill("#community", "watch:dose");
    browser.click("button[name=to][value=set]");
    browser.wait_text(".notice", "The community is set");

    browser.click("main a[href='/local/snmp/user']");
    browser.wait_text("h1", "user");
    browser.fill("#name", "nms");
    browser.judge("snmp-user-new");
    browser.click(SEND);
    browser.wait_text("main", "no passphrase yet");
    browser.evaluate(DETAILS);
    browser.fill("#authentication", "authentic!nms");
    browser.fill("#privacy", "privacy?nms");
    browser.judge("snmp-passphrases");
    browser.click("form[action='/local/snmp/passphrases'] button");
    browser.wait_text(".notice", "What was typed is set");

    browser.click("main a[href='/local/snmp/traps/_new']");
    browser.wait_text("h1", "Add a destination of traps");
    browser.fill("#label", "NMS");
    browser.fill("#address", "10.1.2.3");
    browser.judge("snmp-trap-new");
    browser.click(SEND);
    browser.wait_text("main", "nothing to tell yet");
    let client = lab.client();
    let ask =
        |how: &str| client.run(format!("snmpget -m : -On -t 5 -r 3 {how} {MANAGEMENT} .1.3.6.1.2.1.1.6.0"));
    assert!(ask("-v 2c -c watch:dose").expect_ok().contains("Room 3"));
    let version3 = "-v 3 -u nms -l authPriv -a SHA-256 -A authentic!nms -x AES -X privacy?nms";
    assert!(ask(version3).expect_ok().contains("Room 3"));

    // The rest without scripts, but for the judge.
    lab.lbd().wait_status("both to be counted", |lbd| {
        let counters = &lbd.status()["snmp"]["counters"];
        counters["answered"].as_u64() >= Some(2)
    });
    browser.open("/local/snmp");
    browser.wait_text("main .state.up", "answers");
    browser.judge("snmp");
    browser.set_scripts(false);
    browser.open("/local/snmp");
    browser.click("button[name=order][value=test]");
    browser.wait_text(".notice", "A test alert is under way");
    browser.click("button[name=order][value=restart]");
    browser.wait_text(".notice", "started anew");
    browser.click("main a[href='/local/snmp/traps/NMS/remove']");
    browser.wait_text("h1", "Remove the destination of traps NMS?");
    browser.click("form button.danger[type=submit]");
    browser.wait_text("main", "Nobody is told of alerts by traps");
}
