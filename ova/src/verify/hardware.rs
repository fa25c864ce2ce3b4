//! Rules of the machine as a whole: its guest system, its hardware version, its settings.

use super::{Rule, Subject, Verdict, child, equal, judge, none, rule, show};
use crate::ovf::Node;

pub const RULES: &[Rule] = &[
    rule(
        "os-type",
        os_type,
        "DSP0243 9.9, talos #3515",
        "id 101, other3xLinux64Guest: with otherLinux64Guest vSphere refuses pvscsi",
    ),
    rule("hardware-version", version, "product specification: ESXi 6.0", "vmx-11"),
    rule("firmware", firmware, "the image has no BIOS boot", "efi"),
    rule("hot-add", hot_add, "open-vmdk template", "cpuHotAddEnabled and memoryHotAddEnabled false"),
    rule("tools-settings", tools, "open-vmdk template", "no time synchronisation, upgrades by hand"),
    rule("config-optional", config_optional, "DSP0243 7.3", "ovf:required false on every vmw:Config"),
    rule("no-secure-boot", no_secure_boot, "vSphere", "no Secure Boot: needs hardware version 13"),
    rule("no-legacy-devices", no_legacy, "needless devices", "no IDE (5), floppy (14), CD (15) or DVD (16)"),
    rule("video-card", video, "open-vmdk template", "one, 4096 KB, not required"),
    rule("vmci-device", vmci, "open-vmdk template", "one vmware.vmci, not required"),
];

fn os_type(s: &Subject<'_>) -> Verdict {
    let section = s.virtual_system("ovf:OperatingSystemSection")?;
    let found = [section.attr("ovf:id"), section.attr("vmw:osType")];
    judge(found == [Some("101"), Some("other3xLinux64Guest")], show(&found))
}

fn version(s: &Subject<'_>) -> Verdict {
    let system = child(s.virtual_system("ovf:VirtualHardwareSection")?, "ovf:System")?;
    equal(system.text_of("vssd:VirtualSystemType"), "vmx-11")
}

/// The value of a `vmw:Config` of `node`.
fn setting<'a>(node: &'a Node, key: &str) -> Option<&'a str> {
    node.all("vmw:Config").find(|config| config.attr("vmw:key") == Some(key))?.attr("vmw:value")
}

/// Fulfilled if each setting of the machine has its value.
fn settings(s: &Subject<'_>, expected: &[(&str, &str)]) -> Verdict {
    let hardware = s.virtual_system("ovf:VirtualHardwareSection")?;
    let found =
        expected.iter().map(|(key, _)| format!("{key}={}", setting(hardware, key).unwrap_or("nothing")));
    let wanted = expected.iter().map(|(key, value)| format!("{key}={value}"));
    judge(found.clone().eq(wanted), found.collect::<Vec<_>>().join(", "))
}

fn firmware(s: &Subject<'_>) -> Verdict {
    settings(s, &[("firmware", "efi")])
}

fn hot_add(s: &Subject<'_>) -> Verdict {
    settings(s, &[("cpuHotAddEnabled", "false"), ("memoryHotAddEnabled", "false")])
}

fn tools(s: &Subject<'_>) -> Verdict {
    settings(s, &[("tools.syncTimeWithHost", "false"), ("tools.toolsUpgradePolicy", "manual")])
}

fn config_optional(s: &Subject<'_>) -> Verdict {
    let all = s.ovf()?.walk().into_iter().filter(|node| node.name == "vmw:Config");
    let required = all.filter(|config| config.attr("ovf:required") != Some("false"));
    none(required.map(|config| show(&[config.attr("vmw:key")])).collect(), "all")
}

fn no_secure_boot(s: &Subject<'_>) -> Verdict {
    let values = s.ovf()?.walk().into_iter().flat_map(|node| node.attributes.values());
    let mentions = values.filter(|value| value.to_ascii_lowercase().contains("secureboot"));
    none(mentions.cloned().collect(), "not mentioned")
}

fn no_legacy(s: &Subject<'_>) -> Verdict {
    let mut found = Vec::new();
    for kind in ["5", "14", "15", "16"] {
        found.extend(s.items(kind)?.map(|_| format!("resource type {kind}")));
    }
    none(found, "none")
}

/// Fulfilled if there is one optional item of `kind`, of which `value` gives what is expected.
fn optional(
    s: &Subject<'_>,
    kind: &'static str,
    value: fn(&Node) -> Option<&str>,
    expected: &str,
) -> Verdict {
    let found: Vec<_> = s.items(kind)?.flat_map(|item| [item.attr("ovf:required"), value(item)]).collect();
    judge(found == [Some("false"), Some(expected)], show(&found))
}

fn video(s: &Subject<'_>) -> Verdict {
    optional(s, "24", |item| setting(item, "videoRamSizeInKB"), "4096")
}

fn vmci(s: &Subject<'_>) -> Verdict {
    optional(s, "1", |item| item.text_of("rasd:ResourceSubType"), "vmware.vmci")
}
