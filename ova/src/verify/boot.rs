//! Rules of the boot partition: its file system and what the firmware and the boot loader find on it.

use std::collections::BTreeMap;

use super::{Miss, Rule, Subject, Verdict, judge, none, rule};
use crate::system::{Files, Geometry, Program};

const FAT: &str = "Microsoft FAT32 specification 1.03";
const LOADER: &str = "loader.conf(5), systemd #33504";

pub const RULES: &[Rule] = &[
    rule(
        "esp-fat32",
        fat32,
        FAT,
        "FAT32: 1048576 sectors behind 2048, clusters of 8, 32 reserved, 2 tables of 1023, root at 2",
    ),
    rule("esp-copies", copies, FAT, "signatures; both sectors again at sector 6; both tables the same"),
    rule("esp-free", free, FAT, "the information sector counts the free clusters of the table"),
    rule(
        "esp-chains",
        chains,
        FAT,
        "each cluster in one chain, each chain as long as its file, plain entries",
    ),
    rule(
        "esp-files",
        files,
        "UEFI 2.10, 3.5.1.1; UAPI boot loader specification",
        "EFI/BOOT/BOOTX64.EFI, EFI/Linux/evenkeel_VERSION.efi (one, not counted), loader/loader.conf, no more",
    ),
    rule("boot-loader", boot_loader, "product specification", "systemd-boot, a UEFI program for x86-64"),
    rule(
        "loader-settings",
        settings,
        LOADER,
        "timeout 2, editor no, auto-firmware no; a default line would override boot counting",
    ),
];

fn fat32(s: &Subject<'_>) -> Verdict {
    let found = s.system()?.boot.geometry;
    let expected = Geometry {
        sector_bytes: 512,
        cluster_sectors: 8,
        reserved: 32,
        tables: 2,
        hidden: 2048,
        sectors: 1_048_576,
        table_sectors: 1023,
        root: 2,
    };
    let Geometry { sectors, hidden, cluster_sectors, reserved, tables, table_sectors, root, .. } = found;
    let volume =
        format!("{sectors} sectors behind {hidden}, clusters of {cluster_sectors}, {reserved} reserved");
    judge(found == expected, format!("{volume}, {tables} tables of {table_sectors}, root at {root}"))
}

fn content<'a>(s: &Subject<'a>) -> Result<&'a Files, Miss> {
    s.system()?.boot.files.as_ref().ok_or(Miss::Unknown("the boot partition is no such volume"))
}

fn copies(s: &Subject<'_>) -> Verdict {
    let volume = &s.system()?.boot;
    let found = [
        ("signatures", volume.signed),
        ("copied sectors", volume.copied),
        ("two tables", content(s)?.tables_equal),
    ];
    let wrong = found.iter().filter(|(_, good)| !good).map(|(what, _)| format!("other {what}"));
    none(wrong.collect(), "the same")
}

fn free(s: &Subject<'_>) -> Verdict {
    let (told, counted) = (s.system()?.boot.free, content(s)?.free);
    judge(told as usize == counted, format!("{told}, the table has {counted}"))
}

fn chains(s: &Subject<'_>) -> Verdict {
    let content = content(s)?;
    none(content.faults.clone(), format!("{} files", content.files.len()))
}

/// The files, once the folders are sound.
fn sound<'a>(s: &Subject<'a>) -> Result<&'a BTreeMap<String, Vec<u8>>, Miss> {
    let content = content(s)?;
    match content.faults.is_empty() {
        true => Ok(&content.files),
        false => Err(Miss::Unknown("the folders of the boot partition are damaged")),
    }
}

fn files(s: &Subject<'_>) -> Verdict {
    let files = sound(s)?;
    let version = s.version()?;
    let system = format!("EFI/Linux/evenkeel_{version}.efi");
    let expected = ["EFI/BOOT/BOOTX64.EFI", &system, "loader/loader.conf"];
    let folders = ["EFI", "EFI/BOOT", "EFI/Linux", "loader"];
    let good = files.keys().eq(expected) && content(s)?.folders.iter().eq(folders);
    let others = content(s)?.folders.iter().filter(|path| !folders.contains(&path.as_str()));
    judge(good, files.keys().chain(others).cloned().collect::<Vec<_>>().join(", "))
}

/// A file of the boot partition, once all are as they must be.
pub fn file<'a>(s: &Subject<'a>, start: &str) -> Result<&'a [u8], Miss> {
    let wrong = Miss::Unknown("the files of the boot partition are others");
    files(s).map_err(|_| wrong.clone())?;
    let found = sound(s)?.iter().find(|(path, _)| path.starts_with(start));
    found.map(|(_, content)| content.as_slice()).ok_or(wrong)
}

/// Fulfilled if this is what UEFI starts on these machines: an application for x86-64.
pub fn starts(program: Result<Program<'_>, String>) -> Result<Program<'_>, Miss> {
    let program = program.map_err(|why| Miss::Broken(format!("no program: {why}")))?;
    let found = (program.machine, program.subsystem);
    judge(found == (0x8664, 10), format!("machine {:#x}, subsystem {}", found.0, found.1))?;
    Ok(program)
}

fn boot_loader(s: &Subject<'_>) -> Verdict {
    let bytes = file(s, "EFI/BOOT/")?;
    starts(Program::parse(bytes))?;
    let mark = b"#### LoaderInfo: systemd-boot ";
    let at = bytes.windows(mark.len()).position(|window| window == mark);
    let name = at.map(|at| bytes[at + 17..].split(|&byte| byte == b'#').next().unwrap_or_default());
    judge(name.is_some(), String::from_utf8_lossy(name.unwrap_or(b"another program")).trim())
}

fn settings(s: &Subject<'_>) -> Verdict {
    let text = String::from_utf8_lossy(file(s, "loader/")?);
    let lines: Vec<&str> = text.lines().collect();
    judge(lines == ["timeout 2", "editor no", "auto-firmware no"], lines.join(", "))
}
