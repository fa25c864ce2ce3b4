//! The EFI System Partition: FAT32 with fixed times and ids, holding systemd-boot and the first UKI.

use crate::guid::derived_number;
use crate::version::Version;
use fatfs::{Date, DateTime, FatType, FileSystem, FormatVolumeOptions, FsOptions, Time, TimeProvider};
use std::io::{self, Read, Seek, SeekFrom, Write};

/// What the ESP holds at first.
#[derive(Clone, Copy, Debug)]
pub struct EspFiles<'a> {
    /// systemd-boot.
    pub boot_loader: &'a [u8],
    /// The UKI.
    pub uki: &'a [u8],
    /// Its version.
    pub version: &'a Version,
}

/// `loader.conf(5)`. No `default` line: it would override boot counting. Two seconds, so that an older version
/// can be chosen on the console; the editor is off, for the command line decides what the system trusts.
pub const LOADER_CONF: &str = "timeout 2\neditor no\nauto-firmware no\n";

/// The removable-media path (UEFI 2.10, 3.5.1.1): found without an entry in the firmware's variables.
pub const BOOT_PATH: &str = "EFI/BOOT/BOOTX64.EFI";

/// Eleven bytes, padded with blanks.
const LABEL: [u8; 11] = *b"EVENKEEL   ";

/// Where systemd-boot looks for UKIs (UAPI "Boot Loader Specification", type 2). The first one is uncounted.
pub fn uki_path(version: &Version) -> String {
    format!("EFI/Linux/evenkeel_{version}.efi")
}

/// Formats `volume` and fills it.
pub fn write<T: Read + Write + Seek>(volume: &mut T, files: &EspFiles<'_>) -> io::Result<()> {
    let id = derived_number(&format!("evenkeel {} esp", files.version)) as u32;
    let options = FormatVolumeOptions::new().fat_type(FatType::Fat32).volume_id(id).volume_label(LABEL);
    volume.seek(SeekFrom::Start(0))?;
    fatfs::format_volume(&mut *volume, options)?;
    volume.seek(SeekFrom::Start(0))?;
    let fs = FileSystem::new(volume, FsOptions::new().time_provider(&FIXED))?;
    put(&fs, BOOT_PATH, files.boot_loader)?;
    put(&fs, "loader/loader.conf", LOADER_CONF.as_bytes())?;
    put(&fs, &uki_path(files.version), files.uki)?;
    fs.unmount()
}

fn put<T: Read + Write + Seek>(fs: &FileSystem<T>, path: &str, content: &[u8]) -> io::Result<()> {
    for (end, _) in path.match_indices('/') {
        fs.root_dir().create_dir(&path[..end])?;
    }
    let mut file = fs.root_dir().create_file(path)?;
    file.truncate()?;
    file.write_all(content)?;
    file.flush()
}

/// FAT's first day, at midnight: a valid date that no clock has set.
#[derive(Debug)]
struct Fixed;

static FIXED: Fixed = Fixed;

impl TimeProvider for Fixed {
    fn get_current_date(&self) -> Date {
        Date { year: 1980, month: 1, day: 1 }
    }

    fn get_current_date_time(&self) -> DateTime {
        DateTime { date: self.get_current_date(), time: Time { hour: 0, min: 0, sec: 0, millis: 0 } }
    }
}

/// A part of a larger file, as a file of its own.
#[derive(Debug)]
pub struct Slice<T> {
    inner: T,
    start: u64,
    length: u64,
    position: u64,
}

impl<T: Seek> Slice<T> {
    /// The `length` bytes of `inner` from `start` on.
    pub fn new(inner: T, start: u64, length: u64) -> Self {
        Self { inner, start, length, position: 0 }
    }

    /// How many of `wanted` bytes there are from here on; moves the inner file there.
    fn window(&mut self, wanted: usize) -> io::Result<usize> {
        let left = self.length.saturating_sub(self.position);
        self.inner.seek(SeekFrom::Start(self.start + self.position))?;
        Ok(usize::try_from(left).unwrap_or(usize::MAX).min(wanted))
    }
}

impl<T: Read + Seek> Read for Slice<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.window(buffer.len())?;
        let read = self.inner.read(&mut buffer[..size])?;
        self.position += read as u64;
        Ok(read)
    }
}

impl<T: Write + Seek> Write for Slice<T> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let size = self.window(buffer.len())?;
        let written = self.inner.write(&buffer[..size])?;
        self.position += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: Seek> Seek for Slice<T> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        self.position = target.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    /// The smallest size with enough clusters to be FAT32.
    const SIZE: usize = 40 << 20;

    fn build(version: &str) -> Vec<u8> {
        let mut volume = Cursor::new(vec![0; SIZE]);
        let version = version.parse().unwrap();
        write(&mut volume, &EspFiles { boot_loader: b"loader", uki: &[7; 100_000], version: &version }).unwrap();
        volume.into_inner()
    }

    fn content(volume: &[u8], path: &str) -> Vec<u8> {
        let fs = FileSystem::new(Cursor::new(volume.to_vec()), FsOptions::new()).unwrap();
        let mut content = Vec::new();
        fs.root_dir().open_file(path).unwrap().read_to_end(&mut content).unwrap();
        content
    }

    #[test]
    fn files_read_back_by_any_case() {
        let volume = build("1.0");
        assert_eq!(content(&volume, "efi/boot/bootx64.efi"), b"loader");
        assert_eq!(content(&volume, "EFI/Linux/evenkeel_1.0.efi"), [7; 100_000]);
        assert!(!String::from_utf8(content(&volume, "loader/loader.conf")).unwrap().contains("default"));
    }

    #[test]
    fn it_is_fat32_clean_and_labelled() {
        let fs = FileSystem::new(Cursor::new(build("1.0")), FsOptions::new()).unwrap();
        assert_eq!(fs.fat_type(), FatType::Fat32);
        assert_eq!(fs.volume_label(), "EVENKEEL");
        let flags = fs.read_status_flags().unwrap();
        assert!(!flags.dirty() && !flags.io_error());
        for entry in fs.root_dir().iter().map(Result::unwrap) {
            assert_eq!((entry.created().date, entry.modified().date), (FIXED.get_current_date(), FIXED.get_current_date()));
        }
    }

    #[test]
    fn same_inputs_same_bytes_and_the_version_gives_the_id() {
        assert_eq!(build("1.0"), build("1.0"));
        assert_ne!(build("1.0")[67..71], build("1.1")[67..71]);
    }

    #[test]
    fn a_slice_keeps_to_its_part() {
        let mut whole = Cursor::new(vec![0u8; 10]);
        let mut slice = Slice::new(&mut whole, 3, 4);
        slice.seek(SeekFrom::End(-2)).unwrap();
        assert!(slice.write_all(b"abc").is_err(), "the third byte lies outside");
        slice.seek(SeekFrom::Start(2)).unwrap();
        let mut read = Vec::new();
        slice.read_to_end(&mut read).unwrap();
        assert_eq!(read, b"ab");
        assert_eq!(whole.into_inner(), b"\0\0\0\0\0ab\0\0\0");
    }
}
