use super::*;
use crate::alert::topic::{Place, Trouble};

static UTC: TimeZone = TimeZone::UTC;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn notice(number: usize, kind: Kind) -> Notice {
    Notice {
        topic: Topic::Server { service: "POOL1".into(), server: format!("NODE{number}") },
        kind,
        trouble: Trouble {
            severity: Severity::Warning,
            name: format!("NODE{number} of POOL1 (192.168.10.{number}:2001)"),
            state: "is down".into(),
            over: "is up again".into(),
            why: "the server refused the connection (check: DICOM C-ECHO to DW_SCP, port 2001)".into(),
            effect: "POOL1 goes on with 1 of 2 servers.".into(),
            look_at: "Does the application on 192.168.10.110 run?".into(),
            place: Some(Place {
                server: format!("192.168.10.{number}:2001"),
                service: "192.168.10.100:2001".into(),
            }),
        },
        since: at(0),
        until: (kind == Kind::Ended).then(|| at(200)),
        seconds: 200,
        times: 1,
        first: at(0),
        span_seconds: 59,
        now: "POOL1 has all its 2 servers.".into(),
    }
}

fn speaker(subjects: Subjects) -> Speaker<'static> {
    Speaker { host_name: "lbmaster", url: "https://192.168.10.10:9443/", subjects, zone: &UTC }
}

#[test]
fn mails_say_what_since_when_why_with_what_effect_and_what_to_look_at() {
    let flapping = |kind| Notice { times: 100, ..notice(3, kind) };
    let shown = |notices: &[Notice]| {
        let (subject, text) = mail(notices, at(215), &speaker(Subjects::Plain));
        format!("Subject: {subject}\n\n{text}")
    };
    let mails = [
        shown(&[notice(1, Kind::Began)]),
        shown(&[notice(1, Kind::Ended)]),
        shown(&[notice(1, Kind::Lasts), notice(2, Kind::Lasts)]),
        shown(&[flapping(Kind::Flaps)]),
        shown(&[flapping(Kind::Ended)]),
        shown(&[Notice { now: "drained by an operator".into(), ..notice(1, Kind::Withdrawn) }]),
    ];
    insta::assert_snapshot!(mails.join("\n=====\n"));
}

#[test]
fn filters_for_ldirectord_find_its_words() {
    let subject = |notices: &[Notice]| mail(notices, at(0), &speaker(Subjects::Ldirectord)).0;
    assert_eq!(
        subject(&[notice(1, Kind::Began)]),
        "Deleted real server: 192.168.10.1:2001 (192.168.10.100:2001)"
    );
    assert_eq!(
        subject(&[notice(1, Kind::Ended), notice(2, Kind::Ended)]),
        "Added real server: 192.168.10.1:2001 (192.168.10.100:2001) and 1 more"
    );
    let other = Notice {
        trouble: Trouble { place: None, ..notice(1, Kind::Began).trouble },
        ..notice(1, Kind::Began)
    };
    assert!(subject(&[other]).starts_with("[lbmaster] Warning: "));
    let text = mail(&[notice(1, Kind::Began)], at(0), &speaker(Subjects::Ldirectord)).1;
    assert!(text.lines().any(|line| line == "Deleted real server: 192.168.10.1:2001 (192.168.10.100:2001)"));
}

#[test]
fn a_rack_is_a_mail_that_can_be_read() {
    let all: Vec<_> = (0..40).map(|number| notice(number, Kind::Began)).collect();
    let (subject, text) = mail(&all, at(0), &speaker(Subjects::Plain));
    assert_eq!(subject, "[lbmaster] Warning: NODE0 of POOL1 (192.168.10.0:2001) is down and 39 more");
    assert!((0..40).all(|number| text.contains(&format!("NODE{number} of POOL1"))));
    let many: Vec<_> = (0..20_000).map(|number| notice(number, Kind::Began)).collect();
    assert!(mail(&many, at(0), &speaker(Subjects::Plain)).1.len() < 100_000);
}

#[test]
fn a_service_that_is_down_is_not_said_to_be_not_whole_as_well() {
    let service = || "POOL1".to_owned();
    let degraded = Notice { topic: Topic::ServiceDegraded { service: service() }, ..notice(1, Kind::Began) };
    let down = Notice { topic: Topic::ServiceDown { service: service() }, ..notice(1, Kind::Began) };
    assert!(is_said_by_others(&degraded, std::slice::from_ref(&down)));
    assert!(!is_said_by_others(&down, std::slice::from_ref(&degraded)));
    assert!(!is_said_by_others(&degraded, &[Notice { kind: Kind::Ended, ..down }]));
    assert!(!is_said_by_others(&degraded, &[]));
}
