//! Mutants of the VMDK.

use super::Edit::Vmdk;
use super::Mutant;

const SECTOR: usize = 512;
/// Of the 20 GB disk: grain directory, grain tables, first grain.
const DIRECTORY: usize = 21 * SECTOR;
const TABLES: usize = 26 * SECTOR;
const GRAINS: usize = 2586 * SECTOR;

pub const MUTANTS: &[Mutant] = &[
    ("vmdk-present", Vmdk(|vmdk| vmdk.truncate(5000))),
    ("vmdk-magic", Vmdk(|vmdk| vmdk[..4].copy_from_slice(b"COWD"))),
    ("vmdk-version", Vmdk(|vmdk| vmdk[4] = 1)),
    ("vmdk-flags", Vmdk(|vmdk| vmdk[8] = 3)),
    ("vmdk-capacity", Vmdk(|vmdk| vmdk[12] = 128)),
    ("vmdk-grain-size", Vmdk(|vmdk| vmdk[20] = 64)),
    ("vmdk-descriptor-place", Vmdk(|vmdk| vmdk[28] = 2)),
    ("vmdk-descriptor-place", Vmdk(|vmdk| vmdk[36] = 19)),
    ("vmdk-table-entries", Vmdk(|vmdk| vmdk[45] = 4)),
    ("vmdk-no-redundancy", Vmdk(|vmdk| vmdk[48] = 21)),
    ("vmdk-directory-place", Vmdk(|vmdk| vmdk[56..64].fill(0xff))),
    ("vmdk-overhead", Vmdk(|vmdk| vmdk[65] ^= 1)),
    ("vmdk-clean", Vmdk(|vmdk| vmdk[72] = 1)),
    ("vmdk-newline-test", Vmdk(|vmdk| vmdk[75] = b'\n')),
    ("vmdk-compression", Vmdk(|vmdk| vmdk[77] = 0)),
    ("vmdk-header-padding", Vmdk(|vmdk| vmdk[511] = 1)),
    ("descriptor-encoding", Vmdk(|vmdk| text(vmdk, "UTF-8", "GB-18"))),
    ("descriptor-encoding", Vmdk(|vmdk| text(vmdk, "version=1", "version=3"))),
    ("descriptor-cid", Vmdk(|vmdk| cid(vmdk, b"00000000"))),
    ("descriptor-cid", Vmdk(|vmdk| cid(vmdk, b"ffffffff"))),
    ("descriptor-cid", Vmdk(|vmdk| cid(vmdk, b"fffffffe"))),
    ("descriptor-long-cid", Vmdk(|vmdk| text(vmdk, "ddb.longContentID = \"", "ddb.longContentID =  "))),
    ("descriptor-parent", Vmdk(|vmdk| text(vmdk, "parentCID=ffffffff", "parentCID=00000000"))),
    ("descriptor-type", Vmdk(|vmdk| text(vmdk, "streamOptimized", "monolithicSpars"))),
    ("descriptor-extent", Vmdk(|vmdk| text(vmdk, "RW 41943040", "RW 41943041"))),
    ("descriptor-extent", Vmdk(|vmdk| text(vmdk, "-disk1.vmdk", "-disk2.vmdk"))),
    ("descriptor-adapter", Vmdk(|vmdk| text(vmdk, "\"lsilogic\"", "\"pvscsi\"  "))),
    ("descriptor-geometry", Vmdk(|vmdk| text(vmdk, "\"255\"", "\"16\" "))),
    (
        "descriptor-tools-type",
        Vmdk(|vmdk| text(vmdk, "toolsInstallType = \"4\"", "toolsInstallType = \"1\"")),
    ),
    ("descriptor-tools-version", Vmdk(|vmdk| text(vmdk, "2147483647", "2147483646"))),
    ("descriptor-hw-version", Vmdk(|vmdk| text(vmdk, "HWVersion = \"4\" ", "HWVersion = \"11\""))),
    ("vmdk-stream", Vmdk(|vmdk| vmdk[GRAINS + 11] = 0x7f)),
    ("vmdk-stream", Vmdk(cut_inside_a_grain)),
    ("vmdk-directory", Vmdk(|vmdk| vmdk[DIRECTORY + 4] += 1)),
    ("vmdk-tables", Vmdk(|vmdk| vmdk[TABLES] += 1)),
    ("vmdk-tables", Vmdk(|vmdk| vmdk[TABLES + 400] = 1)),
    ("vmdk-grain-data", Vmdk(|vmdk| vmdk[GRAINS + 12] = 0x58)),
    ("vmdk-grain-data", Vmdk(|vmdk| break_checksum(vmdk))),
    ("vmdk-grain-padding", Vmdk(|vmdk| vmdk[GRAINS + SECTOR - 1] = 1)),
    ("vmdk-zero-grains", Vmdk(|vmdk| rebuild(vmdk, add_zero_grain))),
    ("vmdk-grain-order", Vmdk(|vmdk| rebuild(vmdk, |grains| grains.swap(0, 1)))),
    ("vmdk-no-footer", Vmdk(insert_footer)),
    ("vmdk-end-marker", Vmdk(|vmdk| vmdk.truncate(vmdk.len() - SECTOR))),
    ("vmdk-end-marker", Vmdk(|vmdk| vmdk.extend([0; SECTOR]))),
    ("vmdk-end-marker", Vmdk(|vmdk| vmdk.extend([0; 10]))),
    ("vmdk-end-marker", Vmdk(|vmdk| *vmdk.last_mut().unwrap() = 1)),
];

/// Replaces a text of the descriptor by one of the same length.
fn text(vmdk: &mut [u8], from: &str, to: &str) {
    let from = from.trim_end();
    let at = vmdk.windows(from.len()).position(|window| window == from.as_bytes()).expect(from);
    if from.len() == to.len() {
        vmdk[at..at + to.len()].copy_from_slice(to.as_bytes());
        return;
    }
    // Longer: move what follows, within the zeros at the descriptor's end.
    let descriptor = &mut vmdk[SECTOR..DIRECTORY];
    let at = at - SECTOR;
    descriptor[at + from.len()..].rotate_right(to.len() - from.len());
    descriptor[at..at + to.len()].copy_from_slice(to.as_bytes());
}

fn cid(vmdk: &mut [u8], value: &[u8; 8]) {
    let at = vmdk.windows(5).position(|window| window == b"\nCID=").unwrap() + 5;
    vmdk[at..at + 8].copy_from_slice(value);
}

/// A grain as it is stored: LBA and all its sectors.
type Grain = (u64, Vec<u8>);

fn grains(vmdk: &[u8]) -> Vec<Grain> {
    let mut grains = Vec::new();
    let mut at = GRAINS;
    loop {
        let lba = u64::from_le_bytes(vmdk[at..at + 8].try_into().unwrap());
        let size = u32::from_le_bytes(vmdk[at + 8..at + 12].try_into().unwrap()) as usize;
        if size == 0 {
            return grains;
        }
        let end = at + (12 + size).next_multiple_of(SECTOR);
        grains.push((lba, vmdk[at..end].to_vec()));
        at = end;
    }
}

/// Changes the list of grains, and makes tables and end marker fit.
fn rebuild(vmdk: &mut Vec<u8>, change: fn(&mut Vec<Grain>)) {
    let mut list = grains(vmdk);
    change(&mut list);
    vmdk.truncate(GRAINS);
    vmdk[TABLES..].fill(0);
    for (lba, bytes) in list {
        let entry = TABLES + 4 * (lba / 128) as usize;
        let sector = (vmdk.len() / SECTOR) as u32;
        vmdk[entry..entry + 4].copy_from_slice(&sector.to_le_bytes());
        vmdk.extend(bytes);
    }
    vmdk.extend([0; SECTOR]);
}

fn add_zero_grain(grains: &mut Vec<Grain>) {
    let stream = miniz_oxide::deflate::compress_to_vec_zlib(&[0; 65_536], 6);
    let lba = 128 * 100_u64;
    let mut bytes = lba.to_le_bytes().to_vec();
    bytes.extend((stream.len() as u32).to_le_bytes());
    bytes.extend(stream);
    bytes.resize(bytes.len().next_multiple_of(SECTOR), 0);
    let place = grains.iter().position(|grain| grain.0 > lba).unwrap();
    grains.insert(place, (lba, bytes));
}

/// As qemu-img writes it: a marker, a second header, then the end.
fn insert_footer(vmdk: &mut Vec<u8>) {
    let end = vmdk.len() - SECTOR;
    let mut footer = vec![0; SECTOR];
    footer[0] = 1;
    footer[12] = 3;
    footer.extend(&vmdk[..SECTOR]);
    vmdk.splice(end..end, footer);
}

/// Of the first grain's zlib stream.
fn break_checksum(vmdk: &mut [u8]) {
    let size = u32::from_le_bytes(vmdk[GRAINS + 8..GRAINS + 12].try_into().unwrap()) as usize;
    vmdk[GRAINS + 12 + size - 1] ^= 1;
}

fn cut_inside_a_grain(vmdk: &mut Vec<u8>) {
    let grains = grains(vmdk);
    let long = grains.iter().position(|grain| grain.1.len() > SECTOR).unwrap();
    let before: usize = grains[..long].iter().map(|grain| grain.1.len()).sum();
    vmdk.truncate(GRAINS + before + SECTOR);
}
