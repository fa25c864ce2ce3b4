//! Rules of the product section and of the settings that a deployment may pass.

use std::collections::BTreeSet;

use super::{Miss, Rule, Subject, Verdict, equal, judge, none, rule, show};
use crate::ovf::Node;

const PROPERTY: &str = "DSP0243 9.5.1";

pub const RULES: &[Rule] = &[
    rule(
        "product-version",
        product,
        "DSP0243 9.5",
        "Product Evenkeel; Version and FullVersion as in the file's name",
    ),
    rule("transport", transport, "DSP0243 8.1, 11", "com.vmware.guestInfo; iso would need a CD drive"),
    rule(
        "property-set",
        set,
        "zero-touch settings",
        "hostname, bond_members, bond_mode, vlan_id, management_interface, ip_address, gateway, dns, search_domain, \
         ntp, time_zone, password_hash, one_time_password, configuration",
    ),
    rule("property-keys", keys, PROPERTY, "keys without dots and colons, each once"),
    rule(
        "property-optional",
        optional,
        PROPERTY,
        "a user-configurable string with a default, not required, without a least length",
    ),
    rule("property-text", text, PROPERTY, "a Label and a Description for each"),
    rule(
        "property-secrets",
        secrets,
        PROPERTY,
        "a password as a hash or one-time only, without a default: it stays readable in vCenter",
    ),
];

fn properties<'a>(s: &Subject<'a>) -> Result<Vec<&'a Node>, Miss> {
    Ok(s.virtual_system("ovf:ProductSection")?.all("ovf:Property").collect())
}

fn key(node: &Node) -> &str {
    node.attr("ovf:key").unwrap_or("nothing")
}

/// The keys of the properties for which `bad` holds.
fn exceptions(s: &Subject<'_>, bad: fn(&Node) -> bool) -> Verdict {
    let all = properties(s)?;
    let keys = all.iter().filter(|node| bad(node)).map(|node| key(node).to_owned());
    none(keys.collect(), "all")
}

pub fn product(s: &Subject<'_>) -> Verdict {
    let section = s.virtual_system("ovf:ProductSection")?;
    let file = s.archive()?.find(".ovf").and_then(|entry| entry.name.strip_suffix(".ovf"));
    let version = file.and_then(|name| name.strip_prefix("evenkeel-"));
    let found = ["ovf:Product", "ovf:Version", "ovf:FullVersion"].map(|name| section.text_of(name));
    judge(version.is_some() && found == [Some("Evenkeel"), version, version], show(&found))
}

fn transport(s: &Subject<'_>) -> Verdict {
    equal(s.virtual_system("ovf:VirtualHardwareSection")?.attr("ovf:transport"), "com.vmware.guestInfo")
}

fn set(s: &Subject<'_>) -> Verdict {
    let found: Vec<&str> = properties(s)?.into_iter().map(key).collect();
    let expected = [
        "hostname",
        "bond_members",
        "bond_mode",
        "vlan_id",
        "management_interface",
        "ip_address",
        "gateway",
        "dns",
        "search_domain",
        "ntp",
        "time_zone",
        "password_hash",
        "one_time_password",
        "configuration",
    ];
    let missing = expected.iter().filter(|key| !found.contains(key));
    none(missing.map(|key| format!("no {key}")).collect(), found.join(", "))
}

fn keys(s: &Subject<'_>) -> Verdict {
    let keys: Vec<&str> = properties(s)?.into_iter().map(key).collect();
    let different: BTreeSet<&str> = keys.iter().copied().collect();
    let plain = |key: &&str| !key.is_empty() && !key.contains(['.', ':']);
    judge(different.len() == keys.len() && keys.iter().all(plain), keys.join(", "))
}

fn optional(s: &Subject<'_>) -> Verdict {
    exceptions(s, |node| {
        node.attr("ovf:type") != Some("string")
            || node.attr("ovf:userConfigurable") != Some("true")
            || node.attr("ovf:value").is_none()
            || node.attr("ovf:required").is_some_and(|value| value != "false")
            || node.attr("ovf:qualifiers").is_some_and(|value| value.contains("MinLen"))
    })
}

fn text(s: &Subject<'_>) -> Verdict {
    let has = |node: &Node, name| node.text_of(name).is_some_and(|text| !text.is_empty());
    let all = properties(s)?;
    let bare = all.iter().filter(|node| !has(node, "ovf:Label") || !has(node, "ovf:Description"));
    none(bare.map(|node| key(node).to_owned()).collect(), "all have both")
}

fn secrets(s: &Subject<'_>) -> Verdict {
    exceptions(s, |node| {
        let secret =
            ["pass", "secret", "token"].iter().any(|word| key(node).to_ascii_lowercase().contains(word));
        let allowed = ["password_hash", "one_time_password"].contains(&key(node));
        secret && (!allowed || node.attr("ovf:value").is_some_and(|value| !value.is_empty()))
    })
}
