//! The fuzz targets, which are a workspace of their own with another toolchain, compiled here as tests: they fit the lbd of
//! today, and hold for what is in their corpus.

#![allow(unused_attributes, reason = "a fuzz target is a program, and says that it has no main function")]
#![allow(clippy::unwrap_used, reason = "a test may")]

/// The targets find our macro in the place of the fuzzer's.
extern crate self as libfuzzer_sys;

#[path = "../fuzz/fuzz_targets/arp_packet.rs"]
mod arp_packet;
#[path = "../fuzz/fuzz_targets/association_request.rs"]
mod association_request;
#[path = "../fuzz/fuzz_targets/backup.rs"]
mod backup;
#[path = "../fuzz/fuzz_targets/certificate.rs"]
mod certificate;
#[path = "../fuzz/fuzz_targets/check_template.rs"]
mod check_template;
#[path = "../fuzz/fuzz_targets/closed_record.rs"]
mod closed_record;
#[path = "../fuzz/fuzz_targets/config.rs"]
mod config;
#[path = "../fuzz/fuzz_targets/conntrack.rs"]
mod conntrack;
#[path = "../fuzz/fuzz_targets/dicom_reply.rs"]
mod dicom_reply;
#[path = "../fuzz/fuzz_targets/guest_channel.rs"]
mod guest_channel;
#[path = "../fuzz/fuzz_targets/http_reply.rs"]
mod http_reply;
#[path = "../fuzz/fuzz_targets/kernel_log.rs"]
mod kernel_log;
#[path = "../fuzz/fuzz_targets/log_file.rs"]
mod log_file;
#[path = "../fuzz/fuzz_targets/ntp_answer.rs"]
mod ntp_answer;
#[path = "../fuzz/fuzz_targets/ovf_environment.rs"]
mod ovf_environment;
#[path = "../fuzz/fuzz_targets/ping_reply.rs"]
mod ping_reply;
#[path = "../fuzz/fuzz_targets/rescue_slot.rs"]
mod rescue_slot;
#[path = "../fuzz/fuzz_targets/send_expect_reply.rs"]
mod send_expect_reply;
#[path = "../fuzz/fuzz_targets/snmp_envelope.rs"]
mod snmp_envelope;
#[path = "../fuzz/fuzz_targets/tls_reply.rs"]
mod tls_reply;
#[path = "../fuzz/fuzz_targets/update_archive.rs"]
mod update_archive;
#[path = "../fuzz/fuzz_targets/update_index.rs"]
mod update_index;
#[path = "../fuzz/fuzz_targets/update_manifest.rs"]
mod update_manifest;
#[path = "../fuzz/fuzz_targets/update_system.rs"]
mod update_system;

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

/// Its name, and what it does with some bytes.
type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 24] = [
    ("arp_packet", arp_packet::run),
    ("association_request", association_request::run),
    ("backup", backup::run),
    ("certificate", certificate::run),
    ("check_template", check_template::run),
    ("closed_record", closed_record::run),
    ("config", config::run),
    ("conntrack", conntrack::run),
    ("dicom_reply", dicom_reply::run),
    ("guest_channel", guest_channel::run),
    ("http_reply", http_reply::run),
    ("kernel_log", kernel_log::run),
    ("log_file", log_file::run),
    ("ntp_answer", ntp_answer::run),
    ("ovf_environment", ovf_environment::run),
    ("ping_reply", ping_reply::run),
    ("rescue_slot", rescue_slot::run),
    ("send_expect_reply", send_expect_reply::run),
    ("snmp_envelope", snmp_envelope::run),
    ("tls_reply", tls_reply::run),
    ("update_archive", update_archive::run),
    ("update_index", update_index::run),
    ("update_manifest", update_manifest::run),
    ("update_system", update_system::run),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

#[test]
fn every_target_is_compiled_here_and_by_the_fuzzer() {
    let here: Vec<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let files = fs::read_dir(folder().join("fuzz_targets")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    files.sort();
    assert_eq!(here, files);
    let manifest = fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    let paths = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("path = \"fuzz_targets/")?.strip_suffix(".rs\""));
    let mut programs: Vec<_> = paths.map(str::to_owned).collect();
    programs.sort();
    assert_eq!(here, programs, "of Cargo.toml");
    // What is a dependency of lbd is not one of the fuzzer's by itself.
    for (name, _) in TARGETS {
        let text = fs::read_to_string(folder().join("fuzz_targets").join(name).with_extension("rs")).unwrap();
        let used = text.lines().filter_map(|line| line.strip_prefix("use ")?.split([':', ';']).next());
        for used in used.filter(|used| !["std", "core"].contains(used)) {
            let is_known = [used.to_owned(), used.replace('_', "-")]
                .iter()
                .any(|one| manifest.contains(&format!("\n{one} = ")));
            assert!(is_known, "{name} uses {used}, which lbd/fuzz/Cargo.toml has not");
        }
    }
}

#[test]
fn every_target_holds_for_its_corpus() {
    let mut count = 0;
    for (name, run) in TARGETS {
        // Some have none: what they are fed is made up.
        for entry in fs::read_dir(folder().join("corpus").join(name)).into_iter().flatten() {
            run(&fs::read(entry.unwrap().path()).unwrap());
            count += 1;
        }
    }
    assert!(count >= 60, "{count} files");
}

proptest! {
    #[test]
    fn every_target_holds_for_any_few_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        TARGETS.iter().for_each(|(_, run)| run(&bytes));
    }
}

/// As `libfuzzer_sys` has it, with a function in the place of the program. It stands behind the modules, which find it
/// by its path.
#[macro_export]
macro_rules! fuzz_target {
    (|$data:ident: &[u8]| $body:expr) => {
        pub fn run($data: &[u8]) {
            $body
        }
    };
}
