//! What others say about the OVA: QEMU, COT, xmllint, GNU tar. `make test` installs them.
//!
//! COT is looked for in the Python environment that `EVENKEEL_PEERS` names (else `target/peers`), the
//! others in the PATH. A missing one is a failure that names what to install, never a skipped test.

#![allow(clippy::unwrap_used, reason = "a test may, and so may its helpers")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Runs a tool of the PATH, which comes with `package`.
fn tool(name: &str, package: &str, arguments: &[&Path]) -> String {
    let found = Command::new(name).args(arguments).output();
    let output =
        found.unwrap_or_else(|error| panic!("cannot run {name} ({error}): apt-get install {package}"));
    text_of(name, &output)
}

/// All that a program said, in colours or not; it must have succeeded.
fn text_of(name: &str, output: &Output) -> String {
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{name} failed: {text}");
    text
}

fn cot() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(workspace.join("target"), PathBuf::from);
    let peers = std::env::var_os("EVENKEEL_PEERS").map_or(target.join("peers"), PathBuf::from);
    let cot = peers.join("bin/cot");
    assert!(
        cot.exists(),
        "{} is missing: python3 -m venv {peers}; {peers}/bin/pip install cot==2.2.1 (or set EVENKEEL_PEERS)",
        cot.display(),
        peers = peers.display()
    );
    cot
}

fn path(text: &str) -> &Path {
    Path::new(text)
}

#[test]
fn qemu_reads_the_same_disk() {
    let folder = tempfile::tempdir().unwrap();
    let ova = common::sample_ova(folder.path());
    let (vmdk, raw) = (folder.path().join("out.vmdk"), folder.path().join("out.raw"));
    evenkeel_ova::extract::vmdk(&ova, &vmdk).unwrap();
    let [convert, format, output] = ["convert", "-O", "raw"].map(path);
    tool("qemu-img", "qemu-utils", &[convert, path("-f"), path("vmdk"), format, output, &vmdk, &raw]);
    assert!(common::same_content(&raw, &folder.path().join("disk.raw")));
}

/// And we read QEMU's disks the same way, but for the end marker that QEMU leaves out.
#[test]
fn rules_tell_qemus_vmdk_from_ours() {
    let folder = tempfile::tempdir().unwrap();
    let ova = common::sample_ova(folder.path());
    let (disk, vmdk) = (folder.path().join("disk.raw"), folder.path().join("qemu.vmdk"));
    let arguments = ["convert", "-O", "vmdk", "-o", "subformat=streamOptimized"].map(path);
    tool("qemu-img", "qemu-utils", &[&arguments[..], &[&disk, &vmdk]].concat());
    let mut parts = common::Parts::of(&ova);
    let size = |vmdk: &[u8]| format!("ovf:size=\"{}\"", vmdk.len());
    let ours = size(&parts.vmdk);
    parts.vmdk = fs::read(vmdk).unwrap();
    parts.ovf = parts.ovf.replace(&ours, &size(&parts.vmdk));
    let manifest = parts.manifest(evenkeel_ova::manifest::Algorithm::Sha1);
    fs::write(&ova, common::archive(&parts.files(manifest))).unwrap();
    let broken = evenkeel_ova::verify::broken(&common::findings(&ova));
    assert!(broken.contains(&"vmdk-directory-place"), "{broken:?}");
    assert!(
        broken.iter().all(|rule| rule.starts_with("vmdk-") || rule.starts_with("descriptor-")),
        "{broken:?}"
    );
}

/// COT verifies sizes and digests of the manifest while it reads, and complains in words only.
#[test]
fn cot_finds_nothing_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let ova = common::sample_ova(folder.path());
    let output = Command::new(cot()).args(["info", "-v"]).arg(&ova).env("COLUMNS", "200").output().unwrap();
    let text = text_of("cot", &output);
    for complaint in ["ERROR", "WARNING", "Traceback", "mismatch"] {
        assert!(!text.contains(complaint), "COT complains:\n{text}");
    }
    for fact in ["vmx-11", "VirtualSCSI", "v1000 (default)", "harddisk @ SCSI 0:0", "com.vmware.guestInfo"] {
        assert!(text.contains(fact), "COT does not see {fact}:\n{text}");
    }
    let profiles: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with("  v") && line.contains("GiB"))
        .map(|line| line.split_whitespace().filter(|word| *word != "(default)").take(5).collect())
        .collect();
    let expected = [
        ["v1000", "2", "4", "GiB", "4"],
        ["v4000", "4", "8", "GiB", "4"],
        ["vUltimate", "8", "16", "GiB", "4"],
    ];
    assert_eq!(profiles, expected, "{text}");
}

/// The oracle is awake: it sees a wrong digest.
#[test]
fn cot_complains_about_a_wrong_digest() {
    let folder = tempfile::tempdir().unwrap();
    let ova = common::sample_ova(folder.path());
    let mut files = common::files(&ova);
    let manifest = String::from_utf8(files[1].1.clone()).unwrap();
    files[1].1 = manifest
        .lines()
        .map(|line| format!("{}{:040}\n", line.split_at(line.len() - 40).0, 0))
        .collect::<String>()
        .into_bytes();
    fs::write(&ova, common::archive(&files)).unwrap();
    let output = Command::new(cot()).arg("info").arg(&ova).output().unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("ERROR") || text.contains("WARNING"), "{text}");
}

#[test]
fn xmllint_reads_the_descriptor_as_we_do() {
    let folder = tempfile::tempdir().unwrap();
    let ovf = folder.path().join("a.ovf");
    fs::write(&ovf, common::Parts::of(&common::sample_ova(folder.path())).ovf).unwrap();
    assert_eq!(tool("xmllint", "libxml2-utils", &[path("--noout"), path("--nonet"), &ovf]), "");
    for (query, expected) in [
        ("count(//*[local-name()='Item'])", "14"),
        ("count(//*[local-name()='ResourceSubType'][.='VmxNet3'])", "4"),
        ("string(//*[local-name()='Disk']/@*[local-name()='capacity'])", "21474836480"),
        ("string(//*[local-name()='VirtualSystemType'])", "vmx-11"),
        ("count(//*[local-name()='Property'])", "14"),
        ("namespace-uri(/*)", "http://schemas.dmtf.org/ovf/envelope/1"),
    ] {
        let found = tool("xmllint", "libxml2-utils", &[path("--xpath"), path(query), &ovf]);
        assert_eq!(found.trim(), expected, "{query}");
    }
}

#[test]
fn gnu_tar_reads_the_archive_as_we_do() {
    let folder = tempfile::tempdir().unwrap();
    let ova = common::sample_ova(folder.path());
    let listed = tool(
        "tar",
        "tar",
        &["--utc", "--full-time", "--numeric-owner", "-tvf"]
            .map(path)
            .into_iter()
            .chain([ova.as_path()])
            .collect::<Vec<_>>(),
    );
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines.len(), 3, "{listed}");
    for (line, ending) in lines.iter().zip([".ovf", ".mf", "-disk1.vmdk"]) {
        assert!(line.starts_with("-rw-r--r-- 0/0 ") && line.contains(" 2020-01-01 00:00:00 "), "{line}");
        assert!(line.ends_with(&format!("evenkeel-1.2.3{ending}")), "{line}");
    }
}
