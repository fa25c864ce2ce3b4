//! Rules of the VMDK's tables and grains.

use super::{Miss, Rule, Subject, Verdict, judge, none, rule};
use crate::model::Content;
use crate::vmdk::{GRAIN_SECTORS, SECTOR, StoredGrain};

const SPEC: &str = "VMDK 5.0 specification, open-vmdk";

pub const RULES: &[Rule] = &[
    rule("vmdk-stream", stream, SPEC, "grains and markers one after the other up to the end"),
    rule("vmdk-directory", directory, SPEC, "the grain tables follow the directory, each 4 sectors"),
    rule("vmdk-tables", tables, SPEC, "each table entry is the sector of its grain, or 0"),
    rule(
        "vmdk-grain-data",
        grain_data,
        SPEC,
        "each grain a zlib stream (78) of 65536 bytes, within the disk",
    ),
    rule("vmdk-grain-padding", grain_padding, SPEC, "zeros up to the end of a grain's last sector"),
    rule("vmdk-zero-grains", zero_grains, "open-vmdk vmdk-convert", "grains of zeros only are left out"),
    rule("vmdk-grain-order", grain_order, SPEC, "LBAs ascending: ESXi reads a stream"),
    rule("vmdk-no-footer", no_footer, "open-vmdk vmdk-convert", "no markers but the end of stream"),
    rule(
        "vmdk-end-marker",
        end_marker,
        "talos #11053, HAOS #2121",
        "one sector of zeros at the end: without it \"Pipe closed\"",
    ),
];

fn stream(s: &Subject<'_>) -> Verdict {
    let content = s.vmdk()?.content.as_ref().map_err(|_| Miss::Unknown("the header is not right"))?;
    match &content.stream.stopped {
        None => Ok(format!("{} grains", content.stream.grains.len())),
        Some(damage) => judge(false, damage),
    }
}

fn directory(s: &Subject<'_>) -> Verdict {
    let Content { layout, directory, .. } = s.content()?;
    let expected = (0..layout.tables).map(|number| layout.tables_at + 4 * number);
    let same = directory.iter().map(|&entry| u64::from(entry)).eq(expected);
    judge(same, format!("{} tables from sector {}", directory.len(), directory.first().unwrap_or(&0)))
}

fn tables(s: &Subject<'_>) -> Verdict {
    let Content { table, stream, .. } = s.content()?;
    let mut expected = vec![0_u32; table.len()];
    for grain in &stream.grains {
        if let Some(entry) = expected.get_mut((grain.lba / GRAIN_SECTORS) as usize) {
            *entry = grain.at as u32;
        }
    }
    let wrong = expected.iter().zip(table).enumerate().find(|(_, (expected, found))| expected != found);
    match wrong {
        None => Ok(format!("{} entries", table.iter().filter(|&&entry| entry != 0).count())),
        Some((number, (expected, found))) => {
            judge(false, format!("entry {number} says sector {found}, its grain is at {expected}"))
        }
    }
}

/// Names the grains for which `bad` holds, the first few of them.
fn exceptions(s: &Subject<'_>, bad: fn(&StoredGrain) -> Option<String>) -> Verdict {
    let grains = &s.content()?.stream.grains;
    let found = grains.iter().filter_map(|grain| Some(format!("LBA {} {}", grain.lba, bad(grain)?)));
    none(found.take(3).collect(), format!("{} grains", grains.len()))
}

fn grain_data(s: &Subject<'_>) -> Verdict {
    exceptions(s, |grain| grain.fault.clone())
}

fn grain_padding(s: &Subject<'_>) -> Verdict {
    exceptions(s, |grain| (!grain.padded).then(|| "has other padding".to_owned()))
}

fn zero_grains(s: &Subject<'_>) -> Verdict {
    exceptions(s, |grain| grain.zero.then(|| "is all zero".to_owned()))
}

fn grain_order(s: &Subject<'_>) -> Verdict {
    let grains = &s.content()?.stream.grains;
    let wrong = grains.windows(2).find(|pair| pair[0].lba >= pair[1].lba);
    let found = wrong.map(|pair| format!("LBA {} and then {}", pair[0].lba, pair[1].lba));
    judge(found.is_none(), found.unwrap_or_else(|| "ascending".to_owned()))
}

fn no_footer(s: &Subject<'_>) -> Verdict {
    let markers = s.content()?.stream.markers.iter().filter(|marker| marker.kind != 0);
    none(markers.map(|marker| format!("type {} at sector {}", marker.kind, marker.at)).collect(), "none")
}

fn end_marker(s: &Subject<'_>) -> Verdict {
    let ends: Vec<_> = s.content()?.stream.markers.iter().filter(|marker| marker.kind == 0).collect();
    let bytes = s.vmdk()?.bytes;
    let good = matches!(ends[..], [end] if end.zero && (end.at + 1) * SECTOR == bytes);
    let sectors: Vec<String> = ends.iter().map(|end| end.at.to_string()).collect();
    judge(good, format!("end markers at sectors [{}], the file has {bytes} bytes", sectors.join(", ")))
}
