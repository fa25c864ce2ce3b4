//! Pages that no other story comes by, read and judged once each, and the colours that a reader chooses by the button.

use lab::Lab;
use lab::browser::Browser;
use serde_json::json;

const PAGES: [(&str, &str, &str); 7] = [
    ("/cluster/servers/POOL/_new", "Add a real server", "server-new"),
    ("/cluster/servers/POOL/NODE1/remove", "Remove", "server-remove"),
    ("/cluster/checks/SPARE", "SPARE", "check-edit"),
    ("/cluster/checks/SPARE/remove", "Remove", "check-remove"),
    ("/logs/servers/SIEM/edit", "SIEM", "syslog-edit"),
    ("/logs/servers/SIEM/remove", "Remove", "syslog-remove"),
    ("/local/physical/mail/edit", "mail", "mail-edit"),
];

#[test]
fn the_pages_that_are_seldom_come_by_can_be_read_by_everybody() {
    let lab = Lab::single_arm();
    lab.lbd().start(&lab.config([&lab.pool()]));
    let browser = Browser::of(&lab);
    let add = |path: &str, entry: serde_json::Value| {
        lab.lbd().request("POST", &format!("/api/v1/{path}"), Some(&entry.to_string())).expect(201);
    };
    add("health-checks", json!({"label": "SPARE", "type": "tcp"}));
    add(
        "syslog-servers",
        json!({"label": "SIEM", "address": lab.server("NODE1").address(), "transport": "udp"}),
    );
    for (path, title, name) in PAGES {
        browser.open(path);
        browser.wait_text("h1", title);
        browser.judge(name);
    }
    // Dark by the reader's own choice, whatever the system prefers.
    browser.open("/");
    browser.click("button[name=theme][value=dark]");
    browser.wait_text("button[name=theme][aria-pressed=true]", "Dark");
    browser.judge("overview-chosen-colours");
}
