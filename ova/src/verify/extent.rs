//! Rules of the VMDK's header and descriptor.

use super::{Miss, Rule, Subject, Verdict, equal, judge, rule};
use crate::vmdk::Header;

const SPEC: &str = "VMDK 5.0 specification, open-vmdk";
const CONVERTER: &str = "open-vmdk vmdk-convert";

pub const RULES: &[Rule] = &[
    rule("vmdk-present", present, "DSP0243 5.2", "a VMDK of at least a header and a descriptor"),
    rule("vmdk-magic", magic, SPEC, "KDMV"),
    rule("vmdk-version", version, SPEC, "3"),
    rule("vmdk-flags", flags, SPEC, "0x30001: newline test, compressed grains, markers"),
    rule("vmdk-capacity", capacity, "product specification: 20 GB", "41943040 sectors"),
    rule("vmdk-grain-size", grain_size, SPEC, "128 sectors"),
    rule("vmdk-descriptor-place", descriptor_place, CONVERTER, "sector 1, 20 sectors"),
    rule("vmdk-table-entries", table_entries, SPEC, "512"),
    rule("vmdk-no-redundancy", no_redundancy, CONVERTER, "redundant directory at 0: there is none"),
    rule(
        "vmdk-directory-place",
        directory_place,
        CONVERTER,
        "grain directory at sector 21: in front, no footer to look into",
    ),
    rule("vmdk-overhead", overhead, CONVERTER, "2586 sectors in front of the first grain"),
    rule("vmdk-clean", clean, SPEC, "0: nobody is writing it"),
    rule("vmdk-newline-test", newline_test, SPEC, "newline, space, carriage return, newline"),
    rule("vmdk-compression", compression, SPEC, "1, deflate, at byte 77"),
    rule("vmdk-header-padding", padding, SPEC, "zeros up to the end of the sector"),
    rule("descriptor-encoding", encoding, SPEC, "version=1, encoding=\"UTF-8\""),
    rule("descriptor-cid", cid, SPEC, "CID from the content, never ffffffff or fffffffe"),
    rule("descriptor-long-cid", long_cid, CONVERTER, "longContentID from the content, ending in the CID"),
    rule("descriptor-parent", parent, SPEC, "parentCID=ffffffff: no parent"),
    rule("descriptor-type", create_type, SPEC, "createType=\"streamOptimized\""),
    rule("descriptor-extent", extent, SPEC, "RW 41943040 SPARSE and the name of the file, alone"),
    rule("descriptor-adapter", adapter, CONVERTER, "lsilogic, for pvscsi too"),
    rule("descriptor-geometry", geometry, CONVERTER, "2611 cylinders, 255 heads, 63 sectors"),
    rule("descriptor-tools-type", tools_type, CONVERTER, "4, unmanaged"),
    rule("descriptor-tools-version", tools_version, CONVERTER, "2147483647, unknown"),
    rule("descriptor-hw-version", hw_version, CONVERTER, "4: obsolete, not the machine's"),
];

fn present(s: &Subject<'_>) -> Verdict {
    s.archive()?;
    match &s.ova.vmdk {
        Some(vmdk) => Ok(format!("{} bytes", vmdk.bytes)),
        None => judge(false, "none"),
    }
}

/// Fulfilled if a number of the header is `expected`.
fn number<N: Into<u64>>(s: &Subject<'_>, field: fn(&Header) -> N, expected: u64) -> Verdict {
    let found = field(&s.vmdk()?.header).into();
    judge(found == expected, found)
}

fn magic(s: &Subject<'_>) -> Verdict {
    let magic = s.vmdk()?.header.magic;
    judge(magic == *b"KDMV", magic.escape_ascii())
}

fn version(s: &Subject<'_>) -> Verdict {
    number(s, |h| h.version, 3)
}

fn flags(s: &Subject<'_>) -> Verdict {
    let flags = s.vmdk()?.header.flags;
    judge(flags == 0x30001, format!("{flags:#x}"))
}

fn capacity(s: &Subject<'_>) -> Verdict {
    number(s, |h| h.capacity, 41_943_040)
}

fn grain_size(s: &Subject<'_>) -> Verdict {
    number(s, |h| h.grain_size, 128)
}

fn descriptor_place(s: &Subject<'_>) -> Verdict {
    let header = &s.vmdk()?.header;
    let found = (header.descriptor_at, header.descriptor_size);
    judge(found == (1, 20), format!("sector {}, {} sectors", found.0, found.1))
}

fn table_entries(s: &Subject<'_>) -> Verdict {
    number(s, |h| h.entries_per_table, 512)
}

fn no_redundancy(s: &Subject<'_>) -> Verdict {
    number(s, |h| h.redundant_directory_at, 0)
}

fn directory_place(s: &Subject<'_>) -> Verdict {
    number(s, |h| h.directory_at, 21)
}

fn overhead(s: &Subject<'_>) -> Verdict {
    number(s, |h| h.overhead, 2586)
}

fn clean(s: &Subject<'_>) -> Verdict {
    number(s, |h| h.unclean, 0)
}

fn newline_test(s: &Subject<'_>) -> Verdict {
    let found = s.vmdk()?.header.newline_test;
    judge(found == *b"\n \r\n", found.escape_ascii())
}

fn compression(s: &Subject<'_>) -> Verdict {
    number(s, |h| h.compression, 1)
}

fn padding(s: &Subject<'_>) -> Verdict {
    let others = s.vmdk()?.header.padding.iter().filter(|&&byte| byte != 0).count();
    judge(others == 0, format!("{others} bytes that are not zero"))
}

/// A value of the descriptor, without quotes if it must have them.
fn value<'a>(s: &Subject<'a>, key: &str) -> Result<Option<&'a str>, Miss> {
    let quoted = |value: &'a str| value.strip_prefix('"')?.strip_suffix('"');
    Ok(s.vmdk()?.descriptor.get(key).and_then(quoted))
}

fn encoding(s: &Subject<'_>) -> Verdict {
    equal(s.vmdk()?.descriptor.get("version"), "1")?;
    equal(value(s, "encoding")?, "UTF-8")
}

fn cid(s: &Subject<'_>) -> Verdict {
    let found = s.vmdk()?.descriptor.get("CID");
    if matches!(found, None | Some("ffffffff" | "fffffffe")) {
        return judge(false, found.unwrap_or("nothing"));
    }
    equal(found, &content_id(s)?.short())
}

fn long_cid(s: &Subject<'_>) -> Verdict {
    equal(value(s, "ddb.longContentID")?, &content_id(s)?.to_string())
}

fn content_id(s: &Subject<'_>) -> Result<crate::vmdk::ContentId, Miss> {
    s.content()?.id.ok_or(Miss::Unknown("not all grains are sound"))
}

fn parent(s: &Subject<'_>) -> Verdict {
    equal(s.vmdk()?.descriptor.get("parentCID"), "ffffffff")
}

fn create_type(s: &Subject<'_>) -> Verdict {
    equal(value(s, "createType")?, "streamOptimized")
}

fn extent(s: &Subject<'_>) -> Verdict {
    let name = s.ova.archive.find(".vmdk").map(|entry| entry.name.as_str()).unwrap_or_default();
    let found = &s.vmdk()?.descriptor.extents;
    judge(*found == [format!("RW 41943040 SPARSE \"{name}\"")], found.join(", "))
}

fn adapter(s: &Subject<'_>) -> Verdict {
    equal(value(s, "ddb.adapterType")?, "lsilogic")
}

fn geometry(s: &Subject<'_>) -> Verdict {
    let mut found = Vec::new();
    for part in ["cylinders", "heads", "sectors"] {
        found.push(value(s, &format!("ddb.geometry.{part}"))?.unwrap_or("nothing"));
    }
    judge(found == ["2611", "255", "63"], found.join("/"))
}

fn tools_type(s: &Subject<'_>) -> Verdict {
    equal(value(s, "ddb.toolsInstallType")?, "4")
}

fn tools_version(s: &Subject<'_>) -> Verdict {
    equal(value(s, "ddb.toolsVersion")?, "2147483647")
}

fn hw_version(s: &Subject<'_>) -> Verdict {
    equal(value(s, "ddb.virtualHWVersion")?, "4")
}
