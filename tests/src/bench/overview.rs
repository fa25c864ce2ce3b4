//! Benchmark of the System Overview with 200 services: how soon the browser paints it, how large it is, and how soon a
//! check result is on the screen.

use std::net::Ipv4Addr;
use std::time::Duration;

use jiff::Timestamp;
use lab::browser::Browser;
use lab::lbd::wait_https;
use lab::{Lab, Pool, topology};

use crate::daemon::decided;
use crate::report::{Comparison, Goal, Report, Samples};

const PASSWORD: &str = "a password of the benchmark";
/// Network of the servers: one host that has all addresses.
const SERVERS: &str = "10.9.0.0/16";
const SERVICES: u16 = 200;
const SERVERS_OF_SERVICE: u16 = 4;
const PORT: u16 = 2001;
/// Half a minute after lbd's start there is something to draw.
const LINES: Duration = Duration::from_secs(90);
/// A page that is not painted by then never is.
const PAINTED: Duration = Duration::from_secs(30);
/// The service whose server dies and comes back.
const WATCHED: &str = "WATCHED";

/// Loads the page `rounds` times, and watches as many deaths of a server.
pub fn overview(rounds: u32) -> Report {
    let lab = Lab::single_arm();
    let farm = lab.server("NODE1");
    farm.use_addresses(SERVERS);
    lab.appliance().ip(format!("route add {SERVERS} via {}", farm.address()));
    farm.named_server("FARM", PORT);
    let watched = Pool::new(WATCHED, lab.vip(1), vec![("NODE2".into(), lab.server("NODE2").address(), 100)]);
    let pools: Vec<_> = (0..SERVICES).map(|number| pool(&lab, number)).chain([watched]).collect();
    lab.lbd().start(&lab.config(&pools));
    lab.lbd().set_password(PASSWORD);
    let base = format!("https://{}:9443", topology::MANAGEMENT);
    wait_https(lab.administrator(), &base);
    (0..SERVICES).for_each(|number| _ = lab.lbd().wait_service(&format!("POOL{number}"), "up"));
    let browser = Browser::start(lab.administrator(), &base);
    log_in(&browser);
    lab::wait::until(LINES, "the lines of the services", || {
        browser.open("/");
        browser.has(".spark")
    });
    let (mut paints, mut sizes, mut results) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        browser.open("/");
        browser.wait_text(".overall", "virtual services");
        paints.push(first_paint(&browser));
        sizes
            .push(number(&browser, "performance.getEntriesByType('navigation')[0].decodedBodySize") / 1000.0);
        results.push(death_on_screen(&lab, &browser));
    }
    let (paints, sizes, results) =
        (paints.into_iter().collect(), sizes.into_iter().collect(), results.into_iter().collect());
    report(&paints, &sizes, &results)
}

fn report(paints: &Samples, sizes: &Samples, results: &Samples) -> Report {
    let mut report = Report::new("System Overview: 201 services, 801 servers, in Chromium");
    for (name, unit, samples, most) in [
        ("first paint", "ms", paints, 300.0),
        ("size of the page", "kB", sizes, 150.0),
        ("check result on the screen", "ms", results, 1000.0),
    ] {
        report.system(format!("{name}, {unit}"), samples);
        let (ours, goal) = (samples.median(), Goal::OursAtMost(most));
        report.compare(Comparison { name, unit, ours, peer: "goal", theirs: most, goal });
    }
    report
}

fn pool(lab: &Lab, number: u16) -> Pool {
    let server = |n: u16| {
        let [high, low] = (1 + number * SERVERS_OF_SERVICE + n).to_be_bytes();
        (format!("NODE{n}"), Ipv4Addr::new(10, 9, high, low), 100)
    };
    Pool::new(&format!("POOL{number}"), lab.vip(0), (0..SERVERS_OF_SERVICE).map(server).collect())
        .ports(&(3000 + number).to_string())
        .server_port(PORT)
        .check_every(5, 3)
}

fn log_in(browser: &Browser) {
    browser.open("/login");
    browser.fill("#password", PASSWORD);
    browser.click("main form button[type=submit]");
    browser.wait_text("h1", "System Overview");
}

/// The page's text may be there before it is painted, and before the browser says when it was.
fn first_paint(browser: &Browser) -> f64 {
    const ENTRIES: &str = "performance.getEntriesByName('first-contentful-paint')";
    lab::wait::until(PAINTED, "the first paint", || number(browser, &format!("{ENTRIES}.length")) > 0.0);
    number(browser, &format!("{ENTRIES}[0].startTime"))
}

fn number(browser: &Browser, expression: &str) -> f64 {
    browser.evaluate(expression).as_f64().unwrap_or(f64::NAN)
}

/// Milliseconds from the moment at which the check has failed, which the View tells, to that at which the page does.
fn death_on_screen(lab: &Lab, browser: &Browser) -> f64 {
    let server = lab.server("NODE2").named_server("NODE2", PORT);
    lab.lbd().wait_service(WATCHED, "up");
    let state = format!("#s-{WATCHED} tr:first-child .state");
    browser.wait_text(&state, "up");
    server.kill();
    // Nobody else asks meanwhile: the status of all services would take its time too.
    browser.wait_text(&state, "down");
    let shown = Timestamp::now();
    lab.lbd().wait_service(WATCHED, "down");
    // Not before the verdict: then the page would have shown something else.
    let took = shown.duration_since(decided(lab, WATCHED, "NODE2"));
    let took: Duration = took.try_into().unwrap_or_else(|_| panic!("shown {took:#} after the verdict"));
    took.as_secs_f64() * 1000.0
}
