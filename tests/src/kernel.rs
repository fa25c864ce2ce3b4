//! What the kernel of the appliance says: the truth about traffic, whatever lbd believes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use serde_json::Value;

use crate::host::Host;

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

    /// The same without what connections teach the kernel (persistence) and without handles: the rules, in
    /// a form that is equal for equal configurations.
    #[must_use]
    pub fn rules(&self) -> Self {
        let mut value = self.without_counts().0;
        strip(&mut value, &["handle"]);
        for object in value["nftables"].as_array_mut().into_iter().flatten() {
            if let Some(map) = object.get_mut("map").filter(|map| map["name"] == "sticky") {
                map.as_object_mut().expect("a map").remove("elem");
            }
        }
        Self(value)
    }

    /// Persistence entries that mention `client`.
    pub fn sticky(&self, client: Ipv4Addr) -> Vec<Value> {
        let client = Value::from(client.to_string());
        let maps = self.objects("map").filter(|map| map["name"] == "sticky");
        let entries = maps.flat_map(|map| map["elem"].as_array().cloned().unwrap_or_default());
        entries.filter(|entry| contains(entry, &client)).collect()
    }

    /// Packets of each named counter.
    pub fn counters(&self) -> BTreeMap<String, u64> {
        let name = |counter: &Value| counter["name"].as_str().unwrap_or_default().to_owned();
        self.objects("counter").map(|c| (name(c), c["packets"].as_u64().unwrap_or_default())).collect()
    }

    fn objects(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.0["nftables"].as_array().into_iter().flatten().filter_map(move |object| object.get(kind))
    }
}

/// All IPv4 addresses of a host, as `interface address/prefix`.
pub fn addresses(host: &Host) -> BTreeSet<String> {
    let listing = host.run("ip -j -4 address");
    let interfaces: Vec<Value> = serde_json::from_str(listing.expect_ok()).expect("ip prints JSON");
    let of = |interface: &Value| {
        let name = interface["ifname"].as_str().unwrap_or_default().to_owned();
        let addresses = interface["addr_info"].as_array().cloned().unwrap_or_default();
        addresses
            .into_iter()
            .map(move |a| format!("{name} {}/{}", a["local"].as_str().unwrap_or_default(), a["prefixlen"]))
    };
    interfaces.iter().flat_map(of).collect()
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

fn contains(value: &Value, wanted: &Value) -> bool {
    match value {
        Value::Object(map) => map.values().any(|value| contains(value, wanted)),
        Value::Array(list) => list.iter().any(|value| contains(value, wanted)),
        other => other == wanted,
    }
}
