//! The forms of the appliance itself with JavaScript off: managers, mail, clock, network, tools, and who may
//! manage it. Those of updates are sent in the guest.

use lab::browser::Browser;
use lab::lbd::SOON;
use lab::topology::MANAGEMENT;
use lab::{Lab, wait};

use crate::plain::{SEND, send};

fn snmp(lab: &Lab, browser: &Browser) {
    browser.open("/local/snmp/edit");
    browser.click("#enabled");
    send(browser, &[("#versions", "v2c, v3"), ("#location", "Room 3")]);
    browser.wait_text(".notice", "is in force");
    browser.click("main details:has(#community) summary");
    browser.fill("#community", "watch:dose");
    browser.click("button[name=to][value=set]");
    browser.wait_text(".notice", "The community is set");
    browser.open("/local/snmp/user");
    send(browser, &[("#name", "nms")]);
    browser.wait_text("main", "no passphrase yet");
    browser.click("main details:has(#authentication) summary");
    browser.fill("#authentication", "authentic!nms");
    browser.fill("#privacy", "privacy?nms");
    browser.click("form[action='/local/snmp/passphrases'] button");
    browser.wait_text(".notice", "What was typed is set");
    browser.open("/local/snmp/traps/_new");
    send(browser, &[("#label", "NMS"), ("#address", "192.168.10.110")]);
    browser.wait_text("main", "nothing to tell yet");
    browser.click("a[aria-label='Edit NMS']");
    send(browser, &[("#address", "192.168.10.111")]);
    browser.wait_text("main", "192.168.10.111");
    browser.click("button[aria-label='Edit nms']");
    browser.wait_text("h1", "nms");
    browser.click(SEND);
    browser.wait_text("main", "nms");
    let how = "-v 3 -u nms -l authPriv -a SHA-256 -A authentic!nms -x AES -X privacy?nms";
    let said = lab.client().run(format!("snmpget -On -t 5 -r 3 {how} {MANAGEMENT} .1.3.6.1.2.1.1.6.0"));
    assert!(said.expect_ok().contains("Room 3"), "{said:?}");
    browser.open("/local/snmp");
    browser.click("button[aria-label='Remove nms']");
    browser.click("form button.danger[type=submit]");
    wait::until(SOON, "the user to be gone", || {
        lab.lbd().config()["snmp"]["user"].as_array().is_none_or(Vec::is_empty)
    });
}

/// A mail that waits for nobody is thrown away.
fn mail(lab: &Lab, browser: &Browser) {
    browser.open("/cluster/advanced/alerts/edit");
    send(browser, &[("#source", "lb@hospital.example"), ("#destinations", "pacs@hospital.example")]);
    browser.wait_text(".notice", "is in force");
    browser.open("/local/physical/mail/edit");
    send(browser, &[("#smart-host", "192.168.10.114"), ("#port", "2525")]);
    browser.wait_text(".notice", "is in force");
    browser.click("button[name=order][value=test]");
    browser.wait_text(".notice", "A test mail is under way");
    lab.lbd().wait_status("a mail that waits", |lbd| lbd.status()["mail"]["waiting_count"] == 1);
    browser.open("/local/physical");
    browser.click("form[action='/local/physical/mail/drop'] button");
    browser.wait_text(".notice", "The mail is thrown away");
    lab.lbd().wait_status("an empty mail queue", |lbd| lbd.status()["mail"]["waiting_count"] == 0);
}

fn network(lab: &Lab, browser: &Browser) {
    browser.open("/local/interfaces/interface/eth0/edit");
    send(browser, &[("#mtu", "1400")]);
    confirm(lab, browser);
    assert!(lab.appliance().run("ip link show eth0").stdout.contains("mtu 1400 "));
    // The lab's kernel has neither bonds nor VLANs; what is wrong is told beside its field all the same.
    browser.open("/local/interfaces/bond/_new");
    send(browser, &[("#name", "eth5"), ("#members", "eth0, eth1")]);
    browser.wait_text("#name-error", "is the name of something else");
    browser.open("/local/interfaces/vlan/_new");
    send(browser, &[("#name", "eth0.5"), ("#link", "eth0")]);
    browser.wait_text("#id-error", "There is no VLAN number");
    browser.open("/local/routing/edit");
    send(browser, &[("#default-gateway", "192.168.10.1")]);
    confirm(lab, browser);
    browser.open("/local/routing/route/_new");
    send(browser, &[("#destination", "10.0.0.0/8"), ("#gateway", "192.168.10.1")]);
    confirm(lab, browser);
    browser.open("/local/routing/route/10.0.0.0_8/edit");
    send(browser, &[("#gateway", "192.168.10.2")]);
    confirm(lab, browser);
    let routes = lab.appliance().run("ip route").stdout;
    for route in ["default via 192.168.10.1 ", "10.0.0.0/8 via 192.168.10.2 "] {
        assert!(routes.contains(route), "{route} in {routes}");
    }
}

fn clock(lab: &Lab, browser: &Browser) {
    browser.open("/local/time/edit");
    browser.choose("#zone", "Asia/Tokyo");
    send(browser, &[("#ntp-servers", "192.168.10.111")]);
    browser.wait_text("main dl", " JST");
    assert_eq!(lab.lbd().config()["time"]["zone"], "Asia/Tokyo");
}

fn tools(browser: &Browser) {
    browser.open("/maintenance/tools");
    for (tool, host, port, words) in [
        ("ping", "192.168.10.110", "", "answered"),
        ("connect", "192.168.10.110", "2009", "nothing listens on port 2009"),
    ] {
        browser.choose("#tool", tool);
        browser.fill("#host", host);
        browser.fill("#port", port);
        browser.click("main form button.primary");
        browser.wait_text(".tested", words);
        assert_eq!(browser.value("#host"), host, "what was typed stays");
    }
}

/// What was sent is on trial: confirmed on the page that follows.
fn confirm(lab: &Lab, browser: &Browser) {
    browser.wait_text("h1", "is on trial");
    browser.click("main a.primary");
    browser.click("main .problems button[value=confirm]");
    wait::until(SOON, "the trial to end", || lab.lbd().status()["pending_confirmation"].is_null());
}

fn openings(lab: &Lab, browser: &Browser) {
    browser.open("/maintenance/lockdown/edit");
    send(browser, &[("#security-web-sources", "192.168.10.0/24")]);
    confirm(lab, browser);
    browser.open("/local/security/edit");
    browser.choose("#security-mode", "custom");
    browser.click("#security-http");
    browser.click(SEND);
    confirm(lab, browser);
    assert_eq!(lab.lbd().config()["security"]["http"], true);
    browser.open("/local/sockets/edit");
    send(browser, &[("#layer4-fallback-page-port", "8081")]);
    browser.wait_text("main table", "port 8081");
    browser.click("button[name=service][value=fallback-page]");
    browser.wait_text(".notice", "Fallback answers was started anew");
}

#[test]
fn every_form_of_the_appliance_itself_works_without_scripts() {
    let lab = Lab::single_arm();
    lab.server("NODE2").chrony();
    // Servers that are missing would be told in a mail of their own.
    for node in ["NODE1", "NODE2"] {
        lab.server(node).named_server(node, 2001);
    }
    lab.lbd().start(&lab.config([&lab.pool()]).with_network(lab.arms(), None));
    let browser = Browser::of(&lab);
    browser.set_scripts(false);
    mail(&lab, &browser);
    network(&lab, &browser);
    snmp(&lab, &browser);
    clock(&lab, &browser);
    tools(&browser);
    openings(&lab, &browser);
}
