//! The WebUI in Debian's Chromium, used as a person would, against real lbd and real DICOM peers.
//!
//! Pictures of every page are kept in `target/screenshots`.

use std::time::Duration;

use lab::browser::{Browser, PATIENCE};
use lab::{Config, Lab, Mode, Scp, wait};
use serde_json::json;

/// In which the page shows what lbd knows.
const ON_SCREEN_WITHIN: Duration = Duration::from_secs(1);
/// For scheduling on a busy test machine and for asking the browser; not part of the product's promise.
const ALLOWANCE: Duration = Duration::from_millis(1500);

/// lbd with this configuration and a password, and a browser on the administrator's host.
fn appliance(lab: &Lab, config: &Config) -> Browser {
    lab.lbd().start(config);
    Browser::of(lab)
}

/// The pools of the example with their real peers; the checks of the first pool run every second.
fn example(lab: &Lab) -> (Config, Vec<Scp>) {
    let peers = [
        ("NODE1", "DW_SCP", 2001),
        ("NODE2", "DW_SCP", 2001),
        ("POOL2_NODE1", "DW_MPPS_SCP", 2003),
        ("POOL3_NODE1", "DW_RDSR_SCP", 2002),
    ];
    let start = |(host, title, port): (&str, &str, u16)| lab.server(host).scp(title, port, Mode::Good);
    let config = Config::datalink().replacing_all("interval_seconds = 5", "interval_seconds = 1");
    (config.replacing_all("timeout_seconds = 3", "timeout_seconds = 1"), peers.map(start).into())
}

#[test]
fn a_server_dies_and_the_overview_tells_without_a_reload() {
    let lab = Lab::single_arm();
    let (config, peers) = example(&lab);
    let browser = appliance(&lab, &config);
    browser.open("/lbadmin/");
    browser.wait_text(".overall", "All 3 virtual services are up");
    browser.judge("overview");
    browser.evaluate("window.sameDocument = true");
    let service = "#s-DATALINK_POOL1 tr:first-child .state";
    let green = browser.style(service, "color");
    peers[0].process.kill();
    lab.lbd().wait_server("DATALINK_POOL1", "DATALINK_POOL1_NODE1", "down");
    let shown = browser.wait_text(service, "degraded");
    assert!(shown < ON_SCREEN_WITHIN + ALLOWANCE, "on the screen only after {shown:?}");
    browser.wait_text("#s-DATALINK_POOL1", "refused");
    // Since when, in words; the moment itself is in the title.
    let since = "#s-DATALINK_POOL1 tr:nth-child(2) time";
    browser.wait_text(since, " s");
    let began = browser.value_of(since, "title");
    assert!(began.starts_with("since 20") && began.contains(':'), "{began}");
    assert_ne!(browser.style(service, "color"), green);
    browser.wait_text(".overall", "1 degraded of 3 virtual services");
    browser.judge("overview-degraded");
    peers[1].process.kill();
    browser.wait_text(".overall", "1 down of 3 virtual services");
    browser.judge("overview-down");
    let same = browser.evaluate("window.sameDocument === true");
    assert_eq!(same, true, "the page was not loaded anew");
}

#[test]
fn a_line_shows_whether_clients_came_lately() {
    let lab = Lab::single_arm();
    let (config, _peers) = example(&lab);
    let browser = appliance(&lab, &config);
    browser.wait_text(".overall", "All 3 virtual services are up");
    assert!(lab.client().echoscu(lab.vip(0), 2001, "DW_SCP").status.success());
    let label = |service: &str| {
        let line = format!("document.querySelector('#s-{service} svg')?.getAttribute('aria-label')");
        browser.evaluate(&line).as_str().unwrap_or_default().to_owned()
    };
    // A step of half a minute must have ended and its counters have been read.
    wait::until(Duration::from_secs(45), "the line of a service that was used", || {
        label("DATALINK_POOL1").starts_with("0 to 0.")
    });
    assert!(label("DATALINK_POOL1").contains(" new per s in "));
    assert!(label("DATALINK_POOL2").starts_with("no new ones in "), "{}", label("DATALINK_POOL2"));
    browser.judge("overview-course");
}

#[test]
fn an_operator_drains_halts_and_brings_back_with_and_without_scripts() {
    let lab = Lab::single_arm();
    let (config, _peers) = example(&lab);
    let browser = appliance(&lab, &config);
    let operator = json!({"name": "op", "role": "operator", "password": "a password of op"});
    lab.lbd().request("POST", "/api/v1/users", Some(&operator.to_string())).expect(201);
    browser.click(".leave button");
    browser.wait_text("h1", "Log in");
    browser.log_in("op", "a password of op");
    browser.wait_text("h1", "System Overview");
    let row = "#s-DATALINK_POOL1 tr:nth-child(2)";
    for scripts in [true, false] {
        browser.set_scripts(scripts);
        browser.open("/");
        browser.wait_text(row, "up");
        browser.click(&format!("{row} button[value^='drain ']"));
        browser.wait_text(row, "drained by an operator");
        assert!(lab.lbd().server("DATALINK_POOL1", "DATALINK_POOL1_NODE1")["state"] == "drained");
        browser.click(&format!("{row} button[value^='halt ']"));
        if scripts {
            browser.accept_question();
        }
        browser.wait_text(row, "halted by an operator");
        browser.click(&format!("{row} button[value^='online ']"));
        lab.lbd().wait_server("DATALINK_POOL1", "DATALINK_POOL1_NODE1", "up");
        assert_eq!(browser.console(), Vec::<String>::new());
    }
    browser.open("/cluster/services");
    browser.wait_text("main table", "DATALINK_POOL1");
    assert!(!browser.has("a[href$='/edit']"), "an operator edits nothing");
}

#[test]
fn services_are_filtered_folded_and_ordered_with_and_without_scripts() {
    let lab = Lab::single_arm();
    let (config, peers) = example(&lab);
    let browser = appliance(&lab, &config);
    peers[3].process.kill();
    lab.lbd().wait_service("DATALINK_POOL3", "down");
    for scripts in [true, false] {
        browser.set_scripts(scripts);
        browser.open("/");
        browser.wait_text(".overview", "DATALINK_POOL3");
        browser.fill("#q", "POOL2");
        browser.click("#view button[type=submit]");
        browser.wait_text(".overview tbody:first-of-type", "DATALINK_POOL2");
        assert!(!browser.text(".overview").contains("DATALINK_POOL1"));
        assert!(browser.text(".overview").contains("POOL2_NODE1"));
        browser.click(".fold");
        browser.wait_seen(".overview .fold[aria-expanded=false]");
        assert!(!browser.text(".overview").contains("POOL2_NODE1 "), "{}", browser.text(".overview"));
        assert!(browser.path().contains("closed=DATALINK_POOL2"), "{}", browser.path());
        browser.fill("#q", "nothing of this name");
        browser.click("#view button[type=submit]");
        browser.wait_text(".empty", "No service matches");
        browser.open("/");
        browser.wait_text(".overview tbody:first-of-type", "DATALINK_POOL1");
        browser.choose("#sort", "state");
        browser.click("#view button[type=submit]");
        browser.wait_text(".overview tbody:first-of-type", "DATALINK_POOL3");
        assert_eq!(browser.console(), Vec::<String>::new());
    }
}

#[test]
fn two_hundred_services_stay_readable_and_what_is_wrong_comes_first() {
    let lab = Lab::single_arm();
    let pool = |number: u16, check: &str| {
        let label = format!("SERVICE{number:03}");
        let pool =
            lab.pool().named(&label, lab.vip(0)).ports(&(3_000 + number).to_string()).server_port(2001);
        let pool = pool.server("NODE3", lab.server("POOL2_NODE1").address());
        pool.server("NODE4", lab.server("POOL3_NODE1").address()).checked_by(&format!("type = \"{check}\""))
    };
    let all: Vec<_> =
        (0..200).map(|number| pool(number, if number == 117 { "always-off" } else { "always-on" })).collect();
    let browser = appliance(&lab, &lab.config(&all));
    browser.open("/");
    browser.wait_text(".overall", "1 down of 200 virtual services");
    let shown = |selector: &str| {
        browser
            .evaluate(&format!("document.querySelectorAll('{selector}').length"))
            .as_u64()
            .expect("a number")
    };
    assert_eq!(shown(".overview tbody"), 200);
    browser.choose("#sort", "state");
    browser.click("#view button[type=submit]");
    browser.wait_text(".overview tbody:first-of-type", "SERVICE117");
    browser.wait_text(".overview tbody:first-of-type", "switched off by its health check");
    browser.judge("overview-200");
    browser.fill("#q", "SERVICE04");
    browser.click("#view button[type=submit]");
    wait::until(PATIENCE, "ten of them", || shown(".overview tbody") == 10);
    // So many that are well are folded until somebody wants to see one.
    assert_eq!(shown(".overview .fold[aria-expanded=false]"), 10);
    browser.click(".fold");
    browser.wait_seen(".overview .fold[aria-expanded=true]");
    assert_eq!(shown(".overview .fold[aria-expanded=false]"), 9);
    assert_eq!(browser.text(".overview").matches("NODE3").count(), 1);
}

/// Holds back, in the page, each answer that it asks for by itself; tells of the one under way, and of the last that came.
const SLOW_ANSWERS: &str = "const fetched = window.fetch; window.asked = 0; window.shown = 0; \
    window.fetch = async (address, options) => { \
        const unattended = new Headers(options?.headers).has('Evenkeel-Unattended'); \
        const number = unattended ? ++window.asked : 0; \
        const answer = await fetched(address, options); \
        if (unattended) { \
            await new Promise(done => setTimeout(done, 1500)); \
            setTimeout(() => window.shown = number, 500); \
        } \
        return answer; \
    }; 0";

#[test]
fn an_answer_to_what_was_chosen_before_takes_no_choice_back() {
    let lab = Lab::single_arm();
    let (config, _peers) = example(&lab);
    let browser = appliance(&lab, &config);
    browser.open("/");
    browser.evaluate(SLOW_ANSWERS);
    let number = |name: &str| browser.evaluate(&format!("window.{name}")).as_u64().expect("a number");
    let before = number("asked");
    wait::until(PATIENCE, "the page to ask by itself", || number("asked") > before);
    let under_way = number("asked");
    browser.click(".fold");
    browser.wait_seen(".overview .fold[aria-expanded=false]");
    wait::until(PATIENCE, "the late answer", || number("shown") >= under_way);
    assert!(browser.has(".overview .fold[aria-expanded=false]"), "{}", browser.text(".overview"));
    assert!(browser.path().contains("closed=DATALINK_POOL1"), "{}", browser.path());
}

#[test]
fn every_page_of_the_menu_is_there_readable_and_in_the_chosen_colours() {
    let lab = Lab::single_arm();
    let (config, _peers) = example(&lab);
    let browser = appliance(&lab, &config);
    browser.open("/");
    let links = browser.evaluate("[...document.querySelectorAll('nav a')].map(a => a.getAttribute('href'))");
    let links: Vec<_> = links.as_array().into_iter().flatten().filter_map(|link| link.as_str()).collect();
    assert!(links.len() > 25, "{links:?}");
    for link in &links {
        browser.open(link);
        let name = format!("page{}", link.replace('/', "-"));
        if *link != "/" {
            browser.judge(&name);
        }
        assert!(!browser.text("h1").is_empty());
        let foreign = browser.evaluate(
            "performance.getEntriesByType('resource').map(r => r.name).filter(n => !n.startsWith(location.origin) && !n.startsWith('data:'))",
        );
        assert_eq!(foreign, serde_json::json!([]), "no request leaves the appliance");
    }
    for scripts in [true, false] {
        browser.set_scripts(scripts);
        browser.open("/support");
        browser.click("button[name=theme][value=dark]");
        browser.wait_text("button[name=theme][aria-pressed=true]", "Dark");
        assert_eq!(browser.path(), "/support");
        assert_eq!(browser.style("body", "background-color"), "rgba(16, 22, 27, 1)");
        browser.click("button[name=theme][value=auto]");
        browser.wait_text("button[name=theme][aria-pressed=true]", "Automatic");
    }
}
