//! How many mails there are, with Debian's Postfix as mail server and the patience that an appliance has.

use std::time::{Duration, Instant};

use lab::config::Pool;
use lab::mail::MailServer;
use lab::{Config, Lab};

/// The usual hold-down and gathering, the checks before, and whatever the machine does beside it.
const TOLD: Duration = Duration::from_secs(120);
/// What must be so for a minute is told after it.
const TOLD_WHEN_STEADY: Duration = Duration::from_secs(180);
/// Longer than hold-down and gathering together, so that a mail is under way meanwhile.
const FLAPPING: Duration = Duration::from_secs(40);
/// A check a second, the most that may be configured, sees one every two seconds; on a slow machine it takes longer.
const MANY: usize = 10;

const ALERTS: &str = "[alerts]\nsource = \"lb@hospital.example\"\ndestinations = [\"pacs@hospital.example\"]\n\
                      [mail]\nsmart_host = \"192.168.10.114\"\n";

fn postfix(lab: &Lab) -> MailServer {
    lab.server("POOL3_NODE1").postfix("mx", None)
}

fn config(lab: &Lab, pool: &Pool) -> Config {
    lab.config([pool]).followed_by(ALERTS)
}

/// All mails but those of tests, once a test that is sent now has arrived: whatever was decided before it has, too.
fn alerts(lab: &Lab, postfix: &MailServer) -> Vec<String> {
    let test = lab.lbd().request("POST", "/api/v1/alerts/test", Some("{}")).expect(202).json;
    let finished = || lab.lbd().status()["mail"]["finished"].as_array().cloned().unwrap_or_default();
    lab.lbd().wait_status("the test to be delivered and nothing to wait", |lbd| {
        lbd.status()["mail"]["waiting_count"] == 0
            && finished().iter().any(|mail| mail["id"] == test["mails"][0])
    });
    let sent = finished().len();
    let mut mails = postfix.wait_mails(sent, TOLD);
    assert_eq!(mails.len(), sent, "{mails:#?}");
    mails.retain(|mail| !mail.contains("This is a test of the alerts"));
    mails
}

fn with<'a>(mails: &'a [String], words: &str) -> Vec<&'a String> {
    mails.iter().filter(|mail| mail.contains(words)).collect()
}

#[test]
fn a_server_that_goes_up_and_down_all_the_time_is_told_of_twice() {
    let lab = Lab::single_arm();
    let postfix = postfix(&lab);
    let _steady = lab.server("NODE1").named_server("NODE1", 2001);
    let restless = || lab.server("NODE2").named_server("NODE2", 2001);
    let mut server = restless();
    lab.lbd().start(&config(&lab, &lab.pool().check_every(1, 1).rise_fall(1, 1)));
    lab.lbd().wait_service("POOL", "up");
    let (start, mut flaps) = (Instant::now(), 0);
    while start.elapsed() < FLAPPING || flaps < MANY {
        server.kill();
        lab.lbd().wait_server("POOL", "NODE2", "down");
        server = restless();
        lab.lbd().wait_server("POOL", "NODE2", "up");
        flaps += 1;
    }
    let took = start.elapsed();
    let mails = alerts(&lab, &postfix);
    let [flaps_mail] = mails.as_slice() else { panic!("{mails:#?}") };
    assert!(flaps_mail.contains("NODE2 of POOL (192.168.10.111) flaps: it failed "), "{flaps_mail}");
    // What it comes to in the end is told once.
    server.kill();
    lab.lbd().wait_server("POOL", "NODE2", "down");
    postfix.wait_mails(3, TOLD_WHEN_STEADY);
    let mails = alerts(&lab, &postfix);
    assert_eq!(mails.len(), 2, "{mails:#?}");
    assert_eq!(with(&mails, "NODE2 of POOL (192.168.10.111) is down").len(), 1, "{mails:#?}");
    println!("{} outages, {flaps} of them in {took:?}: {} mails", flaps + 1, mails.len());
}

/// Of the server with this number: label and address.
fn in_rack(number: u8) -> (String, std::net::Ipv4Addr) {
    (format!("RACK{number:02}"), [192, 168, 10, 150 + number].into())
}

#[test]
fn a_rack_of_40_servers_that_dies_is_one_mail_and_its_return_another() {
    const SERVERS: std::ops::RangeInclusive<u8> = 1..=40;
    let lab = Lab::single_arm();
    let postfix = postfix(&lab);
    let (elsewhere, rack) = (lab.server("NODE1"), lab.server("NODE2"));
    let _servers = [elsewhere.named_server("NODE1", 2001), rack.named_server("NODE2", 2001)];
    let mut pool = lab.pool().without_servers().server("NODE1", elsewhere.address()).check_every(5, 3);
    for (label, address) in SERVERS.map(in_rack) {
        rack.ip(format!("address add {address}/24 dev eth0"));
        pool = pool.server(&label, address);
    }
    lab.lbd().start(&config(&lab, &pool));
    lab.lbd().wait_service("POOL", "up");
    rack.set_link(false);
    let mails = postfix.wait_mails(1, TOLD);
    assert!(mails[0].contains(" is down and 39 more"), "{}", mails[0]);
    let named = |words: &str, mail: &str| {
        for (label, address) in SERVERS.map(in_rack) {
            let line = format!("{label} of POOL ({address}) {words}");
            assert!(mail.contains(&line), "{line} in {mail}");
        }
    };
    named("is down", &mails[0]);
    assert_eq!(alerts(&lab, &postfix).len(), 1);
    rack.set_link(true);
    postfix.wait_mails(3, TOLD_WHEN_STEADY);
    let mails = alerts(&lab, &postfix);
    assert_eq!(mails.len(), 2, "{mails:#?}");
    let [back] = with(&mails, "is up again")[..] else { panic!("{mails:#?}") };
    named("is up again", back);
}
