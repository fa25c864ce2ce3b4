//! Pages that no other story comes by, read and judged once each, and the colours that a reader chooses by the button. A
//! test beside the routes of lbd names the pages that neither stand here nor are judged elsewhere.

use lab::browser::Browser;
use lab::{Config, Lab};
use serde_json::json;

/// Path, words of the title, and name of the pictures.
type Page = (&'static str, &'static str, &'static str);

const PAGES: [Page; 15] = [
    ("/cluster/advanced/edit", "Edit Layer 4", "cluster-advanced-edit"),
    ("/cluster/servers/POOL/_new", "Add a real server", "server-new"),
    ("/cluster/servers/POOL/NODE1/remove", "Remove", "server-remove"),
    ("/cluster/checks/_new", "Add a health check", "check-new"),
    ("/cluster/checks/SPARE", "SPARE", "check-edit"),
    ("/cluster/checks/SPARE/remove", "Remove", "check-remove"),
    ("/logs/servers/SIEM/edit", "SIEM", "syslog-edit"),
    ("/logs/servers/SIEM/remove", "Remove", "syslog-remove"),
    ("/local/physical/mail/edit", "mail", "mail-edit"),
    ("/local/snmp", "SNMP Configuration", "snmp-told"),
    ("/local/snmp/user/edit?user=nms", "Edit nms", "snmp-user-edit"),
    ("/local/snmp/user/remove?user=nms", "Remove the SNMP user nms?", "snmp-user-remove"),
    ("/local/snmp/traps/NMS/edit", "Edit NMS", "snmp-trap-edit"),
    ("/local/snmp/traps/NMS/remove", "Remove the destination of traps NMS?", "snmp-trap-remove"),
    ("/local/hostname/edit", "Edit host name and DNS", "hostname-edit"),
];

/// Of an appliance with a bond, a VLAN and a route.
const NETWORK_PAGES: [Page; 13] = [
    ("/local/interfaces", "Network Interface Configuration", "interfaces-of-all-kinds"),
    ("/local/interfaces/interface/_new", "Add an interface", "interface-new"),
    ("/local/interfaces/interface/eth0/remove", "Remove the interface eth0?", "interface-remove"),
    ("/local/interfaces/bond/bond0/edit", "Edit bond0", "bond-edit"),
    ("/local/interfaces/bond/bond0/remove", "Remove the bond bond0?", "bond-remove"),
    ("/local/interfaces/vlan/_new", "Add a VLAN", "vlan-new"),
    ("/local/interfaces/vlan/eth0.7/edit", "Edit eth0.7", "vlan-edit"),
    ("/local/interfaces/vlan/eth0.7/remove", "Remove the VLAN eth0.7?", "vlan-remove"),
    ("/local/routing", "Routing", "routing-with-routes"),
    ("/local/routing/edit", "Edit the default gateways", "gateways-edit"),
    ("/local/routing/route/_new", "Add a static route", "route-new"),
    ("/local/routing/route/10.0.0.0_8/edit", "Edit 10.0.0.0/8", "route-edit"),
    ("/local/routing/route/10.0.0.0_8/remove", "Remove the static route 10.0.0.0/8?", "route-remove"),
];

fn judge_all(browser: &Browser, pages: &[Page]) {
    for (path, title, name) in pages {
        browser.open(path);
        browser.wait_text("h1", title);
        browser.judge(name);
    }
}

/// What a tool tells, and what it does not understand.
fn judge_tools(browser: &Browser) {
    browser.open("/maintenance/tools");
    browser.choose("#tool", "connect");
    browser.fill("#host", "192.168.10.110");
    browser.click("main form button.primary");
    browser.wait_text("#tool-error", "The port is not understood");
    browser.wait_focus("#port[aria-invalid=true]");
    browser.judge_refused("tools-refused", 422);
    browser.choose("#tool", "dicom-echo");
    browser.fill("#port", "2001");
    browser.click("main form button.primary");
    browser.wait_text("#tool-error", "The called AE title is not understood");
    browser.wait_focus("#called[aria-invalid=true]");
    browser.fill("#called", "DW_SCP");
    browser.click("main form button.primary");
    browser.wait_text(".tested", "connection refused: nothing listens on 192.168.10.110:2001");
    browser.judge_refused("tools-dicom-echo", 422);
    browser.choose("#tool", "traceroute");
    browser.click("main form button.primary");
    browser.wait_text(".tested", "192.168.10.110 is reached: on a network of the appliance itself.");
    browser.judge("tools-traceroute");
    browser.choose("#tool", "neighbours");
    browser.click("main form button.primary");
    browser.wait_text(".tested", "in all.");
    browser.wait_seen(".tested table");
    browser.judge("tools-found");
}

/// What SNMP managers are told, and who they are.
const SNMP: &str = "
[[snmp.user]]
name = \"nms\"
[[snmp.trap]]
label = \"NMS\"
address = \"192.168.10.110\"
version = \"v3\"
user = \"nms\"
";

#[test]
fn the_pages_that_are_seldom_come_by_can_be_read_by_everybody() {
    let lab = Lab::single_arm();
    lab.lbd().start(&lab.config([&lab.pool()]).followed_by(SNMP));
    let browser = Browser::of(&lab);
    let add = |path: &str, entry: serde_json::Value| {
        lab.lbd().request("POST", &format!("/api/v1/{path}"), Some(&entry.to_string())).expect(201);
    };
    add("health-checks", json!({"label": "SPARE", "type": "tcp"}));
    add(
        "syslog-servers",
        json!({"label": "SIEM", "address": lab.server("NODE1").address(), "transport": "udp"}),
    );
    judge_all(&browser, &PAGES);
    judge_tools(&browser);
    // Dark by the reader's own choice, whatever the system prefers.
    browser.open("/");
    browser.click("button[name=theme][value=dark]");
    browser.wait_text("button[name=theme][aria-pressed=true]", "Dark");
    browser.judge("overview-chosen-colours");
}

/// A bond of two spare adapters, a VLAN and a route beside what the lab's appliance has.
fn networked(lab: &Lab) -> Config {
    lab.config([&lab.pool()]).with_network(lab.arms(), None).followed_by(
        "
[[network.bond]]
name = \"bond0\"
mode = \"active-backup\"
members = [\"eth7\", \"eth8\"]
[[network.vlan]]
name = \"eth0.7\"
link = \"eth0\"
id = 7
[[network.route]]
destination = \"10.0.0.0/8\"
gateway = \"192.168.10.1\"
",
    )
}

#[test]
fn the_pages_of_bonds_vlans_and_routes_can_be_read_by_everybody() {
    let lab = Lab::single_arm();
    lab.appliance().ip("link add eth7 type veth peer name eth8");
    // Kernels of small virtual machines have neither bonds nor VLANs: the pages are there all the same, and tell it.
    lab.lbd().start(&networked(&lab));
    judge_all(&Browser::of(&lab), &NETWORK_PAGES);
}
