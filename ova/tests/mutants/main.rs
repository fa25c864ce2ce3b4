//! One mutant of a good OVA per rule, and a few more: `verify` must fail each and name exactly that rule.
//!
//! A mutant is changed in one place; everything that depends on it (sizes, digests, checksums) is made to
//! fit again, so that no other rule has a reason to complain.

#![allow(clippy::unwrap_used, reason = "a test may, and so may its helpers")]

#[path = "../common/mod.rs"]
mod common;

mod archive;
mod descriptor;
mod disk;
mod system;

use std::collections::BTreeSet;
use std::fs::File;

use common::Parts;
use evenkeel_ova::manifest::Algorithm;
use evenkeel_ova::verify::{broken, passed, rules};

/// What is changed.
enum Edit {
    /// The first occurrence of a text in the descriptor.
    Ovf(&'static str, &'static str),
    /// The descriptor as a whole.
    OvfText(fn(&str) -> String),
    /// The VMDK; `ovf:size` is made to fit.
    Vmdk(fn(&mut Vec<u8>)),
    /// What the system on the disk is made of.
    System(fn(&mut common::system::Parts)),
    /// The disk, before it is packed.
    Disk(fn(&mut File)),
    /// The manifest, given the pieces that it is about.
    Manifest(fn(&Parts) -> String),
    /// The files, before they are put into the archive.
    Files(fn(&mut Vec<(String, Vec<u8>)>)),
    /// The archive.
    Tar(fn(&mut Vec<u8>)),
}

/// The rule that must be named, and the change.
type Mutant = (&'static str, Edit);

fn mutants() -> impl Iterator<Item = &'static Mutant> {
    archive::MUTANTS.iter().chain(descriptor::MUTANTS).chain(disk::MUTANTS).chain(system::MUTANTS)
}

fn replace(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from:?} is not in the descriptor");
    text.replacen(from, to, 1)
}

/// An OVA of the sample system, changed.
fn repacked(edit: &Edit) -> Option<Parts> {
    let mut system = common::system::Parts::default();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.raw");
    match edit {
        Edit::System(change) => {
            change(&mut system);
            common::system::write(&path, &system);
        }
        Edit::Disk(change) => {
            common::system::write(&path, &system);
            change(&mut File::options().read(true).write(true).open(&path).unwrap());
        }
        _ => return None,
    }
    Some(Parts::of(&common::pack_disk(&path, folder.path())))
}

/// The bytes of a mutant's OVA.
fn build(good: &Parts, edit: &Edit) -> Vec<u8> {
    let mut parts = repacked(edit).unwrap_or_else(|| good.clone());
    match edit {
        Edit::Ovf(from, to) => parts.ovf = replace(&parts.ovf, from, to),
        Edit::OvfText(change) => parts.ovf = change(&parts.ovf),
        Edit::Vmdk(change) => {
            change(&mut parts.vmdk);
            let size = |vmdk: &[u8]| format!("ovf:size=\"{}\"", vmdk.len());
            parts.ovf = replace(&parts.ovf, &size(&good.vmdk), &size(&parts.vmdk));
        }
        _ => {}
    }
    let manifest = match edit {
        Edit::Manifest(change) => change(&parts),
        _ => parts.manifest(Algorithm::Sha1),
    };
    let mut files = parts.files(manifest);
    if let Edit::Files(change) = edit {
        change(&mut files);
    }
    let mut tar = common::archive(&files);
    if let Edit::Tar(change) = edit {
        change(&mut tar);
    }
    tar
}

#[test]
fn every_mutant_is_failed_by_exactly_its_rule() {
    let folder = tempfile::tempdir().unwrap();
    let good = Parts::of(&common::sample_ova(folder.path()));
    let path = folder.path().join("mutant.ova");
    let mut wrong = Vec::new();
    for (number, (rule, edit)) in mutants().enumerate() {
        std::fs::write(&path, build(&good, edit)).unwrap();
        let findings = common::findings(&path);
        if broken(&findings) != [*rule] || passed(&findings) {
            wrong.push(format!("mutant {number} for {rule}: named {:?}", broken(&findings)));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), mutants().count(), wrong.join("\n"));
}

#[test]
fn every_rule_has_a_mutant() {
    let tested: BTreeSet<&str> = mutants().map(|(rule, _)| *rule).collect();
    let untested: Vec<&str> = rules().map(|rule| rule.name).filter(|name| !tested.contains(name)).collect();
    assert_eq!(untested, [""; 0]);
    assert!(mutants().count() >= 100, "{}", mutants().count());
}

#[test]
fn rule_names_are_unique() {
    let names: BTreeSet<&str> = rules().map(|rule| rule.name).collect();
    assert_eq!(names.len(), rules().count());
}

/// The harness itself: taken apart and put together, the sample is the same OVA.
#[test]
fn unchanged_parts_make_the_same_ova() {
    let folder = tempfile::tempdir().unwrap();
    let path = common::sample_ova(folder.path());
    let same = build(&Parts::of(&path), &Edit::OvfText(str::to_owned));
    assert!(same == std::fs::read(&path).unwrap());
}
