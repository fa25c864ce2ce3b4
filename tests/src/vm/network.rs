//! The guest's adapters: a tap for each, joined by a bridge with the appliance's cable into a switch of the lab.

use crate::host::Host;

/// Joins `interface` of the lab's appliance with a new tap; returns QEMU's `-netdev` for it. The host itself has
/// no address there: whoever is asked for one is the guest.
pub fn join(appliance: &Host, interface: &str) {
    let (tap, bridge) = (tap(interface), format!("br-{interface}"));
    appliance.ip(format!("tuntap add {tap} mode tap"));
    appliance.ip(format!("link add {bridge} type bridge mcast_snooping 0"));
    for port in [interface, &tap] {
        appliance.ip(format!("link set {port} master {bridge}"));
    }
    for device in [&tap, &bridge] {
        appliance.ip(format!("link set {device} up"));
    }
}

/// QEMU's `-netdev` for the tap that [`join`] made.
pub fn netdev(interface: &str) -> String {
    format!("tap,ifname={},script=no,downscript=no", tap(interface))
}

fn tap(interface: &str) -> String {
    format!("tap-{interface}")
}
