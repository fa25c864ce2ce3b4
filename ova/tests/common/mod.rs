//! A small good OVA to start from, taken apart and put together again.

#![allow(dead_code, reason = "each test file is a crate of its own and uses its part of this")]

#[path = "../../../image/fixtures/program.rs"]
pub mod program;
pub mod system;

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use evenkeel_ova::manifest::{Algorithm, Line};
use evenkeel_ova::model::Ova;
use evenkeel_ova::pack::pack;
use evenkeel_ova::product::DISK_BYTES;
use evenkeel_ova::ustar::{Archive, Section, Writer};
use evenkeel_ova::verify::{Finding, verify};

/// Version of every OVA of the tests.
pub const VERSION: &str = "1.2.3";

/// A 20 GB disk with data at its start, in its middle and at its end, and no system; nine grains.
pub fn noise_disk(folder: &Path) -> PathBuf {
    let path = folder.join("disk.raw");
    let file = File::create(&path).unwrap();
    file.set_len(DISK_BYTES).unwrap();
    for (at, byte) in [(0, b'a'), (65_536, b'b'), (10 << 30, b'c'), (DISK_BYTES - 512, b'e')] {
        file.write_all_at(&[byte; 500], at).unwrap();
    }
    file.write_all_at(&noise(300_000), 5 << 30).unwrap();
    path
}

fn noise(length: u32) -> Vec<u8> {
    (0..length).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// A disk as the image has it, with small things in place of boot loader, kernel and initramfs.
pub fn sample_disk(folder: &Path) -> PathBuf {
    let path = folder.join("disk.raw");
    system::write(&path, &system::Parts::default());
    path
}

/// Packs the sample disk in `folder`.
pub fn sample_ova(folder: &Path) -> PathBuf {
    pack_disk(&sample_disk(folder), folder)
}

/// Packs a disk into an OVA in `folder`.
pub fn pack_disk(disk: &Path, folder: &Path) -> PathBuf {
    let output = folder.join("evenkeel-1.2.3.ova");
    pack(disk, &VERSION.parse().unwrap(), &output, Algorithm::Sha1).unwrap();
    output
}

/// What `ova verify` says about a file.
pub fn findings(path: &Path) -> Vec<Finding> {
    verify(&Ova::read(path).unwrap(), Algorithm::Sha1)
}

/// The files of an OVA, in its order.
pub fn files(path: &Path) -> Vec<(String, Vec<u8>)> {
    let file = File::open(path).unwrap();
    let archive = Archive::read(&file).unwrap();
    let contents = archive.files().map(|entry| {
        let mut bytes = Vec::new();
        Section::new(&file, entry.at, entry.size).read_to_end(&mut bytes).unwrap();
        (entry.name.clone(), bytes)
    });
    contents.collect()
}

/// An OVA in pieces.
#[derive(Debug, Clone)]
pub struct Parts {
    pub ovf: String,
    pub vmdk: Vec<u8>,
}

impl Parts {
    pub fn of(path: &Path) -> Parts {
        let [ovf, _, vmdk] = files(path).try_into().unwrap();
        Parts { ovf: String::from_utf8(ovf.1).unwrap(), vmdk: vmdk.1 }
    }

    /// The manifest that belongs to the pieces as they are.
    pub fn manifest(&self, algorithm: Algorithm) -> String {
        let line = |ending: &str, bytes: &[u8]| {
            let digest = algorithm.digest(&mut &*bytes).unwrap();
            Line { algorithm, name: format!("evenkeel-{VERSION}{ending}"), digest }.to_string()
        };
        line(".ovf", self.ovf.as_bytes()) + &line("-disk1.vmdk", &self.vmdk)
    }

    /// The files of the OVA, with this manifest.
    pub fn files(&self, manifest: String) -> Vec<(String, Vec<u8>)> {
        let name = |ending| format!("evenkeel-{VERSION}{ending}");
        vec![
            (name(".ovf"), self.ovf.clone().into_bytes()),
            (name(".mf"), manifest.into_bytes()),
            (name("-disk1.vmdk"), self.vmdk.clone()),
        ]
    }
}

/// Packs files into an archive.
pub fn archive(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut archive = Writer::new(Vec::new());
    for (name, bytes) in files {
        archive.append(name, bytes.len() as u64, &mut bytes.as_slice()).unwrap();
    }
    archive.finish().unwrap()
}

/// Whether two files have the same bytes, 20 GB with holes in them included: data on either side is compared.
pub fn same_content(one: &Path, other: &Path) -> bool {
    let pieces = |path: &Path| {
        let mut disk = evenkeel_ova::disk::RawDisk::open(path).unwrap();
        let mut grain = Box::new([0; evenkeel_ova::vmdk::GRAIN_BYTES]);
        let mut digests = Vec::new();
        while let Some(number) = disk.next_grain(&mut grain).unwrap() {
            digests.push((number, Algorithm::Sha256.digest(&mut grain.as_slice()).unwrap()));
        }
        digests
    };
    fs::metadata(one).unwrap().len() == fs::metadata(other).unwrap().len() && pieces(one) == pieces(other)
}
