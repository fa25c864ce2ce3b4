//! Rules of the partition table on the disk.

use gptman::{GPTHeader, GPTPartitionEntry};

use super::{Miss, Rule, Subject, Verdict, judge, none, rule};
use crate::system::Table;

const UEFI: &str = "UEFI 2.10, 5.3";

pub const RULES: &[Rule] = &[
    rule(
        "mbr-protective",
        mbr,
        "UEFI 2.10, 5.2.3",
        "no boot code, one entry of type ee for all sectors from 1 on",
    ),
    rule("gpt-header", header, UEFI, "checksum right; copy at 41943039, entries at 2, usable 34 to 41943006"),
    rule("gpt-entries", entries, UEFI, "the checksum in the header is that of the 128 entries"),
    rule(
        "gpt-backup-header",
        backup_header,
        UEFI,
        "in the last sector, checksum right; copy at 1, entries at 41943007",
    ),
    rule("gpt-backup-entries", backup_entries, UEFI, "the checksum in the copy is that of its 128 entries"),
    rule("gpt-backup-same", backup_same, UEFI, "disk and partitions of the copy are the same"),
    rule(
        "partitions",
        partitions,
        "image/src/disk.rs",
        "esp, 512 MiB from 1 MiB on; rescue, 16 MiB; data, up to the last whole MiB; of the types that init looks for",
    ),
    rule(
        "partitions-empty",
        empty,
        "first boot",
        "nothing but the two tables and the boot partition: rescue and data are made by the first boot",
    ),
];

/// The last sector of the disk.
const LAST: u64 = 41_943_039;

fn mbr(s: &Subject<'_>) -> Verdict {
    let sector = &s.system()?.first_sector;
    let entry = [0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0xff, 0xff, 0x7f, 2];
    let good = sector[..446].iter().chain(&sector[462..510]).all(|&byte| byte == 0)
        && sector[446..462] == entry
        && sector[510..] == [0x55, 0xaa];
    let number = |at: usize| u32::from_le_bytes([sector[at], sector[at + 1], sector[at + 2], sector[at + 3]]);
    judge(good, format!("type {:02x}, {} sectors from {} on", sector[450], number(458), number(454)))
}

/// Fulfilled if a header can be read and says where it is, where its copy is and where its entries are.
fn header_at(table: &Table, own: u64, copy: u64, entries: u64) -> Verdict {
    let found = table.header.as_ref().map_err(|why| Miss::Broken(why.clone()))?;
    let GPTHeader { primary_lba, backup_lba, partition_entry_lba, .. } = found;
    let usable = (found.first_usable_lba, found.last_usable_lba);
    let array = (found.number_of_partition_entries, found.size_of_partition_entry);
    let good = (*primary_lba, *backup_lba, *partition_entry_lba) == (own, copy, entries)
        && usable == (34, 41_943_006)
        && array == (128, 128)
        && found.reserved == [0; 4]
        && table.padded;
    let behind = if table.padded { "" } else { ", bytes behind it that are not zero" };
    let place = format!("sector {primary_lba}, copy at {backup_lba}, entries at {partition_entry_lba}");
    judge(good, format!("{place}, usable {} to {}{behind}", usable.0, usable.1))
}

fn header(s: &Subject<'_>) -> Verdict {
    header_at(&s.system()?.primary, 1, LAST, 2)
}

fn backup_header(s: &Subject<'_>) -> Verdict {
    header_at(&s.system()?.backup, LAST, 1, LAST - 32)
}

/// Fulfilled if the checksum of the entries is right.
fn checked(table: &Table) -> Verdict {
    match &table.entries {
        None => Err(Miss::Unknown("the header is not right")),
        Some(Err(why)) => judge(false, why),
        Some(Ok(entries)) => Ok(format!("{} in use", entries.iter().filter(|entry| entry.is_used()).count())),
    }
}

fn entries(s: &Subject<'_>) -> Verdict {
    checked(&s.system()?.primary)
}

fn backup_entries(s: &Subject<'_>) -> Verdict {
    checked(&s.system()?.backup)
}

/// Header and entries that can be relied on.
fn sound(table: &Table) -> Result<(&GPTHeader, &[GPTPartitionEntry]), Miss> {
    match (&table.header, &table.entries) {
        (Ok(header), Some(Ok(entries))) => Ok((header, entries)),
        _ => Err(Miss::Unknown("a partition table cannot be read")),
    }
}

fn backup_same(s: &Subject<'_>) -> Verdict {
    let (one, entries) = sound(&s.system()?.primary)?;
    let (other, copies) = sound(&s.system()?.backup)?;
    let differ = (1..).zip(entries.iter().zip(copies)).filter(|(_, (entry, copy))| entry != copy);
    let mut found: Vec<String> = differ.map(|(number, _): (u32, _)| format!("entry {number}")).collect();
    if one.disk_guid != other.disk_guid {
        found.push("GUID of the disk".to_owned());
    }
    none(found, "the same")
}

/// Name, type as the usual text has it (UEFI 2.10, appendix A), first and last sector.
const PARTITIONS: [(&str, u128, u64, u64); 3] = [
    ("esp", 0xC12A7328_F81F_11D2_BA4B_00A0C93EC93B, 2048, 1_050_623),
    ("rescue", 0x6E1B8C52_7D43_4F0A_9B5E_2C84D1A6F37B, 1_050_624, 1_083_391),
    ("data", 0xA94F2E17_05C8_4B6D_8E31_F7502B9DC46A, 1_083_392, 41_940_991),
];

fn partitions(s: &Subject<'_>) -> Verdict {
    let (_, entries) = sound(&s.system()?.primary)?;
    let plain = entries.iter().all(|entry| entry.attribute_bits == 0);
    let used = entries.iter().filter(|entry| entry.is_used());
    let found: Vec<_> =
        used.map(|e| (e.partition_name.as_str(), kind(e), e.starting_lba, e.ending_lba)).collect();
    let known = |kind: u128| PARTITIONS.iter().find(|(_, known, ..)| *known == kind);
    let kind =
        |kind| known(kind).map_or_else(|| format!("type {kind:032x}"), |(name, ..)| format!("type {name}"));
    let show =
        found.iter().map(|&(name, of, first, last)| format!("{name} ({}) {first} to {last}", kind(of)));
    judge(plain && found == PARTITIONS, show.collect::<Vec<_>>().join(", "))
}

/// A type in the order of the text: on the disk the first three fields are little-endian.
fn kind(entry: &GPTPartitionEntry) -> u128 {
    let [d, c, b, a, f, e, h, g, rest @ ..] = entry.partition_type_guid;
    let [i, j, k, l, m, n, o, p] = rest;
    u128::from_be_bytes([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
}

/// By the grains that are stored: partitions begin and end with a grain.
fn empty(s: &Subject<'_>) -> Verdict {
    s.system()?;
    let stored = s.content()?.stream.grains.iter().filter(|grain| !grain.zero);
    let elsewhere = |lba: u64| lba >= 128 && !(2048..1_050_624).contains(&lba) && lba < LAST - 127;
    let found = stored.filter(|grain| elsewhere(grain.lba));
    none(found.take(3).map(|grain| format!("data at sector {}", grain.lba)).collect(), "nothing else")
}
