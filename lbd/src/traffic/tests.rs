use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::difference::difference;
use super::listing::Listing;
use super::numbering::Numbering;
use super::table::{Chain, MAPS, Map, Parts, Rule, Table};
use crate::config::{Config, Document, Format, validate};

const EXAMPLE: &str = include_str!("../../../examples/datalink.toml");

fn config(text: &str) -> Config {
    validate(Document::parse(text, Format::Toml).unwrap()).unwrap()
}

fn table(
    chains: &[(&str, &[&str])],
    elements: &[(&'static str, &str, &str)],
    fast: Option<&[&str]>,
) -> Table {
    let rules = |texts: &[&str]| texts.iter().map(|text| Rule::new((*text).to_owned())).collect();
    let chain =
        |(name, texts): &(&str, &[&str])| ((*name).to_owned(), Chain { hook: "", rules: rules(texts) });
    let of = |name| elements.iter().filter(move |(map, ..)| *map == name);
    let map = |kind: &'static super::table::MapKind| {
        let elements = of(kind.name).map(|(_, key, value)| ((*key).to_owned(), (*value).to_owned()));
        (kind.name, Map { kind, elements: elements.collect() })
    };
    Table {
        chains: chains.iter().map(chain).collect(),
        maps: MAPS.iter().map(map).collect(),
        sticky6: BTreeSet::new(),
        timeouts: BTreeMap::new(),
        fast_path: fast.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
    }
}

fn from_to(before: &Table, after: &Table) -> String {
    difference(&Listing::of(before), after)
}

#[test]
fn what_is_the_same_is_not_named() {
    let before = table(
        &[("share_1", &["a"]), ("svc_1", &["x", "y"])],
        &[("servers", "1", "s . 1"), ("servers", "2", "s . 2"), ("numbering", "1", "a/b")],
        None,
    );
    assert_eq!(from_to(&before, &before), "");
    let after = table(
        &[("share_1", &["b"]), ("svc_1", &["x", "y"])],
        &[("servers", "2", "s . 3"), ("servers", "4", "s . 4"), ("numbering", "1", "a/b")],
        None,
    );
    let expected = format!(
        "delete element inet evenkeel servers {{ 1, 2 }}\n\
         flush chain inet evenkeel share_1\n\
         add rule inet evenkeel share_1 b comment \"{}\"\n\
         add element inet evenkeel servers {{ 2 : s . 3, 4 : s . 4 }}\n",
        Rule::new("b".into()).fingerprint()
    );
    assert_eq!(from_to(&before, &after), expected);
}

#[test]
fn what_goes_is_let_go_of_first() {
    let before = table(
        &[("svc_1", &["jump share_1"]), ("share_1", &["a"])],
        &[("services", "k", "goto svc_1"), ("numbering", "1", "a/b")],
        None,
    );
    let expected = "delete element inet evenkeel numbering { 1 }\n\
                    delete element inet evenkeel services { k }\n\
                    flush chain inet evenkeel share_1\n\
                    flush chain inet evenkeel svc_1\n\
                    delete chain inet evenkeel share_1\n\
                    delete chain inet evenkeel svc_1\n";
    assert_eq!(from_to(&before, &table(&[], &[], None)), expected);
}

#[test]
fn a_map_of_a_service_comes_and_goes_with_it() {
    let nothing = table(&[], &[], None);
    let with = Table { sticky6: BTreeSet::from(["sticky6_1".to_owned()]), ..nothing.clone() };
    let made = from_to(&nothing, &with);
    assert!(made.starts_with("add map inet evenkeel sticky6_1 { type ipv6_addr : mark;"), "{made}");
    assert_eq!(from_to(&with, &nothing), "delete map inet evenkeel sticky6_1\n");
    assert_eq!(from_to(&with, &with), "");
}

#[test]
fn an_idle_time_out_comes_before_and_goes_after_the_rule_that_names_it() {
    let with = |seconds: u32| Table {
        timeouts: BTreeMap::from([(format!("idle_tcp_{seconds}"), format!("t{seconds};"))]),
        ..table(&[("svc_1", &[&format!("set idle_tcp_{seconds}")])], &[], None)
    };
    let script = from_to(&with(60), &with(90));
    let lines: Vec<_> = script.lines().collect();
    assert_eq!(
        lines[..2],
        ["add ct timeout inet evenkeel idle_tcp_90 { t90; }", "flush chain inet evenkeel svc_1",]
    );
    assert_eq!(lines.last(), Some(&"delete ct timeout inet evenkeel idle_tcp_60"));
    assert_eq!(from_to(&with(60), &with(60)), "");
}

#[test]
fn the_fast_path_follows_its_interfaces() {
    let forward = |rule: &'static str| [("forward", [rule])];
    let build = |rule, fast| {
        let chains = forward(rule);
        let chains: Vec<_> = chains.iter().map(|(name, rules)| (*name, &rules[..])).collect();
        table(&chains, &[], fast)
    };
    let script = from_to(&build("one", Some(&["eth0"])), &build("two", Some(&["eth0", "eth1"])));
    let lines: Vec<_> = script.lines().collect();
    assert_eq!(
        lines[..3],
        [
            "flush chain inet evenkeel forward",
            "delete flowtable inet evenkeel fast",
            "add flowtable inet evenkeel fast { hook ingress priority 0; devices = { \"eth0\", \"eth1\" }; counter; }",
        ]
    );
    assert!(lines.last().unwrap().starts_with("add rule inet evenkeel forward two"));
}

#[test]
fn a_table_of_another_layout_is_replaced_whole() {
    let mut foreign = Listing::of(&table(&[("old", &["x"])], &[], None));
    foreign.maps.clear();
    let script = difference(&foreign, &table(&[], &[], None));
    assert!(
        script.starts_with("add table inet evenkeel\ndelete table inet evenkeel\nadd table inet evenkeel\n")
    );
    assert!(!script.contains("old"));
}

#[test]
fn a_listing_of_nft_is_read() {
    let json = br#"{"nftables": [
        {"metainfo": {"version": "1.0.6", "json_schema_version": 1}},
        {"table": {"family": "inet", "name": "evenkeel", "handle": 1}},
        {"map": {"name": "servers", "type": "mark", "map": "x", "elem": [[65537, {"concat": ["10.0.0.1", 104]}]]}},
        {"map": {"name": "service_ranges", "elem": [[{"concat": ["192.0.2.1", "tcp", {"range": [1, 3]}]}, {"goto": {"target": "svc_1"}}]]}},
        {"set": {"name": "numbering", "elem": [{"elem": {"val": 65536, "comment": "A", "counter": {"packets": 7, "bytes": 420}}}]}},
        {"set": {"name": "addresses", "elem": ["192.0.2.1"]}},
        {"set": {"name": "full", "elem": [65538]}},
        {"set": {"name": "layout_6"}},
        {"ct timeout": {"family": "inet", "name": "idle_tcp_60", "protocol": "tcp", "policy": {"established": 60}}},
        {"flowtable": {"name": "fast", "dev": ["eth0", "eth1"]}},
        {"chain": {"name": "share_1"}},
        {"chain": {"name": "svc_1"}},
        {"rule": {"chain": "svc_1", "comment": "aa", "expr": []}},
        {"rule": {"chain": "svc_1", "expr": []}},
        {"rule": {"chain": "share_1", "comment": "bb", "expr": [{"mangle": {"key": {"meta": {"key": "mark"}},
            "value": {"map": {"key": {"numgen": {"mode": "inc", "mod": 3, "offset": 0}},
            "data": {"set": [[0, 65537], [1, 65538], [2, 65537]]}}}}}]}}
    ]}"#;
    let mut listing = Listing::default();
    listing.read(json).unwrap();
    let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    assert!(listing.has_our_layout());
    assert_eq!(listing.counters["A"], 7);
    assert_eq!(listing.maps["servers"], map(&[("0x00010001", "10.0.0.1 . 104")]));
    assert_eq!(listing.maps["service_ranges"], map(&[("192.0.2.1 . tcp . 1-3", "goto svc_1")]));
    assert_eq!(listing.maps["numbering"], map(&[("0x00010000", "A")]));
    assert_eq!(listing.maps["addresses"], map(&[("192.0.2.1", "")]));
    assert_eq!(listing.maps["full"], map(&[("0x00010002", "")]));
    assert_eq!(listing.timeouts, BTreeSet::from(["idle_tcp_60".to_owned()]));
    assert_eq!(listing.chains["svc_1"], ["aa", ""]);
    assert_eq!(listing.turns["share_1"], BTreeMap::from([(0x10001, 2), (0x10002, 1)]));
    assert_eq!(listing.fast_path, Some(BTreeSet::from(["eth0".to_owned(), "eth1".to_owned()])));
}

#[test]
fn numbers_stay_with_their_owners() {
    let first = Numbering::default().assign(&config(EXAMPLE));
    let numbers = |numbering: &Numbering| -> BTreeMap<String, String> {
        numbering.iter().map(|(name, mark)| (name.to_owned(), mark.to_string())).collect()
    };
    let text = EXAMPLE.replace("\"DATALINK_POOL1\"", "\"NEW\"").replace("DATALINK_POOL3_NODE1", "OTHER");
    let second = first.assign(&config(&text));
    let (before, after) = (numbers(&first), numbers(&second));
    assert_eq!(before["DATALINK_POOL2"], after["DATALINK_POOL2"]);
    assert_eq!(after["NEW"], "0x00040000", "the lowest that was not in use either");
    assert_eq!(after["DATALINK_POOL3/OTHER"], "0x00030002");
    assert_eq!(numbers(&second.assign(&config(EXAMPLE)))["DATALINK_POOL1"], "0x00010000", "free by now");
    assert_eq!(after.len(), before.len());
    let kernel: Vec<_> = after.iter().map(|(name, mark)| (mark.as_str(), name.as_str())).collect();
    assert_eq!(Numbering::adopt(kernel.into_iter()), second);
}

#[test]
fn several_listings_are_read_one_after_the_other_and_counted() {
    let set = |name: &str| format!(r#"{{"nftables": [{{"set": {{"name": "{name}", "elem": [1]}}}}]}}"#);
    let both = set("full") + "\n" + &set("numbering") + "\n";
    let mut listing = Listing::default();
    assert_eq!(listing.read(both.as_bytes()), Ok(2));
    assert_eq!(listing.maps.keys().collect::<Vec<_>>(), ["full", "numbering"]);
    assert!(listing.read(&both.as_bytes()[..both.len() - 3]).is_err(), "cut off");
    assert_eq!(listing.read(b""), Ok(0));
}

proptest! {
    /// A script from one table to another names nothing that both have, and leads from empty to anything.
    #[test]
    fn difference_is_empty_only_between_equals(a in tables(), b in tables()) {
        prop_assert_eq!(from_to(&a, &b).is_empty(), Listing::of(&a) == Listing::of(&b));
    }

    /// What two tables share need not be compared.
    #[test]
    fn parts_that_are_the_same_make_no_difference(a in parts(), b in parts()) {
        let whole = from_to(&a.whole(), &b.whole());
        prop_assert_eq!(from_to(&a.but(&b), &b.but(&a)), whole);
        prop_assert_eq!(from_to(&a.but(&a), &a.but(&a)), "");
    }

    #[test]
    fn no_listing_makes_the_reader_panic(json in "[\\{\\}\\[\\]\":,a-z0-9]{0,80}") {
        let _ = Listing::default().read(json.as_bytes());
    }
}

/// Of services 1 to 3, which have no element in common.
fn parts() -> impl Strategy<Value = Parts> {
    let service = (prop::collection::btree_map("[a-c]", "[x-z]", 0..3), prop::collection::vec("[p-r]", 0..3));
    prop::collection::btree_map(1_u32..4, service, 0..3).prop_map(|services| {
        let part = |(number, (elements, texts)): (u32, (BTreeMap<String, String>, Vec<String>))| {
            let (chain, key) = (format!("svc_{number}"), |key: &str| format!("{key}{number}"));
            let texts: Vec<_> = texts.iter().map(String::as_str).collect();
            let elements: Vec<_> = elements.iter().map(|(k, v)| (key(k), v.as_str())).collect();
            let elements: Vec<_> = elements.iter().map(|(k, v)| ("servers", k.as_str(), *v)).collect();
            let part = table(&[(&chain, &texts)], &elements, None);
            let maps = part.maps.into_iter().filter(|(_, map)| !map.elements.is_empty()).collect();
            let mark = format!("0x{:08x}", number << 16);
            let mark = Numbering::adopt([(mark.as_str(), "A")].into_iter()).iter().next().unwrap().1;
            (mark, Table { maps, ..part }.into())
        };
        let common = table(&[], &[], None).into();
        Parts { common, services: services.into_iter().map(part).collect(), ..Parts::default() }
    })
}

fn tables() -> impl Strategy<Value = Table> {
    let elements = prop::collection::btree_map("[a-c]", "[x-z]", 0..3);
    let rules = prop::collection::btree_map("svc_[1-3]", prop::collection::vec("[p-r]", 0..3), 0..3);
    (elements, rules).prop_map(|(elements, chains)| {
        let mut made = table(&[], &[], None);
        if let Some(map) = made.maps.get_mut("servers") {
            map.elements = elements;
        }
        let rules = |texts: Vec<String>| texts.into_iter().map(Rule::new).collect();
        made.chains =
            chains.into_iter().map(|(name, texts)| (name, Chain { hook: "", rules: rules(texts) })).collect();
        made
    })
}
