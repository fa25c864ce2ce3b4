//! The factory reset: the next boot finds the disk as the first one did. What is installed stays.
//!
//! The mark at the end of the data partition decides: until it is written everything is as it was, from then on the
//! partition counts as blank ([`super::content::recognise`]). The rescue partition comes before it: an appliance that
//! still has its data partition writes it anew, but one without would balance by it.

use super::content::{MARK, RESERVED};
use super::table::{self, Disk};
use super::write_at;
use crate::failure::{Doing, Failure};
use std::io::Write;
use std::path::Path;

/// So much is written at a time.
const PIECE: usize = 1 << 20;

/// Nothing of ours may be mounted.
pub fn forget_everything(disk: Option<&Disk>) -> Result<(), Failure> {
    let missing = || Failure::new("resetting the disk", "it has no partition of ours");
    let disk = disk.ok_or_else(missing)?;
    let (rescue, data) = (disk.rescue().ok_or_else(missing)?, disk.data().ok_or_else(missing)?);
    let size = |device: &Path| table::size(device).ok_or("its size is unknown");
    let doing = |device: &Path| format!("erasing {}", device.display());
    let rescue_size = size(&rescue).doing(|| doing(&rescue))?;
    erase(&rescue, rescue_size).doing(|| doing(&rescue))?;
    let end = size(&data).doing(|| doing(&data))?.saturating_sub(RESERVED);
    write_at(&data, end, MARK).doing(|| doing(&data))
}

fn erase(device: &Path, size: u64) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).open(device)?;
    let zeros = vec![0; PIECE];
    let mut left = size;
    while left > 0 {
        let piece = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        file.write_all(&zeros[..piece])?;
        left -= piece as u64;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_erased_to_its_end_and_not_beyond() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let size = PIECE * 2 + 512;
        std::fs::write(file.path(), vec![7; size + 1]).unwrap();
        erase(file.path(), size as u64).unwrap();
        let bytes = std::fs::read(file.path()).unwrap();
        assert_eq!((bytes.iter().position(|byte| *byte != 0), bytes.len()), (Some(size), size + 1));
    }

    #[test]
    fn without_a_disk_nothing_can_be_forgotten() {
        let failure = forget_everything(None).unwrap_err().to_string();
        assert!(failure.contains("no partition of ours"), "{failure}");
    }
}
