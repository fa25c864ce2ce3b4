//! What the kernel of the appliance says: the truth about traffic, whatever lbd believes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::Value;

use crate::api::SOON;
use crate::host::Host;
use crate::wait;

/// lbd's one table.
const TABLE: &str = "inet evenkeel";

/// A picture of lbd's table with handles, counters and entries.
#[derive(Debug, Clone, PartialEq)]
pub struct Table(Value);

impl Table {
    /// Reads it.
    pub fn read(appliance: &Host) -> Self {
        let listing = appliance.run(format!("nft -j -a list table {TABLE}"));
        Self(serde_json::from_str(listing.expect_ok()).expect("nft prints JSON"))
    }

    /// Everything that may only change when lbd changes it: all but counts and remaining times.
    #[must_use]
    pub fn without_counts(&self) -> Self {
        let mut value = self.0.clone();
        strip(&mut value, &["packets", "bytes", "expires", "metainfo"]);
        Self(value)
    }

    /// Asserts that nothing was touched since `before`: same objects, handles and entries.
    pub fn expect_same_as(&self, before: &Self) {
        let (now, before) = (self.without_counts(), before.without_counts());
        let (now, before): (Vec<_>, Vec<_>) = (now.lines(), before.lines());
        let gone: Vec<_> = before.iter().filter(|line| !now.contains(line)).collect();
        let new: Vec<_> = now.iter().filter(|line| !before.contains(line)).collect();
        assert!(
            gone.is_empty() && new.is_empty(),
            "the kernel's table changed\ngone: {gone:#?}\nnew: {new:#?}"
        );
    }

    /// Every address and every counter's name in the table, but for what connections taught it.
    pub fn mentions(&self) -> BTreeSet<String> {
        let mut found = self.counters().into_keys().collect();
        let learnt = |object: &Value| is_sticky(&object["map"]);
        for object in self.0["nftables"].as_array().into_iter().flatten().filter(|object| !learnt(object)) {
            collect_addresses(object, &mut found);
        }
        found
    }

    fn lines(&self) -> Vec<String> {
        self.0["nftables"].as_array().into_iter().flatten().map(ToString::to_string).collect()
    }

    /// Persistence entries that mention `client`.
    pub fn sticky(&self, client: impl Into<IpAddr>) -> Vec<Value> {
        let client = Value::from(client.into().to_string());
        let maps = self.objects("map").filter(|map| is_sticky(map));
        let entries = maps.flat_map(|map| map["elem"].as_array().cloned().unwrap_or_default());
        entries.filter(|entry| contains(entry, &client)).collect()
    }

    /// Packets of each counter: the elements of `numbering`, whose comments are their names.
    pub fn counters(&self) -> BTreeMap<String, u64> {
        let numbering = self.objects("set").filter(|set| set["name"] == "numbering");
        let elements = numbering.flat_map(|set| set["elem"].as_array().into_iter().flatten());
        let counter = |element: &Value| {
            let element = &element["elem"];
            let name = element["comment"].as_str().expect("a name").to_owned();
            (name, element["counter"]["packets"].as_u64().expect("packets"))
        };
        elements.map(counter).collect()
    }

    fn objects(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.0["nftables"].as_array().into_iter().flatten().filter_map(move |object| object.get(kind))
    }
}

/// All addresses of a host but the link-local ones, as `interface address/prefix`.
pub fn addresses(host: &Host) -> BTreeSet<String> {
    let listing = host.run("ip -j address");
    let interfaces: Vec<Value> = serde_json::from_str(listing.expect_ok()).expect("ip prints JSON");
    let of = |interface: &Value| {
        let name = interface["ifname"].as_str().unwrap_or_default().to_owned();
        let addresses = interface["addr_info"].as_array().cloned().unwrap_or_default();
        addresses
            .into_iter()
            .filter(|address| address["scope"] != "link")
            .map(move |a| format!("{name} {}/{}", a["local"].as_str().unwrap_or_default(), a["prefixlen"]))
    };
    interfaces.iter().flat_map(of).collect()
}

/// Waits until a host has this address. lbd gives them after all else that it tells the kernel, and answers before.
pub fn wait_address(host: &Host, address: impl Into<IpAddr>) {
    let words = format!(" {}/", address.into());
    wait::until(SOON, format!("the address{words}"), || {
        addresses(host).iter().any(|found| found.contains(&words))
    });
}

/// `sticky`, or a service's own map for IPv6.
fn is_sticky(map: &Value) -> bool {
    map["name"].as_str().is_some_and(|name| name.starts_with("sticky"))
}

fn strip(value: &mut Value, keys: &[&str]) {
    match value {
        Value::Object(map) => {
            map.retain(|key, _| !keys.contains(&key.as_str()));
            map.values_mut().for_each(|value| strip(value, keys));
        }
        Value::Array(list) => list.iter_mut().for_each(|value| strip(value, keys)),
        _ => {}
    }
}

fn collect_addresses(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => map.values().for_each(|value| collect_addresses(value, found)),
        Value::Array(list) => list.iter().for_each(|value| collect_addresses(value, found)),
        Value::String(text) if text.parse::<IpAddr>().is_ok() => _ = found.insert(text.clone()),
        _ => {}
    }
}

fn contains(value: &Value, wanted: &Value) -> bool {
    match value {
        Value::Object(map) => map.values().any(|value| contains(value, wanted)),
        Value::Array(list) => list.iter().any(|value| contains(value, wanted)),
        other => other == wanted,
    }
}
