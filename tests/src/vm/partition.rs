//! A partition of a disk, and the files of the boot partition: what a story looks at, or changes, while the machine
//! is off.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// Bytes of a sector in the partition table.
const SECTOR: u64 = 512;

/// One partition, read and written as if it were a file.
#[derive(Debug)]
pub struct Partition {
    disk: File,
    /// First byte on the disk.
    pub start: u64,
    /// In bytes.
    pub length: u64,
    position: u64,
}

impl Partition {
    /// The partition called `name`: `esp`, `rescue` or `data` (`image/src/disk.rs`).
    pub fn find(disk: &File, name: &str) -> Self {
        let mut disk = disk.try_clone().expect("a file can be shared");
        let table = gptman::GPT::find_from(&mut disk).expect("a partition table");
        let mut used = table.iter().map(|(_, entry)| entry).filter(|entry| entry.is_used());
        let entry = used.find(|entry| entry.partition_name.as_str() == name);
        let entry = entry.unwrap_or_else(|| panic!("no partition {name}"));
        let length = entry.size().expect("a size") * SECTOR;
        Self { disk, start: entry.starting_lba * SECTOR, length, position: 0 }
    }

    fn room(&self, wanted: usize) -> usize {
        wanted.min(usize::try_from(self.length - self.position).unwrap_or(usize::MAX))
    }
}

impl Read for Partition {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.room(buffer.len());
        self.disk.seek(SeekFrom::Start(self.start + self.position))?;
        let count = self.disk.read(&mut buffer[..count])?;
        self.position += count as u64;
        Ok(count)
    }
}

impl Write for Partition {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let count = self.room(data.len());
        self.disk.seek(SeekFrom::Start(self.start + self.position))?;
        let count = self.disk.write(&data[..count])?;
        self.position += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.disk.flush()
    }
}

impl Seek for Partition {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
        };
        let inside = target.filter(|at| *at <= self.length);
        self.position = inside.ok_or_else(|| io::Error::other("outside of the partition"))?;
        Ok(self.position)
    }
}

/// A valid time: the firmware renames no file that has none (EDK 2, `FatSetFileInfo`), and then boots are not counted.
#[derive(Debug)]
struct FixedTime;

static FIXED_TIME: FixedTime = FixedTime;

impl fatfs::TimeProvider for FixedTime {
    fn get_current_date(&self) -> fatfs::Date {
        fatfs::Date { year: 2026, month: 1, day: 1 }
    }

    fn get_current_date_time(&self) -> fatfs::DateTime {
        fatfs::DateTime {
            date: self.get_current_date(),
            time: fatfs::Time { hour: 0, min: 0, sec: 0, millis: 0 },
        }
    }
}

fn boot_partition(disk: &File) -> fatfs::FileSystem<Partition> {
    let options = fatfs::FsOptions::new().time_provider(&FIXED_TIME);
    fatfs::FileSystem::new(Partition::find(disk, "esp"), options).expect("a FAT volume")
}

/// The names of the UKIs on the boot partition of `disk`, in order.
pub fn ukis(disk: &File) -> Vec<String> {
    let files = boot_partition(disk);
    let folder = files.root_dir().open_dir("EFI/Linux").expect("the folder of the UKIs");
    let entries = folder.iter().map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<_> = entries.filter(|name| !name.starts_with('.')).collect();
    names.sort();
    names
}

/// Installs a UKI on the boot partition of `disk`.
pub fn install_uki(disk: &File, name: &str, content: &[u8]) {
    let files = boot_partition(disk);
    {
        let root = files.root_dir();
        let mut file = root.create_file(&format!("EFI/Linux/{name}")).expect("room for a UKI");
        file.write_all(content).expect("room for a UKI");
        file.flush().expect("a FAT volume");
    }
    files.unmount().expect("a FAT volume");
}
