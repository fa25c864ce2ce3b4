//! What a person sees on a page that they only look at, with JavaScript off, in Debian's Chromium.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use lab::browser::Browser;
use lab::{Config, Lab, wait};

#[test]
fn without_scripts_a_server_dies_on_the_page_in_colour_word_and_reason() {
    let lab = Lab::single_arm();
    let servers = ["NODE1", "NODE2"].map(|node| lab.server(node).named_server(node, 2001));
    lab.lbd().start(&lab.config([&lab.pool()]));
    lab.lbd().wait_service("POOL", "up");
    let browser = Browser::of(&lab);
    browser.set_scripts(false);
    browser.open("/?q=POOL");
    let service = "tbody[id='s-POOL'] tr:first-child .state";
    let server = "tr[id='s-POOL/NODE1']";
    browser.wait_text(service, "up");
    let green = browser.style(service, "color");
    servers[0].kill();
    let dead = Instant::now();
    // Nobody touches the page.
    browser.wait_text(&format!("{server} .state"), "down");
    assert!(dead.elapsed() < Duration::from_secs(10), "shown only after {:?}", dead.elapsed());
    browser.wait_text(server, "connection refused: nothing listens on 192.168.10.110:2001");
    browser.wait_text(service, "degraded");
    assert_ne!(browser.style(service, "color"), green);
    assert_eq!(browser.path(), "/?q=POOL", "what was chosen stays chosen");
    let _again = lab.server("NODE1").named_server("NODE1", 2001);
    browser.wait_text(service, "up");
    assert_eq!(browser.style(service, "color"), green);
    assert_eq!(browser.console(), Vec::<String>::new());
}

#[test]
fn without_scripts_a_trial_that_nobody_confirms_runs_out_and_the_page_says_so() {
    let lab = Lab::single_arm();
    lab.appliance().ip("address flush dev eth0");
    let gateway = |last: u8| -> Config {
        let address = Ipv4Addr::new(192, 168, 10, last);
        lab.config([&lab.pool()]).with_network(lab.arms(), Some(address))
    };
    lab.lbd().start(&gateway(1));
    lab.lbd().put(&gateway(2)).expect(200);
    lab.lbd().request("POST", "/api/v1/config/confirm", None).expect(200);
    let browser = Browser::of(&lab);
    browser.set_scripts(false);
    browser.open("/configuration/back/1");
    browser.click("main form button[type=submit]");
    browser.wait_text("h1", "Version 3 is on trial");
    browser.open("/");
    browser.wait_text("main .problems", "Configuration version 3 of loadbalancer");
    browser.wait_text("main .problems", "it is taken back at");
    assert!(browser.has("main .problems button[value=confirm]"), "one could confirm it");
    assert_eq!(lab.lbd().config()["network"]["default_gateway"], "192.168.10.1");
    let taken_back = || lab.lbd().config()["network"]["default_gateway"] == "192.168.10.2";
    wait::until(Duration::from_secs(150), "the trial to run out", taken_back);
    // Nobody touched the page.
    browser.wait_text("main .problems", "version 3 of loadbalancer");
    browser.wait_text("main .problems", "was not confirmed within 120 s: version 2 is in force again");
    assert!(!browser.has("main button[value=confirm]"));
    browser.screenshot("unattended-reverted");
    browser.open("/configuration");
    browser.wait_text("main tbody tr:has(input[name=from][value='3'])", "not confirmed");
    browser.wait_text("main tbody tr:has(input[name=from][value='2'])", "in force");
}
