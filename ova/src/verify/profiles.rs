//! Rules of the sizing profiles.

use super::{Miss, Rule, Subject, Verdict, judge, none, rule};
use crate::ovf::Node;

const OPTIONS: &str = "DSP0243 9.8";

pub const RULES: &[Rule] = &[
    rule(
        "profiles-place",
        place,
        "DSP0243 9.8, vSphere exports",
        "DeploymentOptionSection before VirtualSystem",
    ),
    rule("profiles-names", names, "product specification", "v1000, v4000, vUltimate"),
    rule("profiles-default", default, OPTIONS, "v1000 alone is the default"),
    rule("profiles-text", text, OPTIONS, "a Label and a Description for each"),
    rule("profile-processors", processors, "product specification", "v1000 2, v4000 4, vUltimate 8"),
    rule("profile-memory", memory, "product specification", "v1000 4096, v4000 8192, vUltimate 16384"),
    rule("processor-units", processor_units, "DSP0243 8.3, vSphere exports", "hertz * 10^6"),
    rule("memory-units", memory_units, "DSP0243 8.3, vSphere exports", "byte * 2^20"),
];

fn place(s: &Subject<'_>) -> Verdict {
    let names: Vec<&str> = s.ovf()?.children.iter().map(|node| node.name.as_str()).collect();
    let at = |name| names.iter().position(|&other| other == name);
    let before =
        matches!((at("ovf:DeploymentOptionSection"), at("ovf:VirtualSystem")), (Some(a), Some(b)) if a < b);
    judge(before, names.join(", "))
}

fn configurations<'a>(s: &Subject<'a>) -> Result<Vec<&'a Node>, Miss> {
    Ok(s.section("ovf:DeploymentOptionSection")?.all("ovf:Configuration").collect())
}

fn id(node: &Node) -> &str {
    node.attr("ovf:id").unwrap_or("nothing")
}

fn names(s: &Subject<'_>) -> Verdict {
    let names: Vec<&str> = configurations(s)?.into_iter().map(id).collect();
    judge(names == ["v1000", "v4000", "vUltimate"], names.join(", "))
}

fn default(s: &Subject<'_>) -> Verdict {
    let all = configurations(s)?;
    let defaults =
        all.into_iter().filter(|node| node.attr("ovf:default").is_some_and(|value| value != "false"));
    let names: Vec<&str> = defaults.map(id).collect();
    judge(names == ["v1000"], names.join(", "))
}

fn text(s: &Subject<'_>) -> Verdict {
    let has = |node: &Node, name| node.text_of(name).is_some_and(|text| !text.is_empty());
    let all = configurations(s)?;
    let bare = all.iter().filter(|node| !has(node, "ovf:Label") || !has(node, "ovf:Description"));
    none(bare.map(|node| id(node).to_owned()).collect(), "all have both")
}

/// `profile quantity` of each item of one resource type, in the order of the document.
fn quantities(s: &Subject<'_>, kind: &'static str, expected: &str) -> Verdict {
    let quantity = |item: &Node| {
        let profile = item.attr("ovf:configuration").unwrap_or("every profile");
        format!("{profile} {}", item.text_of("rasd:VirtualQuantity").unwrap_or("nothing"))
    };
    let found: Vec<String> = s.items(kind)?.map(quantity).collect();
    let found = found.join(", ");
    judge(found == expected, found)
}

fn processors(s: &Subject<'_>) -> Verdict {
    quantities(s, "3", "v1000 2, v4000 4, vUltimate 8")
}

fn memory(s: &Subject<'_>) -> Verdict {
    quantities(s, "4", "v1000 4096, v4000 8192, vUltimate 16384")
}

fn all_units(s: &Subject<'_>, kind: &'static str, expected: &str) -> Verdict {
    let units = s.items(kind)?.map(|item| item.text_of("rasd:AllocationUnits").unwrap_or("nothing"));
    none(units.filter(|unit| *unit != expected).map(str::to_owned).collect(), expected)
}

fn processor_units(s: &Subject<'_>) -> Verdict {
    all_units(s, "3", "hertz * 10^6")
}

fn memory_units(s: &Subject<'_>) -> Verdict {
    all_units(s, "4", "byte * 2^20")
}
