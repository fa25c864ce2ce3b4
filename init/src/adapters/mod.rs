//! Names the network adapters eth0, eth1, ... by the hypervisor's order, and remembers the names on the data
//! partition.

pub mod names;
pub mod order;

use crate::failure::{Doing, Failure};
use crate::log::{self, Level};
use crate::netlink;
use crate::places::ADAPTER_NAMES;
use order::{Adapter, PciAddress, Slot};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

const INTERFACES: &str = "/sys/class/net";
const SLOTS: &str = "/sys/bus/pci/slots";

/// Names all adapters; must run before anything configures one.
pub fn name_all() -> Result<(), Failure> {
    let found = order::in_order(adapters()?, &slots());
    let known = known();
    let numbers = names::assign(&found, &known);
    for (index, name) in names::renamings(&found, &numbers) {
        if let Err(failure) = netlink::rename(index, &name) {
            log::say(Level::Error, failure);
        }
    }
    for ((place, adapter), number) in found.iter().zip(&numbers) {
        let was = &adapter.name;
        log::say(Level::Info, format!("eth{number} is {} at {place} (found as {was})", adapter.mac));
    }
    keep(&names::remember(&found, &numbers, &known), &known)
}

/// Names one that was plugged in while the system runs: the others keep their names whatever comes.
pub fn name_newcomer(name: &str) -> Result<(), Failure> {
    let Some(adapter) = adapter(name) else { return Ok(()) };
    let known = known();
    let number = match known.iter().find(|old| old.mac == adapter.mac).map(|old| old.number) {
        Some(number) if adapter.name != format!("eth{number}") && !exists(number) => {
            netlink::rename(adapter.index, &format!("eth{number}"))?;
            number
        }
        // The kernel has given it a free name.
        _ => match name.strip_prefix("eth").and_then(|number| number.parse().ok()) {
            Some(number) => number,
            None => return Ok(()),
        },
    };
    log::say(Level::Notice, format!("a network adapter was added: eth{number}, {}", adapter.mac));
    let found = order::in_order(vec![adapter], &slots());
    keep(&names::remember(&found, &[number], &known), &known)
}

fn exists(number: u32) -> bool {
    Path::new(INTERFACES).join(format!("eth{number}")).exists()
}

fn known() -> Vec<names::Known> {
    names::parse(&fs::read_to_string(ADAPTER_NAMES).unwrap_or_default())
}

/// Written under another name, synced and renamed: a power cut leaves the old or the new memory.
fn keep(now: &[names::Known], before: &[names::Known]) -> Result<(), Failure> {
    if now == before {
        return Ok(());
    }
    let path = Path::new(ADAPTER_NAMES);
    let folder = path.parent().unwrap_or(path);
    let new = path.with_extension("new");
    let write = || {
        fs::create_dir_all(folder)?;
        let mut file = File::create(&new)?;
        file.write_all(names::format(now).as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        File::open(folder)?.sync_all()
    };
    write().doing(|| format!("remembering the names of the network adapters in {ADAPTER_NAMES}"))
}

/// All interfaces with a device behind them; `lo`, bonds and VLANs have none.
fn adapters() -> Result<Vec<Adapter>, Failure> {
    let entries =
        fs::read_dir(INTERFACES).doing(|| format!("looking for network adapters in {INTERFACES}"))?;
    Ok(entries.flatten().filter_map(|entry| adapter(entry.file_name().to_str()?)).collect())
}

fn adapter(name: &str) -> Option<Adapter> {
    let folder = Path::new(INTERFACES).join(name);
    let text = |path: &Path| Some(fs::read_to_string(path).ok()?.trim().to_owned());
    let device = fs::canonicalize(folder.join("device")).ok()?;
    let address = |path: &Path| PciAddress::parse(path.file_name()?.to_str()?);
    let mut route: Vec<_> = device.ancestors().filter_map(address).collect();
    route.reverse();
    // A virtio adapter is a device on a bus of its own below the PCI device, which alone has the index.
    let on_pci = device.ancestors().find(|path| address(path).is_some()).unwrap_or(&device);
    let number = |file: &str| text(&on_pci.join(file))?.parse().ok();
    let firmware_index = number("acpi_index").or_else(|| number("index"));
    let index = text(&folder.join("ifindex"))?.parse().ok()?;
    let mac = text(&folder.join("address"))?.to_lowercase();
    Some(Adapter { name: name.to_owned(), index, mac, route, firmware_index })
}

/// None where the hypervisor numbers no slots.
fn slots() -> Vec<Slot> {
    let entries = fs::read_dir(SLOTS).into_iter().flatten().flatten();
    let slot = |entry: fs::DirEntry| {
        let address = PciAddress::parse(fs::read_to_string(entry.path().join("address")).ok()?.trim())?;
        Some(Slot { name: entry.file_name().into_string().ok()?, address })
    };
    entries.filter_map(slot).collect()
}

/// Brings the loopback interface up.
pub fn bring_up_loopback() -> Result<(), Failure> {
    let path = format!("{INTERFACES}/lo/ifindex");
    let index = fs::read_to_string(&path).doing(|| format!("reading {path}"))?;
    netlink::bring_up(index.trim().parse().doing(|| format!("reading {path}"))?)
}
