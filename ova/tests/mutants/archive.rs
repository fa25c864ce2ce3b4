//! Mutants of the archive and the manifest.

use evenkeel_ova::manifest::Algorithm;

use super::{Edit, Mutant};

pub const MUTANTS: &[Mutant] = &[
    ("tar-readable", Edit::Tar(|tar| tar[148] ^= 1)),
    ("tar-readable", Edit::Tar(|tar| tar.truncate(200_000))),
    ("tar-ustar", Edit::Tar(|tar| header(tar, |h| h[257..265].copy_from_slice(b"ustar  \0")))),
    ("tar-no-extensions", Edit::Tar(insert_pax)),
    ("tar-order", Edit::Files(|files| files.swap(0, 1))),
    ("tar-order", Edit::Files(|files| files.rotate_left(1))),
    ("tar-names", Edit::Files(|files| files[1].0 = "other.mf".to_owned())),
    ("tar-mode", Edit::Tar(|tar| header(tar, |h| h[100..107].copy_from_slice(b"0000600")))),
    ("tar-owner", Edit::Tar(|tar| header(tar, |h| h[108..115].copy_from_slice(b"0001750")))),
    ("tar-owner", Edit::Tar(|tar| header(tar, |h| h[116..123].copy_from_slice(b"0001750")))),
    ("tar-time", Edit::Tar(|tar| header(tar, |h| h[136..147].copy_from_slice(b"15000000000")))),
    ("tar-header", Edit::Tar(|tar| header(tar, |h| h[265..269].copy_from_slice(b"root")))),
    ("tar-padding", Edit::Tar(|tar| *before_vmdk(tar) = 1)),
    ("tar-end", Edit::Tar(cut_end)),
    ("tar-end", Edit::Tar(|tar| *tar.last_mut().unwrap() = 1)),
    (
        "no-certificate",
        Edit::Files(|files| files.push((files[0].0.replace(".ovf", ".cert"), vec![b'x'; 10]))),
    ),
    ("manifest-syntax", Edit::Manifest(|parts| parts.manifest(Algorithm::Sha1).replacen('(', " (", 1))),
    ("manifest-syntax", Edit::Manifest(|parts| parts.manifest(Algorithm::Sha1).replacen(")= ", ") = ", 1))),
    ("manifest-algorithm", Edit::Manifest(|parts| parts.manifest(Algorithm::Sha256))),
    (
        "manifest-complete",
        Edit::Manifest(|parts| parts.manifest(Algorithm::Sha1).lines().next().unwrap().to_owned()),
    ),
    (
        "manifest-complete",
        Edit::Manifest(|parts| parts.manifest(Algorithm::Sha1).replace("-disk1", "-disk2")),
    ),
    ("manifest-digests", Edit::Manifest(wrong_digest)),
];

/// Changes the first header and makes its checksum right.
fn header(tar: &mut [u8], change: fn(&mut [u8])) {
    change(&mut tar[..512]);
    let mut header = tar::Header::from_byte_slice(&tar[..512]).clone();
    header.set_cksum();
    tar[..512].copy_from_slice(header.as_bytes());
}

/// The last byte of what fills up the manifest.
fn before_vmdk(tar: &mut [u8]) -> &mut u8 {
    let vmdk = tar.windows(4).position(|window| window == b"KDMV").unwrap();
    &mut tar[vmdk - 513]
}

fn insert_pax(tar: &mut Vec<u8>) {
    let mut pax = tar[..512].to_vec();
    pax[124..135].copy_from_slice(b"00000000036");
    pax.extend(b"30 mtime=1577836800.123456789\n");
    pax.resize(1024, 0);
    header(&mut pax, |h| h[156] = b'x');
    tar.splice(0..0, pax);
}

/// Leaves one block of zeros.
fn cut_end(tar: &mut Vec<u8>) {
    let last = tar.iter().rposition(|&byte| byte != 0).unwrap();
    // The VMDK ends in a sector of zeros of its own.
    tar.truncate((last + 1).next_multiple_of(512) + 512 + 512);
}

fn wrong_digest(parts: &super::Parts) -> String {
    let mut manifest = parts.manifest(Algorithm::Sha1);
    let last = manifest.trim_end().len() - 1;
    let other = if manifest.as_bytes()[last] == b'0' { "1" } else { "0" };
    manifest.replace_range(last..=last, other);
    manifest
}
