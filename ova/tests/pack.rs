//! Packing: golden descriptor, same bytes whatever the surroundings, speed and memory, the command line.

#![allow(clippy::unwrap_used, reason = "a test may, and so may its helpers")]

mod common;

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Output};

use evenkeel_ova::manifest::Algorithm;
use evenkeel_ova::product::DISK_BYTES;
use evenkeel_ova::verify::{broken, passed};
use evenkeel_ova::{extract, pack::pack};

const OVA: &str = env!("CARGO_BIN_EXE_ova");

fn run(command: &mut Command) -> Output {
    command.output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Renew with `UPDATE_GOLDEN=1 cargo test -p evenkeel-ova`, and read the difference.
#[test]
fn descriptor_is_the_golden_one() {
    let folder = tempfile::tempdir().unwrap();
    let ova = common::pack_disk(&common::noise_disk(folder.path()), folder.path());
    let ovf = common::Parts::of(&ova).ovf;
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/evenkeel-1.2.3.ovf");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&golden, &ovf).unwrap();
    }
    let expected = fs::read_to_string(&golden).unwrap_or_default();
    assert!(ovf == expected, "the descriptor differs from {}; it is now:\n{ovf}", golden.display());
}

/// The bytes of the whole OVA, pinned: a new version of a library that decides them is seen here first.
#[test]
fn bytes_are_the_golden_ones() {
    let folder = tempfile::tempdir().unwrap();
    let ova = common::pack_disk(&common::noise_disk(folder.path()), folder.path());
    let checksum = fs::read_to_string(ova.with_extension("ova.sha256")).unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/evenkeel-1.2.3.ova.sha256");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&golden, &checksum).unwrap();
    }
    assert_eq!(checksum, fs::read_to_string(&golden).unwrap_or_default(), "see {}", golden.display());
}

#[test]
fn the_sample_passes_every_rule() {
    let folder = tempfile::tempdir().unwrap();
    let findings = common::findings(&common::sample_ova(folder.path()));
    assert_eq!(broken(&findings), [""; 0]);
    assert!(passed(&findings));
}

#[test]
fn sha256_is_taken_only_where_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, ova) = (common::sample_disk(folder.path()), folder.path().join("a.ova"));
    pack(&disk, &common::VERSION.parse().unwrap(), &ova, Algorithm::Sha256).unwrap();
    assert_eq!(broken(&common::findings(&ova)), ["manifest-algorithm"]);
    let verified = run(Command::new(OVA).args(["verify", "--manifest", "sha256"]).arg(&ova));
    assert!(verified.status.success(), "{}", stdout(&verified));
}

#[test]
fn surroundings_do_not_change_the_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let disk = common::sample_disk(folder.path());
    let build = |name: &str, zone: &str, locale: &str, umask: &str| {
        let place = folder.path().join(name);
        fs::create_dir(&place).unwrap();
        let script =
            format!("umask {umask}; exec \"$0\" pack --disk \"$1\" --version 1.2.3 --output evenkeel.ova");
        let shell = Command::new("sh")
            .args(["-c", &script, OVA])
            .arg(&disk)
            .current_dir(&place)
            .env("TZ", zone)
            .env("LC_ALL", locale)
            .output()
            .unwrap();
        assert!(shell.status.success(), "{}", String::from_utf8_lossy(&shell.stderr));
        let mode = fs::metadata(place.join("evenkeel.ova")).unwrap().permissions().mode() & 0o777;
        (
            fs::read(place.join("evenkeel.ova")).unwrap(),
            fs::read(place.join("evenkeel.ova.sha256")).unwrap(),
            mode,
        )
    };
    let one = build("one", "UTC", "C", "022");
    // The image's own times and holes do not count either.
    File::options().write(true).open(&disk).unwrap().write_all_at(&[0; 1 << 20], 3 << 30).unwrap();
    let other = build("an other", "Pacific/Apia", "tr_TR.UTF-8", "077");
    assert!(one == other);
    assert_eq!(one.2, 0o644);
}

#[test]
fn checksum_is_in_the_format_of_sha256sum() {
    let folder = tempfile::tempdir().unwrap();
    common::sample_ova(folder.path());
    let check =
        run(Command::new("sha256sum").args(["-c", "evenkeel-1.2.3.ova.sha256"]).current_dir(folder.path()));
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
}

#[test]
fn what_was_packed_is_extracted() {
    let folder = tempfile::tempdir().unwrap();
    let ova = common::sample_ova(folder.path());
    let (raw, vmdk) = (folder.path().join("out.raw"), folder.path().join("out.vmdk"));
    let extracted =
        run(Command::new(OVA).arg("extract").arg("--disk").arg(&raw).arg("--vmdk").arg(&vmdk).arg(&ova));
    assert!(extracted.status.success());
    assert!(common::same_content(&raw, &folder.path().join("disk.raw")));
    assert_eq!(fs::read(vmdk).unwrap(), common::Parts::of(&ova).vmdk);
}

#[test]
fn verify_prints_a_line_per_rule_and_names_the_broken_one() {
    let folder = tempfile::tempdir().unwrap();
    let ova = common::sample_ova(folder.path());
    let rules = evenkeel_ova::verify::rules().count();
    let good = run(Command::new(OVA).arg("verify").arg(&ova));
    assert!(good.status.success());
    assert_eq!(stdout(&good).lines().count(), rules + 1);

    let mut bytes = fs::read(&ova).unwrap();
    let at = bytes.windows(6).position(|window| window == b"vmx-11").unwrap();
    bytes[at + 5] = b'3';
    fs::write(&ova, bytes).unwrap();
    let bad = run(Command::new(OVA).arg("verify").arg(&ova));
    assert_eq!(bad.status.code(), Some(1));
    assert!(
        stdout(&bad).ends_with("FAILED, broken: manifest-digests hardware-version\n"),
        "{}",
        stdout(&bad)
    );
}

#[test]
fn errors_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let small = folder.path().join("small.raw");
    File::create(&small).unwrap().set_len(64 << 20).unwrap();
    let output = folder.path().join("a.ova");
    let error =
        pack(&small, &common::VERSION.parse().unwrap(), &output, Algorithm::Sha1).unwrap_err().to_string();
    assert!(
        error.contains("67108864 bytes") && error.contains("20 GB") && error.contains("rebuild"),
        "{error}"
    );
    assert!(!output.exists());

    let missing = run(Command::new(OVA).args(["verify", "/nowhere.ova"]));
    assert_eq!(missing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("cannot open the OVA /nowhere.ova"));
    let error = extract::disk(&small, &output).unwrap_err().to_string();
    assert!(error.contains("no .vmdk") && error.contains("ova verify"), "{error}");
}

/// 200 MB of data in 20 GB: reads the data, not the holes, and keeps grains, not disks, in memory. The
/// limits, 10 s of processor time and 300 MB of address space, stand against 0.5 s and 7 MB resident that
/// were measured in a debug build, and 20 GB that a naive reader needs.
#[test]
fn packing_a_20_gb_disk_is_quick_and_small() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk.raw");
    let file = File::create(&disk).unwrap();
    file.set_len(DISK_BYTES).unwrap();
    let piece: Vec<u8> = (0..1_u32 << 20).map(|i| (i >> 9) as u8 | 1).collect();
    for number in 0..200_u64 {
        file.write_all_at(&piece, number * (100 << 20)).unwrap();
    }
    let output = folder.path().join("a.ova");
    let packed = Command::new("sh")
        .args([
            "-c",
            "ulimit -v 300000; ulimit -t 10; exec \"$0\" pack --disk \"$1\" --version 1.2.3 --output \"$2\"",
            OVA,
        ])
        .args([&disk, &output])
        .output()
        .unwrap();
    assert!(packed.status.success(), "{}", String::from_utf8_lossy(&packed.stderr));
    // All but what is on it: it is no system's.
    assert_eq!(
        broken(&common::findings(&output)),
        ["mbr-protective", "gpt-header", "gpt-backup-header", "partitions-empty", "esp-fat32"]
    );
}
