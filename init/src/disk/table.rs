//! The disk with our partitions: found by the types in its GUID partition table (UEFI 2.10, chapter 5), and the
//! table made to fit a disk that has grown.

use crate::failure::{Doing, Failure};
use crate::places::{DATA_TYPE, ESP_TYPE, RESCUE_TYPE};
use gptman::{GPT, GPTPartitionEntry};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

/// Every disk and partition has a folder here.
const BLOCK: &str = "/sys/class/block";

/// Partitions end at a whole MiB, as the image makes them.
const ALIGNMENT: u64 = 1 << 20;

/// The disk of the appliance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Its name: `sda`, `nvme0n1`.
    pub name: String,
    esp: Option<u32>,
    rescue: Option<u32>,
    data: Option<u32>,
}

impl Disk {
    /// The first disk, by name, that has a data or rescue partition of ours.
    pub fn find() -> Option<Self> {
        let entries = fs::read_dir(BLOCK).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.retain(|name| is_disk(&Path::new(BLOCK).join(name), name));
        names.sort();
        names.into_iter().find_map(|name| {
            let table = GPT::find_from(&mut File::open(device(&name)).ok()?).ok()?;
            Self::of(name, &table)
        })
    }

    fn of(name: String, table: &GPT) -> Option<Self> {
        let number =
            |kind: [u8; 16]| table.iter().find(|(_, part)| part.partition_type_guid == kind).map(|(n, _)| n);
        let disk = Self { name, esp: number(ESP_TYPE), rescue: number(RESCUE_TYPE), data: number(DATA_TYPE) };
        (disk.data.is_some() || disk.rescue.is_some()).then_some(disk)
    }

    /// True once the kernel has made the devices of all partitions that init needs.
    pub fn is_complete(&self) -> bool {
        [self.rescue, self.data].into_iter().flatten().all(|number| self.partition(Some(number)).is_some())
    }

    /// The device of the EFI System Partition.
    pub fn esp(&self) -> Option<PathBuf> {
        self.partition(self.esp)
    }

    /// The device of the rescue partition.
    pub fn rescue(&self) -> Option<PathBuf> {
        self.partition(self.rescue)
    }

    /// The device of the data partition.
    pub fn data(&self) -> Option<PathBuf> {
        self.partition(self.data)
    }

    /// `sda3`, `nvme0n1p3`: the kernel says which folder is partition 3.
    fn partition(&self, number: Option<u32>) -> Option<PathBuf> {
        let number = number?.to_string();
        let entries = fs::read_dir(Path::new(BLOCK).join(&self.name)).ok()?;
        let is_it =
            |path: &Path| fs::read_to_string(path.join("partition")).is_ok_and(|text| text.trim() == number);
        let found = entries.flatten().map(|entry| entry.path()).find(|path| is_it(path))?;
        Some(device(found.file_name()?.to_str()?))
    }

    /// Makes the table and the data partition as large as the disk; true if something changed. No partition may
    /// be in use. The copy at the new end is written and synced first: whenever the power goes, one is whole.
    pub fn grow(&self) -> Result<bool, Failure> {
        let doing = || format!("growing the data partition of {}", self.name);
        let mut file = OpenOptions::new().read(true).write(true).open(device(&self.name)).doing(doing)?;
        let mut table = GPT::find_from(&mut file).doing(doing)?;
        if !stretch(&mut table, &mut file, self.data).doing(doing)? {
            return Ok(false);
        }
        let parts: Vec<GPTPartitionEntry> = table.iter().map(|(_, part)| part.clone()).collect();
        let mut copy = table.header.clone();
        copy.primary_lba = table.header.backup_lba;
        copy.backup_lba = table.header.primary_lba;
        copy.partition_entry_lba = table.header.last_usable_lba + 1;
        for header in [&mut copy, &mut table.header] {
            header.write_into(&mut file, table.sector_size, &parts).doing(doing)?;
            file.sync_all().doing(doing)?;
        }
        gptman::linux::reread_partition_table(&mut file).doing(doing)?;
        Ok(true)
    }
}

/// Fits the table to the length of `disk`, in memory; true if it did not fit before.
fn stretch<T: Read + Seek>(table: &mut GPT, disk: &mut T, data: Option<u32>) -> Result<bool, gptman::Error> {
    let (end, read_from_copy) = (table.header.last_usable_lba, table.header.is_backup());
    if read_from_copy {
        std::mem::swap(&mut table.header.primary_lba, &mut table.header.backup_lba);
        table.header.partition_entry_lba = 2;
    }
    table.header.update_from(disk, table.sector_size)?;
    let limit =
        (table.header.last_usable_lba + 1) * table.sector_size / ALIGNMENT * ALIGNMENT / table.sector_size;
    let last = table.iter().filter(|(_, part)| part.is_used()).max_by_key(|(_, part)| part.ending_lba);
    if let Some(number) = last.map(|(number, _)| number).filter(|number| Some(*number) == data)
        && table[number].ending_lba + 1 < limit
    {
        table[number].ending_lba = limit - 1;
    }
    Ok(read_from_copy || table.header.last_usable_lba > end)
}

/// True for what can hold our partitions: a device of its own, not a partition, CD or memory.
fn is_disk(folder: &Path, name: &str) -> bool {
    let removable = name.starts_with("sr") || name.starts_with("fd");
    folder.join("device").exists() && !folder.join("partition").exists() && !removable
}

/// Size in bytes of a disk or partition; the kernel counts in sectors of 512 whatever the disk's are.
pub fn size(device: &Path) -> Option<u64> {
    let text = fs::read_to_string(Path::new(BLOCK).join(device.file_name()?).join("size")).ok()?;
    text.trim().parse::<u64>().ok()?.checked_mul(512)
}

/// False once the device has gone.
pub fn is_there(device: &Path) -> bool {
    device.file_name().is_some_and(|name| Path::new(BLOCK).join(name).exists())
}

fn device(name: &str) -> PathBuf {
    Path::new("/dev").join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// ESP, rescue and data of one MiB each; data last.
    fn disk(mib: u64) -> (File, GPT) {
        let mut file = tempfile::tempfile().unwrap();
        file.set_len(mib * MIB).unwrap();
        let mut table = GPT::new_from(&mut file, 512, [7; 16]).unwrap();
        for (number, kind) in (1..).zip([ESP_TYPE, RESCUE_TYPE, DATA_TYPE]) {
            let first = u64::from(number) * MIB / 512;
            let mut part = GPTPartitionEntry::empty();
            part.partition_type_guid = kind;
            part.unique_partition_guid = [number as u8; 16];
            (part.starting_lba, part.ending_lba) = (first, first + MIB / 512 - 1);
            table[number] = part;
        }
        table.write_into(&mut file).unwrap();
        (file, table)
    }

    #[test]
    fn partitions_are_found_by_type() {
        let (_, mut table) = disk(5);
        let found = Disk::of("sda".into(), &table).unwrap();
        assert_eq!((found.esp, found.rescue, found.data), (Some(1), Some(2), Some(3)));
        table.remove(2).unwrap();
        table.remove(3).unwrap();
        assert_eq!(Disk::of("sda".into(), &table), None, "another system's disk has an ESP too");
    }

    #[test]
    fn a_grown_disk_gives_its_room_to_data() {
        let (mut file, _) = disk(5);
        file.set_len(9 * MIB).unwrap();
        let mut table = GPT::find_from(&mut file).unwrap();
        assert!(stretch(&mut table, &mut file, Some(3)).unwrap());
        assert_eq!((table[3].starting_lba, table[3].ending_lba), (3 * MIB / 512, 8 * MIB / 512 - 1));
        assert_eq!(table.header.backup_lba, 9 * MIB / 512 - 1);
        table.write_into(&mut file).unwrap();
        let mut again = GPT::find_from(&mut file).unwrap();
        assert!(!stretch(&mut again, &mut file, Some(3)).unwrap());
    }

    #[test]
    fn only_the_last_partition_grows() {
        let (mut file, _) = disk(5);
        file.set_len(9 * MIB).unwrap();
        let mut table = GPT::find_from(&mut file).unwrap();
        table.swap_entries();
        assert!(stretch(&mut table, &mut file, Some(3)).unwrap());
        assert_eq!(table[3].ending_lba, 3 * MIB / 512 - 1);
    }

    #[test]
    fn a_lost_first_table_is_written_again() {
        use std::io::{SeekFrom, Write};
        let (mut file, _) = disk(5);
        file.seek(SeekFrom::Start(512)).unwrap();
        file.write_all(&[0; 512]).unwrap();
        let mut table = GPT::find_from(&mut file).unwrap();
        assert!(stretch(&mut table, &mut file, Some(3)).unwrap());
        assert_eq!((table.header.primary_lba, table.header.partition_entry_lba), (1, 2));
    }

    trait SwapEntries {
        fn swap_entries(&mut self);
    }

    impl SwapEntries for GPT {
        /// Data before rescue.
        fn swap_entries(&mut self) {
            let (rescue, data) = (self[2].clone(), self[3].clone());
            (self[2].starting_lba, self[2].ending_lba) = (data.starting_lba, data.ending_lba);
            (self[3].starting_lba, self[3].ending_lba) = (rescue.starting_lba, rescue.ending_lba);
        }
    }
}
