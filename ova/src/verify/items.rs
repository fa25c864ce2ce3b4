//! Rules of the hardware items: how they are written, controller, disk and network adapters.

use std::collections::BTreeSet;

use super::{Rule, Subject, Verdict, equal, judge, none, rule};
use crate::ovf::Node;

const COMPOSE: &str = "DSP0243 8.3, open-vmdk ova-compose";

pub const RULES: &[Rule] = &[
    rule("instance-ids", instance_ids, "DSP0243 8.3", "a different InstanceID for each item"),
    rule("item-order", item_order, COMPOSE, "rasd elements in alphabetical order, then vmw:Config"),
    rule("scsi-controller", scsi, COMPOSE, "one, of subtype VirtualSCSI, in this spelling"),
    rule("disk-source", disk_source, COMPOSE, "one disk, HostResource ovf:/disk/ and a declared diskId"),
    rule("disk-parent", disk_parent, COMPOSE, "Parent is the InstanceID of the SCSI controller"),
    rule("adapter-count", adapter_count, "product specification", "4"),
    rule("adapter-type", adapter_type, "product specification", "VmxNet3"),
    rule(
        "adapter-connected",
        adapter_connected,
        COMPOSE,
        "the first alone is connected at power-on (AutomaticAllocation)",
    ),
    rule("adapter-network", adapter_network, "DSP0243 9.2", "every Connection names a declared Network"),
    rule(
        "adapter-slots",
        adapter_slots,
        "vSphere exports",
        "AddressOnParent ascending, so that eth0 is the first",
    ),
];

fn all_items<'a>(s: &Subject<'a>) -> Result<impl Iterator<Item = &'a Node>, super::Miss> {
    Ok(s.virtual_system("ovf:VirtualHardwareSection")?.all("ovf:Item"))
}

/// The texts of one element of all items of a resource type.
fn texts<'a>(s: &Subject<'a>, kind: &'static str, element: &str) -> Result<Vec<&'a str>, super::Miss> {
    Ok(s.items(kind)?.map(|item| item.text_of(element).unwrap_or("nothing")).collect())
}

fn instance_ids(s: &Subject<'_>) -> Verdict {
    let ids: Vec<&str> =
        all_items(s)?.map(|item| item.text_of("rasd:InstanceID").unwrap_or("nothing")).collect();
    let different: BTreeSet<&str> = ids.iter().copied().collect();
    judge(different.len() == ids.len(), ids.join(", "))
}

fn item_order(s: &Subject<'_>) -> Verdict {
    // `rasd:` sorts before `vmw:`, and equal names may follow each other.
    let sorted = |item: &&Node| item.children.iter().map(|child| &child.name).is_sorted();
    let others = all_items(s)?.filter(|item| !sorted(item));
    none(others.map(|item| item.text_of("rasd:ElementName").unwrap_or("nothing").to_owned()).collect(), "all")
}

fn scsi(s: &Subject<'_>) -> Verdict {
    let subtypes = texts(s, "6", "rasd:ResourceSubType")?;
    judge(subtypes == ["VirtualSCSI"], subtypes.join(", "))
}

fn disk_source(s: &Subject<'_>) -> Verdict {
    let sources = texts(s, "17", "rasd:HostResource")?;
    let disks = s.section("ovf:DiskSection")?.all("ovf:Disk").filter_map(|disk| disk.attr("ovf:diskId"));
    let declared: Vec<String> = disks.map(|id| format!("ovf:/disk/{id}")).collect();
    judge(sources.len() == 1 && sources.iter().all(|&s| declared.iter().any(|d| d == s)), sources.join(", "))
}

fn disk_parent(s: &Subject<'_>) -> Verdict {
    let controller = texts(s, "6", "rasd:InstanceID")?.first().copied().unwrap_or_default();
    equal(texts(s, "17", "rasd:Parent")?.first().copied(), controller)
}

fn adapter_count(s: &Subject<'_>) -> Verdict {
    let count = s.items("10")?.count();
    judge(count == 4, count)
}

fn adapter_type(s: &Subject<'_>) -> Verdict {
    let types = texts(s, "10", "rasd:ResourceSubType")?;
    judge(types.iter().all(|kind| *kind == "VmxNet3"), types.join(", "))
}

fn adapter_connected(s: &Subject<'_>) -> Verdict {
    let connected = texts(s, "10", "rasd:AutomaticAllocation")?;
    let first_alone = (0..connected.len()).map(|i| if i == 0 { "true" } else { "false" });
    judge(connected.iter().copied().eq(first_alone), connected.join(", "))
}

fn adapter_network(s: &Subject<'_>) -> Verdict {
    let declared = super::disk::network_names_of(s)?;
    let used = texts(s, "10", "rasd:Connection")?;
    judge(used.iter().all(|network| declared.contains(network)), used.join(", "))
}

fn adapter_slots(s: &Subject<'_>) -> Verdict {
    let slots = texts(s, "10", "rasd:AddressOnParent")?;
    let numbers: Option<Vec<u32>> = slots.iter().map(|slot| slot.parse().ok()).collect();
    judge(numbers.is_some_and(|numbers| numbers.is_sorted_by(|a, b| a < b)), slots.join(", "))
}
