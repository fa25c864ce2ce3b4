//! The WebUI by nothing but the keyboard, in Debian's Chromium.

use lab::browser::{Browser, Key, PASSWORD};
use lab::lbd::wait_https;
use lab::{Lab, topology};

const DRAIN: &str = "button[aria-label='Drain NODE1']";
const HALT: &str = "button[aria-label='Halt NODE1']";
const ROW: &str = "tr[id='s-POOL/NODE1']";

/// lbd with a pool of two servers, and the form of the log-in.
fn at_the_log_in(lab: &Lab) -> (Browser, [std::sync::Arc<lab::Process>; 2]) {
    let servers = ["NODE1", "NODE2"].map(|node| lab.server(node).named_server(node, 2001));
    lab.lbd().start(&lab.config([&lab.pool()]));
    lab.lbd().wait_service("POOL", "up");
    lab.lbd().set_password(PASSWORD);
    let base = format!("https://{}:9443", topology::MANAGEMENT);
    wait_https(lab.administrator(), &base);
    let browser = Browser::start(lab.administrator(), &base);
    browser.open("/login");
    (browser, servers)
}

fn log_in(browser: &Browser) {
    browser.wait_focus("#password");
    browser.type_text("not the password");
    browser.press(Key::Enter);
    browser.wait_text(".error", "Name or password are wrong");
    browser.wait_focus("#password");
    browser.type_text(PASSWORD);
    browser.press(Key::Enter);
    browser.wait_text("h1", "System Overview");
}

/// The first press of Tab shows the way past the menu.
fn skip_the_menu(browser: &Browser) {
    browser.walk_to(Key::Tab, ".skip");
    browser.screenshot_of("body", "keyboard-skip");
    browser.press(Key::Enter);
    browser.wait_focus("main");
    browser.walk_to(Key::Tab, "#q");
}

fn drain_halt_and_bring_back(lab: &Lab, browser: &Browser, other: &lab::Process) {
    browser.walk_to(Key::Tab, DRAIN);
    // What changes by itself takes the focus from nobody.
    other.kill();
    browser.wait_text("tr[id='s-POOL/NODE2']", "refused");
    assert!(browser.has_focus(DRAIN));
    browser.press(Key::Space);
    browser.wait_text(ROW, "drained by an operator");
    // The page goes on where it was left.
    browser.walk_to(Key::Tab, "button[aria-label='Online NODE1']");
    browser.walk_to(Key::Tab, HALT);
    browser.press(Key::Enter);
    browser.decline_question();
    assert_eq!(lab.lbd().server("POOL", "NODE1")["state"], "drained", "nobody agreed");
    assert!(browser.has_focus(HALT));
    browser.press(Key::Enter);
    browser.accept_question();
    browser.wait_text(ROW, "halted by an operator");
    browser.walk_to(Key::Tab, "button[aria-label='Online NODE1']");
    browser.press(Key::Space);
    lab.lbd().wait_server("POOL", "NODE1", "up");
}

fn edit_a_weight(lab: &Lab, browser: &Browser) {
    browser.walk_to(Key::BackTab, "nav li:has(a[href='/cluster/servers']) > details > summary");
    browser.press(Key::Space);
    browser.walk_to(Key::Tab, "nav a[href='/cluster/servers']");
    browser.press(Key::Enter);
    browser.wait_text("h1", "Layer 4 Real Servers");
    browser.walk_to(Key::Tab, "a[href='/cluster/servers/POOL/NODE1/edit']");
    browser.press(Key::Enter);
    browser.wait_text("h1", "NODE1");
    browser.walk_to(Key::Tab, "#weight");
    browser.press(Key::SelectAll);
    browser.type_text("1000");
    browser.press(Key::Enter);
    browser.wait_text("#weight-error", "out of range");
    browser.wait_focus("#weight");
    // The list of mistakes leads back to the field.
    browser.walk_to(Key::BackTab, ".faults a[href='#weight']");
    browser.press(Key::Enter);
    browser.wait_focus("#weight");
    browser.press(Key::SelectAll);
    browser.type_text("50");
    browser.press(Key::Enter);
    browser.wait_text(".notice", "is in force");
    assert_eq!(lab.lbd().server("POOL", "NODE1")["weight"], 50);
}

#[test]
fn the_keyboard_alone_logs_in_drains_halts_and_edits_and_the_focus_is_always_seen() {
    let lab = Lab::single_arm();
    let (browser, servers) = at_the_log_in(&lab);
    log_in(&browser);
    skip_the_menu(&browser);
    drain_halt_and_bring_back(&lab, &browser, &servers[1]);
    edit_a_weight(&lab, &browser);
}

/// Every form that can be refused, a mistake in it, and the field that the mistake is in.
const MISTAKES: [(&str, &str, &str, &str); 8] = [
    ("/password/users", "#name", "Ann Miller", "form[action='/password/users'] button[type=submit]"),
    ("/password/tokens", "#name", "no name", "form[action='/password/tokens'] button[type=submit]"),
    ("/local/webui", "#port", "70000", "form[action='/local/webui/listener'] button"),
    ("/local/webui", "#certificate", "no PEM", "form[action='/local/webui/certificate'] button"),
    ("/cluster/advanced/edit", "#snat-ports-warning-percent", "5", ".closing button.primary"),
    ("/cluster/services/POOL/edit", "#ports", "many", ".closing button.primary"),
    ("/cluster/checks/POOL-check", "#template", "template=NONE", ".closing button.primary"),
    ("/cluster/services/POOL/persistence", "#client", "ct-scanner", "main form[method=get] button"),
];

#[test]
fn after_a_refusal_the_cursor_stands_in_the_field_that_is_wrong() {
    let lab = Lab::single_arm();
    let (browser, _servers) = at_the_log_in(&lab);
    log_in(&browser);
    for (page, field, text, button) in MISTAKES {
        browser.open(page);
        browser.fill(field, text);
        browser.click(button);
        browser.wait_seen(&format!("{field}-error"));
        browser.wait_focus(field);
    }
    browser.open("/password");
    for (field, text) in [("#current", "wrong"), ("#new", "a new password"), ("#again", "a new password")] {
        browser.fill(field, text);
    }
    browser.click("main form[action='/password'] button[type=submit]");
    browser.wait_text("#current-error", "not the present password");
    browser.wait_focus("#current");
}
