//! Sharing and rhythm of checks, on a virtual clock.

use super::*;
use crate::config::{Document, Format, validate};

fn now(milliseconds: u64) -> Now {
    Now { monotonic: Duration::from_millis(milliseconds), wall: Timestamp::UNIX_EPOCH }
}

const HEAD: &str = "schema = 1\n[management]\ninterface = \"eth0\"\naddress = \"10.0.0.1\"\n";

fn check(label: &str, extra: &str) -> String {
    format!("[[health_check]]\nlabel = \"{label}\"\ntype = \"tcp\"\n{extra}\n")
}

fn service(number: usize, check: &str, servers: &[&str]) -> String {
    let server = |(index, address): (usize, &&str)| {
        format!("[[virtual_service.real_server]]\nlabel = \"S{index}\"\naddress = \"{address}\"\nport = 80\n")
    };
    let servers: String = servers.iter().enumerate().map(server).collect();
    format!(
        "[[virtual_service]]\nlabel = \"V{number}\"\naddresses = [\"10.1.{}.{}\"]\nports = \"80\"\nhealth_check = \"{check}\"\n{servers}",
        number / 200,
        1 + number % 200
    )
}

fn config(parts: &[String]) -> Config {
    validate(Document::parse(&(HEAD.to_owned() + &parts.concat()), Format::Toml).unwrap()).unwrap()
}

fn start(config: &Config) -> Checks {
    Checks::default().follow(config, now(0))
}

fn outcome(passed: bool) -> Result<Passed, Failure> {
    let passed = passed.then_some(Passed { took: Duration::from_millis(1), certificate_ends: None });
    passed.ok_or(Failure::AlwaysOff)
}

fn label(text: &str) -> Label {
    Label::try_from(text).unwrap()
}

/// Lets every check of `time` start, answers as told, and returns when each probe started.
fn run(checks: &mut Checks, until: u64, passes: impl Fn(&Target) -> bool) -> BTreeMap<ProbeId, Vec<u64>> {
    let mut starts: BTreeMap<_, Vec<_>> = BTreeMap::new();
    while let Some(due) = checks.next_due().filter(|due| *due <= Duration::from_millis(until)) {
        let at = Now { monotonic: due, wall: Timestamp::UNIX_EPOCH };
        for (id, target, _) in checks.due(at) {
            starts.entry(id).or_default().push(due.as_millis() as u64);
            checks.observe(id, &outcome(passes(&target)), Duration::ZERO, at);
        }
    }
    starts
}

#[test]
fn services_that_ask_the_same_of_a_server_share_its_check() {
    let config = config(&[
        check("A", ""),
        check("B", "rise = 5\nfall = 1"),
        check("C", "interval_seconds = 9"),
        service(1, "A", &["10.2.0.1", "10.2.0.2"]),
        service(2, "B", &["10.2.0.1"]),
        service(3, "C", &["10.2.0.1"]),
    ]);
    let mut checks = start(&config);
    assert_eq!(checks.count(), 3, "10.2.0.1 every 5 s and every 9 s, 10.2.0.2");
    run(&mut checks, 20, |_| true);
    assert!(checks.in_service(&label("V1"), &label("S0")) && checks.in_service(&label("V2"), &label("S0")));
    let (shared, ..) = checks
        .by_target
        .iter()
        .find(|(target, _)| {
            target.address.ip().to_string() == "10.2.0.1" && target.question.interval.as_secs() == 5
        })
        .map(|(_, id)| (*id, ()))
        .unwrap();
    assert!(!checks.observe(shared, &outcome(false), Duration::ZERO, now(30)).is_empty());
    assert!(checks.in_service(&label("V1"), &label("S0")), "each service has its own rise and fall");
    assert!(!checks.in_service(&label("V2"), &label("S0")));
}

#[test]
fn one_ping_serves_all_ports_of_a_host() {
    let ping = check("P", "").replace("tcp", "ping");
    let other = service(2, "P", &["10.2.0.1"]).replace("port = 80\n", "port = 81\n");
    assert_eq!(start(&config(&[ping, service(1, "P", &["10.2.0.1"]), other])).count(), 1);
}

#[test]
fn checks_of_many_servers_spread_evenly_over_the_interval() {
    let servers: Vec<_> = (0..2000).map(|n| format!("10.2.{}.{}", n / 250, 1 + n % 250)).collect();
    let services: Vec<_> = servers
        .chunks(10)
        .enumerate()
        .map(|(n, s)| service(n, "A", &s.iter().map(String::as_str).collect::<Vec<_>>()))
        .collect();
    let mut checks = start(&config(&[vec![check("A", "")], services].concat()));
    let starts = run(&mut checks, 15_000, |_| true);
    assert_eq!(starts.len(), 2000);
    assert!(starts.values().all(|times| times[0] <= 5_000 && times[1] - times[0] <= 5_000));
    let mut slots = [0; 50];
    starts.values().flatten().filter(|at| (10_000..15_000).contains(*at)).for_each(|at| {
        slots[(*at as usize - 10_000) / 100] += 1;
    });
    let moments: BTreeSet<_> =
        starts.values().flatten().filter(|at| (10_000..15_000).contains(*at)).collect();
    assert_eq!(moments.len(), 100, "twenty start together, every 50 ms: {moments:?}");
    assert!(slots.iter().all(|count| (36..=44).contains(count)), "40 in each tenth of a second: {slots:?}");
}

#[test]
fn the_first_check_is_soon() {
    let mut checks =
        start(&config(&[check("A", ""), service(1, "A", &["10.2.0.1", "10.2.0.2", "10.2.0.3"])]));
    assert_eq!(checks.due(now(20)).len(), 3);
}

#[test]
fn a_first_failure_is_followed_up_in_the_fast_interval_and_only_until_the_verdict() {
    let config = config(&[check("A", "fast_interval_seconds = 1\nfall = 3"), service(1, "A", &["10.2.0.1"])]);
    let mut checks = start(&config);
    run(&mut checks, 10_000, |_| true);
    let starts = run(&mut checks, 40_000, |_| false);
    let gaps: Vec<_> = starts[&ProbeId(1)].windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(gaps[..2], [1000, 1000]);
    assert!(gaps[2] <= 5000 && gaps[3..].iter().all(|gap| *gap == 5000), "{gaps:?}");
    assert!(!checks.in_service(&label("V1"), &label("S0")));
}

#[test]
fn a_change_of_the_configuration_keeps_rhythm_verdict_and_checks_under_way() {
    let before = config(&[check("A", ""), service(1, "A", &["10.2.0.1"])]);
    let mut checks = start(&before);
    run(&mut checks, 12_000, |_| true);
    let due = checks.next_due();
    let after = config(&[check("A", ""), service(1, "A", &["10.2.0.1"]), service(2, "A", &["10.2.0.9"])]);
    let mut next = checks.follow(&after, now(12_000));
    assert_eq!(next.count(), 2);
    assert!(next.in_service(&label("V1"), &label("S0")));
    assert!(next.probes.values().any(|probe| Some(probe.due) == due), "the old one when it would have been");
    assert!(
        next.observe(ProbeId(1), &outcome(false), Duration::ZERO, now(12_001)).is_empty(),
        "known, fails once"
    );
    assert!(next.health(&label("V1"), &label("S0")).unwrap().is_wavering());
    let gone = next.follow(&before, now(13_000));
    assert_eq!(gone.count(), 1);
    assert!(gone.clone().observe(ProbeId(2), &outcome(true), Duration::ZERO, now(13_001)).is_empty());
}

#[test]
fn another_question_is_another_check_and_keeps_the_verdict() {
    let before = config(&[check("A", ""), service(1, "A", &["10.2.0.1"])]);
    let mut checks = start(&before);
    run(&mut checks, 100, |_| true);
    let asked_elsewhere = check("A", "").replace("\"tcp\"", "\"ping\"");
    for check in [check("A", "timeout_seconds = 2"), check("A", "port = 81"), asked_elsewhere] {
        let mut next = checks.follow(&config(&[check, service(1, "A", &["10.2.0.1"])]), now(200));
        assert!(next.in_service(&label("V1"), &label("S0")));
        assert_eq!(next.due(now(200)).len(), 1, "asked at once");
    }
    let other_server = config(&[check("A", ""), service(1, "A", &["10.2.0.2"])]);
    assert!(!checks.follow(&other_server, now(200)).in_service(&label("V1"), &label("S0")));
}

#[test]
fn a_server_that_could_not_be_asked_is_asked_when_the_network_is_there() {
    let config = config(&[check("A", "interval_seconds = 3600"), service(1, "A", &["10.2.0.1", "10.2.0.2"])]);
    let mut checks = start(&config);
    let started = checks.due(now(0));
    let (id, target, _) = &started[0];
    let unreachable = Err(Failure::NetworkUnreachable { host: target.address.ip() });
    checks.observe(*id, &unreachable, Duration::ZERO, now(1));
    run(&mut checks, 100, |_| true);
    assert_eq!(checks.next_due(), Some(Duration::from_secs(2)), "sooner than in an hour by itself");
    checks.network_changed(now(300));
    let asked: Vec<_> = checks.due(now(300)).iter().map(|(id, ..)| *id).collect();
    assert_eq!(asked, [*id], "only the one that could not be asked");
    assert!(
        !checks.observe(*id, &outcome(true), Duration::ZERO, now(301)).is_empty(),
        "the first answer decides"
    );
    checks.network_changed(now(400));
    assert!(checks.due(now(400)).is_empty());
}
