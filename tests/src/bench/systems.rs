//! Systems to compare the appliance with, none of them a part of it: its own kernel with another init. Programs and
//! their libraries are those of this machine.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use evenkeel_image::build::{self, CMDLINE};
use evenkeel_image::cache::{self, Places};
use evenkeel_image::disk::{self, LAYOUT};
use evenkeel_image::esp::EspFiles;
use evenkeel_image::packages::{BOOT_LOADER, STUB};
use evenkeel_image::tree::Tree;
use evenkeel_image::unpacked::{self, Packages};
use evenkeel_image::version::Version;
use evenkeel_image::{initramfs, rootfs, uki};
use lab::vm::artefacts;
use lab::{peers, process};

/// Shell and small tools in one static program (package busybox-static).
const BUSYBOX: &str = "/bin/busybox";
/// What the init of [`Kit::prints_a_line`] prints.
pub const LINE: &str = "benchmark: init runs";
/// What a system says when it is ready.
pub const READY: &str = "benchmark: ready";
/// What it says when a command of its init has failed.
pub const FAILED: &str = "benchmark: init has failed";
/// The driver of the lab's adapters; what libcrc32c asks the kernel for when it starts; NAT and IPVS.
const MODULES: [&str; 10] = [
    "vmxnet3",
    "crc32c_generic",
    "nf_conntrack",
    "nf_nat",
    "nf_tables",
    "nft_chain_nat",
    "nft_ct",
    "nft_masq",
    "ip_vs",
    "ip_vs_rr",
];

/// The packages of the product, from which its kernel comes.
pub struct Kit {
    packages: Packages,
    version: Version,
}

impl Kit {
    /// Reads what `make appliance` has fetched.
    pub fn read() -> Self {
        let lock = peers::root().join("packages.lock");
        let packages = artefacts::packages();
        let places = Places { lock, apt: packages.with_file_name("apt"), packages, mirror: None };
        let packages = cache::read_lock(&places).map_err(build::BuildError::from);
        let packages = packages.and_then(|lock| build::unpack(&lock, &places));
        let packages = packages.unwrap_or_else(|error| panic!("{error}; run `make appliance`"));
        Self { packages, version: env!("CARGO_PKG_VERSION").parse().expect("a version") }
    }

    /// A raw disk like the product's, with a system whose init prints [`LINE`] and nothing else.
    pub fn disk_that_prints_a_line(&self, path: &std::path::Path) {
        let tree = with_init(&format!("#!{BUSYBOX} sh\necho {LINE}\nexec {BUSYBOX} sleep 1000000\n"));
        let uki = self.uki(&tree);
        let boot_loader = self.packages.find(BOOT_LOADER).expect("the boot loader").content;
        let files = EspFiles { boot_loader, uki: &uki, version: &self.version };
        let mut options = fs::File::options();
        let mut file =
            options.read(true).write(true).create(true).truncate(true).open(path).expect("lab folder");
        disk::write(&mut file, &LAYOUT, &files).expect("room for a disk");
    }

    /// A UKI whose init runs `script` with these files: programs bring their libraries. It says [`READY`] at its end.
    pub fn balancer(&self, script: &str, programs: &[&str], files: &[(&str, &str)]) -> Vec<u8> {
        let mut tree = with_init(&format!("{PREPARE}{script}\necho {READY}\nexec {BUSYBOX} sleep 1000000\n"));
        rootfs::kernel_modules(&mut tree, &self.packages, &MODULES).expect("the kernel's modules");
        let wanted: BTreeSet<String> = programs.iter().flat_map(|program| with_libraries(program)).collect();
        for path in wanted {
            let content = fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}; run `make setup`"));
            tree.file(path.trim_start_matches('/'), 0o755, "benchmark", content).expect("a new file");
        }
        for (path, content) in files {
            tree.file(path, 0o644, "benchmark", *content).expect("a new file");
        }
        self.uki(&tree)
    }

    fn uki(&self, tree: &Tree) -> Vec<u8> {
        let archive = initramfs::archive(tree).expect("a small archive");
        let (uname, linux) = unpacked::kernel(&self.packages).expect("the kernel");
        let parts = uki::Parts {
            stub: self.packages.find(STUB).expect("the stub").content,
            osrel: &rootfs::os_release(&self.version),
            cmdline: CMDLINE,
            uname: &uname,
            initrd: &initramfs::compress(&archive).expect("a small archive"),
            linux,
        };
        uki::build(&parts).expect("a UKI")
    }
}

/// To be followed by what makes a balancer of it.
const PREPARE: &str = "#!/bin/busybox sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
/bin/busybox --install -s /bin
trap 'echo benchmark: init has failed; sleep 1000000' EXIT
set -e
mkdir -p /proc /sys /dev /run /tmp /var/log/nginx /var/lib/nginx
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
modprobe vmxnet3
modprobe crc32c_generic
ip link set lo up
";

/// A system of busybox alone.
fn with_init(script: &str) -> Tree {
    let mut tree = Tree::default();
    let busybox = fs::read(BUSYBOX).unwrap_or_else(|error| panic!("{BUSYBOX}: {error}; run `make setup`"));
    tree.file(BUSYBOX.trim_start_matches('/'), 0o755, "benchmark", busybox).expect("a new file");
    tree.file("init", 0o755, "benchmark", script).expect("a new file");
    tree.file("etc/passwd", 0o644, "benchmark", "root:x:0:0::/:/bin/busybox\n").expect("a new file");
    tree.file("etc/group", 0o644, "benchmark", "root:x:0:\n").expect("a new file");
    tree.device("dev/console", 0o600, 5, 1).expect("a new file");
    tree.device("dev/null", 0o666, 1, 3).expect("a new file");
    for folder in ["proc", "sys", "run", "tmp"] {
        tree.folder(folder, 0o755).expect("a new folder");
    }
    tree
}

/// A program of this machine with its loader and libraries, as `ldd` finds them.
fn with_libraries(program: &str) -> Vec<String> {
    let mut ldd = Command::new("ldd");
    ldd.arg(program);
    let output = process::run(ldd);
    let libraries = output
        .expect_ok()
        .lines()
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')).map(str::to_owned));
    libraries.chain([program.to_owned()]).collect()
}
