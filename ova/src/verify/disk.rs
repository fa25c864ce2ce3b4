//! Rules of the descriptor's disk and network sections.

use super::{Miss, Rule, Subject, Verdict, child, equal, judge, rule};
use crate::ovf::Node;

const DISK: &str = "DSP0243 9.1";

pub const RULES: &[Rule] = &[
    rule("disk-capacity", capacity, "DSP0243 9.1, HAOS #1084", "one disk, capacity 21474836480"),
    rule("disk-units", units, DISK, "capacityAllocationUnits byte"),
    rule(
        "disk-format",
        format,
        "DSP0243 5.2",
        "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized",
    ),
    rule("disk-file", file, DISK, "fileRef names a File of the References"),
    rule("disk-populated-size", populated_size, DISK, "populatedSize is 65536 times the number of grains"),
    rule("network-names", network_names, "DSP0243 9.2, product specification", "one network, VM Network"),
];

fn the_disk<'a>(s: &Subject<'a>) -> Result<&'a Node, Miss> {
    child(s.section("ovf:DiskSection")?, "ovf:Disk")
}

fn capacity(s: &Subject<'_>) -> Verdict {
    let disks: Vec<&str> =
        s.section("ovf:DiskSection")?.all("ovf:Disk").filter_map(|disk| disk.attr("ovf:capacity")).collect();
    judge(disks == ["21474836480"], disks.join(", "))
}

fn units(s: &Subject<'_>) -> Verdict {
    equal(the_disk(s)?.attr("ovf:capacityAllocationUnits"), "byte")
}

fn format(s: &Subject<'_>) -> Verdict {
    let expected = "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized";
    equal(the_disk(s)?.attr("ovf:format"), expected)
}

fn file(s: &Subject<'_>) -> Verdict {
    let wanted = the_disk(s)?.attr("ovf:fileRef");
    let known = super::manifest::references(s)?.iter().any(|file| file.id.is_some() && file.id == wanted);
    judge(known, wanted.unwrap_or("nothing"))
}

fn populated_size(s: &Subject<'_>) -> Verdict {
    let grains = s.content()?.stream.grains.iter().filter(|grain| !grain.zero).count();
    equal(the_disk(s)?.attr("ovf:populatedSize"), &(grains * 65_536).to_string())
}

fn network_names(s: &Subject<'_>) -> Verdict {
    let names = network_names_of(s)?;
    judge(names == ["VM Network"], names.join(", "))
}

/// The networks that are declared.
pub fn network_names_of<'a>(s: &Subject<'a>) -> Result<Vec<&'a str>, Miss> {
    let networks = s.section("ovf:NetworkSection")?.all("ovf:Network");
    Ok(networks.filter_map(|network| network.attr("ovf:name")).collect())
}
