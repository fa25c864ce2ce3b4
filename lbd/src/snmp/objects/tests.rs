use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::config::{Document, Format, validate};
use crate::engine::{Engine, Now, Start};
use crate::network::topology::Topology;
use crate::traffic::listing::Listing;

const EXAMPLE: &str = include_str!("../../../../examples/datalink.toml");
const MODULE: &str = include_str!("../EVENKEEL-MIB.txt");

fn catalogue() -> Catalogue {
    let config = validate(Document::parse(EXAMPLE, Format::Toml).unwrap()).unwrap();
    let start = Start {
        config,
        version: 7,
        listing: Listing::default(),
        topology: Topology::default(),
        fast_path_missing: None,
        problems: Vec::new(),
        host_name: "lbmaster".into(),
    };
    let (engine, _) = Engine::new(start, Now { monotonic: Duration::ZERO, wall: Timestamp::UNIX_EPOCH });
    let published = Published {
        view: engine.view(),
        document: engine.document().clone(),
        alerting: engine.alerting().clone(),
        online_updates: engine.online_updates().clone(),
    };
    let scene = Scene {
        published: published.into(),
        figures: Figures { processors: vec![7, 9], ..Figures::default() },
        counters: SnmpCounters { wrong_community: (1 << 32) + 5, ..SnmpCounters::default() },
        location: "Room 3".into(),
        contact: String::new(),
        uptime: 4_711,
        now: Timestamp::from_second(10).unwrap(),
    };
    Catalogue::new(scene)
}

fn walk(catalogue: &Catalogue) -> Vec<(Vec<u32>, Value)> {
    let first = catalogue.next(&[]);
    std::iter::successors(first, |(name, _)| catalogue.next(name)).collect()
}

fn value(catalogue: &Catalogue, name: &str) -> Value {
    let name: Vec<u32> = name.split('.').map(|arc| arc.parse().unwrap()).collect();
    match catalogue.get(&name) {
        Found::Value(value) => value,
        other => panic!("{name:?}: {other:?}"),
    }
}

#[test]
fn a_walk_meets_each_object_once_in_order_and_each_can_be_asked_for() {
    let catalogue = catalogue();
    let walked = walk(&catalogue);
    assert!(walked.len() > 150, "{}", walked.len());
    assert!(walked.is_sorted_by(|(a, _), (b, _)| a < b));
    for (name, value) in walked {
        assert_eq!(catalogue.get(&name), Found::Value(value), "{name:?}");
    }
}

#[test]
fn what_is_not_there_is_told_as_the_standard_has_it() {
    let catalogue = catalogue();
    for (name, found) in [
        (&[1, 3, 6, 1, 2, 1, 1, 99, 0][..], Found::NoObject),
        (&[1, 3, 6, 1, 2, 1, 1, 1, 1], Found::NoInstance),
        (&[1, 3, 6, 1, 2, 1, 1, 1], Found::NoInstance),
        (&[1, 3, 6, 1, 2, 1, 1], Found::NoObject),
        (&[1, 3, 6, 1, 4, 1, 8225, 4711, 17, 1, 4, 99], Found::NoInstance),
        (&[1, 3, 6, 1, 4, 1, 8225, 4711, 17], Found::NoObject),
        (&[2], Found::NoObject),
        (&[], Found::NoObject),
    ] {
        assert_eq!(catalogue.get(name), found, "{name:?}");
    }
    assert_eq!(catalogue.next(&[1, 3, 6, 2]), None);
}

#[test]
fn values_are_those_of_the_view() {
    let catalogue = catalogue();
    let text = |text: &str| Value::OctetString(text.to_owned().into());
    for (name, expected) in [
        ("1.3.6.1.2.1.1.3.0", Value::TimeTicks(4_711)),
        ("1.3.6.1.2.1.1.5.0", text("lbmaster")),
        ("1.3.6.1.2.1.1.6.0", text("Room 3")),
        // A counter of 32 bits that has been full.
        ("1.3.6.1.2.1.11.4.0", Value::Counter32(5)),
        ("1.3.6.1.2.1.25.3.3.1.2.196609", Value::Integer(9)),
        ("1.3.6.1.4.1.8225.4711.2.0", Value::Integer(3)),
        ("1.3.6.1.4.1.8225.4711.17.1.2.1", text("wlc")),
        ("1.3.6.1.4.1.8225.4711.17.1.4.1", Value::IpAddress([192, 168, 10, 100])),
        ("1.3.6.1.4.1.8225.4711.17.1.7.1", Value::Integer(30_000)),
        ("1.3.6.1.4.1.8225.4711.18.1.3.1.1", Value::IpAddress([192, 168, 10, 110])),
        // Nobody has checked it: it takes nothing.
        ("1.3.6.1.4.1.8225.4711.18.1.6.1.1", Value::Integer(0)),
        ("1.3.6.1.4.1.8072.9999.9999.6694.1.1.2.0", Value::Gauge32(7)),
        ("1.3.6.1.4.1.8072.9999.9999.6694.1.3.1.2.1", text("DATALINK_POOL1")),
        ("1.3.6.1.4.1.8072.9999.9999.6694.1.5.1.6.1.1", Value::Integer(2)),
        ("1.3.6.1.4.1.8072.9999.9999.6694.1.5.1.8.1.1", Value::TimeTicks(1_000)),
    ] {
        assert_eq!(value(&catalogue, name), expected, "{name}");
    }
}

/// Names below `evenkeelObjects` of what the module says may be read, without row.
fn promised() -> BTreeSet<Vec<u32>> {
    let mut places: std::collections::BTreeMap<&str, Vec<u32>> =
        [("evenkeelObjects", vec![])].into_iter().collect();
    let mut readable = BTreeSet::new();
    let (mut name, mut may_be_read) = ("", false);
    for line in MODULE.lines() {
        if let Some((first, _)) = line.split_once(" OBJECT-TYPE") {
            (name, may_be_read) = (first, false);
        } else if let Some((first, _)) = line.split_once(" OBJECT IDENTIFIER ") {
            name = first.trim();
        }
        may_be_read |= line.trim_start().starts_with("MAX-ACCESS") && line.ends_with("read-only");
        let Some((_, place)) = line.split_once("::= { ") else { continue };
        let mut words = place.split(' ');
        let parent = words.next().and_then(|parent| places.get(parent));
        let (Some(parent), Some(Ok(number))) = (parent, words.next().map(str::parse::<u32>)) else {
            continue;
        };
        let place = [parent.as_slice(), &[number]].concat();
        if may_be_read {
            readable.insert(place.clone());
        }
        places.insert(name, place);
        may_be_read = false;
    }
    readable
}

#[test]
fn exactly_what_the_module_promises_is_served() {
    let catalogue = catalogue();
    let below = [OURS, &[1]].concat();
    let served: BTreeSet<Vec<u32>> = catalogue
        .tables
        .iter()
        .filter_map(|table| Some((table.entry.strip_prefix(below.as_slice())?, table.columns)))
        .flat_map(|(entry, columns)| columns.iter().map(move |column| [entry, &[column.number]].concat()))
        .collect();
    let promised = promised();
    assert!(promised.len() > 40, "{promised:?}");
    assert_eq!(promised, served);
}

#[test]
fn a_long_text_is_cut_between_characters() {
    let Some(Value::OctetString(octets)) = short_text(&"ä".repeat(200)) else { panic!("no text") };
    assert_eq!(octets.len(), 254);
}

proptest! {
    #[test]
    fn what_follows_any_name_is_greater_and_there_is_nothing_between(
        head in prop::sample::select(walk(&catalogue()).into_iter().map(|(name, _)| name).collect::<Vec<_>>()),
        keep in 0_usize..16, tail in prop::collection::vec(0_u32..300, 0..4)
    ) {
        let catalogue = catalogue();
        let name = [&head[..keep.min(head.len())], &tail].concat();
        let expected = walk(&catalogue).into_iter().find(|(known, _)| *known > name);
        prop_assert_eq!(catalogue.next(&name), expected);
    }
}
