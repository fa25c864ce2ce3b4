//! The whole program on one small package made by hand: what it writes, that it writes the same again wherever and
//! however it is run, and that it refuses what it must refuse.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use evenkeel_image::crates::ROOTS;
use evenkeel_image::hash::Sha;
use evenkeel_image::module_list::MODULES;
use evenkeel_image::packages::{BOOT_LOADER, FILES, PROGRAMS, STUB};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Command, Output};

/// A static x86-64 ELF program, as far as its header.
fn elf() -> Vec<u8> {
    let mut elf = vec![0; 64];
    elf[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1]);
    elf[16..21].copy_from_slice(&[2, 0, 62, 0, 1]);
    elf[52] = 64;
    elf
}

/// An EFI program with one section.
fn pe() -> Vec<u8> {
    let mut file = vec![0; 0x600];
    file[..2].copy_from_slice(b"MZ");
    file[0x3c] = 0x40;
    file[0x40..0x47].copy_from_slice(b"PE\0\0\x64\x86\x01");
    file[0x54] = 0xf0;
    file[0x58..0x5a].copy_from_slice(&[0x0b, 0x02]);
    let fields: [(usize, u32); 9] = [
        (0x78, 0x1000),
        (0x7c, 0x200),
        (0x90, 0x3000),
        (0x94, 0x600),
        (0xc4, 16),
        (0x150, 0x123),
        (0x154, 0x1000),
        (0x158, 0x200),
        (0x15c, 0x600),
    ];
    for (at, value) in fields {
        file[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    file.extend([0xcc; 0x200]);
    file
}

fn tar_of(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, content.as_slice()).unwrap();
    }
    builder.into_inner().unwrap()
}

fn deb() -> Vec<u8> {
    let builtin: String =
        MODULES.iter().flat_map(|group| *group).map(|name| format!("kernel/{name}.ko\n")).collect();
    let mut files = vec![
        ("usr/share/doc/everything/copyright", b"text".to_vec()),
        ("usr/share/common-licenses/GPL-2", b"text".to_vec()),
        ("usr/share/ca-certificates/mozilla/a.crt", b"certificate".to_vec()),
        ("usr/share/zoneinfo/UTC", b"zone".to_vec()),
        ("boot/vmlinuz-6.12.0", pe()),
        ("usr/lib/modules/6.12.0/modules.builtin", builtin.into_bytes()),
        (STUB, pe()),
        (BOOT_LOADER, pe()),
    ];
    files.extend(FILES.iter().map(|path| (*path, b"file".to_vec())));
    files.extend(PROGRAMS.iter().map(|path| (*path, elf())));
    let control =
        tar_of(&[("control", b"Package: everything\nVersion: 1-1\nArchitecture: amd64\n".to_vec())]);
    let mut archive = ar::Builder::new(Vec::new());
    for (name, content) in [("control.tar", control), ("data.tar", tar_of(&files))] {
        archive.append(&ar::Header::new(name.into(), content.len() as u64), content.as_slice()).unwrap();
    }
    archive.into_inner().unwrap()
}

/// A build folder: the package and its lock, a workspace of two empty crates, the two programs.
fn prepare(folder: &Path) {
    let write = |path: &str, content: &[u8]| {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    let deb = deb();
    write("target/packages/everything_1-1.deb", &deb);
    write("packages.lock", format!("everything 1-1 {}\n", Sha::of(&deb)).as_bytes());
    write("Cargo.toml", b"[workspace]\nresolver = \"3\"\nmembers = [\"init\", \"lbd\"]\n");
    let mut lock = String::from("version = 4\n");
    for (name, package) in ["init", "lbd"].into_iter().zip(ROOTS) {
        let head = format!("name = \"{package}\"\nversion = \"1.0.0\"\n");
        write(&format!("{name}/Cargo.toml"), format!("[package]\n{head}edition = \"2024\"\n").as_bytes());
        write(&format!("{name}/src/lib.rs"), b"");
        write(&format!("{name}/LICENSE"), b"licence");
        lock += &format!("\n[[package]]\n{head}");
    }
    write("Cargo.lock", lock.as_bytes());
    write("init.elf", &elf());
    evenkeel_image::update::make_key(&folder.join("update.key")).unwrap();
}

/// Runs `image build` there under this umask, time zone and locale.
fn build(folder: &Path, init: &str, umask: &str, zone: &str, locale: &str) -> Output {
    Command::new("sh")
        .args([
            "-c",
            "umask \"$0\"; exec \"$@\"",
            umask,
            env!("CARGO_BIN_EXE_image"),
            "build",
            "--version",
            "1.0",
        ])
        .args([
            "--trusted-key",
            "update.pub",
            "--lbd",
            "init.elf",
            "--output",
            "out/evenkeel-1.0.raw",
            "--init",
            init,
        ])
        .env("TZ", zone)
        .env("LC_ALL", locale)
        .current_dir(folder)
        .output()
        .unwrap()
}

/// The digest of the parts of the disk that hold anything.
fn disk_digest(path: &Path) -> (Sha, Sha) {
    let mut file = File::open(path).unwrap();
    let mut part = |at| {
        let mut bytes = vec![0; 4 << 20];
        file.seek(at).unwrap();
        file.read_exact(&mut bytes).unwrap();
        Sha::of(&bytes)
    };
    (part(SeekFrom::Start(0)), part(SeekFrom::End(-(4 << 20))))
}

#[test]
fn same_inputs_give_the_same_bytes_in_any_surroundings() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let deeper = other.path().join("a folder/with another name");
    prepare(one.path());
    prepare(&deeper);
    // The key is an input, and each folder has one of its own.
    fs::copy(one.path().join("update.pub"), deeper.join("update.pub")).unwrap();
    for (folder, umask, zone, locale) in
        [(one.path(), "022", "UTC", "C"), (deeper.as_path(), "077", "Pacific/Kiritimati", "tr_TR.UTF-8")]
    {
        let output = build(folder, "init.elf", umask, zone, locale);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    for name in ["efi", "sbom.json", "files.txt"] {
        let read =
            |folder: &Path| fs::read(folder.join("out/evenkeel-1.0").with_added_extension(name)).unwrap();
        assert!(read(one.path()) == read(&deeper), "{name} differs");
    }
    let raw = "out/evenkeel-1.0.raw";
    assert_eq!(disk_digest(&one.path().join(raw)), disk_digest(&deeper.join(raw)));
}

#[test]
fn every_file_of_the_image_has_an_owner_and_none_is_a_shell() {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    assert!(build(folder.path(), "init.elf", "022", "UTC", "C").status.success());
    let list = fs::read_to_string(folder.path().join("out/evenkeel-1.0.files.txt")).unwrap();
    for line in list.lines() {
        let [path, _, _, owner] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        assert!(owner == "evenkeel" || owner.starts_with("deb:") || owner.starts_with("crate:"), "{line}");
        assert!(!path.ends_with("sh") && !path.contains("dpkg") && !path.contains("apt"), "{line}");
    }
    assert!(list.contains("/init\t-0755\t64\tcrate:evenkeel-init\n"));
}

#[test]
fn a_dynamic_program_and_a_changed_package_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    let stderr = |init| String::from_utf8(build(folder.path(), init, "022", "UTC", "C").stderr).unwrap();
    assert!(stderr(env!("CARGO_BIN_EXE_image")).contains("must be static"));
    assert!(stderr("nosuch").contains("reading nosuch"));
    assert!(!folder.path().join("out/evenkeel-1.0.raw").exists());
}
