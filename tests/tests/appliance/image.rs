//! What is in the image, and what of it can be reached: nothing that is not needed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;

use evenkeel_ova::system::Program;
use lab::exposure::{Port, scan, told};
use lab::topology::MANAGEMENT;
use lab::vm::{Guest, artefacts};
use lab::{Lab, peers, process};

/// Shells, interpreters, package managers, and tools that fetch or compile: the beginnings of their names.
const UNWANTED: [&str; 30] = [
    "sh", "ash", "bash", "dash", "zsh", "ksh", "csh", "tcsh", "fish", "busybox", "toybox", "perl", "python",
    "ruby", "lua", "awk", "gawk", "mawk", "sed", "node", "php", "tclsh", "apt", "dpkg", "rpm", "pip", "gcc",
    "curl", "wget", "nc",
];

/// What may be executed, and whose it is.
const PROGRAMS: [(&str, &str); 6] = [
    ("/bin/lbd", "crate:lbd"),
    ("/init", "crate:evenkeel-init"),
    ("/usr/sbin/e2fsck", "deb:e2fsprogs"),
    ("/usr/sbin/mke2fs", "deb:e2fsprogs"),
    ("/usr/sbin/nft", "deb:nftables"),
    ("/usr/sbin/resize2fs", "deb:e2fsprogs"),
];

/// Port table of the product specification, with what serves each already.
const PORT_TABLE: [(u16, bool); 11] = [
    (22, false),
    (53, false),
    (123, false),
    (161, false),
    (6694, false),
    (7778, false),
    (9000, false),
    (9080, false),
    (9081, false),
    (9443, true),
    (25565, false),
];

/// Packets that an emulated adapter takes without losing any.
const A_SECOND: u32 = 4_000;

/// Path, kind and mode, owner of every file in the image.
fn files() -> Vec<(String, String, String)> {
    let list = std::fs::read_to_string(artefacts::file_list()).expect("readable");
    let fields = |line: &str| {
        let [path, mode, _size, owner] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("odd line {line:?}")
        };
        (path.to_owned(), mode.to_owned(), owner.to_owned())
    };
    list.lines().map(fields).collect()
}

#[test]
fn every_file_has_an_owner_and_none_is_a_shell_or_an_interpreter() {
    let files = files();
    assert!(files.len() > 100, "{} files", files.len());
    for (path, _, owner) in &files {
        let known = owner == "evenkeel" || owner.starts_with("deb:") || owner.starts_with("crate:");
        assert!(known, "{path} has the owner {owner:?}");
        let is_documentation = path.starts_with("/usr/share/");
        let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
        let stem = name.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        assert!(is_documentation || !UNWANTED.contains(&stem), "{path} must not be in the image");
    }
    let is_program = |path: &str, mode: &str| {
        mode.starts_with("-07") && !path.contains(".so") && !path.starts_with("/usr/share/")
    };
    let programs: Vec<_> = files.iter().filter(|(path, mode, _)| is_program(path, mode)).collect();
    let programs: Vec<_> = programs.iter().map(|(path, _, owner)| (path.as_str(), owner.as_str())).collect();
    assert_eq!(programs, PROGRAMS);
}

#[test]
fn the_ova_has_at_most_forty_megabytes() {
    let size = std::fs::metadata(artefacts::ova()).expect("the OVA").len();
    println!("the OVA has {:.1} MB", size as f64 / 1e6);
    assert!(size <= 40_000_000, "{size}");
}

/// QEMU and COT, on the OVA that is delivered: the disk in it is the one that was built, byte for byte.
#[test]
fn others_read_the_finished_ova_as_we_do() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let vmdk = folder.path().join("disk.vmdk");
    evenkeel_ova::extract::vmdk(&artefacts::ova(), &vmdk).expect("the OVA's disk");
    let mut compare = Command::new("qemu-img");
    compare.args(["compare", "-f", "vmdk", "-F", "raw"]).arg(&vmdk).arg(artefacts::raw_disk());
    assert_eq!(process::run(compare).expect_ok().trim(), "Images are identical.");

    let mut cot = Command::new(peers::folder().join("bin/cot"));
    cot.args(["info", "-v"]).arg(artefacts::ova()).env("COLUMNS", "200");
    let output = process::run(cot);
    let text = format!("{}{}", output.stdout, output.stderr);
    assert!(output.status.success() && text.contains("vmx-11") && text.contains("vUltimate"), "{text}");
    for complaint in ["ERROR", "WARNING", "Traceback", "mismatch"] {
        assert!(!text.contains(complaint), "COT complains:\n{text}");
    }
}

/// Taken apart by `tar`, as anybody can.
#[test]
fn the_update_archive_holds_the_system_of_the_ova() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let archive = artefacts::update();
    let mut tar = Command::new("tar");
    tar.arg("-C").arg(folder.path()).arg("-xf").arg(&archive);
    process::run(tar).expect_ok();
    for (name, original) in [("evenkeel.efi", artefacts::uki()), ("sbom.json", artefacts::sbom())] {
        let taken = std::fs::read(folder.path().join(name)).expect("in the archive");
        assert!(taken == std::fs::read(&original).expect("readable"), "{name} is not {}", original.display());
    }
    expect_checksum(&archive);
}

/// The checksum beside it is as `sha256sum` wants it.
fn expect_checksum(artefact: &Path) {
    let mut check = Command::new("sha256sum");
    check.current_dir(artefact.parent().expect("a folder")).arg("-c");
    check.arg(artefact.with_added_extension("sha256"));
    process::run(check).expect_ok();
}

#[test]
fn every_owner_is_in_the_bill_of_materials_with_its_licence() {
    let sbom = std::fs::read_to_string(artefacts::sbom()).expect("readable");
    let sbom: serde_json::Value = serde_json::from_str(&sbom).expect("JSON");
    assert_eq!((&sbom["bomFormat"], &sbom["specVersion"]), (&"CycloneDX".into(), &"1.6".into()));
    let components = sbom["components"].as_array().expect("components");
    let names: BTreeSet<_> = components.iter().filter_map(|one| one["name"].as_str()).collect();
    let files = files();
    let paths: BTreeSet<_> = files.iter().map(|(path, _, _)| path.as_str()).collect();
    let owners: BTreeSet<_> = files.iter().map(|(_, _, owner)| owner.as_str()).collect();
    for owner in owners {
        let name = owner.split_once(':').map_or(owner, |(_, name)| name);
        assert!(owner == "evenkeel" || names.contains(name), "{owner} is not in the SBOM");
        let text = |folder| format!("/usr/share/licenses/{folder}/{name}.txt");
        if owner.starts_with("deb:") {
            let has_text = ["debian", "linked"].iter().any(|folder| paths.contains(text(folder).as_str()));
            assert!(has_text, "{owner} has no licence text");
        }
    }
    for linked in ["libc6-dev", "rust-std"] {
        assert!(names.contains(linked), "{linked} is linked into our programs");
    }
    for path in ["SOURCES.txt", "COMPONENTS.json", "common/GPL-2", "linked/rust/licenses/MIT.txt"] {
        assert!(paths.contains(format!("/usr/share/licenses/{path}").as_str()), "{path}");
    }
}

#[test]
fn own_programs_ask_for_no_interpreter_and_no_library() {
    for program in ["init", "lbd"] {
        let mut readelf = Command::new("readelf");
        readelf.args(["--wide", "--program-headers", "--dynamic"]).arg(artefacts::programs().join(program));
        let output = process::run(readelf);
        let text = output.expect_ok();
        assert!(text.contains("LOAD"), "{text}");
        assert!(!text.contains("INTERP") && !text.contains("(NEEDED)"), "{program}:\n{text}");
    }
}

/// Path and content of each file in an archive of cpio's form "newc" (`Documentation/driver-api/early-userspace/buffer-format.rst`).
fn archived(mut archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    const HEADER: usize = 110;
    let padded = |length: usize| length.next_multiple_of(4);
    let mut files = BTreeMap::new();
    loop {
        assert!(archive.starts_with(b"070701"), "{:?}", archive.get(..6));
        let number = |field: usize| {
            let digits = std::str::from_utf8(&archive[6 + 8 * field..14 + 8 * field]).expect("digits");
            usize::from_str_radix(digits, 16).expect("a hexadecimal number")
        };
        let (size, name_size) = (number(6), number(11));
        let name = std::str::from_utf8(&archive[HEADER..HEADER + name_size - 1]).expect("a name").to_owned();
        if name == "TRAILER!!!" {
            return files;
        }
        let content = padded(HEADER + name_size);
        files.insert(name, archive[content..content + size].to_vec());
        archive = &archive[padded(content + size)..];
    }
}

/// What the kernel will find, read out of the OVA itself; whether it comes so far, `ova verify` judges.
#[test]
fn the_disk_in_the_ova_holds_one_system_with_what_the_list_says() {
    let ova = evenkeel_ova::model::Ova::read(&artefacts::ova()).expect("an OVA");
    let boot = ova.vmdk.and_then(|vmdk| vmdk.system?.boot.files).expect("a boot partition");
    let own = format!("EFI/Linux/evenkeel_{}.efi", env!("CARGO_PKG_VERSION"));
    let uki = Program::parse(&boot.files[&own]).expect("a program for UEFI");
    let initrd = uki.content(".initrd").expect("an initramfs");
    let system = archived(&zstd::stream::decode_all(initrd).expect("zstd"));
    // The number of a device stands behind its name.
    let listed = |path: &str| path.trim_start_matches('/').split(' ').next().expect("a name").to_owned();
    let listed: BTreeSet<_> = files().iter().map(|(path, ..)| listed(path)).collect();
    let found: BTreeSet<_> = system.keys().filter(|path| *path != ".").cloned().collect();
    assert_eq!(found, listed);
    for (path, program) in [("init", "init"), ("bin/lbd", "lbd")] {
        let built = std::fs::read(artefacts::programs().join(program)).expect("what was packed");
        assert!(system[path] == built, "{path} is not the program whose headers are looked at");
    }
}

#[test]
fn the_ova_that_is_shipped_keeps_every_rule() {
    let ova = evenkeel_ova::model::Ova::read(&artefacts::ova()).expect("an OVA");
    let findings = evenkeel_ova::verify::verify(&ova, evenkeel_ova::manifest::Algorithm::Sha1);
    assert!(evenkeel_ova::verify::passed(&findings), "{:?}", evenkeel_ova::verify::broken(&findings));
    expect_checksum(&artefacts::ova());
}

/// All ports of TCP and the usual ones of UDP, on the appliance's own address and a virtual one, as a stranger in its
/// network finds them; what the page about them says is the same.
#[test]
fn nothing_answers_but_what_the_port_table_allows() {
    let lab = Lab::single_arm_with_guest();
    lab.server("NODE1").named_server("NODE1", 2001);
    let guest = Guest::new(&lab);
    // Patient checks: to a scanner a service whose servers seem to fail is no open port.
    guest.boot(&lab.config([&lab.pool().weights(&[100]).check_every(10, 10)]));
    guest.wait_service("POOL", "up");
    let (own, virtual_address) = (MANAGEMENT.into(), lab.vip(0).into());
    let found = scan(lab.client(), &[own, virtual_address], A_SECOND);
    let of = |address: IpAddr, ports: &mut dyn Iterator<Item = u16>| -> BTreeSet<Port> {
        ports.map(|port| (address, "tcp".to_owned(), port)).collect()
    };
    let mut served = PORT_TABLE.iter().filter(|(_, is_served)| *is_served).map(|(port, _)| *port);
    let allowed: BTreeSet<_> =
        of(own, &mut served).into_iter().chain(of(virtual_address, &mut [2001].into_iter())).collect();
    assert_eq!(found, allowed);
    let told_open = told(&guest.status());
    let told_by_tcp: BTreeSet<_> =
        told_open.into_iter().filter(|(_, transport, _)| transport == "tcp").collect();
    assert_eq!(found, told_by_tcp);
}
