//! Small disks that a test fills, or lets hang.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::lbd::USER;

/// Where Debian has the programs of the administrator.
const SYSTEM_PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// A disk of 4 MB below lbd's state directory; gone when this is.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts it there, where lbd's user may write.
    pub fn below(folder: &Path) -> Self {
        fs::create_dir_all(folder).expect("the lab's folder");
        let options = format!("size=4m,mode=0755,uid={USER},gid={USER}");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder);
        let status = mount.status().expect("mount");
        assert!(status.success(), "mounting a small disk: {status}");
        Self(folder.to_owned())
    }

    /// Leaves so many bytes, or fewer: lbd may write meanwhile. Where none are to be left, none are.
    pub fn fill(&self, left: u64) {
        let figures = nix::sys::statvfs::statvfs(&self.0).expect("figures of the disk");
        let free = figures.blocks_available() * figures.fragment_size();
        let ballast = vec![1; usize::try_from(free.saturating_sub(left)).expect("a small disk")];
        let mut file = fs::File::create(self.0.join("ballast")).expect("room for a name");
        if let Err(error) = file.write_all(&ballast) {
            assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
        }
        while left == 0 && file.write(&[1; 4096]).is_ok_and(|count| count > 0) {}
    }

    /// Gives all of it back.
    pub fn clear(&self) {
        fs::remove_file(self.0.join("ballast")).expect("the ballast is there");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// An ext4 file system below lbd's state directory, which can be made to hang (fsfreeze(8)); gone when this is.
#[derive(Debug)]
pub struct HangingDisk(PathBuf);

impl HangingDisk {
    /// Makes and mounts it there, where lbd's user may write.
    pub fn below(folder: &Path) -> Self {
        fs::create_dir_all(folder).expect("the lab's folder");
        let image = folder.with_extension("img");
        let file = fs::File::create_new(&image).expect("the lab's folder");
        file.set_len(32 << 20).expect("room for a small disk");
        run("mkfs.ext4", &[Path::new("-q"), &image]);
        run("mount", &[Path::new("-o"), Path::new("loop"), &image, folder]);
        std::os::unix::fs::chown(folder, Some(USER), Some(USER)).expect("a new file system");
        Self(folder.to_owned())
    }

    /// From now on whoever writes waits.
    pub fn hang(&self) {
        run("fsfreeze", &[Path::new("--freeze"), &self.0]);
    }

    /// Everything that waited is written.
    pub fn answer(&self) {
        run("fsfreeze", &[Path::new("--unfreeze"), &self.0]);
    }
}

impl Drop for HangingDisk {
    fn drop(&mut self) {
        // Refused where it does not hang.
        let _ = Command::new("fsfreeze").arg("--unfreeze").arg(&self.0).stderr(Stdio::null()).status();
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

fn run(program: &str, arguments: &[&Path]) {
    let status = Command::new(program).args(arguments).env("PATH", SYSTEM_PATH).status().expect(program);
    assert!(status.success(), "{program} {arguments:?}: {status}");
}
