//! Months as they might be.

use proptest::prelude::*;

use super::*;

const DAY: i64 = 86_400;

fn month() -> Month {
    Month::parse("2026-11").unwrap()
}

fn start() -> i64 {
    month().bounds(&TimeZone::UTC).0
}

fn change(time: i64, key: &str, standing: Standing, reason: &str) -> Entry {
    let change = Change { key: key.into(), standing, reason: reason.into() };
    Entry { time: start() + time, what: What::Change(change) }
}

fn all(time: i64, up: &[&str]) -> Entry {
    let up = up.iter().map(|key| (*key).to_owned()).collect();
    Entry { time: start() + time, what: What::All { up, other: Vec::new() } }
}

fn hole(since: i64, time: i64) -> Entry {
    Entry { time: start() + time, what: What::Hole { since: start() + since } }
}

fn report(entries: impl IntoIterator<Item = Entry>, days: i64) -> AvailabilityReport {
    let mut evaluation = Evaluation::new(start());
    entries.into_iter().for_each(|entry| evaluation.take(entry));
    let to = start() + days * DAY;
    evaluation.report(month(), to, to)
}

fn sum(of: &Availability) -> i64 {
    of.up_seconds
        + of.degraded_seconds
        + of.down_seconds
        + of.planned_seconds
        + of.unknown_seconds
        + of.absent_seconds
}

#[test]
fn a_month_has_its_bounds() {
    assert_eq!(timestamp(start()).to_string(), "2026-11-01T00:00:00Z");
    assert_eq!(month().bounds(&TimeZone::UTC).1 - start(), 30 * DAY);
    assert_eq!(
        Month::parse("2028-02").map(|month| month.bounds(&TimeZone::UTC)).map(|(from, to)| (to - from) / DAY),
        Some(29)
    );
    for wrong in ["2026", "2026-13", "2026-1", "26-11", "2026-11-01", "", "+026-11", "2026-0x"] {
        assert_eq!(Month::parse(wrong), None, "{wrong}");
    }
    let berlin = crate::clock::zone::named("Europe/Berlin").unwrap();
    let (from, to) = Month::parse("2026-03").unwrap().bounds(&berlin);
    assert_eq!(timestamp(from).to_string(), "2026-02-28T23:00:00Z");
    assert_eq!(to - from, 31 * DAY - 3_600, "summer begins");
    assert_eq!(Month::of(timestamp(from), &berlin).name(), "2026-03");
    let names: Vec<_> = Month::parse("2026-02").unwrap().back(3).into_iter().map(Month::name).collect();
    assert_eq!(names, ["2026-02", "2026-01", "2025-12"]);
    assert_eq!(month().title(), "November 2026");
}

#[test]
fn a_month_with_an_outage_is_told_to_the_second() {
    let (pool, node) = ("service/POOL", "server/POOL/NODE1");
    let found = report(
        [
            all(-5 * DAY, &[pool, node]),
            change(10 * DAY, node, Standing::Down, "connection refused"),
            change(10 * DAY + 1, pool, Standing::Degraded, ""),
            change(10 * DAY + 600, pool, Standing::Down, "NODE1: connection refused"),
            change(10 * DAY + 4_200, pool, Standing::Degraded, ""),
            change(10 * DAY + 7_200, node, Standing::Up, ""),
            change(10 * DAY + 7_201, pool, Standing::Up, ""),
        ],
        30,
    );
    assert_eq!((found.recorded_since, found.services.len()), (None, 1));
    let service = &found.services[0].availability;
    assert_eq!((service.down_seconds, service.degraded_seconds, service.outage_count), (3_600, 3_600, 1));
    let expected = 100.0 * (30 * DAY - 3_600) as f64 / (30 * DAY) as f64;
    assert!(service.uptime_percent.is_some_and(|percent| (percent - expected).abs() < 1e-9));
    let server = &found.services[0].servers[0].availability;
    let outage = &server.outages[0];
    assert_eq!((outage.down_seconds, outage.reason.as_str()), (7_200, "connection refused"));
    assert_eq!(outage.begin.to_string(), "2026-11-11T00:00:00Z");
    assert_eq!(outage.end.map(|end| end.to_string()), Some("2026-11-11T02:00:00Z".into()));
}

#[test]
fn what_nobody_knows_is_neither_up_nor_down_and_an_outage_over_it_is_one() {
    let pool = "service/POOL";
    let found = report(
        [
            all(DAY, &[pool]),
            change(2 * DAY, pool, Standing::Down, "no server left"),
            hole(3 * DAY, 4 * DAY),
            change(5 * DAY, pool, Standing::Up, ""),
            hole(6 * DAY, 7 * DAY),
        ],
        10,
    );
    assert_eq!(found.recorded_since, Some(timestamp(start() + DAY)));
    let of = &found.services[0].availability;
    assert_eq!((of.unknown_seconds / DAY, of.down_seconds / DAY, of.up_seconds / DAY), (3, 2, 5));
    assert_eq!((of.outage_count, of.outages[0].down_seconds / DAY), (1, 2));
    assert_eq!(of.outages[0].end, Some(timestamp(start() + 5 * DAY)));
}

#[test]
fn of_very_many_outages_the_latest_are_listed_and_all_counted() {
    let pool = "service/POOL";
    let pair = |number: i64| {
        let down = change(DAY + 120 * number, pool, Standing::Down, &format!("number {number}"));
        [down, change(DAY + 120 * number + 60, pool, Standing::Up, "")]
    };
    let changes = (0..250).flat_map(pair);
    let found = report([all(DAY, &[pool])].into_iter().chain(changes), 10);
    let of = &found.services[0].availability;
    assert_eq!((of.outage_count, of.outages.len()), (250, 200));
    assert_eq!((of.outages[0].reason.as_str(), of.outages[199].reason.as_str()), ("number 50", "number 249"));
}

#[test]
fn an_outage_that_goes_on_has_no_end_and_one_that_is_older_begins_with_the_month() {
    let pool = "service/POOL";
    let found = report([all(-2 * DAY, &[]), change(-DAY, pool, Standing::Down, "halted")], 3);
    let outage = &found.services[0].availability.outages[0];
    assert_eq!((outage.begin, outage.end, outage.down_seconds), (timestamp(start()), None, 3 * DAY));
    assert_eq!(found.services[0].availability.uptime_percent, Some(0.0));
}

#[test]
fn what_came_and_went_was_not_there_before_and_after() {
    let (old, new) = ("service/OLD", "service/NEW");
    let found = report([all(-DAY, &[old]), change(DAY, new, Standing::Up, ""), all(2 * DAY, &[new])], 10);
    let of = |at: usize| {
        let of = &found.services[at].availability;
        (found.services[at].label.as_str(), of.up_seconds / DAY, of.absent_seconds / DAY)
    };
    assert_eq!([of(0), of(1)], [("NEW", 9, 1), ("OLD", 2, 8)]);
    let gone = report([all(-DAY, &[old]), all(-DAY + 1, &[])], 10);
    assert_eq!(gone.services, []);
}

#[test]
fn after_a_clock_that_went_back_the_later_entries_count() {
    let pool = "service/POOL";
    let found = report(
        [
            all(0, &[pool]),
            // A year ahead, for a moment.
            hole(DAY, 365 * DAY),
            change(365 * DAY, pool, Standing::Down, "no server left"),
            all(2 * DAY, &[pool]),
        ],
        10,
    );
    let of = &found.services[0].availability;
    assert_eq!((of.unknown_seconds / DAY, of.up_seconds / DAY, of.down_seconds), (1, 9, 0));
}

#[test]
fn after_the_last_word_nothing_is_known() {
    let mut evaluation = Evaluation::new(start());
    evaluation.take(all(0, &["service/POOL"]));
    let found = evaluation.report(month(), start() + 3 * DAY, start() + DAY);
    let of = &found.services[0].availability;
    assert_eq!((of.up_seconds / DAY, of.unknown_seconds / DAY), (1, 2));
}

#[test]
fn a_spreadsheet_gets_text_where_a_formula_might_hide() {
    let reason = "=HYPERLINK(\"http://x\"),\nsaid the server";
    let found = report([all(0, &[]), change(60, "service/A", Standing::Down, reason)], 1);
    let csv = found.csv();
    assert!(csv.contains("\"'=HYPERLINK(\"\"http://x\"\"),\nsaid the server\"\r\n"), "{csv}");
    assert!(csv.starts_with("record,month,service,server,"), "{csv}");
    assert!(csv.contains(
        "total,2026-11,A,,2026-11-01T00:00:00Z,2026-11-02T00:00:00Z,0.0000,0,0,86340,0,0,60,1,\r\n"
    ));
    insta::assert_snapshot!("availability_csv", csv);
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let key = prop::sample::select(vec!["service/A", "service/B", "server/A/N1", "server/A/N2", "odd"]);
    let standing = prop::sample::select(vec![
        Standing::Up,
        Standing::Degraded,
        Standing::Down,
        Standing::Planned,
        Standing::Unknown,
        Standing::Absent,
    ]);
    let time = -3 * DAY..35 * DAY;
    prop_oneof![
        6 => (time.clone(), key.clone(), standing).prop_map(|(time, key, standing)| change(time, key, standing, "x")),
        1 => (time.clone(), prop::collection::vec(key, 0..4)).prop_map(|(time, up)| all(time, &up)),
        1 => (time.clone(), time).prop_map(|(since, time)| hole(since, time)),
    ]
}

proptest! {
    /// Whatever was recorded, with clocks that jump: every second counts once, and outages are the time down.
    #[test]
    fn seconds_add_up_to_the_time_of_the_report(
        mut entries in prop::collection::vec(any_entry(), 0..60), jumps in any::<bool>(), days in 0..31_i64, known in 0..40_i64,
    ) {
        if !jumps {
            entries.sort_by_key(|entry| entry.time);
        }
        let mut evaluation = Evaluation::new(start());
        entries.into_iter().for_each(|entry| evaluation.take(entry));
        let found = evaluation.report(month(), start() + days * DAY, start() + known * DAY);
        for service in &found.services {
            let servers = service.servers.iter().map(|server| &server.availability);
            // A service of which only servers are recorded has no figures of its own.
            let own = Some(&service.availability).filter(|own| sum(own) > 0);
            for of in servers.chain(own) {
                prop_assert_eq!(sum(of), days * DAY, "{:?}", of);
                prop_assert_eq!(of.outages.iter().map(|outage| outage.down_seconds).sum::<i64>(), of.down_seconds);
                prop_assert!(of.uptime_percent.is_none_or(|percent| (0.0..=100.0).contains(&percent)));
                prop_assert!(of.outages.iter().all(|outage| outage.end.is_none_or(|end| outage.begin < end)));
                prop_assert!([of.up_seconds, of.unknown_seconds, of.absent_seconds].iter().all(|count| *count >= 0));
            }
        }
    }
}
