//! Graphs and the availability report in Debian's Chromium, with and without scripts.

use std::time::Duration;

use lab::browser::Browser;
use lab::lbd::SOON;
use lab::{Lab, wait};
use serde_json::Value;

/// A sample is taken every ten seconds.
const RECORDED: Duration = Duration::from_secs(60);

fn server(lab: &Lab) -> Value {
    let answer = lab.lbd().request("GET", "/api/v1/reports/availability", None).expect(200);
    answer.json["services"][0]["servers"][0].clone()
}

#[test]
fn what_was_is_seen_in_graphs_and_in_the_report_of_the_month() {
    let lab = Lab::single_arm();
    let node = lab.server("NODE1").named_server("NODE1", 2001);
    lab.server("NODE2").named_server("NODE2", 2001);
    lab.lbd().start(&lab.config([&lab.pool()]));
    lab.lbd().wait_service("POOL", "up");
    let _load = lab.client().load(lab.vip(0), 2001, 2, 2);
    let browser = Browser::of(&lab);
    browser.open("/reports/availability");
    browser.wait_text("h1", "Availability in");
    wait::until(RECORDED, "the first sample", || server(&lab)["up_seconds"].as_i64() > Some(0));
    node.kill();
    wait::until(SOON, "the outage", || server(&lab)["outage_count"] == 1);
    lab.server("NODE1").named_server("NODE1", 2001);
    wait::until(SOON, "its end", || server(&lab)["outages"][0]["end"].is_string());

    browser.open("/reports/availability");
    browser.wait_text("main", "1 outage");
    browser.wait_text("main .words", "refused");
    browser.judge("reports-availability");
    let download = browser.evaluate(
        "fetch(document.querySelector('a[download]').href).then(async r => r.headers.get('content-type') + await r.text())",
    );
    let download = download.as_str().expect("text");
    assert!(download.starts_with("text/csv") && download.contains("\r\noutage,"), "{download}");
    assert_eq!(browser.evaluate("document.querySelector('[data-print]').hidden"), Value::Bool(false));

    let points = || {
        let answer =
            lab.lbd().request("GET", "/api/v1/history?series=service/POOL/connections&from=10m", None);
        let means = answer.expect(200).json["series"][0]["means"].clone();
        means.as_array().map_or(0, |means| means.iter().filter(|mean| mean.is_number()).count())
    };
    wait::until(RECORDED, "a line to be drawn", || points() >= 3);
    browser.open("/reports/graphs");
    browser.wait_text("main", "Processors, memory and disk in use in %");
    browser.judge("reports-graphs-appliance");
    browser.choose("#of", "service/POOL");
    browser.choose("#range", "10min");
    browser.click("main form button[type=submit]");
    browser.wait_text("main h2", "Service POOL, last 10 minutes");
    browser.wait_text("main", "Open connections");
    assert_eq!(browser.evaluate("document.querySelectorAll('.plot canvas').length"), Value::from(6));
    assert_eq!(browser.evaluate("document.querySelectorAll('.plot svg').length"), Value::from(0));
    browser.judge("reports-graphs-service");
    browser.click("main p a[href*='server/POOL/']");
    browser.wait_text("main h2", "of POOL, last 10 minutes");
    browser.wait_text("main", "Duration of the health check in ms");
    browser.judge("reports-graphs-server");
    browser.open("/reports/graphs?of=interface/eth0&range=10min");
    browser.wait_text("main h2", "Interface eth0");
    browser.judge("reports-graphs-interface");

    browser.set_scripts(false);
    browser.open("/reports/graphs?of=service/POOL&range=10min");
    browser.wait_text("main h2", "Service POOL, last 10 minutes");
    browser.wait_text("main table", "Highest peak");
    browser.screenshot("reports-graphs-without-scripts");
    browser.resize(1024, 900);
    browser.screenshot("reports-graphs-without-scripts-1024");
    browser.open("/local/graphing");
    browser.wait_text("main", "Outages with their reasons");
    browser.wait_text("main", "31 d 0 h");
}
