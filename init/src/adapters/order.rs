//! The hypervisor's order of network adapters: pure.
//!
//! In the order of precedence of systemd.net-naming-scheme(7): the index that firmware gives (ACPI `_DSM`, SMBIOS
//! type 41), the number of the PCI slot, the PCI address. The order of discovery means nothing: on ESXi the slots
//! 160, 192, 224, 256 and 1184 are found as 160, 1184, 192, 224, 256, because 1184 is function 1 of the bridge of
//! slot 160 (VMware KB 344983).

use std::fmt;

/// Higher indexes are rubbish of some firmware (`ONBOARD_14BIT_INDEX_MAX` in systemd's `udev-builtin-net_id.c`).
const HIGHEST_INDEX: u32 = 16383;

/// Where a PCI device is. Sorts as the buses do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PciAddress {
    domain: u32,
    bus: u8,
    device: u8,
    function: u8,
}

impl PciAddress {
    /// Reads `0000:0b:00.0`, or `0000:0b:00` as the kernel writes the address of a slot.
    pub fn parse(text: &str) -> Option<Self> {
        let (rest, function) = text.split_once('.').unwrap_or((text, "0"));
        let mut parts = rest.split(':');
        let address = Self {
            domain: hexadecimal(parts.next()?, 8)?,
            bus: hexadecimal(parts.next()?, 2)? as u8,
            device: hexadecimal(parts.next()?, 2)? as u8,
            function: hexadecimal(function, 1)? as u8,
        };
        parts.next().is_none().then_some(address)
    }

    fn is_in(self, slot: Self) -> bool {
        (self.domain, self.bus, self.device) == (slot.domain, slot.bus, slot.device)
    }
}

fn hexadecimal(text: &str, longest: usize) -> Option<u32> {
    let fits = (1..=longest).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    fits.then(|| u32::from_str_radix(text, 16).ok()).flatten()
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:02x}:{:02x}.{:x}", self.domain, self.bus, self.device, self.function)
    }
}

/// A slot of `/sys/bus/pci/slots`: its name and the address in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// A number, with `-1`, `-2`, ... behind it when the firmware used the number twice.
    pub name: String,
    /// Without a function.
    pub address: PciAddress,
}

/// A network adapter as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// The kernel's name for it now.
    pub name: String,
    /// The kernel's number for it.
    pub index: i32,
    /// Its own address, in lower case.
    pub mac: String,
    /// The PCI addresses on the way to it, from the root of the bus on.
    pub route: Vec<PciAddress>,
    /// `acpi_index` or `index` of its device.
    pub firmware_index: Option<u32>,
}

/// Where an adapter sits. Sorts as the hypervisor counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Counted by the firmware.
    Index(u32, PciAddress),
    /// In a numbered slot: number, number among those of the same name, address.
    Slot(u32, u32, PciAddress),
    /// At an address only.
    Pci(PciAddress),
    /// On another bus: the kernel's number.
    Elsewhere(i32),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(number, _) => write!(f, "index-{number}"),
            Self::Slot(number, copy, address) => write!(f, "slot-{number}-{copy}-{}", address.function),
            Self::Pci(address) => write!(f, "pci-{address}"),
            Self::Elsewhere(number) => write!(f, "other-{number}"),
        }
    }
}

/// The adapters in the hypervisor's order, each with its place. Firmware's indexes count only when every adapter
/// has one and no two have the same.
pub fn in_order(adapters: Vec<Adapter>, slots: &[Slot]) -> Vec<(Place, Adapter)> {
    let mut indexes: Vec<_> = adapters.iter().filter_map(index_of).collect();
    indexes.sort_unstable();
    indexes.dedup();
    let indexed = indexes.len() == adapters.len();
    let mut placed: Vec<_> =
        adapters.into_iter().map(|adapter| (place(&adapter, slots, indexed), adapter)).collect();
    placed.sort_by(|(one, a), (other, b)| (one, a.index).cmp(&(other, b.index)));
    placed
}

fn index_of(adapter: &Adapter) -> Option<u32> {
    adapter.firmware_index.filter(|index| (1..=HIGHEST_INDEX).contains(index))
}

fn place(adapter: &Adapter, slots: &[Slot], indexed: bool) -> Place {
    let Some(own) = adapter.route.last().copied() else { return Place::Elsewhere(adapter.index) };
    match index_of(adapter) {
        Some(index) if indexed => return Place::Index(index, own),
        _ => {}
    }
    // The adapter's own slot before that of a bridge above it.
    let slot = adapter.route.iter().rev().find_map(|step| slots.iter().find(|slot| step.is_in(slot.address)));
    match slot.and_then(|slot| number(&slot.name)) {
        Some((number, copy)) => Place::Slot(number, copy, own),
        None => Place::Pci(own),
    }
}

/// `192` or `192-1`.
fn number(name: &str) -> Option<(u32, u32)> {
    let (number, copy) = name.split_once('-').unwrap_or((name, "0"));
    Some((number.parse().ok()?, copy.parse().ok()?))
}

#[cfg(test)]
#[path = "order_tests.rs"]
mod tests;
