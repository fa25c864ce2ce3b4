//! The appliance's own network where the kernel has every driver: bonds, VLANs, jumbo frames; in the guest.

use std::net::Ipv4Addr;

use lab::vm::Guest;
use lab::vm::guest::{PASSWORD, PATIENCE};
use lab::vm::properties::Properties;
use lab::{Api, Lab, Mode, peers, wait};
use serde_json::json;

/// A virtual address in the VLAN.
const IN_VLAN: Ipv4Addr = Ipv4Addr::new(192, 168, 100, 100);

fn interface(name: &str, addresses: &str, more: &str) -> String {
    format!("[[network.interface]]\nname = \"{name}\"\naddresses = [\"{addresses}\"]\n{more}")
}

fn vlan(link: &str) -> String {
    format!("[[network.vlan]]\nname = \"{link}.100\"\nlink = \"{link}\"\nid = 100\n")
}

/// Pulls the cable of an adapter, or plugs it in again, and waits until the guest has seen that.
fn set_link(guest: &Guest<'_>, number: usize, up: bool) {
    guest.machine().qmp("set_link", json!({ "name": format!("net{number}"), "up": up }));
    let seen = |guest: &Api| shown(guest, &format!("eth{number}"))["has_link"] == up;
    guest.wait_status("the member's link to be seen", seen);
}

fn shown(guest: &Api, interface: &str) -> serde_json::Value {
    let status = guest.status();
    let all = status["interfaces"].as_array().into_iter().flatten();
    all.into_iter().find(|known| known["name"] == interface).cloned().unwrap_or_default()
}

/// What clients and servers notice of a bond: nothing, whichever member dies.
#[test]
fn a_bond_outlives_either_member_and_carries_jumbo_frames() {
    let lab = Lab::single_arm_with_two_cables();
    lab.set_mtu(3_000);
    let scp = lab.server("NODE1").scp("DW_SCP", 2001, Mode::Good);
    lab.server("NODE1").named_server("NODE1", 2002);
    // What ends a connection here is the bond, not a check that an emulated machine is slow with.
    let patient = lab.pool().weights(&[100]).check_every(10, 10);
    let pool = patient.clone().echo_check("DW_SCP");
    let plain = patient.clone().named("VLAN", IN_VLAN).server_port(2002);
    let idle = patient.named("HELD", lab.vip(1)).ports("2002");
    let bond =
        "[[network.bond]]\nname = \"bond0\"\nmode = \"active-backup\"\nmembers = [\"eth0\", \"eth1\"]\n";
    let network = "\n[network]\n".to_owned()
        + &interface("bond0", "192.168.10.10/24", "mtu = 3000\n")
        + &interface("bond0.100", "192.168.100.10/24", "mtu = 1400\n")
        + bond
        + &vlan("bond0");
    let config =
        lab.config([&pool, &plain, &idle]).replacing("interface = \"eth0\"", "interface = \"bond0\"");
    let properties =
        |config: &str| Properties::default().with_password(PASSWORD).with("configuration", config);
    let guest = Guest::new(&lab);
    guest.boot_with(&properties(config.followed_by(&network).as_str()));
    guest.wait_service("POOL", "up");
    guest.wait_service("VLAN", "up");
    guest.wait_service("HELD", "up");
    assert_eq!(guest.status()["problems"], json!([]));
    let bond = shown(&guest, "bond0");
    assert_eq!((&bond["made_of"], &bond["mtu"]), (&json!("bond, active-backup"), &json!(3_000)), "{bond:#}");
    assert_eq!(shown(&guest, "eth1")["member_of"], "bond0");
    assert_eq!(shown(&guest, "eth0")["driver"], "vmxnet3");
    assert_eq!(shown(&guest, "bond0.100")["made_of"], "VLAN 100 on bond0");
    // More is lost in QEMU's adapter (measured: 3,000 bytes pass, 4,000 do not).
    lab.client().run("ping -c 1 -W 20 -M do -s 2900 192.168.10.10").expect_ok();

    let held = lab.client().hold(lab.vip(1), 2002);
    let files = lab.client().new_path("files");
    peers::make_files(&files, 200);
    std::thread::scope(|scope| {
        let sent = scope.spawn(|| lab.client().storescu(lab.vip(0), 2001, "DW_SCP", &files));
        for number in [0, 1] {
            wait::until(PATIENCE, "files to arrive", || !scp.peers("MODALITY").is_empty());
            set_link(&guest, number, false);
            lab.client().run("ping -c 1 -W 20 192.168.10.10").expect_ok();
            set_link(&guest, number, true);
        }
        sent.join().expect("no panic").expect_ok();
    });
    held.expect_alive();
    peers::expect_same_files(&files, &scp.folder);
}
