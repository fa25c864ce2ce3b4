use proptest::prelude::*;

use super::*;

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn server(number: u8) -> NtpServer {
    NtpServer::Address([192, 168, 10, number].into())
}

fn of(count: u8, setter: Setter) -> Standing {
    let mut standing = Standing::default();
    let wanted = Wanted { servers: (1..=count).map(server).collect(), dns_servers: Vec::new() };
    standing.follow(&wanted, at(0));
    standing.setter_is(setter);
    standing
}

fn answer(offset_seconds: f64) -> Asked {
    let answer = Answer { stratum: 2, offset_seconds, round_trip_seconds: 0.001 };
    Asked { address: Some([192, 168, 10, 1].into()), result: Ok(answer) }
}

fn silence() -> Asked {
    Asked { address: None, result: Err("no answer within 2 s".into()) }
}

/// Every question up to `until` is answered like this; gives the last verdict.
fn live(standing: &mut Standing, from: u64, until: u64, mut say: impl FnMut(&NtpServer) -> Asked) -> Verdict {
    let mut verdict = standing.judge(at(from));
    for now in from..=until {
        for (server, _) in standing.take_due(at(now)) {
            let asked = say(&server);
            standing.asked(&server, asked, at(now));
        }
        verdict = standing.judge(at(now));
    }
    verdict
}

#[test]
fn each_state_of_servers_and_daemon_has_its_verdict() {
    use ClockState::{Free, Measured, Starting, Synchronised, Unsynchronised};
    let fails = || Setter::Fails("it has ended".into());
    let table = [
        (0, Setter::Holds, None, 1000, Free, "no NTP server is configured"),
        (1, Setter::Holds, None, 30, Starting, "are being asked"),
        (
            1,
            Setter::Holds,
            None,
            61,
            Unsynchronised,
            "no NTP server answers: 192.168.10.1: no answer within 2 s",
        ),
        (1, Setter::NotAllowed, Some(0.002), 1, Measured, "lbd only measures it"),
        (
            1,
            Setter::NotAllowed,
            Some(3600.0),
            1,
            Unsynchronised,
            "1 h 0 min slow by 192.168.10.1, and lbd may not set it",
        ),
        (1, Setter::Holds, Some(-0.9), 1, Synchronised, "the clock follows 192.168.10.1"),
        (1, Setter::Seeks, Some(0.0), 299, Starting, "getting to know its servers"),
        (1, Setter::Seeks, Some(0.0), 301, Unsynchronised, "has not found the time yet"),
        (1, Setter::Holds, Some(-7.0), 299, Starting, "7.0 s fast by"),
        (
            1,
            Setter::Holds,
            Some(-7.0),
            301,
            Unsynchronised,
            "7.0 s fast by 192.168.10.1, and the time daemon does not set it",
        ),
        (1, fails(), Some(0.0), 59, Starting, "does not keep the clock: it has ended"),
        (1, fails(), Some(0.0), 61, Unsynchronised, "does not keep the clock: it has ended"),
        (2, Setter::Holds, Some(0.1), 1, Synchronised, "the clock follows"),
    ];
    for (count, setter, offset, until, state, words) in table {
        let mut standing = of(count, setter.clone());
        let verdict = live(&mut standing, 0, until, |_| offset.map_or_else(silence, answer));
        assert_eq!(verdict.state, state, "{setter:?} {offset:?} at {until}: {}", verdict.reason);
        assert!(verdict.reason.contains(words), "{setter:?} {offset:?} at {until}: {}", verdict.reason);
        assert_eq!(verdict.offset_seconds, offset.filter(|_| count > 0));
    }
}

#[test]
fn servers_are_asked_about_once_a_minute_and_more_often_while_there_is_doubt() {
    let asked_within = |standing: &mut Standing, from, until, offset| {
        let mut count = 0;
        live(standing, from, until, |_| {
            count += 1;
            answer(offset)
        });
        count
    };
    let mut standing = of(1, Setter::Holds);
    asked_within(&mut standing, 0, 100, 0.0);
    assert_eq!(asked_within(&mut standing, 101, 101 + 640 - 1, 0.0), 10);
    asked_within(&mut standing, 741, 900, 5.0);
    assert_eq!(asked_within(&mut standing, 901, 901 + 160 - 1, 5.0), 10);
    // One that hangs is not asked twice at a time.
    let mut standing = of(1, Setter::Holds);
    assert_eq!((standing.take_due(at(0)).len(), standing.take_due(at(900)).len()), (1, 0));
    assert_eq!(standing.next_due(), None);
}

#[test]
fn lost_answers_are_forgiven_for_ten_minutes() {
    let mut standing = of(1, Setter::Holds);
    assert_eq!(live(&mut standing, 0, 10, |_| answer(0.0)).state, ClockState::Synchronised);
    assert_eq!(live(&mut standing, 11, 600, |_| silence()).state, ClockState::Synchronised);
    assert_eq!(live(&mut standing, 601, 700, |_| silence()).state, ClockState::Unsynchronised);
    assert_eq!(live(&mut standing, 701, 720, |_| answer(0.0)).state, ClockState::Synchronised);
}

#[test]
fn one_server_of_three_that_is_wrong_is_named_and_not_believed() {
    let mut standing = of(3, Setter::Holds);
    let verdict = live(&mut standing, 0, 10, |one| answer(if *one == server(1) { 3600.0 } else { 0.01 }));
    assert_eq!(verdict.state, ClockState::Synchronised, "{}", verdict.reason);
    assert_eq!(verdict.offset_seconds, Some(0.01));
    assert!(
        verdict.reason.ends_with("; 192.168.10.1 disagrees by 59 min 60 s")
            || verdict.reason.contains("192.168.10.1 disagrees by 1 h"),
        "{}",
        verdict.reason
    );
}

#[test]
fn a_server_that_is_silent_is_looked_up_anew_and_one_that_answers_stays_where_it_is() {
    let mut standing = of(1, Setter::Holds);
    standing.take_due(at(0));
    standing.asked(&server(1), answer(0.0), at(0));
    let again = standing.take_due(at(100));
    assert!(again[0].1.is_some());
    standing.asked(&server(1), silence(), at(100));
    assert_eq!(standing.take_due(at(200))[0].1, None);
    assert_eq!(standing.addresses().len(), 1, "the daemon keeps the one that was known");
    // What is removed from the configuration is forgotten, and a late answer of it is nobody's.
    standing.follow(&Wanted::default(), at(300));
    standing.asked(&server(1), answer(0.0), at(301));
    assert_eq!((standing.addresses().len(), standing.judge(at(301)).state), (0, ClockState::Free));
}

proptest! {
    #[test]
    fn whatever_servers_say_an_offset_beyond_the_tolerance_is_never_called_right(
        offsets in prop::collection::vec(prop_oneof![-2e9..2e9, -2.0..2.0], 1..8),
        seconds in 0_u64..2_000,
    ) {
        for setter in [Setter::NotAllowed, Setter::Holds, Setter::Seeks, Setter::Fails("x".into())] {
            let mut standing = of(u8::try_from(offsets.len()).unwrap(), setter);
            let mut next = 0;
            let verdict = live(&mut standing, 0, seconds.min(400), |_| {
                next = (next + 1) % offsets.len();
                answer(offsets[next])
            });
            let is_right = matches!(verdict.state, ClockState::Synchronised | ClockState::Measured);
            let offset = verdict.offset_seconds.unwrap();
            prop_assert!(!is_right || offset.abs() <= TOLERANCE_SECONDS, "{verdict:?}");
            prop_assert!(verdict.reason.len() < 1_000);
        }
    }
}
