//! One transaction that turns what the kernel has into what it should have.
//!
//! What does not differ is not named in it: a chain that is written anew starts its turns (`numgen`) anew, a
//! map that is made anew has lost what it learned.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::listing::Listing;
use super::table::{Chain, Map, Rule, STICKY6, STICKY6_PREFIX, TABLE, Table};

/// The script for `nft -f`; empty where nothing differs.
pub fn difference(current: &Listing, desired: &Table) -> String {
    if !current.has_our_layout() {
        // `add` first, so that `delete` finds a table also where there is none.
        let replace = format!("add table {TABLE}\ndelete table {TABLE}\nadd table {TABLE}\n");
        return replace + &changes(&Listing::default(), desired);
    }
    changes(current, desired)
}

/// In the order in which nft must hear it: what is referred to exists before the reference and goes after it.
fn changes(current: &Listing, desired: &Table) -> String {
    let mut script = Script::default();
    declare(&mut script, current, desired);
    script.fast_path(current, desired);
    for (name, map) in &desired.maps {
        script.remove_elements(name, current.maps.get(*name), map);
    }
    for (name, chain) in &desired.chains {
        script.rules(name, current.chains.get(name), chain);
    }
    for (name, map) in &desired.maps {
        script.add_elements(name, current.maps.get(*name), map);
    }
    withdraw(&mut script, current, desired);
    script.text
}

fn declare(script: &mut Script, current: &Listing, desired: &Table) {
    for (name, definition) in desired.timeouts.iter().filter(|(name, _)| !current.timeouts.contains(*name)) {
        script.line(format_args!("add ct timeout {TABLE} {name} {{ {definition} }}"));
    }
    for (name, map) in desired.maps.iter().filter(|(name, _)| !current.maps.contains_key(**name)) {
        script.line(format_args!("add {} {TABLE} {name} {{ {} }}", map.kind.keyword, map.kind.definition));
    }
    for name in desired.sticky6.iter().filter(|name| !current.maps.contains_key(*name)) {
        script.line(format_args!("add map {TABLE} {name} {{ {STICKY6} }}"));
    }
    for (name, chain) in desired.chains.iter().filter(|(name, _)| !current.chains.contains_key(*name)) {
        match chain.hook {
            "" => script.line(format_args!("add chain {TABLE} {name}")),
            hook => script.line(format_args!("add chain {TABLE} {name} {{ {hook} }}")),
        }
    }
}

fn withdraw(script: &mut Script, current: &Listing, desired: &Table) {
    let gone = |name: &&String| !desired.chains.contains_key(*name);
    for name in current.chains.keys().filter(gone) {
        script.line(format_args!("flush chain {TABLE} {name}"));
    }
    for name in current.chains.keys().filter(gone) {
        script.line(format_args!("delete chain {TABLE} {name}"));
    }
    let sticky6 = current.maps.keys().filter(|name| name.starts_with(STICKY6_PREFIX));
    for name in sticky6.filter(|name| !desired.sticky6.contains(*name)) {
        script.line(format_args!("delete map {TABLE} {name}"));
    }
    for name in current.timeouts.iter().filter(|name| !desired.timeouts.contains_key(*name)) {
        script.line(format_args!("delete ct timeout {TABLE} {name}"));
    }
}

#[derive(Default)]
struct Script {
    text: String,
}

impl Script {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{line}");
    }

    /// A flowtable is replaced whole: the forward chain lets go of it first and is written again below,
    /// where its rule has changed with the interfaces.
    fn fast_path(&mut self, current: &Listing, desired: &Table) {
        if current.fast_path == desired.fast_path {
            return;
        }
        if current.fast_path.is_some() {
            self.line(format_args!("flush chain {TABLE} forward"));
            self.line(format_args!("delete flowtable {TABLE} fast"));
        }
        if let Some(devices) = &desired.fast_path {
            let devices: Vec<_> = devices.iter().map(|name| format!("\"{name}\"")).collect();
            let devices = devices.join(", ");
            self.line(format_args!(
                "add flowtable {TABLE} fast {{ hook ingress priority 0; devices = {{ {devices} }}; counter; }}"
            ));
        }
    }

    fn remove_elements(&mut self, name: &str, current: Option<&BTreeMap<String, String>>, desired: &Map) {
        let differs = |(key, value): &(&String, &String)| desired.elements.get(*key) != Some(*value);
        let keys: Vec<_> =
            current.into_iter().flatten().filter(differs).map(|(key, _)| key.as_str()).collect();
        self.elements("delete", name, &keys);
    }

    fn add_elements(&mut self, name: &str, current: Option<&BTreeMap<String, String>>, desired: &Map) {
        let differs =
            |(key, value): &(&String, &String)| current.and_then(|map| map.get(*key)) != Some(*value);
        let text = |(key, value): (&String, &String)| match (desired.kind.keyword, value.is_empty()) {
            (_, true) => key.clone(),
            ("set", false) => format!("{key} comment \"{value}\""),
            (_, false) => format!("{key} : {value}"),
        };
        let elements: Vec<_> = desired.elements.iter().filter(differs).map(text).collect();
        self.elements("add", name, &elements);
    }

    fn elements<T: AsRef<str>>(&mut self, verb: &str, name: &str, elements: &[T]) {
        if elements.is_empty() {
            return;
        }
        let elements: Vec<_> = elements.iter().map(AsRef::as_ref).collect();
        self.line(format_args!("{verb} element {TABLE} {name} {{ {} }}", elements.join(", ")));
    }

    fn rules(&mut self, name: &str, current: Option<&Vec<String>>, chain: &Chain) {
        let known = current.map(Vec::as_slice).unwrap_or_default();
        if chain.rules.iter().map(Rule::fingerprint).eq(known) {
            return;
        }
        if !known.is_empty() {
            self.line(format_args!("flush chain {TABLE} {name}"));
        }
        for rule in &chain.rules {
            let (text, fingerprint) = (rule.text(), rule.fingerprint());
            self.line(format_args!("add rule {TABLE} {name} {text} comment \"{fingerprint}\""));
        }
    }
}
