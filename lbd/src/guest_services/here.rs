//! What this machine is, as its kernel says it.

use std::net::IpAddr;

use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::SockaddrStorage;

use super::facts::{Adapter, Facts};

/// Where the kernel says which one it is.
const KERNEL: &str = "/proc/sys/kernel/osrelease";

/// With the name that lbd knows.
pub fn facts(host_name: String) -> Facts {
    let kernel = std::fs::read_to_string(KERNEL).unwrap_or_default();
    let system = format!("Evenkeel {} (Linux {})", env!("CARGO_PKG_VERSION"), kernel.trim());
    // A kernel that says nothing has no addresses.
    let entries: Vec<_> = getifaddrs().into_iter().flatten().filter_map(entry).collect();
    Facts { host_name, system, adapters: adapters(&entries) }
}

/// Something that an interface has.
#[derive(Debug, Clone)]
enum Entry {
    Hardware { interface: String, address: String },
    Address { interface: String, address: IpAddr, prefix: u8 },
}

fn entry(entry: InterfaceAddress) -> Option<Entry> {
    if entry.flags.contains(InterfaceFlags::IFF_LOOPBACK) {
        return None;
    }
    let (interface, storage) = (entry.interface_name, entry.address?);
    if let Some(hardware) = storage.as_link_addr().and_then(|link| link.addr()) {
        let address = hardware.map(|byte| format!("{byte:02x}")).join(":");
        return Some(Entry::Hardware { interface, address });
    }
    let prefix = entry.netmask.as_ref().and_then(ip).map_or(0, ones);
    Some(Entry::Address { interface, address: ip(&storage)?, prefix })
}

fn ip(storage: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = storage.as_sockaddr_in().map(|address| address.ip().into());
    v4.or_else(|| storage.as_sockaddr_in6().map(|address| address.ip().into()))
}

fn ones(mask: IpAddr) -> u8 {
    let count = match mask {
        IpAddr::V4(mask) => mask.to_bits().count_ones(),
        IpAddr::V6(mask) => mask.to_bits().count_ones(),
    };
    u8::try_from(count).unwrap_or(u8::MAX)
}

/// One for each Ethernet address, in the kernel's order: bonds and VLANs have that of an adapter, and vSphere knows
/// adapters by it. Virtual addresses come last (`network/places.rs`: they have no network of their own).
fn adapters(entries: &[Entry]) -> Vec<Adapter> {
    let mut adapters: Vec<Adapter> = Vec::new();
    let mut owners: Vec<(&str, usize)> = Vec::new();
    for entry in entries {
        let Entry::Hardware { interface, address } = entry else { continue };
        let known = adapters.iter().position(|adapter| adapter.hardware_address == *address);
        let index = known.unwrap_or_else(|| {
            adapters.push(Adapter { hardware_address: address.clone(), addresses: Vec::new() });
            adapters.len() - 1
        });
        owners.push((interface, index));
    }
    for entry in entries {
        let Entry::Address { interface, address, prefix } = entry else { continue };
        let owner = owners.iter().find(|(name, _)| name == interface);
        if let Some((_, index)) = owner.filter(|_| !is_link_local(*address)) {
            adapters[*index].addresses.push((*address, *prefix));
        }
    }
    for adapter in &mut adapters {
        adapter.addresses.sort_by_key(|(address, prefix)| *prefix == host_prefix(*address));
    }
    adapters
}

/// Every interface has one, of use to nobody elsewhere.
fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

fn host_prefix(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adapters_are_told_by_their_ethernet_address_their_own_addresses_first() {
        let hardware = |interface: &str, address: &str| Entry::Hardware {
            interface: interface.into(),
            address: address.into(),
        };
        let address = |interface: &str, address: &str, prefix| Entry::Address {
            interface: interface.into(),
            address: address.parse().unwrap(),
            prefix,
        };
        let entries = [
            address("eth0", "192.168.2.100", 32),
            hardware("eth0", "00:50:56:00:00:02"),
            hardware("eth1", "00:50:56:00:00:01"),
            hardware("eth0.5", "00:50:56:00:00:02"),
            address("eth0", "fe80::1", 64),
            address("eth0", "192.168.2.21", 24),
            address("eth0.5", "fd00::21", 64),
            address("gone", "10.0.0.1", 8),
        ];
        let found: Vec<_> = adapters(&entries)
            .into_iter()
            .map(|adapter| {
                let addresses =
                    adapter.addresses.iter().map(|(address, prefix)| format!("{address}/{prefix}"));
                (adapter.hardware_address, addresses.collect::<Vec<_>>().join(" "))
            })
            .collect();
        let expected = [
            ("00:50:56:00:00:02", "192.168.2.21/24 fd00::21/64 192.168.2.100/32"),
            ("00:50:56:00:00:01", ""),
        ];
        assert_eq!(found, expected.map(|(hardware, addresses)| (hardware.into(), addresses.into())));
    }

    #[test]
    fn this_kernel_tells_of_itself() {
        let facts = facts("lb1".into());
        assert!(
            facts.system.starts_with("Evenkeel ") && facts.system.contains("(Linux "),
            "{}",
            facts.system
        );
        assert!(!facts.adapters.iter().any(|adapter| adapter.hardware_address == "00:00:00:00:00:00"));
    }
}
