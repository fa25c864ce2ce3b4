//! The lab itself: peers reach each other, misbehave as told, and nothing stays behind.

use std::collections::BTreeSet;
use std::process::Command;

use lab::{Lab, Mode, peers};

fn namespaces() -> BTreeSet<String> {
    let listed = Command::new("ip").args(["netns", "list"]).output().expect("iproute2");
    String::from_utf8_lossy(&listed.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn a_lab_leaves_nothing_behind() {
    let lab = Lab::routed();
    let own = lab.client().namespace().name().trim_end_matches("client").to_owned();
    let folder = lab.client().new_path("anything").parent().expect("a folder of the host").to_owned();
    let server = lab.server("NODE1").named_server("NODE1", 2001);
    let count = || namespaces().iter().filter(|line| line.starts_with(&own)).count();
    assert!(count() > 3, "client, router, appliance and servers: {}", count());
    assert!(folder.exists());
    drop(lab);
    assert!(server.exited().is_some());
    assert_eq!(count(), 0);
    assert!(!folder.exists(), "{}", folder.display());
}

#[test]
fn two_labs_with_the_same_addresses_do_not_meet() {
    let (first, second) = (Lab::single_arm(), Lab::single_arm());
    first.server("NODE1").named_server("FIRST", 2001);
    second.server("NODE1").named_server("SECOND", 2001);
    let address = first.server("NODE1").address();
    assert_eq!(first.client().ask(address, 2001).server, "FIRST");
    assert_eq!(second.client().ask(address, 2001).server, "SECOND");
    assert_eq!(first.client().scan(address, &[2001, 2002])[&2002], "refused");
}

#[test]
fn files_arrive_intact_over_a_router() {
    let lab = Lab::routed();
    lab.client().ip("route add default via 192.168.10.1");
    let node = lab.server("NODE1");
    let files = lab.client().new_path("files");
    peers::make_files(&files, 14);
    for (port, scp) in [(2001, node.scp("DW_SCP", 2001, Mode::Good)), (2002, node.storescp("DW_SCP", 2002))] {
        lab.client().storescu(node.address(), port, "DW_SCP", &files).expect_ok();
        peers::expect_same_files(&files, &scp.folder);
    }
}

#[test]
fn a_peer_misbehaves_as_told() {
    let lab = Lab::single_arm();
    let node = lab.server("NODE1");
    let cases = [
        (Mode::Reject(1, 1, 7), "Called AE Title Not Recognized"),
        (Mode::Abort, "Peer aborted Association"),
        (Mode::Close, "Peer aborted Association"),
        (Mode::HangAssociate, "Association Request Failed"),
        (Mode::NoContext, "No Acceptable Presentation Contexts"),
        (Mode::AbortEcho, "Echo Failed"),
        (Mode::CloseEcho, "Echo Failed"),
        (Mode::HangEcho, "Echo Failed"),
    ];
    for (port, (mode, words)) in (3000..).zip(cases) {
        node.scp("DW_SCP", port, mode);
        lab.client().echoscu(node.address(), port, "DW_SCP").expect_failure(words);
    }
    let good = node.scp("DW_SCP", 2001, Mode::Good);
    lab.client().echoscu(node.address(), 2001, "DW_SCP").expect_ok();
    lab.client().echoscu(node.address(), 2001, "OTHER").expect_failure("Called AE Title Not Recognized");
    assert_eq!(good.peers("MODALITY"), [lab.client().address().to_string()]);
}

#[test]
fn a_load_without_trouble_reports_none() {
    let lab = Lab::single_arm();
    lab.server("NODE1").named_server("NODE1", 2001);
    let load = lab.client().load(lab.server("NODE1").address(), 2001, 2, 2);
    load.wait_more(50);
    assert!(load.expect_no_failures().opened >= 50);
}

#[test]
#[should_panic(expected = "held connection")]
fn a_load_reports_a_server_that_dies() {
    let lab = Lab::single_arm();
    let server = lab.server("NODE1").named_server("NODE1", 2001);
    let load = lab.client().load(lab.server("NODE1").address(), 2001, 1, 1);
    server.kill();
    lab::wait::until(lab::lbd::SOON, "the failure of the held connection", || {
        load.progress().failures.iter().any(|failure| failure.contains("held connection"))
    });
    load.expect_no_failures();
}
