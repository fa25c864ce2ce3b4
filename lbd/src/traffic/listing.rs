//! What the kernel has: nft's JSON listing, reduced to what can be compared.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::table::{LAYOUT, NUMBERING, Table};

/// The kernel's table. The elements of the persistence map are left out: the kernel owns them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Fingerprints of each chain's rules, in order.
    pub chains: BTreeMap<String, Vec<String>>,
    /// Elements of each map or set, as nft writes them; with a set's element stands its comment.
    pub maps: BTreeMap<String, BTreeMap<String, String>>,
    /// Packets of each counter of [`NUMBERING`], by name: one a connection, as only a connection's first packet meets
    /// them.
    pub counters: BTreeMap<String, u64>,
    /// Names of idle time-outs.
    pub timeouts: BTreeSet<String>,
    /// For each chain that hands out turns: how many each mark has. Not compared, but taken over at start.
    pub turns: BTreeMap<String, BTreeMap<u32, u32>>,
    /// Interfaces of the fast path.
    pub fast_path: Option<BTreeSet<String>>,
}

impl Listing {
    /// How the kernel lists `table` once it has it; the counters start anew.
    pub fn of(table: &Table) -> Self {
        let fingerprints =
            |rules: &[super::table::Rule]| rules.iter().map(|rule| rule.fingerprint().to_owned()).collect();
        let counters = table.maps.get(NUMBERING).into_iter().flat_map(|map| map.elements.values());
        Self {
            chains: table
                .chains
                .iter()
                .map(|(name, chain)| (name.clone(), fingerprints(&chain.rules)))
                .collect(),
            maps: table
                .maps
                .values()
                .map(|map| (map.kind.name.to_owned(), map.elements.clone()))
                .chain(table.sticky6.iter().map(|name| (name.clone(), BTreeMap::new())))
                .collect(),
            counters: counters.map(|name| (name.clone(), 0)).collect(),
            timeouts: table.timeouts.keys().cloned().collect(),
            turns: BTreeMap::new(),
            fast_path: table.fast_path.clone(),
        }
    }

    /// False where there is no table, or one of another layout.
    pub fn has_our_layout(&self) -> bool {
        self.maps.contains_key(LAYOUT)
    }

    /// Adds the objects of JSON listings of nft, one after the other, and gives their number; unknown kinds of objects are
    /// passed over.
    pub fn read(&mut self, json: &[u8]) -> Result<usize, String> {
        let mut answers = 0;
        for answer in serde_json::Deserializer::from_slice(json).into_iter::<Answer>() {
            let answer = answer.map_err(|error| format!("reading what nft listed: {error}"))?;
            answer.nftables.into_iter().for_each(|object| self.object(object));
            answers += 1;
        }
        Ok(answers)
    }

    fn object(&mut self, object: Object) {
        match object {
            Object::Chain { name } => {
                self.chains.entry(name).or_default();
            }
            Object::Rule { chain, comment, turns } => {
                for mark in turns {
                    *self.turns.entry(chain.clone()).or_default().entry(mark).or_default() += 1;
                }
                self.chains.entry(chain).or_default().push(comment.unwrap_or_default());
            }
            Object::Map(map) | Object::Set(map) => {
                if map.name == NUMBERING {
                    self.counters = map.elem.iter().filter_map(count).collect();
                }
                let elements = map.elem.iter().filter_map(element).collect();
                self.maps.insert(map.name, elements);
            }
            Object::Timeout { name } => {
                self.timeouts.insert(name);
            }
            Object::Flowtable { dev } => {
                self.fast_path = Some(texts(dev).into_iter().collect());
            }
            Object::Other(_) => {}
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    nftables: Vec<Object>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Object {
    Chain {
        name: String,
    },
    Rule {
        chain: String,
        comment: Option<String>,
        #[serde(default, rename = "expr", deserialize_with = "turns")]
        turns: Vec<u32>,
    },
    Map(Elements),
    Set(Elements),
    #[serde(rename = "ct timeout")]
    Timeout {
        name: String,
    },
    Flowtable {
        #[serde(default)]
        dev: Value,
    },
    #[serde(untagged)]
    Other(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct Elements {
    name: String,
    #[serde(default)]
    elem: Vec<Value>,
}

/// The marks that a rule hands out in turn, once for each turn. All else of a rule is let go of at once: a thousand
/// services have many.
fn turns<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u32>, D::Error> {
    let expr = Value::deserialize(deserializer)?;
    let statements = expr.as_array().into_iter().flatten();
    let maps = statements.filter_map(|statement| statement.pointer("/mangle/value/map"));
    let turning = maps.filter(|map| map.pointer("/key/numgen").is_some());
    let elements = turning.filter_map(|map| map.pointer("/data/set")?.as_array()).flatten();
    Ok(elements.filter_map(|element| element.get(1)?.as_u64()?.try_into().ok()).collect())
}

/// Name and packets of an element that counts.
fn count(value: &Value) -> Option<(String, u64)> {
    let element = value.get("elem")?;
    Some((element.get("comment")?.as_str()?.to_owned(), element.pointer("/counter/packets")?.as_u64()?))
}

/// A map lists `[key, value]`, a set a key alone, or an object where there is more than a key.
fn element(value: &Value) -> Option<(String, String)> {
    match value {
        Value::Array(pair) if pair.len() == 2 => {
            Some((mark(&pair[0]).or_else(|| key(&pair[0]))?, key(&pair[1])?))
        }
        single => {
            let (single, comment) = match single.get("elem") {
                Some(element) => (element.get("val")?, element.get("comment").and_then(Value::as_str)),
                None => (single, None),
            };
            Some((mark(single).or_else(|| key(single))?, comment.unwrap_or_default().to_owned()))
        }
    }
}

/// Every number that stands alone as a key is a mark.
fn mark(value: &Value) -> Option<String> {
    value.as_u64().map(|number| format!("0x{number:08x}"))
}

/// nft's JSON for a key or value, in the words in which [`super::ruleset`] writes it.
fn key(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Object(object) => {
            let (kind, inner) = object.iter().next()?;
            match (kind.as_str(), inner) {
                ("concat", Value::Array(parts)) => {
                    Some(parts.iter().map(key).collect::<Option<Vec<_>>>()?.join(" . "))
                }
                ("range", Value::Array(ends)) => {
                    Some(ends.iter().map(key).collect::<Option<Vec<_>>>()?.join("-"))
                }
                ("goto", Value::Object(target)) => Some(format!("goto {}", target.get("target")?.as_str()?)),
                ("elem", Value::Object(inner)) => key(inner.get("val")?),
                _ => None,
            }
        }
        _ => None,
    }
}

/// One name or a list of names.
fn texts(value: Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(many) => many.into_iter().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}
