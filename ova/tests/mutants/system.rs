//! Mutants of what is on the disk.

use std::fs::File;
use std::io::Cursor;
use std::os::unix::fs::FileExt;

use evenkeel_image::fat32;
use evenkeel_ova::product::DISK_BYTES;
use gptman::{GPT, GPTHeader, GPTPartitionEntry};

use super::Edit::{Disk, System};
use super::Mutant;
use super::common::program::{put, stub};
use super::common::system::{ESP, FAT, FOLDERS, Parts};

const SECTOR: u64 = 512;
const LAST: u64 = DISK_BYTES / SECTOR - 1;

pub const MUTANTS: &[Mutant] = &[
    ("mbr-protective", Disk(|disk| set(disk, 450, &[0x83]))),
    ("mbr-protective", Disk(|disk| set(disk, 0, &[0xeb]))),
    ("mbr-protective", Disk(|disk| set(disk, 466, &[0x83]))),
    ("gpt-header", Disk(|disk| flip(disk, SECTOR + 56))),
    ("gpt-header", Disk(|disk| set(disk, SECTOR + 92, &[1]))),
    ("gpt-header", Disk(|disk| header(disk, 1, |header| header.last_usable_lba -= 1, 48))),
    ("gpt-header", Disk(|disk| header(disk, 1, |header| header.number_of_partition_entries = u32::MAX, 80))),
    ("gpt-entries", Disk(|disk| flip(disk, 2 * SECTOR + 16))),
    ("gpt-backup-header", Disk(|disk| flip(disk, LAST * SECTOR + 56))),
    ("gpt-backup-header", Disk(|disk| set(disk, LAST * SECTOR, &[0; 512]))),
    ("gpt-backup-entries", Disk(|disk| flip(disk, (LAST - 32) * SECTOR + 16))),
    ("gpt-backup-same", Disk(|disk| backup(disk, |entry| entry.partition_name = "boot".into()))),
    (
        "partitions",
        Disk(|disk| table(disk, |table| table[2].partition_type_guid = table[3].partition_type_guid)),
    ),
    ("partitions", Disk(|disk| table(disk, |table| table[1].partition_name = "EFI".into()))),
    ("partitions", Disk(|disk| table(disk, |table| table[3].ending_lba -= 2048))),
    ("partitions", Disk(|disk| table(disk, |table| table[1].attribute_bits = 1))),
    ("partitions", Disk(|disk| table(disk, add_partition))),
    ("partitions-empty", Disk(|disk| set(disk, 1_050_624 * SECTOR, b"slot"))),
    ("partitions-empty", Disk(|disk| set(disk, 1_083_394 * SECTOR + 56, &[0x53, 0xef]))),
    ("esp-fat32", Disk(|disk| boot_sector(disk, 13, &[16]))),
    ("esp-fat32", Disk(|disk| boot_sector(disk, 28, &[0; 4]))),
    ("esp-fat32", Disk(|disk| boot_sector(disk, 17, &[2]))),
    ("esp-copies", Disk(|disk| flip(disk, ESP + 6 * SECTOR + 67))),
    ("esp-copies", Disk(|disk| boot_sector(disk, 510, &[0]))),
    ("esp-copies", Disk(|disk| boot_sector(disk, SECTOR + 508, &[1]))),
    ("esp-copies", Disk(|disk| flip(disk, FAT + 1023 * SECTOR + 40))),
    ("esp-free", Disk(|disk| boot_sector(disk, SECTOR + 488, &[0; 4]))),
    ("esp-chains", Disk(|disk| chain(disk, 40, 39))),
    ("esp-chains", Disk(|disk| chain(disk, 40, 0x0fff_ffff))),
    ("esp-chains", Disk(|disk| chain(disk, 40, 0x0fff_0000))),
    ("esp-chains", Disk(|disk| chain(disk, 40, 1))),
    ("esp-chains", Disk(|disk| set(disk, FOLDERS + 32, &[0xe5]))),
    ("esp-files", Disk(|disk| files(disk, |files| files.push(("startup.nsh", b"".to_vec()))))),
    ("esp-files", Disk(|disk| files(disk, |files| files[1].0 = "EFI/Linux/evenkeel_1.2.3+3.efi"))),
    ("esp-files", Disk(|disk| files(disk, |files| files[1].0 = "EFI/Linux/evenkeel_1.2.2.efi"))),
    ("esp-files", Disk(|disk| files(disk, |files| files[0].0 = "EFI/systemd/systemd-bootx64.efi"))),
    ("boot-loader", System(|parts| parts.boot_loader = stub(0x600, 0x1000, b""))),
    ("boot-loader", System(|parts| parts.boot_loader[0] = b'Z')),
    ("boot-loader", System(|parts| parts.boot_loader[0x44..0x46].copy_from_slice(&[0x64, 0xaa]))),
    (
        "loader-settings",
        Disk(|disk| settings(disk, b"timeout 2\neditor no\nauto-firmware no\ndefault evenkeel*\n")),
    ),
    ("loader-settings", Disk(|disk| settings(disk, b"timeout 2\nauto-firmware no\n"))),
    ("uki-program", System(|parts| parts.finish = |uki| uki[0] = b'Z')),
    ("uki-program", System(|parts| parts.finish = |uki| put(uki, 0x58 + 64, 1))),
    ("uki-program", System(|parts| parts.finish = |uki| uki[0x44] = 0x4c)),
    ("uki-sections", System(|parts| parts.finish = |uki| rename(uki, b".uname\0", b".ucode\0"))),
    ("uki-sections", System(|parts| parts.finish = |uki| rename(uki, b".text\0\0\0", b".cmdline"))),
    ("uki-sections", System(|parts| parts.finish = |uki| rename(uki, b".text\0", b".dtb\0\0"))),
    ("uki-layout", System(|parts| parts.finish = |uki| put(uki, 0x58 + 56, 0x1000))),
    ("uki-layout", System(|parts| parts.finish = |uki| uki.truncate(uki.len() - 512))),
    ("uki-release", System(|parts| parts.osrel = parts.osrel.replace("VERSION_ID=", "VERSION="))),
    (
        "uki-release",
        System(|parts| parts.osrel = parts.osrel.replace("ID=evenkeel\nNAME", "ID=debian\nNAME")),
    ),
    ("uki-version", System(|parts| parts.osrel = parts.osrel.replace("1.2.3", "1.2.4"))),
    ("uki-command-line", System(|parts| parts.cmdline.push_str(" init=/bin/sh"))),
    ("uki-command-line", System(|parts| parts.cmdline = parts.cmdline.replace(" panic=10", ""))),
    ("uki-kernel", System(|parts| parts.linux[0x202] = b'h')),
    ("uki-kernel", System(|parts| parts.finish = |uki| kernel_grows(uki))),
    ("uki-kernel-release", System(|parts| parts.uname.push('1'))),
    ("uki-initrd", System(|parts| parts.initrd[..2].copy_from_slice(&[0x1f, 0x8b]))),
];

fn set(disk: &File, at: u64, bytes: &[u8]) {
    disk.write_all_at(bytes, at).unwrap();
}

fn get(disk: &File, at: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    disk.read_exact_at(&mut bytes, at).unwrap();
    bytes
}

fn flip(disk: &File, at: u64) {
    set(disk, at, &[get(disk, at, 1)[0] ^ 1]);
}

/// Changes the field at byte `at` of the header in `sector`, and makes its checksum right.
fn header(disk: &File, sector: u64, change: fn(&mut GPTHeader), at: u64) {
    let mut header = GPTHeader::read_from(&mut Cursor::new(get(disk, sector * SECTOR, 512))).unwrap();
    change(&mut header);
    let field = match at {
        48 => header.last_usable_lba.to_le_bytes().to_vec(),
        _ => header.number_of_partition_entries.to_le_bytes().to_vec(),
    };
    set(disk, sector * SECTOR + at, &field);
    set(disk, sector * SECTOR + 16, &header.generate_crc32_checksum().to_le_bytes());
}

/// Changes both copies of the table.
fn table(disk: &mut File, change: fn(&mut GPT)) {
    let mut table = GPT::find_from(disk).unwrap();
    change(&mut table);
    table.write_into(disk).unwrap();
}

fn add_partition(table: &mut GPT) {
    table[4] = GPTPartitionEntry {
        starting_lba: 41_941_000,
        ending_lba: 41_942_000,
        unique_partition_guid: [4; 16],
        ..table[3].clone()
    };
}

/// Changes the first entry of the copy at the end.
fn backup(disk: &mut File, change: fn(&mut GPTPartitionEntry)) {
    let mut table = GPT::find_from(disk).unwrap();
    change(&mut table[1]);
    let entries: Vec<_> = table.iter().map(|(_, entry)| entry.clone()).collect();
    let mut copy =
        GPTHeader { primary_lba: LAST, backup_lba: 1, partition_entry_lba: LAST - 32, ..table.header };
    copy.write_into(disk, SECTOR, &entries).unwrap();
}

/// Changes the boot sector, or what follows it, and the copy six sectors on.
fn boot_sector(disk: &File, at: u64, bytes: &[u8]) {
    set(disk, ESP + at, bytes);
    set(disk, ESP + 6 * SECTOR + at, bytes);
}

/// Lets a cluster of the UKI be followed by another one, in both tables.
fn chain(disk: &File, cluster: u64, next: u32) {
    for table in [FAT, FAT + 1023 * SECTOR] {
        set(disk, table + 4 * cluster, &next.to_le_bytes());
    }
}

/// Writes the boot partition anew with other files: boot loader, UKI, settings.
fn files(disk: &mut File, change: impl FnOnce(&mut Vec<(&'static str, Vec<u8>)>)) {
    let parts = Parts::default();
    let mut files = vec![
        ("EFI/BOOT/BOOTX64.EFI", parts.boot_loader.clone()),
        ("EFI/Linux/evenkeel_1.2.3.efi", parts.uki()),
        ("loader/loader.conf", b"timeout 2\neditor no\nauto-firmware no\n".to_vec()),
    ];
    change(&mut files);
    let ends = [0, DISK_BYTES - ESP].map(|at| (at, get(disk, at, ESP as usize)));
    disk.set_len(0).unwrap();
    disk.set_len(DISK_BYTES).unwrap();
    ends.iter().for_each(|(at, bytes)| set(disk, *at, bytes));
    let files: Vec<(&str, &[u8])> = files.iter().map(|(path, content)| (*path, content.as_slice())).collect();
    let volume = fat32::Volume { start: ESP, size: 512 << 20, id: 1, label: b"EVENKEEL   ", files: &files };
    fat32::write(disk, &volume).unwrap();
}

fn settings(disk: &mut File, text: &[u8]) {
    files(disk, |files| files[2].1 = text.to_vec());
}

/// In the headers of the UKI.
fn rename(uki: &mut [u8], from: &[u8], to: &[u8]) {
    let at = uki.windows(from.len()).position(|window| window == from).unwrap();
    uki[at..at + to.len()].copy_from_slice(to);
}

/// The kernel asks for more memory than the UKI has for it.
fn kernel_grows(uki: &mut [u8]) {
    let mark = uki.windows(4).rposition(|window| window == b"HdrS").unwrap();
    put(uki, mark - 0x202 + 0x58 + 56, 0x10_0000);
}
