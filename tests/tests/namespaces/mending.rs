//! What goes wrong in the kernel is shown, hinders nothing else, and is mended.

use std::net::Ipv4Addr;
use std::time::Duration;

use lab::kernel::addresses;
use lab::topology::MANAGEMENT;
use lab::{Lab, lbd, wait};

/// lbd looks at its counters every five seconds.
const FOUND_AND_MENDED: Duration = Duration::from_secs(60);
/// A network that only the appliance could lead to.
const BEHIND: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 9);

fn problems(lab: &Lab) -> String {
    lab.lbd().status()["problems"].to_string()
}

#[test]
fn without_its_rules_the_appliance_forwards_nothing() {
    let lab = Lab::single_arm();
    let node = lab.server("NODE1");
    node.named_server("NODE1", 2001);
    node.ip(format!("address add {BEHIND}/32 dev lo"));
    lab.appliance().ip(format!("route add {BEHIND}/32 via {}", node.address()));
    lab.client().ip(format!("route add {BEHIND}/32 via {MANAGEMENT}"));
    let broken = lab.lbd().start_with_broken_nft(&lab.config([&lab.pool().weights(&[100])]));
    wait::until(lbd::SOON, "the status to tell", || problems(&lab).contains("broken by the lab"));
    assert_ne!(lab.client().scan(BEHIND, &[2001])[&2001], "open");
    std::fs::remove_file(broken).expect("lab folder");
    lab.lbd().wait_service("POOL", "up");
    assert_eq!(lab.client().ask(lab.vip(0), 2001).server, "NODE1");
    assert_ne!(lab.client().scan(BEHIND, &[2001])[&2001], "open");
    assert_eq!(problems(&lab), "[]");
}

#[test]
fn a_table_that_somebody_deleted_comes_back() {
    let lab = Lab::single_arm();
    lab.server("NODE1").named_server("NODE1", 2001);
    lab.lbd().start(&lab.config([&lab.pool().weights(&[100])]));
    lab.lbd().wait_service("POOL", "up");
    lab.appliance().run("nft delete table inet evenkeel").expect_ok();
    lab.appliance().run("sysctl -q net.ipv4.ip_forward=0").expect_ok();
    wait::until(FOUND_AND_MENDED, "the table to come back", || {
        lab.appliance().run("nft list chain inet evenkeel forward").is_ok()
    });
    lab.lbd().wait_service("POOL", "up");
    assert_eq!(lab.client().ask(lab.vip(0), 2001).server, "NODE1");
}

#[test]
fn an_address_that_is_there_already_hinders_no_other() {
    let lab = Lab::single_arm();
    for node in ["NODE1", "NODE2"] {
        lab.server(node).named_server(node, 2001);
    }
    lab.appliance().ip(format!("address add {}/32 dev eth0", lab.vip(0)));
    let pools = [lab.pool(), lab.pool().named("SECOND", lab.vip(1))];
    lab.lbd().start(&lab.config(&pools));
    for pool in ["POOL", "SECOND"] {
        lab.lbd().wait_service(pool, "up");
    }
    assert_eq!(problems(&lab), "[]");
    assert_eq!(lab.client().ask(lab.vip(1), 2001).seen, lab.vip(1).to_string());
    lab.appliance().ip(format!("address del {}/32 dev eth0", lab.vip(1)));
    wait::until(lbd::SOON, "the second address to come back", || {
        addresses(lab.appliance()).contains(&format!("eth0 {}/32", lab.vip(1)))
    });
}
